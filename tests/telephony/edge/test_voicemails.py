"""Messages and answers to surveys become rows and entries of a timeline, once."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from crm_bridge.tables import Customer, Interaction
from hotline import database
from hotline.database import Sessions
from recordings import store
from telephony.edge import scores, voicemails
from telephony.events import FileTranscribed, SaveScore, SaveVoicemail, Word
from telephony.tables import Voicemail
from tests.databases import migrate

CALL, RECORDING, CUSTOMER = "c" * 32, "e" * 32, "a" * 32
MESSAGE = SaveVoicemail(
    call=CALL,
    recording=RECORDING,
    queue="care",
    customer=CUSTOMER,
    ani="+84912345678",
    language="en",
    flow="main",
    case="",
    at=1000.0,
    seconds=12.5,
)
SCORE = SaveScore(
    call=CALL,
    number=3,
    customer=CUSTOMER,
    survey="csat",
    score=4,
    language="en",
    flow="main",
    case="",
    at=1000.0,
)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    made = database.session_factory(engine)
    async with made.begin() as session:
        session.add(Customer(id=CUSTOMER, name="Lan", created_at=1.0, updated_at=1.0))
    yield made
    await engine.dispose()


async def entry(sessions: Sessions) -> Interaction:
    async with sessions() as session:
        return (await session.scalars(select(Interaction))).one()


async def words(sessions: Sessions) -> None:
    """The recording is transcribed."""
    async with sessions.begin() as session:
        heard = (Word("call", 0.0, 0.4, 0.9, 0), Word("me", 0.5, 0.8, 0.9, 0))
        await store.save_transcript(session, FileTranscribed(RECORDING, "done", "vosk", "en", heard), 1100.0)


async def record(sessions: Sessions, folder: Path) -> None:
    async with sessions.begin() as session:
        await store.create(session, RECORDING, CALL, CUSTOMER, 1000.0, "en", folder, "care")


@pytest.mark.parametrize("transcribed_first", [False, True])
async def test_a_message_is_a_row_and_an_entry_with_its_words(
    sessions: Sessions, tmp_path: Path, transcribed_first: bool
) -> None:
    """The row may be owed for so long that the transcript is there before it."""
    await record(sessions, tmp_path)
    if transcribed_first:
        await words(sessions)
    told = await voicemails.keep(sessions, MESSAGE, 1013.0)
    if not transcribed_first:
        await words(sessions)
    assert told is not None
    assert (told["customer"], told["channel"]) == (CUSTOMER, "voicemail")
    assert await voicemails.keep(sessions, MESSAGE, 1014.0) is None
    found = await entry(sessions)
    assert (found.channel, found.external_id, found.recording_id) == ("voicemail", RECORDING, RECORDING)
    assert (found.subject, found.transcript, found.text) == ("Message for care, 12 s", "done", "call me")
    async with sessions() as session:
        row = (await session.scalars(select(Voicemail))).one()
    assert (row.id, row.queue, row.customer_id, row.ani) == (RECORDING, "care", CUSTOMER, "+84912345678")
    assert (row.left_at, row.seconds, row.done_at) == (1000.0, 12.5, None)


@pytest.mark.parametrize("customer", ["", "0" * 32])
async def test_a_message_of_nobody_is_still_somebodys_to_deal_with(sessions: Sessions, customer: str) -> None:
    command = msgspec.structs.replace(MESSAGE, customer=customer)
    for _ in range(2):
        assert await voicemails.keep(sessions, command, 1013.0) is None
    async with sessions() as session:
        assert (await session.scalars(select(Voicemail.customer_id))).all() == [None]
        assert (await session.scalars(select(Interaction))).all() == []


async def test_who_has_dealt_with_it_first_stays_until_it_is_taken_back(sessions: Sessions) -> None:
    await voicemails.keep(sessions, MESSAGE, 1013.0)
    async with sessions.begin() as session:
        assert await voicemails.settle(session, RECORDING, "an", 1020.0)
        assert not await voicemails.settle(session, RECORDING, "binh", 1030.0)
        row = await session.get_one(Voicemail, RECORDING, populate_existing=True)
        assert (row.done_by, row.done_at) == ("an", 1020.0)
        assert await voicemails.reopen(session, RECORDING)
        assert not await voicemails.reopen(session, RECORDING)
        assert not await voicemails.settle(session, "0" * 32, "an", 1020.0)


async def test_an_answer_to_a_survey_is_kept_once(sessions: Sessions) -> None:
    told = await scores.keep(sessions, SCORE, 1001.0)
    assert told is not None
    assert await scores.keep(sessions, msgspec.structs.replace(SCORE, score=1), 1002.0) is None
    found = await entry(sessions)
    assert (found.channel, found.subject, found.direction) == ("survey", "CSAT: 4", "inbound")
    assert found.attributes == {"kind": "csat", "score": 4, "call": CALL, "flow": "main", "language": "en"}
    gone = msgspec.structs.replace(SCORE, number=4, customer="0" * 32)
    assert await scores.keep(sessions, gone, 1003.0) is None
