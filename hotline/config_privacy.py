"""`privacy`: how long data is kept, and how soon people's requests are answered and done."""

import re
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from hotline.config_section import Section

DAY_S: Final = 86_400.0
_DAYS: Final = re.compile(r"(\d{1,5})\s*d")


def _days(value: Any) -> float:
    if isinstance(value, float):  # read before
        return value
    found = _DAYS.fullmatch(str(value).strip())
    if found is None or not int(found[1]):
        raise ValueError(f"`{value}` is no number of days; write for example 90d")
    return int(found[1]) * DAY_S


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{value}` is no time zone; write for example Asia/Ho_Chi_Minh") from None
    return value


Days = Annotated[float, BeforeValidator(_days)]


class Deadlines(Section):
    """From a request on: working days until it is answered, and seconds until what it asks for is done.

    The defaults are those of Vietnam's Decree 356/2025, without a third party and without the one extension.
    """

    answer: int = Field(ge=1, le=60)
    export: Days
    correct: Days
    object: Days
    erase: Days


class Retention(Section):
    """Seconds that each kind of data is kept; for ever where nothing is given."""

    recordings: Days | None = None
    transcripts: Days | None = None
    interactions: Days | None = None
    calls: Days | None = None
    journals: Days | None = None
    webhook_events: Days | None = None


class Privacy(Section):
    """`time_zone` is where working days begin and end."""

    time_zone: Annotated[str, AfterValidator(_zone)]
    deadlines: Deadlines
    retention: Retention
