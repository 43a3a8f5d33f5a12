"""Telling others that people were put together, taken apart, or erased.

Rule 1: ids alone are told: whoever holds data of these people asks for the rest, and erases by them.
Rule 2: the order of a customer's events goes on when two become one: what still waits of any of their profiles stands
in the one order of the person, before the news that they are one.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.link import Effect
from crm_bridge.person import Linked
from crm_bridge.tables import Customer
from crm_bridge.webhooks.endpoint import EventType
from crm_bridge.webhooks.outbox import Webhooks
from telephony.clock import iso

TYPES: Final[dict[Effect, EventType]] = {"merged": "customer.merged", "split": "customer.split"}


async def tell_linked(webhooks: Webhooks, session: AsyncSession, linked: Linked, now: float) -> None:
    """Tell what an event of merging, splitting or undoing did; nothing of one that did nothing. Commits nothing."""
    type_ = None if linked.repeated else TYPES.get(linked.effect)
    if type_ is None or not linked.persons:
        return
    if type_ == "customer.merged":
        for first, *others in linked.persons:
            await webhooks.follow(session, others, first)
    head = await _oldest(session, [first for first, *_ in linked.persons])
    await webhooks.tell(session, type_, {"customer": head, **linked.told}, customer=head, now=now)


async def _oldest(session: AsyncSession, profiles: Sequence[str]) -> str:
    """Return the oldest of some profiles: whose order the events of all of them had while they were one person."""
    found = select(Customer.id).where(Customer.id.in_(profiles)).order_by(Customer.created_at, Customer.id).limit(1)
    return await session.scalar(found) or profiles[0]


async def tell_erased(
    webhooks: Webhooks, session: AsyncSession, erasure_id: str, profiles: Sequence[str], now: float
) -> None:
    """Tell that a person's rows are gone, after everything else that waited of them is. Commits nothing."""
    told = {"customer": profiles[0], "profiles": list(profiles), "erasure": erasure_id, "erased_at": iso(now)}
    await webhooks.tell(session, "customer.erased", told, customer=profiles[0], now=now, key=erasure_id)
