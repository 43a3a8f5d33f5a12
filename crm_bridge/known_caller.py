"""Whose number is this, and what is known of them: one statement, by indexes alone, and nothing is written.

A caller waits for this read, so it is one: each statement more costs a way to the database and back. It serves
whoever has one profile; a person of several is left to `crm_bridge.person`.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge import facts
from crm_bridge.fact_rows import MAX_FACTS
from crm_bridge.facts import Fact
from crm_bridge.tables import Case, Customer, CustomerFact, CustomerField, Identity, IdentityUser, Interaction
from crm_bridge.told import MAX_FIELDS
from telephony.events import CallerContext, KnownField, OpenCase, Order, PastInteraction

MAX_OPEN_CASES: Final = 10
MAX_INTERACTIONS: Final = 10
MAX_CHANNELS: Final = 20
MAX_ORDERS: Final = 10
MAX_NEEDS: Final = 10
MAX_CALLS: Final = 20
"""So many of the last calls are looked through for an agent."""
MAX_TEXT_LENGTH: Final = 500
MAX_USERS: Final = 20
CALL: Final = "call"
_HOME, _CASE, _INTERACTION, _FIELD, _FACT, _LAST, _AGENT, _USER, _SHARED = range(9)

_Columns = tuple[int, str, str, str, str, str, float]


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """What is known of the profile that a number leads to, without an assurance, a reason and an offer. `confidence` is
    that of the number's link; `is_alone` is false for one of several profiles of a person, of which this one alone was
    read. `orders` are all that were read. `person` is that person's id; `users` are others who use the number, as
    (profile, person), and `is_shared` says that it identifies nobody."""

    context: CallerContext
    orders: tuple[Order, ...]
    confidence: float
    is_alone: bool
    person: str = ""
    users: tuple[tuple[str, str], ...] = ()
    is_shared: bool = False


async def read(session: AsyncSession, number: str) -> KnownCaller | None:
    """Return whose number (E.164) it is, None for nobody's; open cases and interactions newest first."""
    rows = (await session.execute(_STATEMENT, {"number": number})).all()
    home = next((row for row in rows if row.part == _HOME), None)
    if home is None:
        return None
    newest_first = sorted(rows, key=lambda row: (row.at, row.id), reverse=True)
    context = CallerContext(
        customer=home.id,
        known=True,
        name=home.subject,
        language=home.way,
        tags=tuple(json.loads(home.channel)),
        open_cases=tuple(
            OpenCase(row.id, row.subject, row.way, row.channel, row.at) for row in newest_first if row.part == _CASE
        ),
        last_interactions=tuple(_past(row) for row in newest_first if row.part == _INTERACTION),
        fields=tuple(
            KnownField(row.id, row.subject, row.channel, row.at) for row in newest_first if row.part == _FIELD
        ),
        last_by_channel=tuple(_past(row) for row in newest_first if row.part == _LAST),
        last_agent=_last_agent(newest_first),
    )
    known = [_fact(row) for row in newest_first if row.part == _FACT]
    return KnownCaller(
        with_facts(context, known),
        tuple(facts.orders(known)),
        confidence=home.at,
        is_alone=not home.rest,
        person=home.rest or home.id,
        users=tuple((row.id, row.rest or row.id) for row in reversed(newest_first) if row.part == _USER),
        is_shared=any(row.part == _SHARED for row in rows),
    )


def with_facts(context: CallerContext, known: Sequence[Fact]) -> CallerContext:
    """Return a context with facts, the newest first, in it."""
    if not known:
        return context
    return replace(
        context,
        orders=tuple(facts.orders(known)[:MAX_ORDERS]),
        needs=tuple(each for each in facts.needs(known) if each.state == "open")[:MAX_NEEDS],
        survey=facts.last_survey(known),
        birthday=facts.of_profile(known, "birthday"),
        preferred_channel=facts.of_profile(known, "preferred_channel"),
    )


def shortened(text: str) -> str:
    """Return a text of an interaction as a context has it."""
    return text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"


