"""What every test may rely on, and the rule on skips: where CI runs, a skip that is not expected fails the run."""

import os
from collections.abc import Generator

import pytest

# Reasons (their beginnings) for which a test may be skipped in CI. Empty: none may.
EXPECTED_SKIPS: tuple[str, ...] = ()

_skipped: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember every skip with its reason."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(EXPECTED_SKIPS or ("\0",)):
            _skipped.append(f"{item.nodeid}: {reason}")
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that skipped what it should not have."""
    if os.environ.get("CI") and _skipped and exitstatus == pytest.ExitCode.OK:
        print("\nunexpected skips:\n  " + "\n  ".join(_skipped))  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
