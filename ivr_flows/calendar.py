"""Opening hours: when somebody is there, by the clock on the wall of a place.

Pure: `state` and `opens_next` take the instant. Times of day are minutes since midnight of the local clock; a span that
ends on the next day ends after 1440. A day's span belongs to the day on which it begins: on a holiday none begins, and
none goes on from the day before.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from ivr_flows.holidays import vietnam
from telephony.clock import datetime_of

State = Literal["open", "closed", "holiday", "emergency"]
Span = tuple[int, int]
"""From which minute of a day until which; the last is not in it."""
Day = tuple[Span, ...]

DAY_MINUTES: Final = 24 * 60
WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_AHEAD_DAYS: Final = 400
"""Whoever does not open in so long does not open."""
CLOSED_WEEK: Final[tuple[Day, ...]] = ((),) * 7


class Calendar(msgspec.Struct, frozen=True):
    """When a place is open. `week` has Monday first.

    `special` are days with hours of their own, whatever else is then; none means a holiday. `vietnam` adds the public
    holidays, `tet` the first day of Tết's five in years in which it is known. `timezone` is an IANA name.
    """

    timezone: str = "Asia/Ho_Chi_Minh"
    week: tuple[Day, ...] = CLOSED_WEEK
    special: Mapping[date, Day] = {}
    vietnam: bool = False
    tet: Mapping[int, date] = {}

    def hours_of(self, day: date) -> Day | None:
        """Return the hours that begin on a day, None for a holiday."""
        if day in self.special:
            return self.special[day] or None
        if self.vietnam and day in vietnam(day.year, self._rest(), self.tet.get(day.year)):
            return None
        return self.week[day.weekday()]

    def _rest(self) -> frozenset[int]:
        """The weekly days of rest: those without hours."""
        return frozenset(index for index, day in enumerate(self.week) if not day)


def state(calendar: Calendar, at: float, emergency: bool = False) -> State:
    """Return how it stands at an instant: an emergency before a holiday, a holiday before closed."""
    if emergency:
        return "emergency"
    local = datetime_of(at).astimezone(ZoneInfo(calendar.timezone))
    today = calendar.hours_of(local.date())
    if today is None:
        return "holiday"
    minute = local.hour * 60 + local.minute
    if _within(today, minute) or _within(_before(calendar, local.date()), minute + DAY_MINUTES):
        return "open"
    return "closed"


def states(calendars: Mapping[str, Calendar], emergencies: Collection[str], at: float) -> Mapping[str, State]:
    """Return how each of several calendars stands at an instant."""
    return {name: state(calendar, at, name in emergencies) for name, calendar in calendars.items()}


def opens_next(calendar: Calendar, at: float) -> float | None:
    """Return the first instant from `at` on at which it is open, emergencies aside; None for not in a year's time."""
    if state(calendar, at) == "open":
        return at
    zone = ZoneInfo(calendar.timezone)
    first = datetime_of(at).astimezone(zone).date()
    for offset in range(-1, LOOK_AHEAD_DAYS):
        day = first + timedelta(days=offset)
        later = sorted(each for each in _beginnings(calendar, day, zone) if each > at)
        found = next((each for each in later if state(calendar, each) == "open"), None)
        if found is not None:
            return found
    return None


def _before(calendar: Calendar, day: date) -> Day:
    return calendar.hours_of(day - timedelta(days=1)) or ()


def _within(day: Day, minute: int) -> bool:
    return any(begins <= minute < ends for begins, ends in day)


def _beginnings(calendar: Calendar, day: date, zone: ZoneInfo) -> Iterator[float]:
    """Return the instants of a day at which it may open: where a span begins, and where the clock is put back into one.

    An hour that comes twice begins twice. One that is left out begins when the clock is put forward.
    """
    for begins, _ in calendar.hours_of(day) or ():
        wall = datetime.combine(day, time(begins // 60, begins % 60), zone)
        early, late = sorted(wall.replace(fold=fold).timestamp() for fold in (0, 1))
        if datetime_of(late).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
            yield from (early, late)
        else:
            yield _put_forward(zone, early, late)
    yield from _put_back(zone, day)


def _put_forward(zone: ZoneInfo, early: float, late: float) -> float:
    """Return the instant between two at which the offset of the clock changes."""
    before = _offset(zone, early)
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (middle, late) if _offset(zone, middle) == before else (early, middle)
    return late


def _put_back(zone: ZoneInfo, day: date) -> Iterator[float]:
    midnight = datetime.combine(day, time(), zone)
    begins, ends = midnight.timestamp(), (midnight + timedelta(days=1)).timestamp()
    if _offset(zone, ends) < _offset(zone, begins):
        yield _put_forward(zone, begins, ends)


def _offset(zone: ZoneInfo, at: float) -> timedelta:
    return datetime_of(at).astimezone(zone).utcoffset() or timedelta()
