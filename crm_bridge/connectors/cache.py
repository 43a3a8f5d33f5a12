"""The last answers, in the database: they outlive a restart, as a CRM's being away may."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.connectors.exchange import Row
from crm_bridge.connectors.tables import CachedAnswer

KEPT_S: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a CRM said. `person` is None where it knows nobody, `cases` and `orders` where it was not asked for them."""

    as_of: float
    person: Row | None = None
    cases: tuple[Row, ...] | None = None
    orders: tuple[Row, ...] | None = None


async def read(session: AsyncSession, connector: str, key: str) -> Found | None:
    """Return the last answer, None if there is none."""
    query = select(CachedAnswer).where(CachedAnswer.connector == connector, CachedAnswer.key == key)
    row = await session.scalar(query)
    if row is None:
        return None
    said = row.found
    return Found(row.as_of, said.get("person"), _rows(said.get("cases")), _rows(said.get("orders")))


async def write(session: AsyncSession, connector: str, key: str, found: Found) -> None:
    """Write an answer in place of the one before, without committing."""
    said = {"person": found.person, "cases": found.cases, "orders": found.orders}
    values: dict[str, Any] = {"connector": connector, "key": key, "found": said, "as_of": found.as_of}
    changed = {"found": said, "as_of": found.as_of}
    if session.get_bind().dialect.name == "postgresql":
        new = postgresql.insert(CachedAnswer).values(values)
        await session.execute(new.on_conflict_do_update(index_elements=["connector", "key"], set_=changed))
    else:
        newer = sqlite.insert(CachedAnswer).values(values)
        await session.execute(newer.on_conflict_do_update(index_elements=["connector", "key"], set_=changed))


async def forget(session: AsyncSession, names: Sequence[str], now: float) -> None:
    """Delete what is too old to be shown, and what CRMs said that the settings do not name any more."""
    too_old = CachedAnswer.as_of < now - KEPT_S
    await session.execute(delete(CachedAnswer).where(too_old | CachedAnswer.connector.not_in(names)))


def _rows(rows: Any) -> tuple[Row, ...] | None:
    return None if rows is None else tuple(rows)