def _past(row: Row[_Columns]) -> PastInteraction:
    return PastInteraction(row.id, row.channel, row.way, row.at, row.subject, shortened(row.rest))


def _last_agent(newest_first: Sequence[Row[_Columns]]) -> str:
    return next((row.subject for row in newest_first if row.part == _AGENT), "")


def _fact(row: Row[_Columns]) -> Fact:
    first_at, said, told = json.loads(row.rest)
    return Fact(row.way, row.subject, said, told, first_at, row.at, row.channel)


# ------------------------------------------------------------------------------------------------ of several profiles


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a person of several profiles besides cases and entries, the newest first."""

    fields: tuple[KnownField, ...]
    facts: tuple[Fact, ...]
    last_by_channel: tuple[PastInteraction, ...]
    last_agent: str


async def around(session: AsyncSession, profiles: Collection[str], trusted: Collection[str]) -> Around:
    """Return what is known around a person's profiles, in one read; `trusted` are those whose word holds for all."""
    entry = Interaction
    theirs = entry.customer_id.in_(profiles)
    newest = (
        select(entry.channel, func.max(entry.occurred_at).label("at")).where(theirs).group_by(entry.channel).subquery()
    )
    is_newest = and_(theirs, entry.channel == newest.c.channel, entry.occurred_at == newest.c.at)
    parts = (
        _fields(CustomerField.customer_id.in_(trusted)),
        *_facts(CustomerFact.customer_id.in_(trusted)),
        _entries(_LAST).join(newest, is_newest),
        _agents(theirs),
    )
    rows = (await session.execute(union_all(*parts))).all()
    newest_first = sorted(rows, key=lambda row: (row.at, row.id), reverse=True)
    fields: dict[str, KnownField] = {}
    lasts: dict[str, PastInteraction] = {}
    for row in newest_first:
        if row.part == _FIELD:
            fields.setdefault(row.id, KnownField(row.id, row.subject, row.channel, row.at))
        elif row.part == _LAST:
            lasts.setdefault(row.channel, _past(row))
    known = facts.together(_fact(row) for row in newest_first if row.part == _FACT)
    return Around(tuple(fields.values())[:MAX_FIELDS], tuple(known), tuple(lasts.values()), _last_agent(newest_first))


# ------------------------------------------------------------------------------------------------------- the statement

Part = Select[_Columns]


