"""The recordings over HTTP: find, show, hear, read. Mounted under `/api/v1`; who may ask is checked outside.

Reads `app.state.sessions` (async sessionmaker), `app.state.recordings_folder` (`Path`) and, where there is one,
`app.state.audit` (`await note(request, what, about)`).
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from recordings import search
from recordings.peaks import NoOutline, PeaksCache
from recordings.store import wav_path
from recordings.tables import Recording, RecordingState, Transcript, TranscriptState
from recordings.text import hits
from telephony.clock import iso, iso_or_none
from telephony.events import RecordingKind

router = APIRouter(tags=["recordings"])

Audit = Callable[[Request, str, str], Awaitable[None]]

OUTLINES: Final = PeaksCache()
RANGE_FAULTS: Final = {
    400: "The header Range is not one: write it as `bytes=FIRST-LAST`, FIRST no greater than LAST.",
    416: "The recording is not that long: Content-Range says its length in octets.",
}


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PieceOut(_Shape):
    """A part of an excerpt; `hit` where it is what was looked for."""

    text: str
    hit: bool


class PauseOut(_Shape):
    """A time in which nothing was recorded, on purpose: seconds from the recording's start. `until` is null where that
    was so to the end."""

    since: float
    until: float | None


class GapOut(_Shape):
    """A time of which there is no recording, although the call went on: seconds from the recording's start."""

    since: float
    until: float


class RecordingOut(_Shape):
    """A recording. `transcript_state` tells whether `transcript` holds words; `cause`s are empty when all went well.

    `ani` (the customer's number, whoever called whom), `agent` (who talked last), `queue` and `person` (the customer's
    name) are empty where there is none; `excerpt` is where the words of `q` were said, empty without them.
    """

    id: str
    call: str
    kind: RecordingKind = Field(description="`voicemail`: a message that was left for the queue.")
    customer: str | None
    state: RecordingState
    cause: str
    started_at: str
    closed_at: str | None
    seconds: float
    ended_early: str
    language: str
    ani: str
    agent: str
    queue: str
    person: str
    pauses: list[PauseOut]
    gaps: list[GapOut]
    transcript_state: TranscriptState
    transcript_cause: str
    audio: str | None
    transcript: str
    excerpt: list[PieceOut]


class RecordingPage(_Shape):
    """Recordings, newest first. `next` is the `cursor` of the next page, null on the last."""

    items: list[RecordingOut]
    next: str | None


class WordOut(_Shape):
    """A word: seconds from the recording's start; channel 0 is the caller, 1 everyone else."""

    text: str
    start: float
    end: float
    confidence: float
    channel: int


class TranscriptOut(_Shape):
    """A transcript, or why there is none: `text` and `words` are null unless `state` is `done`.

    `done` with no words means that the engine ran and heard none; `cause` then says so.
    """

    recording: str
    state: TranscriptState
    cause: str
    language: str
    engine: str | None
    created_at: str | None
    text: str | None
    words: list[WordOut] | None


class PeaksOut(_Shape):
    """How loud a recording is: for each channel, `per_second` times a second, its peak of 0 to 1."""

    seconds: float
    per_second: int
    channels: list[list[float]]


