"""`ivr_flows.holidays`: the days that were free, as the Government announced them."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.holidays import WEEKEND, vietnam


def _days(text: str, year: int) -> set[date]:
    """Read `2/8-2/14 4/18`."""
    days: set[date] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        start, end = (date(year, *map(int, each.split("/"))) for each in (first, last or first))
        days |= {start + timedelta(days=index) for index in range((end - start).days + 1)}
    return days


# Free days but those of weekly rest, without what was worked on another Saturday instead.
@pytest.mark.parametrize(
    ("year", "free"),
    [
        (2021, "1/1 2/10-2/12 2/15-2/16 4/21 4/30 5/3 9/2-9/3"),
        (2022, "1/3 1/31-2/4 4/11 5/2-5/3 9/1-9/2"),
        (2023, "1/2 1/20 1/23-1/26 5/1-5/3 9/1 9/4"),
        (2024, "1/1 2/8-2/9 2/12-2/14 4/18 4/30-5/1 9/2-9/3"),
        (2025, "1/1 1/27-1/31 4/7 4/30-5/1 9/1-9/2"),
        (2026, "1/1 2/16-2/20 4/27 4/30-5/1 9/1-9/2"),
    ],
)
def test_what_was_free(year: int, free: str) -> None:
    working = {day for day in vietnam(year) if day.weekday() not in WEEKEND}
    assert working == _days(free, year)


def test_tet_is_where_the_government_says() -> None:
    found = vietnam(2027, tet=date(2027, 2, 5))
    assert [day for day, what in found.items() if what == "Tết"] == [date(2027, 2, 5 + index) for index in range(5)]
    assert found[date(2027, 2, 10)] == found[date(2027, 2, 11)] == "Tết, given back"


@settings(deadline=None)
@given(st.integers(1968, 2100), st.sets(st.integers(0, 6), max_size=6))
def test_each_day_of_rest_is_given_back_once(year: int, rest: set[int]) -> None:
    found = vietnam(year, rest)
    by_law = {day for day, what in found.items() if not what.endswith("given back")}
    assert 9 <= len(by_law) <= 11  # Hung Kings' Day may be 30 April or 1 May
    assert len(found) - len(by_law) == sum(day.weekday() in rest for day in by_law)
    assert all(day.weekday() not in rest for day in set(found) - by_law)


def test_who_never_works_gets_nothing_back() -> None:
    assert not any(what.endswith("given back") for what in vietnam(2026, range(7)).values())