def _statement() -> Part:
    """Rows of nine kinds under the names that an interaction gives them (`part` says which): the profile (`subject` is
    its name, `way` its language, `channel` its tags, `rest` its person, `at` the confidence), cases, interactions,
    fields (`id` is the name, `subject` the value), facts (`subject` is the key, `way` the kind), the last interaction
    of each channel, the last agent (`subject`), others who use the number (`rest` is their person), and one that says
    that it is shared."""
    number = (Identity.kind == "phone", Identity.value == bindparam("number"))
    owner = select(Identity.customer_id).where(*number).scalar_subquery()
    home = (
        select(
            literal(_HOME).label("part"),
            Customer.id.label("id"),
            Customer.name.label("subject"),
            Customer.language.label("way"),
            cast(Customer.tags, Text).label("channel"),
            func.coalesce(Customer.person_id, "").label("rest"),
            Identity.confidence.label("at"),
        )
        .join(Customer, Customer.id == Identity.customer_id)
        .where(*number)
    )
    cases = (
        select(literal(_CASE), Case.id, Case.subject, Case.topic, Case.channel, literal(""), Case.opened_at)
        .where(Case.customer_id == owner, Case.state == "open")
        .order_by(Case.opened_at.desc(), Case.id.desc())
        .limit(MAX_OPEN_CASES)
        .subquery()
    )
    interactions = (
        _entries(_INTERACTION)
        .where(Interaction.customer_id == owner)
        .order_by(Interaction.occurred_at.desc(), Interaction.id.desc())
        .limit(MAX_INTERACTIONS)
        .subquery()
    )
    channels = _channels(owner)
    other = aliased(Interaction)
    newest = (
        select(other.id)
        .where(other.customer_id == owner, other.channel == channels.c.channel)
        .order_by(other.occurred_at.desc(), other.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    every = union_all(
        home,
        select(cases),
        select(interactions),
        _fields(CustomerField.customer_id == owner),
        *_facts(CustomerFact.customer_id == owner),
        _entries(_LAST).select_from(channels).join(Interaction, Interaction.id == newest),
        _agents(Interaction.customer_id == owner),
        select(_users()),
        _sharing().where(*number),
    ).subquery()
    return select(every)


def _entries(part: int) -> Any:
    return select(
        literal(part).label("part"),
        Interaction.id,
        Interaction.subject,
        Interaction.direction.label("way"),
        Interaction.channel,
        func.substr(Interaction.text, 1, MAX_TEXT_LENGTH + 1).label("rest"),
        Interaction.occurred_at.label("at"),
    )


def _channels(owner: Any) -> CTE:
    """The channels of somebody, one look into the index for each, however many entries there are."""
    first, other = Interaction, aliased(Interaction)
    channels = (
        select(func.min(first.channel).label("channel"), literal(1).label("n"))
        .where(first.customer_id == owner)
        .cte("channels", recursive=True)
    )
    following = (
        select(func.min(other.channel))
        .where(other.customer_id == owner, other.channel > channels.c.channel)
        .scalar_subquery()
    )
    more = select(following, channels.c.n + 1).where(channels.c.channel.is_not(None), channels.c.n < MAX_CHANNELS)
    return channels.union_all(more)


def _fields(whose: ColumnElement[bool]) -> Any:
    field = CustomerField
    return select(
        literal(_FIELD).label("part"),
        field.name.label("id"),
        field.value.label("subject"),
        literal("").label("way"),
        field.channel,
        literal("").label("rest"),
        field.at,
    ).where(whose)


def _facts(whose: ColumnElement[bool]) -> tuple[Any, Any]:
    """What is about the customer, which is one row, and the newest of all else. `rest` is a list in JSON: when the
    first word of it came, the fields, and when each was said."""
    fact = CustomerFact
    rest = literal("[") + cast(fact.first_at, Text) + "," + cast(fact.said, Text) + "," + cast(fact.told, Text) + "]"
    columns = select(
        literal(_FACT).label("part"),
        fact.id,
        fact.key.label("subject"),
        fact.kind.label("way"),
        fact.channel,
        rest.label("rest"),
        fact.at,
    ).where(whose)
    newest = columns.where(fact.kind != "profile").order_by(fact.at.desc()).limit(MAX_FACTS).subquery()
    return columns.where(fact.kind == "profile"), select(newest)


def _agents(whose: ColumnElement[bool]) -> Any:
    """Who talked in the last calls, for those who had anybody to talk to."""
    call = Interaction
    last = (
        select(call.id, call.attributes["agent"].as_string().label("agent"), call.occurred_at)
        .where(whose, call.channel == CALL)
        .order_by(call.occurred_at.desc(), call.id.desc())
        .limit(MAX_CALLS)
        .subquery()
    )
    nothing = literal("")
    return select(literal(_AGENT), last.c.id, last.c.agent, nothing, nothing, nothing, last.c.occurred_at).where(
        last.c.agent != ""
    )


def _users() -> Any:
    """Others who use the number."""
    nothing, user = literal(""), IdentityUser
    of = func.coalesce(Customer.person_id, "")
    return (
        select(literal(_USER), Customer.id, nothing, nothing, nothing, of, user.at)
        .join(user, user.customer_id == Customer.id)
        .where(user.kind == "phone", user.value == bindparam("number"))
        .limit(MAX_USERS)
        .subquery()
    )


def _sharing() -> Any:
    """A row where somebody said that the number is shared."""
    nothing = literal("")
    since = cast(literal(0.0), Double)
    shared = select(literal(_SHARED), Identity.id, nothing, nothing, nothing, nothing, since)
    return shared.where(Identity.shared_at.is_not(None))


_STATEMENT: Final = _statement()
