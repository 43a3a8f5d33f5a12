"""What a flow may know of the world: named groups of facts that it only reads.

A personal fact below the assurance that the flow's `speak` policy asks for is as if it were not known, in conditions
and in words alike. So a caller who merely shows somebody's number cannot be told what that somebody wrote.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from telephony.clock import datetime_of
from telephony.events import CallerContext

SPEAK: Final = {"name": 1, "case_topic": 1, "last_interaction": 2}
"""The assurance at which a fact may be spoken where a flow's policy says nothing of it."""


class QueueFacts(msgspec.Struct, frozen=True):
    """A queue as a flow sees it: does it take calls now, how many wait, how long one more would wait (seconds)."""

    open: bool = True
    waiting: int = 0
    estimated_wait_s: float = 0.0


class WaitingFacts(msgspec.Struct, frozen=True):
    """A caller's place in a queue: `position` is 1 for who is next, `estimated_wait_s` the time that is left."""

    queue: str = ""
    position: int = 0
    since: float = 0.0
    estimated_wait_s: float = 0.0


class Facts(msgspec.Struct, frozen=True):
    """What the switchboard tells a flow; `ani` and `dnis` as they stand in the call, `started_at` since the epoch.

    `timezone` is a name of the IANA database; `now` in a flow is local to it. `region` is where numbers without a
    country code are from. `hours` are the states of opening hours by name, `settings` values for flows by name, `call`
    the call's id.
    """

    caller: CallerContext = CallerContext()
    ani: str = ""
    dnis: str = ""
    started_at: float = 0.0
    timezone: str = "Asia/Ho_Chi_Minh"
    queues: Mapping[str, QueueFacts] = {}
    hours: Mapping[str, str] = {}
    waiting: WaitingFacts | None = None
    settings: Mapping[str, str] = {}
    region: str = "VN"
    call: str = ""


class CaseView(msgspec.Struct, frozen=True):
    """An open case, as `caller.open_cases[0]` shows it."""

    id: str
    subject: str
    topic: str
    channel: str
    opened: datetime


class InteractionView(msgspec.Struct, frozen=True):
    """The newest line of the customer's timeline, as `caller.last_interaction` shows it."""

    channel: str
    direction: str
    occurred: datetime
    subject: str


class CallerView(msgspec.Struct, frozen=True):
    """`caller`."""

    known: bool
    name: str
    language: str
    assurance: int
    tags: tuple[str, ...]
    open_cases: tuple[CaseView, ...]
    last_interaction: InteractionView | None


class CallView(msgspec.Struct, frozen=True):
    """`call`."""

    ani: str
    dnis: str
    language: str
    started: datetime


class QueueView(msgspec.Struct, frozen=True):
    """`queue("care")`; `estimated_wait` is in seconds."""

    open: bool
    waiting: int
    estimated_wait: float


class WaitingView(msgspec.Struct, frozen=True):
    """`waiting`, in a flow for waiting: the place in the queue, 1 for who is next, and how long (seconds)."""

    position: int
    seconds: float
    estimated_wait: float


class Named(Mapping[str, Any]):
    """Values by name, as `record.field` shows them: nothing of a mapping but its values can be reached."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Setting(str):
    """A value of the settings: an address that it makes is taken as it stands."""

    __slots__ = ()


VIEWS: Final[Mapping[str, type[msgspec.Struct] | None]] = {
    "caller": CallerView,
    "call": CallView,
    "queue": QueueView,
    "waiting": WaitingView,
    "hours": None,
    "settings": None,
    "now": None,
}


def views(facts: Facts, speak: Mapping[str, int], language: str, now: float) -> Mapping[str, object]:
    """Return the groups of facts by name, for an expression. Raises `ZoneInfoNotFoundError` for an unknown zone."""
    zone = ZoneInfo(facts.timezone)

    def queue(name: str) -> QueueView:
        if name not in facts.queues:
            raise LookupError(f'queue("{name}"): there is no such queue')
        known = facts.queues[name]
        return QueueView(open=known.open, waiting=known.waiting, estimated_wait=known.estimated_wait_s)

    def hours(name: str) -> str:
        if name not in facts.hours:
            raise LookupError(f'hours("{name}"): there are no such opening hours')
        return facts.hours[name]

    return {
        "caller": _caller(facts.caller, {**SPEAK, **speak}, zone),
        "call": CallView(
            ani=facts.ani, dnis=facts.dnis, language=language, started=datetime_of(facts.started_at).astimezone(zone)
        ),
        "queue": queue,
        "hours": hours,
        "waiting": _waiting(facts.waiting or WaitingFacts(since=now), now),
        "settings": Named({name: Setting(value) for name, value in facts.settings.items()}),
        "now": datetime_of(now).astimezone(zone),
    }


def _waiting(waiting: WaitingFacts, now: float) -> WaitingView:
    return WaitingView(waiting.position, max(0.0, now - waiting.since), waiting.estimated_wait_s)


def _caller(caller: CallerContext, levels: Mapping[str, int], zone: ZoneInfo) -> CallerView:
    def may_hear(fact: str) -> bool:
        return caller.assurance >= levels[fact]

    cases = tuple(
        CaseView(
            id=case.id,
            subject=case.subject,
            topic=case.topic,
            channel=case.channel,
            opened=datetime_of(case.opened_at).astimezone(zone),
        )
        for case in caller.open_cases
    )
    last = None
    if caller.last_interactions:
        newest = caller.last_interactions[0]
        last = InteractionView(
            channel=newest.channel,
            direction=newest.direction,
            occurred=datetime_of(newest.occurred_at).astimezone(zone),
            subject=newest.subject,
        )
    return CallerView(
        known=caller.known,
        name=caller.name if may_hear("name") else "",
        language=caller.language,
        assurance=caller.assurance,
        tags=caller.tags,
        open_cases=cases if may_hear("case_topic") else (),
        last_interaction=last if may_hear("last_interaction") else None,
    )
