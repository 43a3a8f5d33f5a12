"""An insert yields to a row that holds its key, in both databases' words."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.rows import _insert, insert_if_free, new_id
from crm_bridge.tables import Customer, Identity


def identity(customer: str, value: str = "z1") -> dict[str, Any]:
    return {
        "id": new_id(),
        "customer_id": customer,
        "kind": "zalo",
        "value": value,
        "source": "zalo",
        "created_at": 0.0,
    }


async def test_only_the_first_row_of_a_key_is_inserted(session: AsyncSession) -> None:
    customer = new_id()
    await session.execute(insert(Customer).values(id=customer, created_at=0.0, updated_at=0.0))
    assert await insert_if_free(session, Identity, identity(customer))
    assert not await insert_if_free(session, Identity, identity(customer))
    assert await insert_if_free(session, Identity, identity(customer, "z2"))
    assert await session.scalar(select(func.count()).select_from(Identity)) == 2


def speaking(dialect: Any) -> AsyncSession:
    bind = SimpleNamespace(dialect=dialect)
    return cast(AsyncSession, SimpleNamespace(get_bind=lambda: bind))


def test_postgresql_hears_its_own_words() -> None:
    dialect = make_url("postgresql+asyncpg://").get_dialect()()
    statement = _insert(speaking(dialect), Identity, identity(new_id()))
    words = str(statement.compile(dialect=dialect))
    assert words.endswith("ON CONFLICT DO NOTHING RETURNING identities.id")


def test_another_database_is_refused_with_a_cause() -> None:
    with pytest.raises(NotImplementedError, match="SQLite and PostgreSQL, not on mysql"):
        _insert(speaking(make_url("mysql://").get_dialect()()), Identity, identity(new_id()))


def test_ids_are_32_hexadecimal_digits() -> None:
    assert len(new_id()) == 32
    assert int(new_id(), 16) != int(new_id(), 16)
