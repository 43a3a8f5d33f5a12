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
from telephony.events import CallerContext, Offer, Order, PastInteraction, Survey

SPEAK: Final = {
    "name": 1,
    "case_topic": 1,
    "last_agent": 1,
    "preferred_channel": 1,
    "last_interaction": 2,
    "birthday": 2,
    "orders": 2,
    "needs": 2,
    "survey": 2,
    "reason": 2,
    "offer": 2,
}
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


class OrderView(msgspec.Struct, frozen=True):
    """An order, as `caller.orders[0]` shows it."""

    number: str
    state: str
    amount: str
    currency: str
    items: int
    products: tuple[str, ...]
    placed: datetime
    updated: datetime


class NeedView(msgspec.Struct, frozen=True):
    """Something that the customer wants and nobody has met."""

    what: str
    since: datetime


class SurveyView(msgspec.Struct, frozen=True):
    """What the customer last thought of us; `sentiment` is `good`, `neutral` or `bad`."""

    kind: str
    score: int
    of: int
    sentiment: str
    answered: datetime


class ReasonView(msgspec.Struct, frozen=True):
    """Why the customer probably calls: `kind` is `case`, `order`, `message`, `survey` or `need`, `subject` what may be
    said aloud of it."""

    kind: str
    id: str
    subject: str
    since: datetime


class OfferView(msgspec.Struct, frozen=True):
    """What the customer may be offered next; `text` is in the language of the call where the offer has it."""

    name: str
    text: str


class CallerView(msgspec.Struct, frozen=True):
    """`caller`. `last_by_channel` has the newest interaction of each channel."""

    known: bool
    name: str
    language: str
    assurance: int
    tags: tuple[str, ...]
    open_cases: tuple[CaseView, ...]
    last_interaction: InteractionView | None
    last_by_channel: tuple[InteractionView, ...]
    last_agent: str
    preferred_channel: str
    birthday: str
    orders: tuple[OrderView, ...]
    needs: tuple[NeedView, ...]
    survey: SurveyView | None
    reason: ReasonView | None
    offer: OfferView | None


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
    "today": None,
}


def views(facts: Facts, speak: Mapping[str, int], language: str, now: float) -> Mapping[str, object]:
    """Return the groups of facts by name, for an expression. Raises `ZoneInfoNotFoundError` for an unknown zone."""
    zone = ZoneInfo(facts.timezone)
    local_now = datetime_of(now).astimezone(zone)

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
        "caller": _caller(facts.caller, {**SPEAK, **speak}, language, zone),
        "call": CallView(
            ani=facts.ani, dnis=facts.dnis, language=language, started=datetime_of(facts.started_at).astimezone(zone)
        ),
        "queue": queue,
        "hours": hours,
        "waiting": _waiting(facts.waiting or WaitingFacts(since=now), now),
        "settings": Named({name: Setting(value) for name, value in facts.settings.items()}),
        "now": local_now,
        "today": local_now.date().isoformat(),
    }


def _waiting(waiting: WaitingFacts, now: float) -> WaitingView:
    return WaitingView(waiting.position, max(0.0, now - waiting.since), waiting.estimated_wait_s)


def _caller(caller: CallerContext, levels: Mapping[str, int], language: str, zone: ZoneInfo) -> CallerView:
    def may_hear(fact: str) -> bool:
        return caller.assurance >= levels[fact]

    def local(at: float) -> datetime:
        return datetime_of(at).astimezone(zone)

    cases = tuple(
        CaseView(id=case.id, subject=case.subject, topic=case.topic, channel=case.channel, opened=local(case.opened_at))
        for case in caller.open_cases
    )
    last = tuple(_interaction(each, zone) for each in caller.last_interactions[:1])
    reason = caller.reason
    return CallerView(
        known=caller.known,
        name=caller.name if may_hear("name") else "",
        language=caller.language,
        assurance=caller.assurance,
        tags=caller.tags,
        open_cases=cases if may_hear("case_topic") else (),
        last_interaction=last[0] if last and may_hear("last_interaction") else None,
        last_by_channel=(
            tuple(_interaction(each, zone) for each in caller.last_by_channel) if may_hear("last_interaction") else ()
        ),
        last_agent=caller.last_agent if may_hear("last_agent") else "",
        preferred_channel=caller.preferred_channel if may_hear("preferred_channel") else "",
        birthday=caller.birthday if may_hear("birthday") else "",
        orders=tuple(_order(each, zone) for each in caller.orders) if may_hear("orders") else (),
        needs=tuple(NeedView(each.what, local(each.since)) for each in caller.needs) if may_hear("needs") else (),
        survey=_survey(caller.survey, zone) if caller.survey is not None and may_hear("survey") else None,
        reason=(
            ReasonView(reason.kind, reason.id, reason.subject, local(reason.at))
            if reason is not None and may_hear("reason")
            else None
        ),
        offer=_offer(caller.offer, language) if caller.offer is not None and may_hear("offer") else None,
    )


def _interaction(each: PastInteraction, zone: ZoneInfo) -> InteractionView:
    return InteractionView(
        channel=each.channel,
        direction=each.direction,
        occurred=datetime_of(each.occurred_at).astimezone(zone),
        subject=each.subject,
    )


def _order(each: Order, zone: ZoneInfo) -> OrderView:
    return OrderView(
        number=each.number,
        state=each.state,
        amount=each.amount,
        currency=each.currency,
        items=each.items,
        products=each.products,
        placed=datetime_of(each.placed_at).astimezone(zone),
        updated=datetime_of(each.at).astimezone(zone),
    )


def _survey(survey: Survey, zone: ZoneInfo) -> SurveyView:
    answered = datetime_of(survey.at).astimezone(zone)
    return SurveyView(survey.kind, survey.score, survey.of, survey.sentiment, answered)


def _offer(offer: Offer, language: str) -> OfferView:
    """The words of an offer in a language, in the first that it has otherwise."""
    return OfferView(offer.name, offer.text.get(language) or next(iter(offer.text.values()), ""))
