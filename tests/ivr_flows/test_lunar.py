"""`ivr_flows.lunar`: Tết as it was and will be, and days that come back."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.lunar import FIRST_YEAR, LAST_YEAR, Lunar, date_of, leap_month, lunar_of, new_year

# Tết Nguyên Đán of 2000 to 2060 as month and day: the calendars printed in Vietnam, and Hồ Ngọc Đức's tables.
TET = (
    "0205 0124 0212 0201 0122 0209 0129 0217 0207 0126 0214 0203 0123 0210 0131 0219 0208 0128 0216 0205 "
    "0125 0212 0201 0122 0210 0129 0217 0206 0126 0213 0202 0123 0211 0131 0219 0208 0128 0215 0204 0124 "
    "0212 0201 0122 0210 0130 0217 0206 0126 0214 0202 0123 0211 0201 0218 0208 0128 0215 0204 0124 0212 "
    "0202"
)
LEAP_MONTHS = {
    2001: 4, 2004: 2, 2006: 7, 2009: 5, 2012: 4, 2014: 9, 2017: 6, 2020: 4, 2023: 2, 2025: 6, 2028: 5, 2031: 3,
    2033: 11, 2036: 6, 2039: 5, 2042: 2, 2044: 7, 2047: 5, 2050: 3, 2052: 8, 2055: 6, 2058: 4,
}  # fmt: skip

YEARS = st.integers(FIRST_YEAR, LAST_YEAR)
DAYS = st.dates(new_year(FIRST_YEAR), new_year(LAST_YEAR))


@pytest.mark.parametrize(("year", "day"), [(2000 + index, day) for index, day in enumerate(TET.split())])
def test_new_years(year: int, day: str) -> None:
    assert new_year(year).strftime("%m%d") == day


def test_leap_months() -> None:
    found = {year: leap_month(year) for year in range(2000, 2061)}
    assert {year: month for year, month in found.items() if month} == LEAP_MONTHS


@pytest.mark.parametrize(
    ("day", "beijing"),
    [
        (date(1968, 1, 29), date(1968, 1, 30)),
        (date(1985, 1, 21), date(1985, 2, 20)),
        (date(2007, 2, 17), date(2007, 2, 18)),
        (date(2030, 2, 2), date(2030, 2, 3)),
        (date(2053, 2, 18), date(2053, 2, 19)),
    ],
)
def test_hanoi_is_an_hour_behind_beijing(day: date, beijing: date) -> None:
    assert new_year(day.year) == day != beijing


@pytest.mark.parametrize(
    ("day", "lunar"),
    [
        (date(2023, 3, 22), Lunar(2023, 2, 1, leap=True)),
        (date(2024, 4, 18), Lunar(2024, 3, 10)),
        (date(2025, 9, 22), Lunar(2025, 8, 1)),
        (date(2026, 2, 16), Lunar(2025, 12, 29)),
        (date(2034, 1, 19), Lunar(2033, 11, 29, leap=True)),
    ],
)
def test_known_days(day: date, lunar: Lunar) -> None:
    assert lunar_of(day) == lunar
    assert date_of(lunar) == day


@settings(deadline=None)
@given(DAYS)
def test_a_day_comes_back(day: date) -> None:
    assert date_of(lunar_of(day)) == day


@settings(deadline=None)
@given(DAYS)
def test_days_follow_each_other(day: date) -> None:
    today, tomorrow = lunar_of(day), lunar_of(day + timedelta(days=1))
    if tomorrow.day == 1:
        assert today.day in {29, 30}
        assert (today.month % 12 + 1 == tomorrow.month) or (tomorrow.leap and today.month == tomorrow.month)
    else:
        assert tomorrow == today._replace(day=today.day + 1)


@settings(deadline=None)
@given(YEARS)
def test_years(year: int) -> None:
    assert date(year, 1, 20) <= new_year(year) <= date(year, 2, 21)
    assert lunar_of(new_year(year)) == Lunar(year, 1, 1)


@pytest.mark.parametrize(
    "lunar",
    [
        Lunar(2026, 1, 31), Lunar(2026, 1, 0), Lunar(2026, 13, 1), Lunar(2026, 0, 1), Lunar(2026, 6, 1, leap=True),
        Lunar(FIRST_YEAR - 1, 1, 1), Lunar(LAST_YEAR + 1, 1, 1),
    ],
)  # fmt: skip
def test_days_that_do_not_exist(lunar: Lunar) -> None:
    with pytest.raises(ValueError, match="lunar"):
        date_of(lunar)


def test_days_outside_the_calendar() -> None:
    for day in (date(1960, 1, 1), date(2150, 1, 1)):
        with pytest.raises(ValueError, match="known from 1968 to 2100"):
            lunar_of(day)
