"""Vietnam's lunar calendar: months begin on the day of the new moon at UTC+7.

The rules are those that Hồ Ngọc Đức sets out (https://www.informatik.uni-leipzig.de/~duc/amlich/calrules.html): month
11 is the one with the winter solstice; where thirteen new moons lie from one month 11 to the next, the first month
without a major solar term is a leap month, and has the number of the one before. Moon and Sun are computed as in Jean
Meeus, Astronomical Algorithms, 2nd edition, chapters 25 and 49. Vietnam reckons so since 1968 (Decision 121/CP of
1967).

From 1968 to 2100 this gives the months of Hồ Ngọc Đức's tables, but for four (in 2054, 2072, 2077 and 2085) that begin
within three minutes of midnight, on which side of it nobody knows before the Earth has turned so far. No new year and
no 10th of month 3 is among them.
"""

import math
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

FIRST_YEAR: Final = 1968
LAST_YEAR: Final = 2100

UTC_OFFSET_DAYS: Final = 7 / 24
JD_OF_DAY_0: Final = 1_721_424.5
"""The Julian date at the midnight that begins the day whose ordinal (`date.toordinal`) is 0."""
J2000: Final = 2_451_545.0
CENTURY_DAYS: Final = 36_525
LUNATION_DAYS: Final = 29.530588861
DELTA_T_DAYS: Final = 70 / 86_400
"""Terrestrial less universal time: 38 s in 1968, 69 s in 2026."""

# Meeus, table of chapter 49 for the new moon: amplitude in days, and how often M, M', F and Omega are taken; the
# amplitude has a factor E for each M. What is less than half a minute together is left out.
NEW_MOON_TERMS: Final = (
    (-0.40720, 0, 1, 0, 0),
    (0.17241, 1, 0, 0, 0),
    (0.01608, 0, 2, 0, 0),
    (0.01039, 0, 0, 2, 0),
    (0.00739, -1, 1, 0, 0),
    (-0.00514, 1, 1, 0, 0),
    (0.00208, 2, 0, 0, 0),
    (-0.00111, 0, 1, -2, 0),
    (-0.00057, 0, 1, 2, 0),
    (0.00056, 1, 2, 0, 0),
    (-0.00042, 0, 3, 0, 0),
    (0.00042, 1, 0, 2, 0),
    (0.00038, 1, 0, -2, 0),
    (-0.00024, -1, 2, 0, 0),
    (-0.00017, 0, 0, 0, 1),
)


class Lunar(NamedTuple):
    """A day of the lunar calendar; `leap` is the second month of its number in a year."""

    year: int
    month: int
    day: int
    leap: bool = False


class _Month(NamedTuple):
    first: int
    """The ordinal of its first day."""
    days: int
    year: int
    month: int
    leap: bool


def lunar_of(day: date) -> Lunar:
    """Return the lunar date of a day. Raises `ValueError` for years that are not known."""
    ordinal = day.toordinal()
    for year in (day.year, day.year + 1):
        for month in _months(year):
            if month.first <= ordinal < month.first + month.days:
                _known(month.year)
                return Lunar(month.year, month.month, ordinal - month.first + 1, month.leap)
    raise ValueError(f"{day} is in no month")  # pragma: no cover - the months of two years leave no gap


def date_of(lunar: Lunar) -> date:
    """Return the day of a lunar date. Raises `ValueError` for one that does not exist."""
    _known(lunar.year)
    for month in _months(lunar.year + 1 if lunar.month >= 11 else lunar.year):
        same = (month.year, month.month, month.leap) == (lunar.year, lunar.month, lunar.leap)
        if same and 1 <= lunar.day <= month.days:
            return date.fromordinal(month.first + lunar.day - 1)
    leap = " leap" if lunar.leap else ""
    raise ValueError(f"the lunar year {lunar.year} has no day {lunar.day} of{leap} month {lunar.month}")


