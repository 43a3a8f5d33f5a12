"""Recordings between the switchboard, the media worker, the store and the recogniser.

A talk is recorded whether or not the database is there: then its row is owed (`telephony.edge.lane`), and its file is
closed once the row is written, or by the next start.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.webhooks.outbox import Webhooks
from recordings import store
from recordings.tables import Recording
from telephony.clock import TICKS_PER_S
from telephony.edge.lane import AWAY, Lane
from telephony.edge.live_words import LiveWords
from telephony.edge.process_clock import ProcessClock
from telephony.edge.speech import Transcriptions
from telephony.events import (
    FileTranscribed,
    FinishRecording,
    PauseRecording,
    Record,
    RecordingPaused,
    RecordingResumed,
    ResumeRecording,
    StartRecording,
    StopRecording,
    TranscribeFile,
)

FINISH_ATTEMPTS: Final = 12
FINISH_PAUSE_S: Final = 5.0

ToMedia = StartRecording | StopRecording | PauseRecording | ResumeRecording

log = structlog.get_logger("hotline.recordings")


@dataclass(slots=True)
class Recordings:
    """Performs what the switchboard says of recordings. `start` runs a coroutine in a task of its own."""

    folder: Path
    sessions: async_sessionmaker[AsyncSession]
    clock: ProcessClock
    lane: Lane
    transcriptions: Transcriptions
    words: LiveWords
    to_media: Callable[[ToMedia], None]
    publish: Callable[[str, dict[str, object]], None]
    start: Callable[[Coroutine[None, None, None]], None]
    webhooks: Webhooks

    def record(self, command: Record) -> None:
        """Write the row, then begin."""
        now = self.clock.now()

        async def save() -> None:
            async with self.sessions() as session:
                await store.create(
                    session,
                    command.recording,
                    command.call,
                    command.customer,
                    now,
                    command.language,
                    self.folder,
                    command.queue if command.kind == "voicemail" else "",
                )
                await session.commit()

        spool = store.spool_path(self.folder, command.recording)
        self.lane.put_row("recording", command.recording, save)
        self._tell_media(StartRecording(command.recording, command.call, command.leg, str(spool), command.channels))
        if command.kind == "talk":  # nobody is there to whom the words of a message could be of use yet
            self.words.begin(command.recording, command.call, spool, command.language)

    def stop(self, command: StopRecording) -> None:
        """End a recording, which may have to begin first: both go down the lane."""
        self._tell_media(command)

    def pause(self, command: PauseRecording | ResumeRecording) -> None:
        """Behind the beginning of the recording, which goes down the lane."""
        self._tell_media(command)

    def paused(self, event: RecordingPaused | RecordingResumed) -> None:
        """Write into the recording's row from when to when it is silent on purpose."""

        async def save() -> None:
            async with self.sessions() as session:
                at = event.tick / TICKS_PER_S
                await store.note_pause(session, event.recording, at, paused=isinstance(event, RecordingPaused))
                await session.commit()

        self.lane.put_row("pause", event.recording, save)

    def finish(self, command: FinishRecording) -> None:
        """Close the file after the rows before it, in a task of its own: a long talk must not hold up the lane."""
        self.words.end(command.recording)

        async def begin() -> None:
            self.start(self._finish(command))

        self.lane.put("finish recording", begin)

    def transcribe(self, recording: str, path: Path, language: str) -> None:
        """Put a finished recording in the line for the recogniser."""
        self.transcriptions.add(TranscribeFile(recording, str(path), language))

    def transcribed(self, event: FileTranscribed) -> None:
        """Save what the recogniser made of a recording."""

        async def save() -> None:
            async with self.sessions() as session:
                now = self.clock.now()
                try:
                    row = await store.save_transcript(session, event, now)
                except store.NoRecording:
                    log.info("a transcript came for a recording that is deleted", recording=event.recording)
                    return
                told = {"recording": event.recording, "outcome": event.outcome}
                named = {"call": row.call_id, "customer": row.customer_id, "language": row.language}
                await self.webhooks.tell(
                    session, "recording.transcribed", told | named, customer=row.customer_id, now=now
                )
                await session.commit()
            self.publish("recording.transcribed", {**told})
            if event.outcome == "done":
                self.words.transcribed(event.recording)

        self.lane.put_row("transcript", event.recording, save)

    def _tell_media(self, command: ToMedia) -> None:
        async def tell() -> None:
            self.to_media(command)

        self.lane.put("recording", tell)

    async def _finish(self, command: FinishRecording) -> None:
        row = await self._row_of_closed(command)
        if row is None:
            log.error("a recording was not closed; the next start closes it", recording=command.recording)
            return
        self.publish("recording.finished", {"recording": command.recording, "call_id": command.call})
        if row.transcript_state == "pending":
            self.transcribe(row.id, self.folder / row.path, row.language)

    async def _row_of_closed(self, command: FinishRecording) -> Recording | None:
        for attempt in range(FINISH_ATTEMPTS):
            if attempt:
                await asyncio.sleep(FINISH_PAUSE_S)
            try:
                async with self.sessions() as session:
                    now = self.clock.now()
                    row = await store.finish(
                        session, command.recording, command.language, self.folder, now, command.cause
                    )
                    await session.commit()
            except (*AWAY, store.NoRecording) as error:  # no row: it is owed
                log.warning("a recording is not closed yet", recording=command.recording, cause=str(error))
            except Exception:
                log.exception("a recording's file could not be made", recording=command.recording)
                return None
            else:
                return row
        return None
