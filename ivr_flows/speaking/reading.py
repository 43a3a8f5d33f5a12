"""What a value of a flow is, whatever it came as: digits that a caller typed, JSON of a web service, a fact."""

import re
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

Spoken = Literal["vi", "en"]

MAX_NUMBER: Final = Decimal(10) ** 15
ANY_NUMBER: Final = Decimal("Infinity")
DECIMALS: Final = Decimal(10) ** -6
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199

_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_YEARLESS: Final = re.compile(r"--(\d{2})-?(\d{2})", re.ASCII)
LEAP_YEAR: Final = 2000
_EIGHT: Final = re.compile(r"\d{8}", re.ASCII)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)(:[0-5]\d(\.\d{1,9})?)?", re.ASCII)


class Unreadable(ValueError):
    """A value is not what a filter says. The text does not quote it: it may be personal."""


def number_of(value: object, most: Decimal = MAX_NUMBER) -> Decimal:
    """Return a number exactly, at most six decimals of it (none from 10^15 on); a float is what it is written as.

    Raises `Unreadable`, also for a number that is not below `most`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Unreadable("the value is no number")
    text = str(value).strip()
    if isinstance(value, str) and not _NUMBER.fullmatch(text):
        raise Unreadable("the value is no number; write its digits, with a point before decimals")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unreadable("the value is no number") from None
    if not number.is_finite() or abs(number) >= most:
        raise Unreadable("the number is too large to be said")
    if abs(number) >= MAX_NUMBER:
        return Decimal(int(number))
    return round(number, 6) if number % DECIMALS else number


def datetime_of(value: object, zone: tzinfo) -> datetime:
    """Return an instant as clocks of `zone` show it. One without a zone is theirs already; a number is seconds since
    the epoch. Raises `Unreadable`."""
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, str) and ":" in value:
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            raise Unreadable("the value is no date with a time, such as 2026-03-02T08:30") from None
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        found = _since_epoch(value, zone)
    else:
        raise Unreadable("the value is no date with a time, such as 2026-03-02T08:30")
    try:
        local = found.astimezone(zone) if found.tzinfo else found.replace(tzinfo=zone)
    except (OverflowError, ValueError):
        raise Unreadable("the date is out of range") from None
    return local


def _since_epoch(value: float | Decimal, zone: tzinfo) -> datetime:
    try:
        return datetime.fromtimestamp(float(value), zone)
    except (OverflowError, ValueError, OSError):
        raise Unreadable("the number of seconds since 1970 is out of range") from None


def date_of(value: object, zone: tzinfo) -> date:
    """Return a day: of a date, an instant, `2026-03-02`, or eight digits as people key them in (`02032026`).

    Raises `Unreadable`.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or ":" in value:
        return datetime_of(value, zone).date()
    text = value.strip()
    if _EIGHT.fullmatch(text):
        return _eight_digits(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable("the value is no date, such as 2026-03-02") from None


def yearless(value: object) -> date | None:
    """Return a day that is said without its year (`--05-17`, ISO 8601), as one of a leap year; None for any other
    value. Raises `Unreadable` for one that no year has."""
    found = _YEARLESS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(LEAP_YEAR, int(found[1]), int(found[2]))
    except ValueError:
        raise Unreadable("the value is no date, such as 2026-03-02") from None


def _eight_digits(text: str) -> date:
    # The year is looked for at either end: no date reads both ways within these years.
    for year, month, day in ((text[4:], text[2:4], text[:2]), (text[:4], text[4:6], text[6:])):
        if FIRST_YEAR <= int(year) <= LAST_YEAR:
            try:
                return date(int(year), int(month), int(day))
            except ValueError:
                continue
    raise Unreadable("the value is no date, such as 02032026")


def time_of(value: object, zone: tzinfo) -> time:
    """Return an hour and minute: of a time, an instant, `08:30` or `0830`. Raises `Unreadable`."""
    if isinstance(value, time):
        return value.replace(second=0, microsecond=0, tzinfo=None)
    if isinstance(value, str):
        found = _CLOCK.fullmatch(value.strip())
        if found is not None:
            return time(int(found[1]), int(found[2]))
    at = datetime_of(value, zone)
    return time(at.hour, at.minute)


def seconds_of(value: object) -> int:
    """Return a duration in whole seconds, not negative. Raises `Unreadable`."""
    given = value.total_seconds() if isinstance(value, timedelta) else value
    whole = round(number_of(given))
    if whole < 0:
        raise Unreadable("the duration is negative")
    return whole
