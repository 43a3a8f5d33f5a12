"""The recordings over HTTP: find, show, hear, read. Mounted under `/api/v1`; who may ask is checked outside.

Reads `app.state.sessions` (async sessionmaker) and `app.state.recordings_folder` (`Path`).
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from recordings.store import wav_path
from recordings.tables import Recording, RecordingState, Transcript, TranscriptState
from recordings.text import terms
from telephony.clock import iso

router = APIRouter(tags=["recordings"])

RANGE_FAULTS: Final = {
    400: "The header Range is not one: write it as `bytes=FIRST-LAST`, FIRST no greater than LAST.",
    416: "The recording is not that long: Content-Range says its length in octets.",
}


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class RecordingOut(_Shape):
    """A recording. `transcript_state` tells whether `transcript` holds words; `cause`s are empty when all went well."""

    id: str
    call: str
    customer: str | None
    state: RecordingState
    cause: str
    started_at: str
    closed_at: str | None
    seconds: float
    ended_early: str
    language: str
    transcript_state: TranscriptState
    transcript_cause: str
    audio: str | None
    transcript: str


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
async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that never waits for a writer. It is over before an answer is sent: a download may take minutes."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


class Filter(BaseModel):
    """What to list. `q`: words of the transcript, each from its beginning, without regard to case and diacritics."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=200, description="words of the transcript, by their beginnings")
    call: str = Field("", max_length=64)
    customer: str = Field("", max_length=64)
    since: AwareDatetime | None = Field(None, alias="from", description="started at or after this instant")
    until: AwareDatetime | None = Field(None, alias="to", description="started before this instant")
    limit: int = Field(50, ge=1, le=200)
    cursor: str = Field("", max_length=200, description="`next` of the page before")


@router.get("/recordings")
async def list_recordings(request: Request, wanted: Annotated[Filter, Query()]) -> RecordingPage:
    """List recordings, newest first."""
    async with _reading(request) as session:
        rows = (await session.scalars(_query(wanted).limit(wanted.limit + 1))).all()
    page = rows[: wanted.limit]
    return RecordingPage(
        items=[_out(row) for row in page],
        next=_cursor(page[-1]) if len(rows) > wanted.limit else None,
    )


@router.get("/recordings/{recording}", responses={404: {"description": "There is no such recording."}})
async def get_recording(request: Request, recording: str) -> RecordingOut:
    """Show one recording."""
    async with _reading(request) as session:
        return _out(await _row(session, recording))


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
    """Hear a recording."""
    async with _reading(request) as session:
        row = await _row(session, recording)
    if row.state == "spooling":
        raise HTTPException(409, "The call is still being recorded: ask again when it has ended.")
    if row.state != "closed":
        raise HTTPException(404, row.cause)
    folder: Path = request.app.state.recordings_folder
    path = wav_path(folder, row)
    if not await asyncio.to_thread(path.is_file):
        raise HTTPException(404, f"The file {row.path} is not in the recordings folder: restore it from a backup.")
    return AudioFile(path, media_type="audio/wav", filename=f"{row.id}.wav")


@router.get("/recordings/{recording}/transcript", responses={404: {"description": "There is no such recording."}})
async def get_transcript(request: Request, recording: str) -> TranscriptOut:
    """Read a recording's transcript, or why there is none."""
    async with _reading(request) as session:
        row = await _row(session, recording)
        found = await session.get(Transcript, row.id) if row.transcript_state == "done" else None
    return TranscriptOut(
        recording=row.id,
        state=row.transcript_state,
        cause=row.transcript_cause,
        language=found.language if found else row.language,
        engine=found.engine if found else None,
        created_at=iso(found.created_at) if found else None,
        text=found.text if found else None,
        words=[WordOut.model_validate(word) for word in found.words] if found else None,
    )


def _query(wanted: Filter) -> Select[Recording]:
    query = select(Recording).order_by(Recording.started_at.desc(), Recording.id.desc())
    if wanted.q:
        query = query.join(Transcript, Transcript.recording_id == Recording.id)
        # Folded terms hold letters, digits and _ alone; only _ means something to LIKE.
        for term in terms(wanted.q) or [wanted.q]:
            query = query.where(Transcript.folded.contains(f" {term}", autoescape=True))
    if wanted.call:
        query = query.where(Recording.call_id == wanted.call)
    if wanted.customer:
        query = query.where(Recording.customer_id == wanted.customer)
    if wanted.since:
        query = query.where(Recording.started_at >= wanted.since.timestamp())
    if wanted.until:
        query = query.where(Recording.started_at < wanted.until.timestamp())
    if wanted.cursor:
        query = query.where(tuple_(Recording.started_at, Recording.id) < tuple_(*_position(wanted.cursor)))
    return query


def _cursor(row: Recording) -> str:
    return base64.urlsafe_b64encode(f"{row.started_at!r} {row.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[float, str]:
    try:
        started_at, recording = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return float(started_at), recording
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, "The cursor is none of ours: send `next` of the page before as it is.") from error


async def _row(session: AsyncSession, recording: str) -> Recording:
    row = await session.get(Recording, recording)
    if row is None:
        raise HTTPException(404, "There is no such recording.")
    return row


def _out(row: Recording) -> RecordingOut:
    address = f"/api/v1/recordings/{row.id}"
    return RecordingOut(
        id=row.id,
        call=row.call_id,
        customer=row.customer_id,
        state=row.state,
        cause=row.cause,
        started_at=iso(row.started_at),
        closed_at=None if row.closed_at is None else iso(row.closed_at),
        seconds=round(row.seconds, 3),
        ended_early=row.ended_early,
        language=row.language,
        transcript_state=row.transcript_state,
        transcript_cause=row.transcript_cause,
        audio=f"{address}/audio" if row.state == "closed" else None,
        transcript=f"{address}/transcript",
    )
