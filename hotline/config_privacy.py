"""`privacy`: how long data is kept, and how soon people's requests are answered and done."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from hotline.config_section import Section
from hotline.config_values import Days


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{value}` is no time zone; write for example Asia/Ho_Chi_Minh") from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]


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
    facts: Days | None = None
    calls: Days | None = None
    journals: Days | None = None
    webhook_events: Days | None = None


class Privacy(Section):
    """`time_zone` is where working days begin and end."""

    time_zone: Zone
    deadlines: Deadlines
    retention: Retention
