"""Events into the outbox, and out of it in order.

Rule 1: `Webhooks.tell` writes into the session of whoever writes what the event tells, and commits nothing: either both
are there, or neither is.
Rule 2: the order is that of `crm_bridge.outgoing.queue`.
Rule 3: nothing here reads a clock.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.outgoing import queue
from crm_bridge.outgoing.schedule import Verdict
from crm_bridge.webhooks.endpoint import Endpoint, EventType
from crm_bridge.webhooks.events import body_of, event_id
from crm_bridge.webhooks.tables import DisabledEndpoint, WebhookEvent


@dataclass(slots=True)
class Webhooks:
    """Everybody who is told, and how attempts ended since the start (`delivered`, `failed`, `dead`)."""

    endpoints: Sequence[Endpoint] = ()
    attempts: Counter[str] = field(default_factory=Counter)

    def find(self, name: str) -> Endpoint | None:
        """Return an endpoint by its name."""
        return next((each for each in self.endpoints if each.name == name), None)

    async def tell(
        self,
        session: AsyncSession,
        type_: EventType,
        data: Mapping[str, Any],
        *,
        customer: str | None,
        now: float,
        key: str = "",
    ) -> None:
        """Write an event for every endpoint that wants it. What has a `key` is told once, however often it is said."""
        wanted = [each for each in self.endpoints if type_ in each.events]
        if not wanted:
            return
        id_ = event_id(type_, key)
        if key and await session.scalar(select(WebhookEvent.id).where(WebhookEvent.event_id == id_).limit(1)):
            return
        body = body_of(type_, data, now)
        session.add_all(
            WebhookEvent(
                event_id=id_,
                endpoint=each.name,
                type=type_,
                customer_id=customer or "",
                body=body,
                state="pending",
                attempts=0,
                next_at=now,
                error="",
                created_at=now,
            )
            for each in wanted
        )
        await session.flush()

    async def follow(self, session: AsyncSession, customers: Sequence[str], customer: str) -> None:
        """Put what waits of some customers into the order of one, who they turned out to be."""
        waiting = (WebhookEvent.customer_id.in_(customers), WebhookEvent.state == "pending")
        if self.endpoints and customers:
            await session.execute(update(WebhookEvent).where(*waiting).values(customer_id=customer))


NOBODY: Final = Webhooks()
"""Whom programs tell that have no endpoints."""


async def due(session: AsyncSession, endpoint: str, now: float, limit: int) -> Sequence[WebhookEvent]:
    """Return events to be sent now, of each customer one at most, the longest due first."""
    return await queue.due(session, WebhookEvent, endpoint, now, limit)


async def settle(session: AsyncSession, sent: WebhookEvent, verdict: Verdict, now: float) -> None:
    """Write down what became of an attempt."""
    await queue.settle(session, WebhookEvent, sent, verdict, now)


async def dead(session: AsyncSession, endpoint: str, after: int, limit: int) -> Sequence[WebhookEvent]:
    """Return the dead events of an endpoint behind the id `after`, in order."""
    return await queue.dead(session, WebhookEvent, endpoint, after, limit)


async def replay(session: AsyncSession, endpoint: str, now: float, id_: int | None = None) -> int:
    """Make one dead event pending again, or all of an endpoint; return how many. They go before whatever waits of the
    same customers. Who replays says that the far end is there again: one that was disabled is so no more."""
    replayed = await queue.replay(session, WebhookEvent, endpoint, now, id_)
    if replayed or id_ is None:
        await session.execute(delete(DisabledEndpoint).where(DisabledEndpoint.name == endpoint))
    return len(replayed)


async def disable(session: AsyncSession, endpoint: Endpoint, cause: str, now: float) -> None:
    """Tell an endpoint nothing more."""
    await session.merge(DisabledEndpoint(name=endpoint.name, url=endpoint.url, cause=cause, disabled_at=now))


async def disabled(session: AsyncSession, endpoint: Endpoint) -> DisabledEndpoint | None:
    """Return since when and why an endpoint is told nothing, None for one that is. Another URL is another endpoint."""
    row = await session.get(DisabledEndpoint, endpoint.name)
    return row if row is not None and row.url == endpoint.url else None


async def bury(session: AsyncSession, endpoint: str, cause: str, now: float) -> int:
    """Make everything pending of an endpoint dead; return how many."""
    return await queue.bury(session, WebhookEvent, endpoint, cause, now)


async def bury_strangers(session: AsyncSession, names: Sequence[str], now: float) -> int:
    """Make dead what is pending for endpoints that the settings do not name any more; return how many."""
    return await queue.bury_strangers(session, WebhookEvent, names, "the settings do not name this endpoint", now)


async def forget(session: AsyncSession, now: float) -> None:
    """Delete what was delivered a day ago, and what has been dead for thirty."""
    await queue.forget(session, WebhookEvent, now)


async def counts(session: AsyncSession) -> dict[tuple[str, str], int]:
    """Return how many events there are, by endpoint and state."""
    return await queue.counts(session, WebhookEvent)
