"""Recordings over HTTP, on an application of their own."""

import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import person
from crm_bridge.tables import Customer
from recordings import store
from recordings.routes import router
from recordings.tables import Recording
from recordings.text import fold
from telephony.events import FileTranscribed, Word
from tests.recordings.conftest import CUSTOMER, STARTED_AT, write_wav

WORDS = (
    Word("Xin", 0.5, 0.7, 0.9, 0),
    Word("chào", 0.7, 1.0, 0.9, 0),
    Word("đặt", 2.5, 2.7, 0.8, 1),
    Word("chỗ", 2.7, 3.0, 0.8, 1),
)


@pytest.fixture
def app(sessions: async_sessionmaker[AsyncSession], folder: Path) -> FastAPI:
    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    app.state.sessions = sessions
    app.state.recordings_folder = folder
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
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
    await add(
        session, "r1", customer_id=CUSTOMER, ani="+84912345678", agent="minh", queue="care", person="Phạm Thị Lan"
    )
    answer = await client.get("/recordings/r1")
    assert answer.json() == {
        "id": "r1",
        "call": "call-r1",
        "kind": "talk",
        "customer": CUSTOMER,
        "state": "closed",
        "cause": "",
        "started_at": "2026-11-22T12:00:00.000Z",
        "closed_at": "2026-11-22T12:01:00.120Z",
        "seconds": 1.0,
        "ended_early": "",
        "language": "vi",
        "ani": "+84912345678",
        "agent": "minh",
        "queue": "care",
        "person": "Phạm Thị Lan",
        "pauses": [],
        "gaps": [],
        "transcript_state": "pending",
        "transcript_cause": "",
        "audio": "/api/v1/recordings/r1/audio",
        "transcript": "/api/v1/recordings/r1/transcript",
        "excerpt": [],
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
    other = "d" * 32
    session.add_all([Customer(id=each, created_at=1.0, updated_at=1.0) for each in (CUSTOMER, other)])
    await session.flush()
    await person.merge(session, CUSTOMER, other, person.Grounds("one card", "page", "huong"), 1.0)
    await session.commit()
    assert await ids(client, customer=other) == ["r1"]
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


async def test_where_words_were_found_is_shown_as_it_was_said(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await add(session, "r1")
    await transcribe(session, "r1", *WORDS)
    items = (await client.get("/recordings", params={"q": "CHO dat"})).json()["items"]
    assert items[0]["excerpt"] == [
        {"text": "Xin chào ", "hit": False},
        {"text": "đặt", "hit": True},
        {"text": " ", "hit": False},
        {"text": "chỗ", "hit": True},
    ]
    assert (await client.get("/recordings")).json()["items"][0]["excerpt"] == []


LAN = {"ani": "+84912345678", "agent": "minh", "queue": "care", "person": "Phạm Thị Lan"}
DUC = {"ani": "+84281234567", "agent": "minh.tran", "queue": "cargo_vn", "person": "Nguyễn Đức Ân"}
ANN = {"ani": "+14155559123", "agent": "an", "queue": "care", "person": "Ann O'Landon"}
WITHHELD = {"ani": "", "agent": "An", "queue": "", "person": ""}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"number": "0912"}, ["lan"]),
        ({"number": "+84912"}, ["lan"]),
        ({"number": "912 345"}, ["lan"]),
        ({"number": "0912 345 678"}, ["lan"]),
        ({"number": "0912.345-6"}, ["lan"]),
        ({"number": "+84 (0) 912"}, ["lan"]),
        ({"number": "0084912345678"}, ["lan"]),
        ({"number": "84912"}, ["lan"]),
        ({"number": "５６７８"}, ["lan"]),
        ({"number": "345678"}, ["lan"]),
        ({"number": "+8"}, ["duc", "lan"]),
        ({"number": "91"}, ["ann", "lan"]),
        ({"number": "028"}, ["duc"]),
        ({"number": "09123456789"}, []),
        ({"number": "+912"}, []),
        ({"number": "%"}, []),
        ({"number": "unknown"}, []),
        ({"person": "pham"}, ["lan"]),
        ({"person": "Phạm"}, ["lan"]),
        ({"person": "lan thi"}, ["lan"]),
        ({"person": "LAN"}, ["ann", "lan"]),
        ({"person": "đức"}, ["duc"]),
        ({"person": "Duc a"}, ["duc"]),
        ({"person": "ham"}, []),
        ({"person": "_"}, []),
        ({"person": "!"}, []),
        ({"agent": "minh"}, ["duc", "lan"]),
        ({"agent": "MINH.T"}, ["duc"]),
        ({"agent": "an"}, ["withheld", "ann"]),
        ({"agent": "%"}, []),
        ({"queue": "care"}, ["ann", "lan"]),
        ({"queue": "car"}, ["ann", "duc", "lan"]),
        ({"queue": "cargo_"}, ["duc"]),
        ({"queue": "care_"}, []),
        ({"agent": "minh", "queue": "care", "number": "09", "person": "lan", "from": "2026-11-22T12:00:00Z"}, ["lan"]),
        ({"agent": "minh", "person": "ann"}, []),
    ],
)
async def test_recordings_are_found_by_who_talked(
    client: httpx.AsyncClient, session: AsyncSession, query: dict[str, str], found: list[str]
) -> None:
    for number, (name, columns) in enumerate({"lan": LAN, "duc": DUC, "ann": ANN, "withheld": WITHHELD}.items()):
        await add(session, name, started_at=STARTED_AT + number, person_folded=fold(columns["person"]), **columns)
    assert await ids(client, **query) == found


