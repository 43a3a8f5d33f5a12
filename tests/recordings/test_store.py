"""Recordings from the first tick to the transcript, with a crash at each step in between."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from recordings import store
from recordings.spool import SpoolWriter
from recordings.store import NoRecording
from recordings.tables import Recording, Transcript
from telephony.clock import SAMPLES_PER_TICK, TICK_S, tick_at
from telephony.events import CallerContext, CallSnapshot, FileTranscribed, Word
from tests.recordings.conftest import CUSTOMER, STARTED_AT, call_on_the_timeline, entry_of

ENDED_AT = STARTED_AT + 60
WORDS = (Word("Good", 0.1, 0.3, 0.9, 0), Word("morning", 0.3, 0.8, 0.8, 0), Word("Hello", 1.0, 1.3, 0.7, 1))
Sessions = async_sessionmaker[AsyncSession]


async def create(session: AsyncSession, folder: Path, recording: str = "r1", customer: str = CUSTOMER) -> Path:
    spool = await store.create(session, recording, f"call-{recording}", customer, STARTED_AT, "en", folder)
    await session.commit()
    return spool


async def finish(session: AsyncSession, folder: Path, recording: str = "r1", cause: str = "") -> Recording:
    row = await store.finish(session, recording, "en", folder, ENDED_AT, cause)
    await session.commit()
    return row


def spool_ticks(path: Path, ticks: int) -> None:
    first = tick_at(STARTED_AT)
    writer = SpoolWriter(path, path.stem, first)
    for tick in range(ticks):
        writer.write(first + tick, np.full((SAMPLES_PER_TICK, 2), (tick, -tick), np.int16))
    writer.close()


def fail(*_: object) -> None:
    raise OSError("no space left on device")


async def test_a_recording_from_spool_to_transcript(session: AsyncSession, folder: Path) -> None:
    await call_on_the_timeline(session, "call-r1")
    spool = await create(session, folder)
    assert spool == folder / "spool" / "r1.spool"
    spool_ticks(spool, 50)
    row = await finish(session, folder)
    assert (row.state, row.cause, row.ended_early, row.closed_at) == ("closed", "", "", ENDED_AT)
    assert (row.ticks, row.seconds, row.transcript_state) == (50, 50 * TICK_S, "pending")
    assert row.path == "2026-11-22/r1.wav"
    with wave.open(str(store.wav_path(folder, row))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 50 * SAMPLES_PER_TICK)
    assert not spool.exists()
    entry = await entry_of(session, "call-r1")
    assert (entry.recording_id, entry.transcript, entry.text) == ("r1", "pending", "")
    assert [each.id for each in await store.pending(session)] == ["r1"]

    heard = FileTranscribed("r1", "done", "whisper tiny.en", "en", WORDS)
    row = await store.save_transcript(session, heard, ENDED_AT + 5)
    await session.commit()
    assert (row.transcript_state, row.transcript_cause) == ("done", "")
    transcript = await session.get_one(Transcript, "r1")
    assert (transcript.engine, transcript.text) == ("whisper tiny.en", "Good morning\nHello")
    assert transcript.folded == " good morning hello "
    assert transcript.words[2] == {"text": "Hello", "start": 1.0, "end": 1.3, "confidence": 0.7, "channel": 1}
    entry = await entry_of(session, "call-r1")
    assert (entry.transcript, entry.text) == ("done", "Good morning Hello")
    assert await store.pending(session) == []


async def test_finishing_twice_changes_nothing(session: AsyncSession, folder: Path) -> None:
    spool_ticks(await create(session, folder), 10)
    await finish(session, folder, cause="The disk is full.")
    await store.save_transcript(session, FileTranscribed("r1", "done", "vosk", "en", WORDS), ENDED_AT)
    row = await store.finish(session, "r1", "vi", folder, ENDED_AT + 99)
    assert (row.state, row.closed_at, row.ended_early) == ("closed", ENDED_AT, "The disk is full.")
    assert (row.language, row.transcript_state) == ("en", "done")


async def test_the_language_of_the_end_counts(session: AsyncSession, folder: Path) -> None:
    spool_ticks(await create(session, folder), 1)
    assert (await store.finish(session, "r1", "vi", folder, ENDED_AT)).language == "vi"


async def test_a_crash_between_the_file_and_the_row(sessions: Sessions, folder: Path) -> None:
    async with sessions() as session:
        spool = await create(session, folder)
        spool_ticks(spool, 10)
        await store.finish(session, "r1", "en", folder, ENDED_AT)  # and never committed
    assert not spool.exists()
    async with sessions() as session:
        assert (await session.get_one(Recording, "r1")).state == "spooling"
        [recovered] = await store.recover(session, folder, ENDED_AT + 1)
        assert (recovered.state, recovered.seconds) == ("closed", 10 * TICK_S)


async def test_a_spool_that_cannot_be_closed_is_kept(
    session: AsyncSession, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call_on_the_timeline(session, "call-r1")
    spool = await create(session, folder)
    spool_ticks(spool, 10)
    with monkeypatch.context() as patch:
        patch.setattr("recordings.store.close_to_wav", fail)
        row = await finish(session, folder)
    assert (row.state, row.transcript_state) == ("failed", "failed")
    assert "no space left" in row.cause
    assert row.transcript_cause == row.cause
    assert spool.exists()
    assert (await entry_of(session, "call-r1")).transcript == "failed"
    assert await store.pending(session) == []
    row = await finish(session, folder)  # somebody made room
    assert (row.state, row.cause, row.transcript_state, row.transcript_cause) == ("closed", "", "pending", "")


async def test_a_recording_without_audio_says_so(session: AsyncSession, folder: Path) -> None:
    spool_ticks(await create(session, folder), 0)
    row = await finish(session, folder)
    assert row.transcript_state == "failed"
    assert row.transcript_cause
    assert await store.pending(session) == []


async def test_a_spool_that_is_damaged_is_kept(session: AsyncSession, folder: Path) -> None:
    spool = await create(session, folder)
    spool.write_bytes(b"HLSP")
    [recovered] = await store.recover(session, folder, ENDED_AT)
    assert recovered.state == "failed"
    assert "could not be closed and is kept" in recovered.cause
    assert spool.read_bytes() == b"HLSP"


async def test_a_start_closes_what_the_last_run_left(sessions: Sessions, folder: Path) -> None:
    async with sessions() as session:
        await call_on_the_timeline(session, "call-torn")
        torn = await create(session, folder, "torn")
        await create(session, folder, "gone", customer="")
        spool_ticks(await create(session, folder, "whole"), 5)
        await finish(session, folder, "whole")
    spool_ticks(torn, 25)
    torn.write_bytes(torn.read_bytes()[:-100])  # kill -9 in the middle of a row
    spool_ticks(folder / "spool" / "stray.spool", 5)
    async with sessions() as session:
        found = {each.recording: each for each in await store.recover(session, folder, ENDED_AT)}
        await session.commit()
    assert set(found) == {"torn", "gone", "stray"}
    assert (found["torn"].state, found["torn"].seconds, found["torn"].call) == ("closed", 24 * TICK_S, "call-torn")
    assert (found["gone"].state, found["stray"].state) == ("lost", "unlisted")
    assert "no spool" in found["gone"].cause
    assert "without a row" in found["stray"].cause
    async with sessions() as session:
        row = await session.get_one(Recording, "torn")
        assert (row.state, row.ticks, row.ended_early) == ("closed", 24, store.INTERRUPTED)
        assert (await session.get_one(Recording, "gone")).transcript_state == "failed"
        assert (await entry_of(session, "call-torn")).recording_id == "torn"
        assert [each.id for each in await store.pending(session)] == ["torn", "whole"]
        again = await store.recover(session, folder, ENDED_AT)
        assert [each.state for each in again] == ["unlisted"]


async def test_what_a_full_disk_kept_from_closing_is_closed_by_a_later_start(
    session: AsyncSession, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_ticks(await create(session, folder), 10)
    with monkeypatch.context() as full:
        full.setattr(store, "close_to_wav", fail)
        assert (await finish(session, folder, cause="the disk was full")).state == "failed"
    [recovered] = await store.recover(session, folder, ENDED_AT)
    assert (recovered.state, recovered.ended_at) == ("closed", STARTED_AT + 10 * TICK_S)
    row = await session.get_one(Recording, "r1")
    assert (row.transcript_state, row.ended_early) == ("pending", "the disk was full")
    assert await store.recover(session, folder, ENDED_AT) == []


async def test_a_first_start_has_nothing_to_recover(session: AsyncSession, folder: Path) -> None:
    assert await store.recover(session, folder, STARTED_AT) == []


async def test_a_recording_that_awaited_a_model_is_tried_again(session: AsyncSession, folder: Path) -> None:
    await call_on_the_timeline(session, "call-r1")
    spool_ticks(await create(session, folder), 5)
    await finish(session, folder)
    lacking = FileTranscribed("r1", "awaiting_model", language="vi", cause="No recogniser is set for vi.")
    row = await store.save_transcript(session, lacking, ENDED_AT)
    assert (row.transcript_state, row.transcript_cause) == ("awaiting_model", "No recogniser is set for vi.")
    assert await session.get(Transcript, "r1") is None
    assert (await entry_of(session, "call-r1")).transcript == "awaiting_model"
    assert [each.id for each in await store.pending(session)] == ["r1"]
    assert await store.pending(session, awaiting=False) == []


async def test_a_later_failure_takes_no_transcript_away(session: AsyncSession, folder: Path) -> None:
    spool_ticks(await create(session, folder), 5)
    await finish(session, folder)
    await store.save_transcript(session, FileTranscribed("r1", "done", "vosk", "en", WORDS), ENDED_AT)
    failed = FileTranscribed("r1", "failed", language="en", cause="out of memory")
    row = await store.save_transcript(session, failed, ENDED_AT)
    assert (row.transcript_state, row.transcript_cause) == ("done", "out of memory")
    again = FileTranscribed("r1", "done", "whisper", "en", WORDS[:1])
    row = await store.save_transcript(session, again, ENDED_AT + 1)
    assert row.transcript_cause == ""
    transcript = await session.get_one(Transcript, "r1")
    assert (transcript.engine, transcript.text, transcript.created_at) == ("whisper", "Good", ENDED_AT + 1)


async def test_a_caller_who_is_known_later(session: AsyncSession, folder: Path) -> None:
    await create(session, folder, customer="")
    assert (await session.get_one(Recording, "r1")).customer_id is None
    await store.set_customer(session, "call-r1", CUSTOMER)
    await session.commit()
    row = await session.get_one(Recording, "r1", populate_existing=True)
    assert row.customer_id == CUSTOMER


async def test_what_does_not_exist_is_said(session: AsyncSession, folder: Path) -> None:
    with pytest.raises(NoRecording, match="no recording r9"):
        await store.finish(session, "r9", "en", folder, ENDED_AT)
    with pytest.raises(NoRecording, match="no recording r9"):
        await store.save_transcript(session, FileTranscribed("r9", "done"), ENDED_AT)


@pytest.mark.parametrize("recording", ["", "../r1", "a/b", "r1.wav"])
async def test_an_id_that_is_a_path_is_refused(session: AsyncSession, folder: Path, recording: str) -> None:
    with pytest.raises(ValueError, match="no recording id"):
        await store.create(session, recording, "call", "", STARTED_AT, "en", folder)
    assert not list(folder.parent.glob("**/*.spool"))


def a_call(**changes: Any) -> CallSnapshot:
    fields: dict[str, Any] = {
            "id": "c1", "state": "talking", "number": "0912345678", "ani": "", "dnis": "1900", "customer": "",
            "context": CallerContext(), "language": "vi", "flow": "", "flow_path": (), "queue": "", "agent": "",
            "recording": "r1", "case": "", "started_at": STARTED_AT,
        }  # fmt: skip
    return CallSnapshot(**fields | changes)


async def described(session: AsyncSession, recording: str) -> tuple[str, str, str, str, str]:
    row = await session.get_one(Recording, recording, populate_existing=True)
    return row.ani, row.agent, row.queue, row.person, row.person_folded


async def test_what_a_recording_is_found_by_is_written_as_it_becomes_known(session: AsyncSession, folder: Path) -> None:
    for recording, call in (("r1", "c1"), ("r2", "c1"), ("r3", "c2")):
        await store.create(session, recording, call, "", STARTED_AT, "vi", folder)
    await store.describe(session, a_call(agent="an", queue="care"))
    assert await described(session, "r1") == ("", "an", "care", "", "")
    lan = CallerContext(name="Phạm Thị Lan")
    await store.describe(session, a_call(recording="r2", agent="minh", ani="+84912345678", context=lan))
    assert await described(session, "r1") == ("+84912345678", "an", "care", "Phạm Thị Lan", " pham thi lan ")
    assert await described(session, "r2") == ("+84912345678", "minh", "", "Phạm Thị Lan", " pham thi lan ")
    await store.describe(session, a_call(recording="r2"))
    assert (await described(session, "r2"))[1] == "minh"
    assert await described(session, "r3") == ("", "", "", "", "")
    ours = {"direction": "outbound", "number": "+84987654321", "dnis": "+84987654321", "ani": "+842873001234"}
    await store.describe(session, a_call(id="c2", recording="r3", **ours))
    assert (await described(session, "r3"))[0] == "+84987654321"  # the customer's number, not what is shown there
    await store.describe(session, a_call(context=CallerContext(name="đ" * 500)))
    assert [len(value) for value in (await described(session, "r1"))[3:]] == [200, 200]
