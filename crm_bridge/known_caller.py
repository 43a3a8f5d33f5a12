"""Whose number is this, and what is known of them: one statement, by indexes alone, and nothing is written.

A caller waits for this read, so it is one: each statement more costs a way to the database and back. It serves
whoever has one profile; a person of several is left to `crm_bridge.person`.
"""

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Double, Row, Select, Text, bindparam, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.tables import Case, Customer, CustomerField, Identity, IdentityUser, Interaction
from telephony.events import CallerContext, KnownField, OpenCase, PastInteraction

MAX_OPEN_CASES: Final = 10
MAX_INTERACTIONS: Final = 10
MAX_TEXT_LENGTH: Final = 500
MAX_USERS: Final = 20
_HOME, _CASE, _INTERACTION, _FIELD, _USER, _SHARED = range(6)


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """What is known of the profile that a number leads to, without an assurance. `confidence` is that of the number's
    link; `is_alone` is false for one of several profiles of a person, of which this one alone was read. `person` is
    that person's id; `users` are others who use the number, as (profile, person), and `is_shared` says that it
    identifies nobody."""

    context: CallerContext
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
    )
    return KnownCaller(
        context,
        confidence=home.at,
        is_alone=not home.rest,
        person=home.rest or home.id,
        users=tuple((row.id, row.rest or row.id) for row in reversed(newest_first) if row.part == _USER),
        is_shared=any(row.part == _SHARED for row in rows),
    )


def shortened(text: str) -> str:
    """Return a text of an interaction as a context has it."""
    return text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"


def _past(row: Row[tuple[int, str, str, str, str, str, float]]) -> PastInteraction:
    return PastInteraction(row.id, row.channel, row.way, row.at, row.subject, shortened(row.rest))


def _statement() -> Select[tuple[int, str, str, str, str, str, float]]:
    """Rows of six kinds under the names that an interaction gives them (`part` says which): the profile (`subject` is
    its name, `way` its language, `channel` its tags, `rest` its person, `at` the confidence), cases, interactions, and
    fields (`id` is the name, `subject` the value), others who use the number (`rest` is their person), and one that
    says that it is shared."""
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
        select(
            literal(_INTERACTION),
            Interaction.id,
            Interaction.subject,
            Interaction.direction,
            Interaction.channel,
            func.substr(Interaction.text, 1, MAX_TEXT_LENGTH + 1),
            Interaction.occurred_at,
        )
        .where(Interaction.customer_id == owner)
        .order_by(Interaction.occurred_at.desc(), Interaction.id.desc())
        .limit(MAX_INTERACTIONS)
        .subquery()
    )
    fields = (
        select(
            literal(_FIELD), CustomerField.name, CustomerField.value, literal(""), CustomerField.channel, literal(""),
            CustomerField.at,
        )
        .where(CustomerField.customer_id == owner)
    )  # fmt: skip
    users = (
        select(
            literal(_USER), Customer.id, literal(""), literal(""), literal(""), func.coalesce(Customer.person_id, ""),
            IdentityUser.at,
        )
        .join(IdentityUser, IdentityUser.customer_id == Customer.id)
        .where(IdentityUser.kind == "phone", IdentityUser.value == bindparam("number"))
        .limit(MAX_USERS)
        .subquery()
    )  # fmt: skip
    shared = select(
        literal(_SHARED), Identity.id, literal(""), literal(""), literal(""), literal(""), cast(literal(0.0), Double)
    ).where(*number, Identity.shared_at.is_not(None))
    every = union_all(home, select(cases), select(interactions), fields, select(users), shared).subquery()
    return select(every)


_STATEMENT: Final = _statement()
