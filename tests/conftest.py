"""What every test may rely on, and the rule on skips: where CI runs, a skip that is not expected fails the run."""

import os
from pathlib import Path
from typing import Final

import hypothesis
import pytest

# Both read the clock on the wall, which goes on while other programs have the processor: what takes too long is for
# pytest's timeout to end.
hypothesis.settings.register_profile("hotline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("hotline")

# Reasons (their beginnings) for which a test may be skipped in CI. Empty: none may.
EXPECTED_SKIPS: tuple[str, ...] = ()

# In this part of a run all files of end-to-end tests have begun.
EARLY: Final = 0.7

_skipped: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there are several workers, spread the files that wait for calls over those that compute: together they keep
    the machine busy, and no long file comes last."""
    if not hasattr(config, "workerinput"):
        return
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    waiting = [path for path in by_file if "end_to_end" in path.parts]
    others = [path for path in by_file if "end_to_end" not in path.parts]
    places = [(EARLY * number / len(waiting), path) for number, path in enumerate(waiting)]
    places += [(number / len(others), path) for number, path in enumerate(others)]
    items[:] = [item for _, path in sorted(places) for item in by_file[path]]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember every skip with its reason."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(EXPECTED_SKIPS or ("\0",)):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that skipped what it should not have; where there are workers, whoever looks after them does."""
    if hasattr(session.config, "workerinput"):
        return
    if os.environ.get("CI") and _skipped and exitstatus == pytest.ExitCode.OK:
        print("\nunexpected skips:\n  " + "\n  ".join(_skipped))  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
