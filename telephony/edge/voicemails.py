"""Messages that callers left: their rows, and their entries on the timeline."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.keep import keep_event
from crm_bridge.person import NoProfile
from crm_bridge.timeline import VOICEMAIL, Beside, Recorded, record_beside
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from recordings.tables import Recording, Transcript
from recordings.text import excerpt
from telephony.events import SaveVoicemail
from telephony.tables import Voicemail


async def keep(
    sessions: async_sessionmaker[AsyncSession], command: SaveVoicemail, now: float, webhooks: Webhooks = NOBODY
) -> dict[str, Any] | None:
    """Write a message and commit, again without a change; return what listeners are told of its entry on the timeline,
    None where there is none, or it was there before. Raises `KeepContended`."""

    async def record(session: AsyncSession) -> Recorded:
        recorded = await record_beside(session, await _entry(session, command), now)
        if recorded is None:
            raise NoProfile(command.customer)
        await _add(session, command, command.customer)
        return recorded

    if command.customer:
        try:
            return (await keep_event(sessions, record, webhooks, now)).told
        except NoProfile:
            pass  # erased meanwhile: it is nobody's, and still somebody's to deal with
    async with sessions.begin() as session:
        await _add(session, command, "")
    return None


async def _add(session: AsyncSession, command: SaveVoicemail, customer: str) -> None:
    if await session.get(Voicemail, command.recording) is not None:
        return
    row = Voicemail(
        id=command.recording,
        call_id=command.call,
        queue=command.queue,
        customer_id=customer or None,
        ani=command.ani,
        language=command.language,
        left_at=command.at,
        seconds=command.seconds,
    )
    session.add(row)
    await session.flush()


async def _entry(session: AsyncSession, command: SaveVoicemail) -> Beside:
    recording = await session.get(Recording, command.recording)
    words = await session.get(Transcript, command.recording)
    return Beside(
        customer=command.customer,
        channel=VOICEMAIL,
        external_id=command.recording,
        occurred_at=command.at,
        subject=f"Message for {command.queue}, {command.seconds:.0f} s",
        text=excerpt(words.text) if words is not None else "",
        attributes={
            "call": command.call,
            "queue": command.queue,
            "recording": f"/api/v1/recordings/{command.recording}",
            "seconds": command.seconds,
            "flow": command.flow,
            "language": command.language,
        },
        case=command.case,
        recording=command.recording,
        transcript=recording.transcript_state if recording is not None else "none",
    )


async def settle(session: AsyncSession, voicemail: str, by: str, now: float) -> bool:
    """Say that somebody has dealt with a message; false where somebody had before. Writes without committing."""
    settled = update(Voicemail).where(Voicemail.id == voicemail, Voicemail.done_at.is_(None))
    changed = settled.values(done_at=now, done_by=by[:64]).returning(Voicemail.id)
    return await session.scalar(changed) is not None


async def reopen(session: AsyncSession, voicemail: str) -> bool:
    """Take that back; false where nobody had. Writes without committing."""
    again = update(Voicemail).where(Voicemail.id == voicemail, Voicemail.done_at.is_not(None))
    return await session.scalar(again.values(done_at=None, done_by="").returning(Voicemail.id)) is not None