def new_year(year: int) -> date:
    """Return the first day of the lunar year that begins in `year`: Tết Nguyên Đán."""
    return date_of(Lunar(year, 1, 1))


def leap_month(year: int) -> int | None:
    """Return the number of a lunar year's leap month, None for a year without."""
    _known(year)
    both = (*_months(year), *_months(year + 1))
    return next((month.month for month in both if month.leap and month.year == year), None)


def _known(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the lunar calendar is known from {FIRST_YEAR} to {LAST_YEAR}, not in {year}")


@lru_cache(maxsize=512)
def _months(year: int) -> tuple[_Month, ...]:
    """Return the months from month 11 of the year before up to month 10, or its leap month, of `year`."""
    moon = _month_11(year - 1)
    count = _month_11(year) - moon
    firsts = [_new_moon(moon + index) for index in range(count + 1)]
    leap = None
    if count == 13:
        terms = [_sector(first) for first in firsts]
        leap = next(index for index in range(1, count) if terms[index] == terms[index + 1])
    months = []
    for index, (first, following) in enumerate(pairwise(firsts)):
        number = index if leap is None or index < leap else index - 1
        month = (number + 10) % 12 + 1
        months.append(_Month(first, following - first, year - 1 if month >= 11 else year, month, index == leap))
    return tuple(months)


def _month_11(year: int) -> int:
    """Return the number of the new moon that begins the month with the winter solstice (the Sun at 270 degrees)."""
    last_day = date(year, 12, 31).toordinal()
    moon = math.floor((year + 1 - 2000) * 365.2425 / LUNATION_DAYS)
    while _new_moon(moon + 1) <= last_day:
        moon += 1
    while _new_moon(moon) > last_day:
        moon -= 1
    return moon - 1 if _sector(_new_moon(moon)) >= 9 else moon


def _new_moon(number: int) -> int:
    """Return the ordinal of the day in Vietnam on which a new moon falls; 0 is that of 6 January 2000."""
    t = number * LUNATION_DAYS / CENTURY_DAYS
    eccentricity = 1 - 0.002516 * t - 0.0000074 * t**2
    sun = 2.5534 + 29.10535670 * number - 0.0000014 * t**2
    moon = 201.5643 + 385.81693528 * number + 0.0107582 * t**2 + 0.00001238 * t**3
    latitude = 160.7108 + 390.67050284 * number - 0.0016118 * t**2 - 0.00000227 * t**3
    node = 124.7746 - 1.56375588 * number + 0.0020672 * t**2
    at = 2_451_550.09766 + LUNATION_DAYS * number + 0.00015437 * t**2 - 0.00000015 * t**3
    for amplitude, suns, moons, latitudes, nodes in NEW_MOON_TERMS:
        angle = suns * sun + moons * moon + latitudes * latitude + nodes * node
        at += amplitude * eccentricity ** abs(suns) * math.sin(math.radians(angle))
    return math.floor(at - DELTA_T_DAYS + UTC_OFFSET_DAYS - JD_OF_DAY_0)


def _sector(day: int) -> int:
    """Return in which twelfth of its way from the spring equinox the Sun is when a day begins in Vietnam."""
    t = (day + JD_OF_DAY_0 - UTC_OFFSET_DAYS + DELTA_T_DAYS - J2000) / CENTURY_DAYS
    mean = 280.46646 + 36_000.76983 * t + 0.0003032 * t**2
    anomaly = math.radians(357.52911 + 35_999.05029 * t - 0.0001537 * t**2)
    centre = (
        (1.914602 - 0.004817 * t - 0.000014 * t**2) * math.sin(anomaly)
        + (0.019993 - 0.000101 * t) * math.sin(2 * anomaly)
        + 0.000289 * math.sin(3 * anomaly)
    )
    apparent = mean + centre - 0.00569 - 0.00478 * math.sin(math.radians(125.04 - 1934.136 * t))
    return int(apparent % 360 // 30)
