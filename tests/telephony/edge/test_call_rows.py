"""A call's row and its timeline entry, of calls that come in and of those that go out."""

from pathlib import Path

from sqlalchemy import select

from crm_bridge.tables import Interaction
from hotline import database
from telephony.edge import call_rows, rows
from telephony.tables import Call
from tests.crm_bridge.calls import CALL_ID, ended, snapshot


async def test_whom_we_called_is_looked_up_at_the_end_where_it_was_not_before(tmp_path: Path) -> None:
    """The database was away while the agent talked: the call still belongs on the customer's timeline."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    await database.upgrade(url)
    engine = database.open_engine(url)
    try:
        async with database.session_factory(engine)() as session:
            await call_rows.save(session, snapshot(), "VN", 1001.0)
            theirs = (await session.scalars(select(Call))).one()
            assert (theirs.direction, theirs.trunk) == ("inbound", "")
            ours = ended(
                id="d" * 32, direction="outbound", trunk="provider", recording="", queue="",
                number="+84912345678", dnis="+84912345678", ani="+842873001234",
            )  # fmt: skip
            await call_rows.save(session, ours, "VN", 1070.0)
            await session.commit()
            row = await session.get_one(Call, "d" * 32)
            assert (row.direction, row.trunk, row.ani, row.dnis) == (
                "outbound", "provider", "+842873001234", "+84912345678",
            )  # fmt: skip
            assert row.customer_id
            entry = (await session.scalars(select(Interaction).where(Interaction.call_id == "d" * 32))).one()
            assert (entry.direction, entry.customer_id) == ("outbound", row.customer_id)
            again = rows.snapshot_of(row)
            assert (again.direction, again.trunk, again.customer) == ("outbound", "provider", row.customer_id)
            assert rows.snapshot_of(await session.get_one(Call, CALL_ID)).direction == "inbound"
    finally:
        await engine.dispose()
