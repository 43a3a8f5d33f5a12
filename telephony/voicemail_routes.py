"""Messages that callers left, and who has dealt with them. Mounted under `/api/v1`; who may ask is checked outside.

Rule: an agent sees those for the queues that it serves; any other is one that is not there. Whoever hears one, or marks
it, is in the audit log.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import person
from crm_bridge.asker import audited, name_of
from recordings.routes import AudioFile, file_of
from recordings.tables import Recording, Transcript, TranscriptState
from telephony.clock import iso
from telephony.edge import voicemails
from telephony.routes import Body, at, reading, running_funnel, signed_in_agent
from telephony.tables import Voicemail

router = APIRouter(tags=["voicemail"])

Found = tuple[Voicemail, TranscriptState | None, str | None]
"""A message, what became of its words, and the words."""
NONE: Final = "There is no such message; GET /api/v1/voicemails lists them."


class VoicemailBody(Body):
    """A message. `transcript_state` says whether `text` has its words; it is null where the recording is gone."""

    id: str = Field(description="Also that of its recording.")
    call: str
    queue: str
    customer: str | None
    person: str = Field(description="The customer's name, empty where none is known.")
    ani: str | None = Field(description="The caller's number in E.164, null when withheld or unusable.")
    language: str
    left_at: str
    seconds: float
    audio: str
    transcript_state: TranscriptState | None
    text: str
    done_at: str | None
    done_by: str | None


class VoicemailPage(Body):
    """Messages, newest first."""

    items: list[VoicemailBody]
    next: str | None = Field(description="`cursor` of the next page; null on the last.")


@router.get("/voicemails")
async def list_voicemails(
    request: Request,
    queue: Annotated[str, Query(max_length=64, description="Only those for this queue.")] = "",
    done: Annotated[bool | None, Query(description="Only those that are dealt with, or that are not.")] = None,
    cursor: Annotated[str, Query(max_length=64, pattern=r"^(|[0-9.e+]+ [0-9a-f]+)$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> VoicemailPage:
    """List messages, newest first."""
    query = _messages().order_by(Voicemail.left_at.desc(), Voicemail.id.desc()).limit(limit + 1)
    served = _served(request)
    if served is not None:
        query = query.where(Voicemail.queue.in_(served))
    if queue:
        query = query.where(Voicemail.queue == queue)
    if done is not None:
        query = query.where(Voicemail.done_at.is_not(None) if done else Voicemail.done_at.is_(None))
    if cursor:
        query = query.where(tuple_(Voicemail.left_at, Voicemail.id) < _position(cursor))
    async with reading(request) as session:
        found = (await session.execute(query)).all()
        items = await _bodies(session, found[:limit])
    last = found[limit - 1][0] if len(found) > limit else None
    return VoicemailPage(
        items=items,
        next=f"{last.left_at!r} {last.id}" if last is not None else None,
    )


@router.get(
    "/voicemails/{voicemail}/audio",
    response_class=AudioFile,
    responses={
        200: {"content": {"audio/wav": {}}, "description": "The WAV file; left is the caller. Takes ranges."},
        404: {"description": "There is no such message, or no file of it."},
        409: {"description": "The file is still being made."},
        416: {"description": "The range begins after the end."},
    },
)
async def hear_voicemail(request: Request, voicemail: str) -> AudioFile:
    """Hear a message. Every hearing is written into the audit log."""
    async with reading(request) as session:
        await _own(request, session, voicemail)
    path = await file_of(request, voicemail)
    await audited(request, "voicemail.heard", voicemail)
    return AudioFile(path, media_type="audio/wav", filename=f"{voicemail}.wav")


@router.post("/voicemails/{voicemail}/done", responses={404: {"description": "There is no such message."}})
async def settle_voicemail(request: Request, voicemail: str) -> VoicemailBody:
    """Say that a message is dealt with. Who said so first, and when, stays."""
    return await _mark(request, voicemail, done=True)


@router.post("/voicemails/{voicemail}/reopen", responses={404: {"description": "There is no such message."}})
async def reopen_voicemail(request: Request, voicemail: str) -> VoicemailBody:
    """Take back that a message is dealt with."""
    return await _mark(request, voicemail, done=False)


async def _mark(request: Request, voicemail: str, *, done: bool) -> VoicemailBody:
    now = request.app.state.clock.now()
    async with request.app.state.sessions() as session:
        await _own(request, session, voicemail)
        if done:
            changed = await voicemails.settle(session, voicemail, name_of(request), now)
        else:
            changed = await voicemails.reopen(session, voicemail)
        await session.commit()
        (body,) = await _bodies(session, [await _own(request, session, voicemail)])
    if changed:
        await audited(request, "voicemail.done" if done else "voicemail.reopened", voicemail)
        told = {"voicemail": voicemail, "queue": body.queue, "done": done}
        running_funnel(request).publish("voicemail.done", told)
    return body


def _messages() -> Select[Voicemail, TranscriptState, str]:
    return (
        select(Voicemail, Recording.transcript_state, Transcript.text)
        .outerjoin(Recording, Recording.id == Voicemail.id)
        .outerjoin(Transcript, Transcript.recording_id == Voicemail.id)
        .execution_options(populate_existing=True)
    )


async def _own(request: Request, session: AsyncSession, voicemail: str) -> Found:
    """Return a message. Raises 404."""
    row = (await session.execute(_messages().where(Voicemail.id == voicemail))).one_or_none()
    served = _served(request)
    if row is None or (served is not None and row[0].queue not in served):
        raise HTTPException(404, NONE)
    return row


def _served(request: Request) -> Sequence[str] | None:
    """Return the queues whose messages whoever asks may see, None for all."""
    me = signed_in_agent(request)
    if not me:
        return None
    queues = running_funnel(request).switchboard.queues
    return [name for name in queues.queue_names() if queues.serves(me, name)]


def _position(cursor: str) -> tuple[float, str]:
    left_at, _, voicemail = cursor.partition(" ")
    try:
        return float(left_at), voicemail
    except ValueError as error:
        raise HTTPException(422, "The cursor is none of ours: send `next` of the page before as it is.") from error


async def _bodies(session: AsyncSession, found: Sequence[Found]) -> list[VoicemailBody]:
    names = await person.names(session, {row.customer_id for row, _, _ in found if row.customer_id})
    return [_body(each, names) for each in found]


def _body(found: Found, names: Mapping[str, str]) -> VoicemailBody:
    row, state, text = found
    return VoicemailBody(
        id=row.id,
        call=row.call_id,
        queue=row.queue,
        customer=row.customer_id,
        person=names.get(row.customer_id or "", ""),
        ani=row.ani or None,
        language=row.language,
        left_at=iso(row.left_at),
        seconds=row.seconds,
        audio=f"/api/v1/voicemails/{row.id}/audio",
        transcript_state=state,
        text=text or "",
        done_at=at(row.done_at or 0.0),
        done_by=row.done_by or None,
    )