async def test_the_outline_of_a_recording(client: httpx.AsyncClient, session: AsyncSession, folder: Path) -> None:
    await add(session, "r1")
    path = folder / "2026-11-22" / "r1.wav"
    path.parent.mkdir(parents=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.repeat(np.array([[0, 16384], [-32768, 0]], "<i2"), 4000, axis=0).tobytes())
    answer = await client.get("/recordings/r1/peaks", params={"per_second": 4})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"seconds": 1.0, "per_second": 4, "channels": [[0, 0, 1, 1], [0.5, 0.5, 0, 0]]}
    assert len((await client.get("/recordings/r1/peaks")).json()["channels"][1]) == 20
    for wrong in ("0", "51", "x"):
        assert (await client.get("/recordings/r1/peaks", params={"per_second": wrong})).status_code == 422


@pytest.mark.parametrize("part", ["audio", "peaks"])
async def test_audio_that_is_not_there_says_why(
    client: httpx.AsyncClient, session: AsyncSession, folder: Path, part: str
) -> None:
    await add(session, "r1", state="spooling", closed_at=None)
    await add(session, "r2", state="lost", cause="There is no spool.")
    await add(session, "r3")
    spooling = await client.get(f"/recordings/r1/{part}")
    assert spooling.status_code == 409
    assert "still being recorded" in spooling.json()["detail"]
    lost = await client.get(f"/recordings/r2/{part}")
    assert (lost.status_code, lost.json()["detail"]) == (404, "There is no spool.")
    assert (await client.get("/recordings/r2")).json()["audio"] is None
    removed = await client.get(f"/recordings/r3/{part}")
    assert removed.status_code == 404
    assert "2026-11-22/r3.wav" in removed.json()["detail"]
    assert (await client.get(f"/recordings/r4/{part}")).status_code == 404


async def test_a_file_that_is_no_recording_has_no_outline(
    client: httpx.AsyncClient, session: AsyncSession, folder: Path
) -> None:
    await add(session, "r1")
    write_wav(folder / "2026-11-22" / "r1.wav").write_bytes(b"RIFF")
    answer = await client.get("/recordings/r1/peaks")
    assert (answer.status_code, "r1.wav is no WAV file" in answer.json()["detail"]) == (404, True)


async def test_hearing_and_reading_are_written_down(
    app: FastAPI, client: httpx.AsyncClient, session: AsyncSession, folder: Path
) -> None:
    written: list[tuple[str, str, str]] = []

    async def audit(request: Request, what: str, about: str) -> None:
        written.append((request.method, what, about))

    await add(session, "r1")
    await add(session, "r2", state="spooling")
    write_wav(folder / "2026-11-22" / "r1.wav")
    assert (await client.get("/recordings/r1/audio")).status_code == 200  # no audit log, as in this test's own house
    app.state.audit = audit
    await client.get("/recordings/r1/transcript")
    await client.get("/recordings/r2/audio")
    await client.head("/recordings/r1/audio")
    await client.get("/recordings/r1/peaks")
    await client.get("/recordings/r1")
    assert written == []  # nothing was heard or read so far
    await client.get("/recordings/r1/audio", headers={"Range": "bytes=100-"})
    await transcribe(session, "r1", *WORDS)
    await client.get("/recordings/r1/transcript")
    assert written == [("GET", "recording.heard", "r1"), ("GET", "transcript.read", "r1")]


async def test_what_cannot_be_written_down_is_not_heard(
    app: FastAPI, client: httpx.AsyncClient, session: AsyncSession, folder: Path
) -> None:
    async def away(request: Request, what: str, about: str) -> None:
        raise OSError("the database is away")

    await add(session, "r1")
    write_wav(folder / "2026-11-22" / "r1.wav")
    app.state.audit = away
    with pytest.raises(OSError, match="away"):
        await client.get("/recordings/r1/audio")


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
