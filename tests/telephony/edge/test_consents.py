"""What callers agree to in a flow, once, with its proof where there is one."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.privacy.tables import Consent
from hotline import database
from recordings import store
from telephony.edge import call_rows, consents
from telephony.events import SaveConsent
from telephony.tables import Call
from tests.crm_bridge.calls import CALL_ID, snapshot
from tests.databases import migrate

RECORDING = "e" * 32
AGREED = SaveConsent(
    call=CALL_ID, customer="", purpose="recording", at=1005.0, notice="May we record?", notice_version="v1", flow="main"
)


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[AsyncSession]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    async with database.session_factory(engine)() as made:
        yield made
    await engine.dispose()


async def agreed(session: AsyncSession, folder: Path, **more: object) -> SaveConsent:
    """A caller who is known, in a call that is recorded, agrees."""
    call = snapshot(ani="", ended_at=1001.0)  # whose caller is looked up
    await call_rows.save(session, call, "VN", 1001.0)
    customer = (await session.get_one(Call, CALL_ID)).customer_id or ""
    await store.create(session, RECORDING, CALL_ID, customer, 1002.0, "en", folder)
    return msgspec.structs.replace(AGREED, customer=customer, **more)


async def test_it_is_kept_once_with_the_piece_that_proves_it(session: AsyncSession, tmp_path: Path) -> None:
    command = await agreed(session, tmp_path, recording=RECORDING, since=0.5, until=3.0)
    for _ in range(2):
        await consents.save(session, command, 1006.0)
    row = (await session.scalars(select(Consent))).one()
    assert (row.customer_id, row.purpose, row.state, row.channel) == (command.customer, "recording", "given", "call")
    assert (row.notice, row.notice_version, row.by, row.at) == ("May we record?", "v1", "flow main", 1005.0)
    assert (row.call_id, row.recording_id, row.clip_from, row.clip_until) == (CALL_ID, RECORDING, 0.5, 3.0)


async def test_a_proof_that_is_gone_takes_no_consent_away(session: AsyncSession, tmp_path: Path) -> None:
    command = await agreed(session, tmp_path, recording="f" * 32, since=0.5, until=3.0)
    await consents.save(session, command, 1006.0)
    row = (await session.scalars(select(Consent))).one()
    assert (row.call_id, row.recording_id) == (CALL_ID, None)


async def test_nobody_who_is_gone_agrees_to_anything(session: AsyncSession) -> None:
    await consents.save(session, msgspec.structs.replace(AGREED, customer="0" * 32), 1006.0)
    assert (await session.scalars(select(Consent))).all() == []
