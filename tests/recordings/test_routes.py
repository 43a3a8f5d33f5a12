"""Recordings over HTTP, on an application of their own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from recordings import store
from recordings.routes import router
from recordings.tables import Recording
from telephony.events import FileTranscribed, Word
from tests.recordings.conftest import CUSTOMER, STARTED_AT, write_wav

WORDS = (
    Word("Xin", 0.5, 0.7, 0.9, 0),
    Word("chào", 0.7, 1.0, 0.9, 0),
    Word("đặt", 2.5, 2.7, 0.8, 1),
    Word("chỗ", 2.7, 3.0, 0.8, 1),
)


@pytest.fixture
async def client(sessions: async_sessionmaker[AsyncSession], folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    app.state.sessions = sessions
    app.state.recordings_folder = folder
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hotline/api/v1") as client:
        yield client


async def add(session: AsyncSession, recording: str, **values: Any) -> Recording:
    row = Recording(
        **{
            "id": recording,
            "call_id": f"call-{recording}",
            "path": f"2026-11-22/{recording}.wav",
            "state": "closed",
            "started_at": STARTED_AT,
            "closed_at": STARTED_AT + 60.12,
            "ticks": 50,
            "seconds": 1.0,
            "language": "vi",
            "transcript_state": "pending",
        }
        | values
    )
    session.add(row)
    await session.commit()
    return row


async def transcribe(session: AsyncSession, recording: str, *words: Word) -> None:
    await store.save_transcript(session, FileTranscribed(recording, "done", "vosk vi", "vi", words), STARTED_AT + 90)
    await session.commit()


async def ids(client: httpx.AsyncClient, **query: str | int) -> list[str]:
    answer = await client.get("/recordings", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_one_recording(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await add(session, "r1", customer_id=CUSTOMER)
    answer = await client.get("/recordings/r1")
    assert answer.json() == {
        "id": "r1",
        "call": "call-r1",
        "customer": CUSTOMER,
        "state": "closed",
        "cause": "",
        "started_at": "2026-11-22T12:00:00.000Z",
        "closed_at": "2026-11-22T12:01:00.120Z",
        "seconds": 1.0,
        "ended_early": "",
        "language": "vi",
        "transcript_state": "pending",
        "transcript_cause": "",
        "audio": "/api/v1/recordings/r1/audio",
        "transcript": "/api/v1/recordings/r1/transcript",
    }
    assert (await client.get("/recordings/r2")).status_code == 404


async def test_lists_are_newest_first_and_paged(client: httpx.AsyncClient, session: AsyncSession) -> None:
    for number in range(5):
        await add(session, f"r{number}", started_at=STARTED_AT + number // 2)
    found, cursor = [], ""
    for _ in range(3):
        page = (await client.get("/recordings", params={"limit": 2, "cursor": cursor})).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert found == ["r4", "r3", "r2", "r1", "r0"]
    assert cursor is None


async def test_lists_by_call_customer_and_time(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await add(session, "r1", customer_id=CUSTOMER)
    await add(session, "r2", started_at=STARTED_AT + 60)
    assert await ids(client, call="call-r2") == ["r2"]
    assert await ids(client, customer=CUSTOMER) == ["r1"]
    assert await ids(client, **{"from": "2026-11-22T12:00:01Z"}) == ["r2"]
    assert await ids(client, **{"from": "2026-11-22T19:00:00+07:00", "to": "2026-11-22T12:01:00Z"}) == ["r1"]


@pytest.mark.parametrize(
    "query", [{"cursor": "bm9uZQ"}, {"cursor": "é"}, {"limit": "0"}, {"from": "2026-11-22"}, {"colour": "red"}]
)
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await client.get("/recordings", params=query)).status_code == 422


async def test_search_goes_by_words_without_case_and_diacritics(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await add(session, "r1")
    await add(session, "r2")
    await transcribe(session, "r1", *WORDS)
    await transcribe(session, "r2", Word("xin_lỗi", 0.0, 1.0, 1.0, 0))
    for query in ("đặt chỗ", "DAT CHO", "cho dat", "xin chà", "chào"):
        assert await ids(client, q=query) == ["r1"], query
    for query in ("xin", "Xin"):
        assert await ids(client, q=query) == ["r2", "r1"]
    for query in ("hào", "tạm biệt", "%", "!!!", "x_n"):
        assert await ids(client, q=query) == [], query


async def test_audio_whole_and_in_part(client: httpx.AsyncClient, session: AsyncSession, folder: Path) -> None:
    await add(session, "r1")
    octets = write_wav(folder / "2026-11-22" / "r1.wav").read_bytes()
    whole = await client.get("/recordings/r1/audio")
    assert (whole.status_code, whole.content) == (200, octets)
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"] == 'attachment; filename="r1.wav"'
    part = await client.get("/recordings/r1/audio", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, octets[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(octets)}"
    beyond = await client.get("/recordings/r1/audio", headers={"Range": f"bytes={len(octets)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(octets)}")
    assert "not that long" in beyond.json()["detail"]
    backwards = await client.get("/recordings/r1/audio", headers={"Range": "bytes=5-2"})
    assert (backwards.status_code, "write it as" in backwards.json()["detail"]) == (400, True)


async def test_audio_that_is_not_there_says_why(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await add(session, "r1", state="spooling", closed_at=None)
    await add(session, "r2", state="lost", cause="There is no spool.")
    await add(session, "r3")
    spooling = await client.get("/recordings/r1/audio")
    assert spooling.status_code == 409
    assert "still being recorded" in spooling.json()["detail"]
    lost = await client.get("/recordings/r2/audio")
    assert (lost.status_code, lost.json()["detail"]) == (404, "There is no spool.")
    assert (await client.get("/recordings/r2")).json()["audio"] is None
    removed = await client.get("/recordings/r3/audio")
    assert removed.status_code == 404
    assert "2026-11-22/r3.wav" in removed.json()["detail"]
    assert (await client.get("/recordings/r4/audio")).status_code == 404


async def test_a_transcript(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await add(session, "r1")
    await transcribe(session, "r1", *WORDS)
    answer = (await client.get("/recordings/r1/transcript")).json()
    assert answer["text"] == "Xin chào\nđặt chỗ"
    assert answer["words"][2] == {"text": "đặt", "start": 2.5, "end": 2.7, "confidence": 0.8, "channel": 1}
    del answer["words"], answer["text"]
    assert answer == {
        "recording": "r1",
        "state": "done",
        "cause": "",
        "language": "vi",
        "engine": "vosk vi",
        "created_at": "2026-11-22T12:01:30.000Z",
    }
    assert (await client.get("/recordings/r2/transcript")).status_code == 404


@pytest.mark.parametrize("state", ["none", "pending", "awaiting_model", "failed"])
async def test_no_transcript_is_never_an_empty_one(
    client: httpx.AsyncClient, session: AsyncSession, state: str
) -> None:
    await add(session, "r1", transcript_state=state, transcript_cause="a cause")
    answer = await client.get("/recordings/r1/transcript")
    assert answer.status_code == 200
    assert answer.json() == {
        "recording": "r1",
        "state": state,
        "cause": "a cause",
        "language": "vi",
        "engine": None,
        "created_at": None,
        "text": None,
        "words": None,
    }
