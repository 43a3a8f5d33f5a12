"""A call's row and its timeline entry, of calls that come in and of those that go out."""

import json
from pathlib import Path

from sqlalchemy import select

from crm_bridge.tables import Interaction
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from hotline import database
from recordings import store
from recordings.tables import Recording
from telephony.edge import call_rows, rows
from telephony.tables import Call
from tests.crm_bridge.calls import CALL_ID, ended, snapshot
from tests.crm_bridge.webhooks.receiver import endpoint
from tests.databases import migrate


async def test_whom_we_called_is_looked_up_at_the_end_where_it_was_not_before(tmp_path: Path) -> None:
    """The database was away while the agent talked: the call still belongs on the customer's timeline."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
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


async def test_a_message_is_its_callers_where_nothing_else_of_the_call_was_recorded(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    try:
        async with database.session_factory(engine)() as session:
            await store.create(session, "m1", CALL_ID, "", 1001.0, "vi", tmp_path, message_for="sales")
            await call_rows.save(session, ended(recording="", ani=""), "VN", 1070.0)
            row = await session.get_one(Call, CALL_ID)
            message = await session.get_one(Recording, "m1", populate_existing=True)
            assert row.customer_id
            assert (message.customer_id, message.ani) == (row.customer_id, row.ani)
            assert (message.queue, message.agent) == ("sales", "")
    finally:
        await engine.dispose()


async def test_the_end_of_a_call_is_told_once_however_often_it_is_written(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    webhooks = Webhooks([endpoint()])
    try:
        for call in (snapshot(), ended(recording=""), ended(recording="")):
            async with database.session_factory(engine)() as session:
                await call_rows.save(session, call, "VN", 1070.0, webhooks)
                await session.commit()
        async with database.session_factory(engine)() as session:
            event = (await session.scalars(select(WebhookEvent))).one()
            row = await session.get_one(Call, CALL_ID)
        assert (event.type, event.state) == ("call.ended", "pending")
        assert event.customer_id == (row.customer_id or "")
        data = json.loads(event.body)["data"]
        assert (data["id"], data["ended_by"], data["talk_s"]) == (CALL_ID, "caller", 45.0)
    finally:
        await engine.dispose()
