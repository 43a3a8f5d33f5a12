"""The one read of a caller: by indexes alone, however many there are."""

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, known_caller
from crm_bridge.known_caller import shortened
from telephony.events import CallerContext

PHONE = "+84912345678"


async def test_nobody_is_found_by_a_number_of_nobody(session: AsyncSession) -> None:
    assert await known_caller.read(session, PHONE) is None
    assert await context.find_known(session, PHONE, 1.0) is None


async def test_a_profile_without_anything_is_known(session: AsyncSession) -> None:
    _, made = await context.find_caller(session, PHONE, False, "", "VN", 1.0)
    assert await context.find_known(session, PHONE, 1.0) == CallerContext(made.customer, known=True, assurance=1)
    claimed = await context.find_known(session, PHONE, 1.0, claimed=True)
    assert claimed == CallerContext(made.customer, known=True, assurance=0)


async def test_every_table_is_read_by_an_index(session: AsyncSession) -> None:
    statement = known_caller._STATEMENT.compile(dialect=sqlite.dialect())
    words = str(statement).replace("?", "'x'")
    plan = [row.detail for row in await session.execute(text(f"EXPLAIN QUERY PLAN {words}"))]
    tables = ("customers", "identities", "cases", "interactions")
    assert not [step for step in plan if step.startswith("SCAN") and step.split()[1] in tables]
    assert not [step for step in plan if step == "USE TEMP B-TREE FOR ORDER BY"]
    assert [step for step in plan if "ix_interactions_customer_id_occurred_at_id" in step]


def test_postgresql_hears_words_that_it_knows() -> None:
    assert "CAST(customers.tags AS TEXT)" in str(known_caller._STATEMENT.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("length", [0, 499, 500, 501, 2000])
def test_a_text_is_cut_where_it_is_too_long(length: int) -> None:
    cut = shortened("x" * length)
    assert len(cut) == min(length, known_caller.MAX_TEXT_LENGTH)
    assert cut.endswith("…") == (length > known_caller.MAX_TEXT_LENGTH)
