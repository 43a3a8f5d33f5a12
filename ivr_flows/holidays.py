"""The public holidays of Vietnam by its Labour Code of 2019 (45/2019/QH14), article 112, and the days of rest that they
bring along by article 111.3.

Which days of Tết and which day beside 2 September are free is decided by the Government year by year (article 112.3).
Taken here is what it has decided from 2018 on, so that the days of rest beside it join in: of Tết two days before the
first and three from it on, but one and four where Tết is a Tuesday; beside 2 September the day after a Monday or a
Thursday, else the day before. Whoever knows better says so (`tet`). The code holds from 2021 on; the years before are
taken to be like it.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from ivr_flows.lunar import Lunar, date_of, new_year

WEEKEND: Final = frozenset({5, 6})
"""Saturday and Sunday, as `date.weekday` counts."""
TET_DAYS: Final = 5
DAY: Final = timedelta(days=1)
MONDAY, TUESDAY, THURSDAY = 0, 1, 3


def vietnam(year: int, rest: Collection[int] = WEEKEND, tet: date | None = None) -> Mapping[date, str]:
    """Return the holidays of a year by day, and what each is. `rest` are the weekly days of rest: one on which a
    holiday falls is given back on the next working day. `tet` is the first of Tết's five days, where it is known.

    Raises `ValueError` for years outside the lunar calendar.
    """
    return _vietnam(year, frozenset(rest), tet)


@lru_cache(maxsize=256)
def _vietnam(year: int, rest: frozenset[int], tet: date | None) -> Mapping[date, str]:
    days = _by_law(year, tet)
    if len(rest) == 7:
        return days
    given_back: dict[date, str] = {}
    for day in sorted(days):
        if day.weekday() in rest:
            instead = day + DAY
            while instead in days or instead in given_back or instead.weekday() in rest:
                instead += DAY
            given_back[instead] = f"{days[day]}, given back"
    return days | given_back


def _by_law(year: int, tet: date | None) -> dict[date, str]:
    first = tet or _first_of_tet(year)
    national = date(year, 9, 2)
    beside = national + DAY if national.weekday() in {MONDAY, THURSDAY} else national - DAY
    return {
        date(year, 1, 1): "New Year's Day",
        **{first + index * DAY: "Tết" for index in range(TET_DAYS)},
        date_of(Lunar(year, 3, 10)): "Hung Kings' Day",
        date(year, 4, 30): "Reunification Day",
        date(year, 5, 1): "Labour Day",
        national: "National Day",
        beside: "National Day",
    }


def _first_of_tet(year: int) -> date:
    day = new_year(year)
    return day - DAY if day.weekday() == TUESDAY else day - 2 * DAY