class AudioFile(FileResponse):
    """A file; a `Range` that it cannot serve is an error of the application like any other (RFC 9110 section 14.2)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in RANGE_FAULTS:
                length = Headers(raw=message["headers"]).get("content-range")
                kept = {"Content-Range": length} if length else None
                raise HTTPException(message["status"], RANGE_FAULTS[message["status"]], kept)
            await send(message)

        await super().__call__(scope, receive, watched)


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that never waits for a writer. It is over before an answer is sent: a download may take minutes."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


@router.get("/recordings")
async def list_recordings(request: Request, wanted: Annotated[search.Filter, Query()]) -> RecordingPage:
    """List recordings, newest first."""
    async with reading(request) as session:
        query = search.query(wanted)
        if wanted.cursor:
            query = query.where(tuple_(Recording.started_at, Recording.id) < tuple_(*_position(wanted.cursor)))
        rows = (await session.scalars(query.limit(wanted.limit + 1))).all()
        page = rows[: wanted.limit]
        excerpts = await _excerpts(session, [row.id for row in page], wanted.q) if wanted.q else {}
    return RecordingPage(
        items=[_out(row, excerpts.get(row.id, [])) for row in page],
        next=_cursor(page[-1]) if len(rows) > wanted.limit else None,
    )


@router.get("/recordings/{recording}", responses={404: {"description": "There is no such recording."}})
async def get_recording(request: Request, recording: str) -> RecordingOut:
    """Show one recording."""
    async with reading(request) as session:
        return _out(await _row(session, recording), [])


@router.head("/recordings/{recording}/audio", response_class=AudioFile, include_in_schema=False)
@router.get(
    "/recordings/{recording}/audio",
    response_class=AudioFile,
    responses={
        200: {"content": {"audio/wav": {}}, "description": "The stereo WAV file; left is the caller. Takes ranges."},
        404: {"description": "There is no such recording, or no file of it."},
        409: {"description": "The call is still being recorded."},
        416: {"description": "The range begins after the end."},
    },
)
async def get_audio(request: Request, recording: str) -> AudioFile:
    """Hear a recording. Every hearing of it, or of a part, is written into the audit log; HEAD hears nothing."""
    path = await file_of(request, recording)
    if request.method == "GET":
        await note(request, "recording.heard", recording)
    return AudioFile(path, media_type="audio/wav", filename=f"{recording}.wav")


@router.get(
    "/recordings/{recording}/peaks",
    response_model=PeaksOut,
    responses={
        404: {"description": "There is no such recording, or no file of it."},
        409: {"description": "The call is still being recorded."},
    },
)
async def get_peaks(request: Request, recording: str, per_second: Annotated[int, Query(ge=1, le=50)] = 20) -> Response:
    """See how loud each channel is, to draw a waveform from."""
    path = await file_of(request, recording)
    try:
        outline = await asyncio.to_thread(OUTLINES.json, path, per_second)
    except NoOutline as error:
        raise HTTPException(404, f"The recording's file cannot be read: {error}") from error
    return Response(outline, media_type="application/json", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/recordings/{recording}/transcript", responses={404: {"description": "There is no such recording."}})
async def get_transcript(request: Request, recording: str) -> TranscriptOut:
    """Read a recording's transcript, or why there is none."""
    async with reading(request) as session:
        row = await _row(session, recording)
        written = await session.get(Transcript, row.id) if row.transcript_state == "done" else None
    if written is not None:
        await note(request, "transcript.read", recording)
    return TranscriptOut(
        recording=row.id,
        state=row.transcript_state,
        cause=row.transcript_cause,
        language=written.language if written else row.language,
        engine=written.engine if written else None,
        created_at=iso(written.created_at) if written else None,
        text=written.text if written else None,
        words=[WordOut.model_validate(word) for word in written.words] if written else None,
    )


def _cursor(row: Recording) -> str:
    return base64.urlsafe_b64encode(f"{row.started_at!r} {row.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[float, str]:
    try:
        started_at, recording = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return float(started_at), recording
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, "The cursor is none of ours: send `next` of the page before as it is.") from error


async def file_of(request: Request, recording: str) -> Path:
    """Return where a recording's file is. Raises 404 where there is none, 409 while there is none yet."""
    async with reading(request) as session:
        row = await _row(session, recording)
    if row.state == "spooling":
        raise HTTPException(409, "The call is still being recorded: ask again when it has ended.")
    if row.state != "closed":
        raise HTTPException(404, row.cause)
    path = wav_path(request.app.state.recordings_folder, row)
    if not await asyncio.to_thread(path.is_file):
        raise HTTPException(404, f"The file {row.path} is not in the recordings folder: restore it from a backup.")
    return path


async def note(request: Request, what: str, recording: str) -> None:
    """Have it written who hears or reads; where that cannot be written, nothing is heard or read."""
    audit: Audit | None = getattr(request.app.state, "audit", None)
    if audit is not None:
        await audit(request, what, recording)


async def _row(session: AsyncSession, recording: str) -> Recording:
    row = await session.get(Recording, recording)
    if row is None:
        raise HTTPException(404, "There is no such recording.")
    return row


async def _excerpts(session: AsyncSession, recordings: list[str], q: str) -> dict[str, list[PieceOut]]:
    query = select(Transcript.recording_id, Transcript.text).where(Transcript.recording_id.in_(recordings))
    texts = (await session.execute(query)).all()

    def marked() -> dict[str, list[PieceOut]]:
        return {
            recording: [PieceOut(text=piece.text, hit=piece.hit) for piece in hits(text, q)]
            for recording, text in texts
        }

    return await asyncio.to_thread(marked)  # hours of talk may have to be read


def _offset(row: Recording, at: float | None) -> float:
    return round(max(0.0, (at or row.started_at) - row.started_at), 3)


def _until(row: Recording, at: float | None) -> float | None:
    return None if at is None else _offset(row, at)


def _out(row: Recording, excerpt: list[PieceOut]) -> RecordingOut:
    address = f"/api/v1/recordings/{row.id}"
    return RecordingOut(
        id=row.id,
        call=row.call_id,
        kind=row.kind,
        customer=row.customer_id,
        state=row.state,
        cause=row.cause,
        started_at=iso(row.started_at),
        closed_at=iso_or_none(row.closed_at),
        seconds=round(row.seconds, 3),
        ended_early=row.ended_early,
        language=row.language,
        ani=row.ani,
        agent=row.agent,
        queue=row.queue,
        person=row.person,
        pauses=[PauseOut(since=_offset(row, since), until=_until(row, until)) for since, until in row.pauses],
        gaps=[GapOut(since=round(since, 3), until=round(until, 3)) for since, until in row.gaps],
        transcript_state=row.transcript_state,
        transcript_cause=row.transcript_cause,
        audio=f"{address}/audio" if row.state == "closed" else None,
        transcript=f"{address}/transcript",
        excerpt=excerpt,
    )
