"""`hours`: when somebody is there, by name; flows ask for it (`hours: office`)."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hotline.config_privacy import Zone
from hotline.config_section import Section
from hotline.config_values import CommaList, Name
from ivr_flows.calendar import CLOSED_WEEK, DAY_MINUTES, WEEK, Calendar, Day, Span
from ivr_flows.holidays import TET_DAYS
from ivr_flows.lunar import FIRST_YEAR, LAST_YEAR, new_year

VIETNAM: Final = "vn"
MAX_RANGE_DAYS: Final = 366
HOLIDAY_KEYS: Final = frozenset({"date", "open", "tet"})

_SPAN: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)")
_DAYS: Final = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?")


class Holiday(NamedTuple):
    """An entry of `holidays`: `vn`, the days that it is about with their hours, or the first day of a year's Tết."""

    vietnam: bool = False
    days: tuple[date, ...] = ()
    hours: Day = ()
    tet: date | None = None


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text}` is not from when until when; write for example 08:00-17:30")
    begins = int(found[1]) * 60 + int(found[2])
    ends = DAY_MINUTES if found[3] is None else int(found[3]) * 60 + int(found[4])
    if begins == ends:
        raise ValueError(f"`{text}` ends when it begins; write 00:00-24:00 for the whole day")
    return begins, ends if ends > begins else ends + DAY_MINUTES


def _hours(value: Any) -> Any:
    if isinstance(value, tuple):  # read before
        return value
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise ValueError("hours are due here, such as 08:00-12:00, or a list of them")
    spans = sorted(_span(each) for each in texts)
    for (_, ends), (begins, _) in pairwise(spans):
        if begins < ends:
            raise ValueError("two of these hours are the same; let one end before the next begins")
    return tuple(spans)


def _weekdays(text: str) -> list[int]:
    """Return the days of `mon`, `mon-fri` or `mon, wed` as `date.weekday` counts them. Raises `ValueError`."""
    days: list[int] = []
    for part in text.lower().split(","):
        found = _DAYS.fullmatch(part.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("", "")
        if first not in WEEK or last not in WEEK:
            raise ValueError(f"`{text}` is no day of the week; write mon, mon-fri, or mon, wed")
        begins, ends = WEEK.index(first), WEEK.index(last)
        days += [(begins + index) % 7 for index in range((ends - begins) % 7 + 1)]
    return days


def _weekdays_named(text: str) -> str:
    _weekdays(text)
    return text


def _date(text: Any) -> date:
    try:
        return date.fromisoformat(str(text).strip())
    except ValueError:
        raise ValueError(f"`{text}` is no date; write it as 2026-12-24") from None


def _dates(text: Any) -> tuple[date, ...]:
    first, dots, last = str(text).partition("..")
    begins, ends = _date(first), _date(last if dots else first)
    if not 0 <= (ends - begins).days < MAX_RANGE_DAYS:
        raise ValueError(f"`{text}`: the first day comes first, and the last within a year")
    return tuple(begins + timedelta(days=index) for index in range((ends - begins).days + 1))


def _tet(text: Any) -> date:
    found = _date(text)
    if not FIRST_YEAR <= found.year <= LAST_YEAR or abs((new_year(found.year) - found).days) > TET_DAYS:
        raise ValueError(f"tet: `{text}` is not the first of the five days of Tết; write for example 2027-02-04")
    return found


def _holiday(value: Any) -> Any:
    if isinstance(value, Holiday):
        return value
    if not isinstance(value, dict):
        return Holiday(vietnam=True) if value == VIETNAM else Holiday(days=_dates(value))
    foreign = sorted(set(value) - HOLIDAY_KEYS)
    if foreign or set(value) not in ({"date", "open"}, {"date"}, {"tet"}):
        wrong = f"`{foreign[0]}` is nothing here; " if foreign else ""
        raise ValueError(f"{wrong}write {{date: 2026-12-31, open: 08:00-12:00}} or {{tet: 2027-02-04}}")
    if "tet" in value:
        return Holiday(tet=_tet(value["tet"]))
    return Holiday(days=_dates(value["date"]), hours=_hours(value["open"]) if "open" in value else ())


Weekdays = Annotated[str, AfterValidator(_weekdays_named)]
HoursOfDay = Annotated[Day, BeforeValidator(_hours)]
AHoliday = Annotated[Holiday, BeforeValidator(_holiday)]


class Hours(Section):
    """Opening hours. What stands in `open` for a day, and in `holidays` for a date, stands there once."""

    timezone: Zone = "Asia/Ho_Chi_Minh"
    open: dict[Weekdays, HoursOfDay] = Field(min_length=1)
    holidays: Annotated[list[AHoliday], CommaList] = Field([])

    @model_validator(mode="after")
    def _says_it_once(self) -> "Hours":
        weekday = _twice(day for days in self.open for day in _weekdays(days))
        if weekday is not None:
            raise ValueError(f"open: `{WEEK[weekday]}` is here twice; write all its hours as one list")
        day = _twice(day for each in self.holidays for day in each.days)
        if day is not None:
            raise ValueError(f"holidays: {day} is here twice")
        year = _twice(each.tet.year for each in self.holidays if each.tet)
        if year is not None:
            raise ValueError(f"holidays: the Tết of {year} is here twice")
        if any(each.tet for each in self.holidays) and not any(each.vietnam for each in self.holidays):
            raise ValueError("holidays: `tet` says when one of the holidays of `vn` is; write vn, too")
        return self

    @property
    def calendar(self) -> Calendar:
        """What these hours mean."""
        week: list[Day] = list(CLOSED_WEEK)
        for days, hours in self.open.items():
            for index in _weekdays(days):
                week[index] = hours
        special: Mapping[date, Day] = {day: each.hours for each in self.holidays for day in each.days}
        return Calendar(
            timezone=self.timezone,
            week=tuple(week),
            special=special,
            vietnam=any(each.vietnam for each in self.holidays),
            tet={each.tet.year: each.tet for each in self.holidays if each.tet},
        )


def _twice(values: Iterable[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


AllHours = dict[Name, Hours]
