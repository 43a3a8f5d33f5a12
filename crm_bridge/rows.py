"""How the bridge writes rows that another writer may be writing too, on SQLite and on PostgreSQL."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.tables import Base, Case, CustomerFact, CustomerField, Identity, IdentityUser, Interaction


def new_id() -> str:
    """Return a fresh id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


async def insert_if_free(
    session: AsyncSession,
    table: type[Identity | IdentityUser | Case | Interaction | CustomerField | CustomerFact],
    values: Mapping[str, Any],
) -> bool:
    """Insert a row unless a unique constraint is in the way; say whether it was inserted.

    One statement and no savepoint: it waits for a writer that holds the same key and then yields to it, in both
    databases, and it cannot commit anything behind the caller's back, as pysqlite's outermost savepoint does.
    """
    return (await session.execute(_insert(session, table, values))).scalar_one_or_none() is not None


def _insert(session: AsyncSession, table: type[Base], values: Mapping[str, Any]) -> Any:
    id_column = table.__table__.c.id
    match dialect := session.get_bind().dialect.name:
        case "sqlite":
            return sqlite.insert(table).values(**values).on_conflict_do_nothing().returning(id_column)
        case "postgresql":
            return postgresql.insert(table).values(**values).on_conflict_do_nothing().returning(id_column)
        case _:
            raise NotImplementedError(f"the bridge runs on SQLite and PostgreSQL, not on {dialect}: set `database` so")
