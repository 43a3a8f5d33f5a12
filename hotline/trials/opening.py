"""Opening hours that stand as a scenario has them. Pure."""

from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from ivr_flows.calendar import WEEK
from ivr_flows.facts import Facts
from telephony.clock import datetime_of

ALL_DAY: Final = "00:00-24:00"
ONE_MINUTE: Final = "03:00-03:01"


def hours(facts: Facts, name: str, now: float) -> dict[str, Any]:
    """Return the settings of opening hours that are as the scenario has them, now and for a day. An emergency is a
    switch that is turned, not hours."""
    today = datetime_of(now).astimezone(ZoneInfo(facts.timezone)).date()
    match facts.hours.get(name, "open"):
        case "closed":
            return {"timezone": facts.timezone, "open": {WEEK[(today.weekday() + 3) % 7]: ONE_MINUTE}}
        case "holiday":
            days = [day.isoformat() for day in (today, today + timedelta(days=1))]
            return {"timezone": facts.timezone, "open": {"mon-sun": ALL_DAY}, "holidays": days}
    return {"timezone": facts.timezone, "open": {"mon-sun": ALL_DAY}}
