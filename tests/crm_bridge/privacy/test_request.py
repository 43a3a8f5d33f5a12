"""Until when a request has to be answered, and which are overdue."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.privacy.request import answer_due, is_overdue
from crm_bridge.privacy.tables import PrivacyRequest

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-18T18:06", "2026-11-21T00:00"),  # Wednesday: the end of Friday
        ("2026-11-20T09:00", "2026-11-25T00:00"),  # Friday: the end of Tuesday
        ("2026-11-21T23:59", "2026-11-25T00:00"),  # Saturday
        ("2026-11-22T00:00", "2026-11-25T00:00"),  # Sunday
    ],
)
def test_two_working_days_end_with_the_second(received: str, due: str) -> None:
    at = datetime.fromisoformat(received).replace(tzinfo=ZONE)
    assert datetime.fromtimestamp(answer_due(at.timestamp(), 2, ZONE), ZONE).isoformat()[:16] == due


@given(st.floats(1_700_000_000, 2_000_000_000), st.integers(1, 30))
def test_between_a_request_and_its_end_lie_so_many_working_days(received_at: float, days: int) -> None:
    day = datetime.fromtimestamp(received_at, ZONE).date()
    due = datetime.fromtimestamp(answer_due(received_at, days, ZONE), ZONE)
    assert (due.hour, due.minute, due.second) == (0, 0, 0)
    last = due.date() - timedelta(days=1)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    assert sum(each.weekday() < 5 for each in between) == days
    assert last.weekday() < 5


@pytest.mark.parametrize(
    ("answered_at", "outcome", "now", "overdue"),
    [
        (None, "", 9.0, False),
        (None, "", 11.0, True),
        (5.0, "", 11.0, False),
        (5.0, "", 21.0, True),
        (5.0, "done", 99.0, False),
        (None, "void", 99.0, False),
    ],
)
def test_what_is_late_is_overdue(answered_at: float | None, outcome: str, now: float, *, overdue: bool) -> None:
    row = PrivacyRequest(answer_due_at=10.0, due_at=20.0, answered_at=answered_at, outcome=outcome)
    assert is_overdue(row, now) is overdue
