"""Out of an outbox in order, whatever it holds: each function takes its table.

Rule 1: of what is for one customer at one endpoint, the earliest that is pending is the only one that may be sent; it
is out of the way once it is delivered, or dead. Nobody else waits for it.
Rule 2: nothing here reads a clock, and nothing commits.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import CursorResult, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge.outgoing.schedule import Verdict
from crm_bridge.outgoing.table import MAX_ERROR_LENGTH, Outgoing

DELIVERED_KEPT_S: Final = 86_400.0
DEAD_KEPT_S: Final = 30 * 86_400.0

Row = TypeVar("Row", bound=Outgoing)


async def due(session: AsyncSession, table: type[Row], endpoint: str, now: float, limit: int) -> Sequence[Row]:
    """Return what is to be sent now, of each customer one thing at most, the longest due first."""
    earlier = aliased(table)
    waits_for_another = exists().where(
        earlier.endpoint == table.endpoint,
        earlier.customer_id == table.customer_id,
        earlier.state == "pending",
        earlier.id < table.id,
    )
    query = (
        select(table)
        .where(*_pending(table, endpoint), table.next_at <= now)
        .where(or_(table.customer_id == "", ~waits_for_another))
        .order_by(table.next_at, table.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def settle(session: AsyncSession, table: type[Row], sent: Row, verdict: Verdict, now: float) -> None:
    """Write down what became of an attempt. Those who wait behind one that is tried again later are not looked at
    before it."""
    values: dict[str, Any] = {
        "state": verdict.state,
        "attempts": verdict.attempts,
        "next_at": verdict.next_at,
        "error": verdict.error[:MAX_ERROR_LENGTH],
        "finished_at": None if verdict.state == "pending" else now,
    }
    await session.execute(update(table).where(table.id == sent.id).values(values))
    if verdict.state == "pending" and sent.customer_id:
        behind = (*_pending(table, sent.endpoint), table.customer_id == sent.customer_id, table.id > sent.id)
        later = update(table).where(*behind, table.next_at < verdict.next_at)
        await session.execute(later.values(next_at=verdict.next_at))


async def dead(session: AsyncSession, table: type[Row], endpoint: str, after: int, limit: int) -> Sequence[Row]:
    """Return what is dead of an endpoint behind the id `after`, in order."""
    query = select(table).where(*_dead(table, endpoint), table.id > after)
    return (await session.scalars(query.order_by(table.id).limit(limit))).all()


async def replay(
    session: AsyncSession, table: type[Row], endpoint: str, now: float, id_: int | None = None
) -> Sequence[int]:
    """Make one that is dead pending again, or all of an endpoint; return their ids. They go before whatever waits of
    the same customers."""
    which = _dead(table, endpoint) if id_ is None else (*_dead(table, endpoint), table.id == id_)
    again = {"state": "pending", "attempts": 0, "next_at": now, "finished_at": None}
    statement = update(table).where(*which).values(again).returning(table.id)
    found = await session.execute(statement, execution_options={"synchronize_session": False})
    return found.scalars().all()


async def bury(session: AsyncSession, table: type[Row], endpoint: str, cause: str, now: float) -> int:
    """Make everything pending of an endpoint dead; return how many."""
    values = {"state": "dead", "error": cause[:MAX_ERROR_LENGTH], "finished_at": now}
    return await _changed(session, update(table).where(*_pending(table, endpoint)).values(values))


async def bury_strangers(session: AsyncSession, table: type[Row], names: Sequence[str], cause: str, now: float) -> int:
    """Make dead what is pending for endpoints that the settings do not name any more; return how many."""
    values = {"state": "dead", "error": cause[:MAX_ERROR_LENGTH], "finished_at": now}
    of_strangers = update(table).where(table.state == "pending", table.endpoint.not_in(names))
    return await _changed(session, of_strangers.values(values))


async def forget(
    session: AsyncSession, table: type[Row], now: float, delivered_kept_s: float = DELIVERED_KEPT_S
) -> None:
    """Delete what was delivered so long ago, and what has been dead for thirty days."""
    for state, kept_s in (("delivered", delivered_kept_s), ("dead", DEAD_KEPT_S)):
        await session.execute(delete(table).where(table.state == state, table.finished_at < now - kept_s))


async def counts(session: AsyncSession, table: type[Row]) -> dict[tuple[str, str], int]:
    """Return how many there are, by endpoint and state."""
    columns = table.endpoint, table.state
    found = await session.execute(select(*columns, func.count()).group_by(*columns))
    return {(endpoint, state): count for endpoint, state, count in found}


def _pending(table: type[Row], endpoint: str) -> tuple[Any, Any]:
    return table.endpoint == endpoint, table.state == "pending"


def _dead(table: type[Row], endpoint: str) -> tuple[Any, Any]:
    return table.endpoint == endpoint, table.state == "dead"


async def _changed(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)  # noqa: S101 - an UPDATE gives no other
    return result.rowcount
