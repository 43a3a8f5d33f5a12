"""Events into the outbox, and out of it in order.

Rule 1: `Webhooks.tell` writes into the session of whoever writes what the event tells, and commits nothing: either both
are there, or neither is.
Rule 2: of the events of one customer for one endpoint the earliest that is pending is the only one that may be sent;
it is out of the way once it is delivered, or dead. Nobody else waits for it.
Rule 3: nothing here reads a clock.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import CursorResult, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge.webhooks.endpoint import Endpoint, EventType
from crm_bridge.webhooks.events import body_of, event_id
from crm_bridge.webhooks.schedule import Verdict
from crm_bridge.webhooks.tables import DisabledEndpoint, WebhookEvent

DELIVERED_KEPT_S: Final = 86_400.0
DEAD_KEPT_S: Final = 30 * 86_400.0
MAX_ERROR_LENGTH: Final = 200


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


NOBODY: Final = Webhooks()
"""Whom programs tell that have no endpoints."""


async def due(session: AsyncSession, endpoint: str, now: float, limit: int) -> Sequence[WebhookEvent]:
    """Return events to be sent now, of each customer one at most, the longest due first."""
    earlier = aliased(WebhookEvent)
    waits_for_another = exists().where(
        earlier.endpoint == WebhookEvent.endpoint,
        earlier.customer_id == WebhookEvent.customer_id,
        earlier.state == "pending",
        earlier.id < WebhookEvent.id,
    )
    query = (
        select(WebhookEvent)
        .where(*_pending(endpoint), WebhookEvent.next_at <= now)
        .where(or_(WebhookEvent.customer_id == "", ~waits_for_another))
        .order_by(WebhookEvent.next_at, WebhookEvent.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def settle(session: AsyncSession, sent: WebhookEvent, verdict: Verdict, now: float) -> None:
    """Write down what became of an attempt. Those who wait behind one that is tried again later are not looked at
    before it."""
    values: dict[str, Any] = {
        "state": verdict.state,
        "attempts": verdict.attempts,
        "next_at": verdict.next_at,
        "error": verdict.error[:MAX_ERROR_LENGTH],
        "finished_at": None if verdict.state == "pending" else now,
    }
    await session.execute(update(WebhookEvent).where(WebhookEvent.id == sent.id).values(values))
    if verdict.state == "pending" and sent.customer_id:
        behind = (*_pending(sent.endpoint), WebhookEvent.customer_id == sent.customer_id, WebhookEvent.id > sent.id)
        later = update(WebhookEvent).where(*behind, WebhookEvent.next_at < verdict.next_at)
        await session.execute(later.values(next_at=verdict.next_at))


async def dead(session: AsyncSession, endpoint: str, after: int, limit: int) -> Sequence[WebhookEvent]:
    """Return the dead events of an endpoint behind the id `after`, in order."""
    query = select(WebhookEvent).where(*_dead(endpoint), WebhookEvent.id > after)
    return (await session.scalars(query.order_by(WebhookEvent.id).limit(limit))).all()


async def replay(session: AsyncSession, endpoint: str, now: float, id_: int | None = None) -> int:
    """Make one dead event pending again, or all of an endpoint; return how many. They go before whatever waits of the
    same customers. Who replays says that the far end is there again: one that was disabled is so no more."""
    which = _dead(endpoint) if id_ is None else (*_dead(endpoint), WebhookEvent.id == id_)
    again = {"state": "pending", "attempts": 0, "next_at": now, "finished_at": None}
    replayed = await _changed(session, update(WebhookEvent).where(*which).values(again))
    if replayed or id_ is None:
        await session.execute(delete(DisabledEndpoint).where(DisabledEndpoint.name == endpoint))
    return replayed


async def disable(session: AsyncSession, endpoint: Endpoint, cause: str, now: float) -> None:
    """Tell an endpoint nothing more."""
    await session.merge(DisabledEndpoint(name=endpoint.name, url=endpoint.url, cause=cause, disabled_at=now))


async def disabled(session: AsyncSession, endpoint: Endpoint) -> DisabledEndpoint | None:
    """Return since when and why an endpoint is told nothing, None for one that is. Another URL is another endpoint."""
    row = await session.get(DisabledEndpoint, endpoint.name)
    return row if row is not None and row.url == endpoint.url else None


async def bury(session: AsyncSession, endpoint: str, cause: str, now: float) -> int:
    """Make everything pending of an endpoint dead; return how many."""
    values = {"state": "dead", "error": cause[:MAX_ERROR_LENGTH], "finished_at": now}
    return await _changed(session, update(WebhookEvent).where(*_pending(endpoint)).values(values))


async def bury_strangers(session: AsyncSession, names: Sequence[str], now: float) -> int:
    """Make dead what is pending for endpoints that the settings do not name any more; return how many."""
    values = {"state": "dead", "error": "the settings do not name this endpoint", "finished_at": now}
    of_strangers = update(WebhookEvent).where(WebhookEvent.state == "pending", WebhookEvent.endpoint.not_in(names))
    return await _changed(session, of_strangers.values(values))


async def forget(session: AsyncSession, now: float) -> None:
    """Delete what was delivered a day ago, and what has been dead for thirty."""
    old = WebhookEvent.finished_at
    for state, kept_s in (("delivered", DELIVERED_KEPT_S), ("dead", DEAD_KEPT_S)):
        await session.execute(delete(WebhookEvent).where(WebhookEvent.state == state, old < now - kept_s))


async def counts(session: AsyncSession) -> dict[tuple[str, str], int]:
    """Return how many events there are, by endpoint and state."""
    columns = WebhookEvent.endpoint, WebhookEvent.state
    found = await session.execute(select(*columns, func.count()).group_by(*columns))
    return {(endpoint, state): count for endpoint, state, count in found}


def _pending(endpoint: str) -> tuple[Any, Any]:
    return WebhookEvent.endpoint == endpoint, WebhookEvent.state == "pending"


def _dead(endpoint: str) -> tuple[Any, Any]:
    return WebhookEvent.endpoint == endpoint, WebhookEvent.state == "dead"


async def _changed(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)  # noqa: S101 - an UPDATE gives no other
    return result.rowcount
