"""What every test may rely on, and the rule on skips: where CI runs, a skip that is not expected fails the run."""

import os

import pytest

# Reasons (their beginnings) for which a test may be skipped in CI. Empty: none may.
EXPECTED_SKIPS: tuple[str, ...] = ()

_skipped: list[str] = []


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
