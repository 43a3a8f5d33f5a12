"""Facts as rows: statements in, and what they make.

Rule 1: whoever says something of a customer holds that customer's row until the commit, so that two writers never make
a fact of half of its statements each.
Rule 2: nothing here commits.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf, nextafter
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import facts
from crm_bridge.facts import Fact, Saying, Statement
from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import Customer, CustomerFact, FactStatement

MAX_FACTS: Final = 100
"""Of each profile, the newest; more are for whoever asks for the history."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who says it: `at` is when it was so, `channel` where it was said, `by` the person, if one did, `origin` the row
    that said it (`FactStatement.origin`)."""

    at: float
    channel: str
    by: str = ""
    origin: str = ""


async def say(
    session: AsyncSession,
    customer_id: str,
    sayings: Iterable[Saying],
    source: Source,
    now: float,
    *,
    last: bool = False,
) -> list[Saying]:
    """Keep what is said of a customer, and make the facts anew; return what was kept. Fields that say nothing new by
    this very source are kept once. `last`: a person has the last word, whatever was dated ahead of them."""
    said = [each for each in sayings if each.said]
    if not said:
        return []
    await hold(session, customer_id)
    for each in said:
        at = await _after_all(session, customer_id, each, source.at) if last else source.at
        session.add(
            FactStatement(
                id=new_id(),
                customer_id=customer_id,
                kind=each.kind,
                key=each.key,
                said=dict(each.said),
                at=at,
                channel=source.channel,
                by=source.by,
                origin=source.origin,
                created_at=now,
            )
        )
    await session.flush()
    for kind, key in sorted({(each.kind, each.key) for each in said}):
        await make(session, customer_id, kind, key)
    return said


async def hold(session: AsyncSession, customer_id: str) -> None:
    """Wait until nobody else says anything of a customer. SQLite has one writer anyhow."""
    await session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update())


async def make(session: AsyncSession, customer_id: str, kind: str, key: str) -> None:
    """Write the fact that its statements make; without any there is none."""
    rows = await session.execute(
        select(FactStatement.said, FactStatement.at, FactStatement.channel).where(
            FactStatement.customer_id == customer_id, FactStatement.kind == kind, FactStatement.key == key
        )
    )
    statements = [Statement(said, at, channel) for said, at, channel in rows]
    its = (CustomerFact.customer_id == customer_id, CustomerFact.kind == kind, CustomerFact.key == key)
    if not statements:
        await session.execute(delete(CustomerFact).where(*its))
        return
    await write_fact(session, customer_id, facts.made_of(kind, key, statements))


async def write_fact(session: AsyncSession, customer_id: str, fact: Fact) -> None:
    """Write a fact in place of the one before."""
    kind, key = fact.kind, fact.key
    its = (CustomerFact.customer_id == customer_id, CustomerFact.kind == kind, CustomerFact.key == key)
    values = {
        "said": dict(fact.said),
        "told": dict(fact.told),
        "first_at": fact.first_at,
        "at": fact.at,
        "channel": fact.channel,
    }
    row = {"id": new_id(), "customer_id": customer_id, "kind": kind, "key": key, **values}
    if not await insert_if_free(session, CustomerFact, row):
        await session.execute(update(CustomerFact).where(*its).values(**values))


async def _after_all(session: AsyncSession, customer_id: str, saying: Saying, at: float) -> float:
    newest = await session.scalar(
        select(func.max(FactStatement.at)).where(
            FactStatement.customer_id == customer_id,
            FactStatement.kind == saying.kind,
            FactStatement.key == saying.key,
        )
    )
    return at if newest is None else max(at, nextafter(newest, inf))


async def read(session: AsyncSession, profiles: Collection[str]) -> list[Fact]:
    """Return the facts of a person by their profiles, the newest first."""
    found: list[Fact] = []
    for profile in profiles:
        # What is about the customer stands first: it is one row, however old.
        rows = await session.scalars(
            select(CustomerFact)
            .where(CustomerFact.customer_id == profile)
            .order_by((CustomerFact.kind == "profile").desc(), CustomerFact.at.desc(), CustomerFact.id)
            .limit(MAX_FACTS)
            .execution_options(populate_existing=True)
        )
        found += [as_fact(row) for row in rows]
    return facts.together(found)


async def of_all(session: AsyncSession, profiles: Collection[str]) -> dict[str, list[Fact]]:
    """Return the facts of each of some profiles, in no order; one read for all of them."""
    found: dict[str, list[Fact]] = {}
    rows = await session.scalars(select(CustomerFact).where(CustomerFact.customer_id.in_(profiles)))
    for row in rows:
        found.setdefault(row.customer_id, []).append(as_fact(row))
    return found


def as_fact(row: CustomerFact) -> Fact:
    """Return a row as the fact that it keeps."""
    return Fact(row.kind, row.key, row.said, row.told, row.first_at, row.at, row.channel)


async def history(session: AsyncSession, profiles: Collection[str], limit: int) -> Sequence[FactStatement]:
    """Return what was said of a person, what we heard last first."""
    rows = await session.scalars(
        select(FactStatement)
        .where(FactStatement.customer_id.in_(profiles))
        .order_by(FactStatement.created_at.desc(), FactStatement.at.desc(), FactStatement.id.desc())
        .limit(limit)
    )
    return rows.all()
