"""Legal holds: as long as one stands on any profile of a person, nothing of the person is deleted."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge import person
from crm_bridge.person import NoProfile
from crm_bridge.privacy.reach import pinned
from crm_bridge.privacy.tables import LegalHold
from crm_bridge.rows import new_id
from crm_bridge.tables import Customer


class NotHeld(ValueError):
    """There is no hold to release."""


def standing(now: float) -> ColumnElement[bool]:
    """Return the condition that a hold stands at an instant."""
    return LegalHold.released_at.is_(None) & or_(LegalHold.until.is_(None), LegalHold.until > now)


async def of(session: AsyncSession, profiles: Sequence[str], now: float) -> Sequence[LegalHold]:
    """Return the holds that stand on any of some profiles, the oldest first."""
    query = select(LegalHold).where(LegalHold.customer_id.in_(profiles), standing(now))
    return (await session.scalars(query.order_by(LegalHold.placed_at, LegalHold.id))).all()


async def place(
    session: AsyncSession, customer_id: str, reason: str, by: str, until: float | None, now: float
) -> LegalHold:
    """Put a hold on the person of a profile. Writes without committing. Raises `NoProfile`."""
    if await pinned(session, customer_id) is None:
        raise NoProfile(customer_id)
    row = LegalHold(
        id=new_id(), customer_id=customer_id, reason=reason, by=by, placed_at=now, until=until, released_by=""
    )
    session.add(row)
    await session.flush()
    return row


async def release(session: AsyncSession, customer_id: str, by: str, now: float) -> Sequence[LegalHold]:
    """Release every hold on the person of a profile and return them. Writes without committing.

    Raises `NoProfile` and `NotHeld`.
    """
    found = await person.read(session, customer_id)
    if found is None:
        raise NoProfile(customer_id)
    holds = await of(session, found.ids, now)
    if not holds:
        raise NotHeld("there is no legal hold on this person: nothing has to be released")
    for each in holds:
        each.released_at, each.released_by = now, by
    await session.flush()
    return holds


def held_profiles(now: float) -> ColumnElement[str]:
    """Return a query for the ids of all profiles of everybody on whom a hold stands, to be used with `in_`."""
    direct = select(LegalHold.customer_id).where(standing(now))
    one, other = aliased(Customer), aliased(Customer)
    together = select(other.id).join(one, one.person_id == other.person_id).where(one.id.in_(direct))
    return union(direct, together)  # type: ignore[return-value]  # a query goes where `in_` takes one
