"""The funnel: every event goes through the switchboard, every command is performed by one `match`.

Nothing here decides anything. What comes back (a leg's port, a caller's context, a finished prompt) is a new event.
Commands go by one of three ways: signalling and media at once; rows, and whatever may be told only after them, down the
ordered lane; the look-up of a caller in a task of its own, since two of those need not wait for each other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import context, timeline
from recordings import store
from recordings.journal import Journal
from telephony.clock import iso, tick_at
from telephony.edge import rows
from telephony.edge.lane import Lane
from telephony.edge.live import Live
from telephony.edge.process_clock import ProcessClock
from telephony.edge.speech import Prompts, Transcriptions
from telephony.events import (
    Answer,
    BindingChanged,
    CallerContext,
    CallerFound,
    CallSnapshot,
    CloseLeg,
    Command,
    ConnectLeg,
    Event,
    FileTranscribed,
    FindCaller,
    FinishRecording,
    Hangup,
    Invite,
    Join,
    Leave,
    MessageRejected,
    Note,
    OpenLeg,
    Play,
    PromptRendered,
    Publish,
    Record,
    RegistrationRefused,
    Reject,
    RenderPrompt,
    Ring,
    SaveAgent,
    SaveCall,
    SipCommand,
    SipEvent,
    StartRecording,
    StopPlaying,
    StopRecording,
    TimePassed,
    TranscribeFile,
    WorkerDied,
    WorkerStarted,
)
from telephony.switchboard import Switchboard

log = structlog.get_logger("hotline.funnel")
FIND_TIMEOUT_S = 10.0


class SipEdge(Protocol):
    """What performs SIP commands."""

    def perform(self, command: SipCommand) -> None:
        """Perform one command at once."""


class Sender(Protocol):
    """What takes messages for a worker."""

    def send(self, message: msgspec.Struct) -> None:
        """Send one message."""

    def forget_waiting(self) -> None:
        """Drop what waits for a worker that is being restarted."""


@dataclass(slots=True)
class Funnel:
    """The running hotline without its sockets; `hotline.app` puts it together."""

    clock: ProcessClock
    switchboard: Switchboard
    sessions: async_sessionmaker[AsyncSession]
    journal: Journal
    recordings_folder: Path
    region: str
    prompt_path: Callable[[Any], Path]
    live: Live = field(default_factory=Live)
    lane: Lane = field(default_factory=Lane)
    sip: SipEdge | None = None
    media: Sender | None = None
    render: Sender | None = None
    transcribe: Sender | None = None
    prompts: Prompts = field(init=False)
    transcriptions: Transcriptions = field(init=False)
    _events: deque[Event] = field(default_factory=deque)
    _busy: bool = False
    _timer: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.prompts = Prompts(self.prompt_path, self._to_render, self._to_media, self.happened)
        self.transcriptions = Transcriptions(self._to_transcribe, self._transcribed)
        self._idle.set()

    # ----------------------------------------------------------------------------------------------- events in

    def happened(self, event: Event) -> None:
        """Take one event. Events that performing a command brings about wait until that command's event is done."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._busy = False
        self._arm()

    def _handle(self, event: Event) -> None:
        now = self.clock.now()
        call = self.switchboard.call_of(event)  # before: the last event of a recording takes its call along
        try:
            commands = self.switchboard.handle(event, now)
        except Exception:
            # One call's fault must not take the others down; the journal shows what led to it.
            log.exception("an event was not handled", kind=type(event).__name__, call=call)
            return
        self._write_journal(call or self.switchboard.call_of(event), event, now)
        for command in commands:
            self._write_journal(self.switchboard.call_of(command), command, now)
            self._perform(command)
        if self.switchboard.busy():
            self._idle.clear()
        else:
            self._idle.set()

    def _write_journal(self, call: str, message: Event | Command, now: float) -> None:
        if not call or isinstance(message, SaveCall | Publish):
            return  # what rows and listeners are told follows from the rest
        try:
            self.journal.append(call, tick_at(now), message)
        except OSError as error:
            log.error("the journal cannot be written; the call goes on", call=call, cause=str(error))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.switchboard.deadline()
        if deadline is not None:
            wait_s = max(0.0, deadline - self.clock.now())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.happened, TimePassed())

    def sip_events(self, events: list[SipEvent]) -> None:
        """Take what the SIP edge has received."""
        for event in events:
            match event:
                case BindingChanged():
                    self.lane.put("bindings", self._in_session(partial(_save_bindings, event)))
                    self.happened(event)
                case MessageRejected():
                    log.warning("bad SIP message", source=event.source, status=event.status, cause=event.cause)
                case RegistrationRefused():
                    log.warning("wrong SIP credentials", source=event.source, user=event.user)
                case _:
                    self.happened(event)

    def media_event(self, event: Event) -> None:
        """Take what the media worker says."""
        self.happened(event)

    def speech_event(self, event: PromptRendered | FileTranscribed | WorkerStarted) -> None:
        """Take what a speech worker says."""
        match event:
            case PromptRendered():
                if event.cause:
                    log.error("a prompt could not be rendered", cause=event.cause)
                self.prompts.rendered(event)
            case FileTranscribed():
                self.transcriptions.transcribed(event)
            case WorkerStarted():
                pass

    def worker_died(self, event: WorkerDied) -> None:
        """A worker is gone, and is being started again."""
        log.error("a worker died", worker=event.worker, process=event.process, cause=event.cause)
        match event.worker:
            case "media":
                self.happened(event)
                if self.media is not None:
                    self.media.forget_waiting()
            case "render":
                self.prompts.renderer_died()
            case "transcribe":
                self.transcriptions.transcriber_died()

    # -------------------------------------------------------------------------------------------- commands out

    def _perform(self, command: Command) -> None:  # noqa: C901, PLR0912 - one match over every command is the point
        match command:
            case Ring() | Answer() | Reject() | Hangup():
                self._to_sip(command)
            case Invite():
                # The agent's phone rings after the rows that say so, and after the agent has been told who calls.
                self.lane.put("invite", self._later(lambda: self._to_sip(command)))
            case OpenLeg() | ConnectLeg() | Join() | Leave():
                self._to_media(command)
            case StopPlaying():
                if not self.prompts.cancel(command.leg, command.playback, tick_at(self.clock.now())):
                    self._to_media(command)
            case CloseLeg():
                # Behind the stop of a recording of it, which goes down the lane.
                self.prompts.cancel(command.leg)
                self.lane.put("close leg", self._later(lambda: self._to_media(command)))
            case Play():
                self.prompts.play(command)
            case Record():
                self.lane.put("recording", self._in_session(lambda session: self._record(session, command)))
            case StopRecording():
                self.lane.put("stop recording", self._later(lambda: self._to_media(command)))
            case FinishRecording():
                # In its own task, after the rows before it: closing the file of a long talk must not hold up the lane.
                self.lane.put("finish recording", self._later(lambda: self._start(self._finish(command))))
            case FindCaller():
                self._start(self._find_caller(command))
            case SaveCall():
                self.lane.put("call", self._in_session(lambda session: self._save_call(session, command.call)))
            case SaveAgent():
                self.lane.put("agent", self._in_session(lambda session: rows.save_agent(session, command)))
            case Note():
                pass  # written into the journal, where everything is, and performed by being there
            case Publish():
                self.lane.put("publish", self._later(lambda: self.publish(command.type, command.body)))
            case _:
                raise TypeError(f"nobody performs {type(command).__name__}")

    def _to_sip(self, command: SipCommand) -> None:
        if self.sip is not None:
            self.sip.perform(command)

    def _to_media(self, command: Command) -> None:
        if self.media is not None:
            self.media.send(command)

    def _to_render(self, command: RenderPrompt) -> None:
        if self.render is not None:
            self.render.send(command)

    def _to_transcribe(self, command: TranscribeFile) -> None:
        if self.transcribe is not None:
            self.transcribe.send(command)

    def publish(self, type_: str, body: dict[str, object]) -> None:
        """Tell whoever listens."""
        self.live.publish(type_, body, iso(self.clock.now()))

    # ----------------------------------------------------------------------------------------------- rows

    def _in_session(self, work: Callable[[AsyncSession], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            async with self.sessions() as session:
                await work(session)
                await session.commit()

        return run

    def _later(self, work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            work()

        return run

    async def _save_call(self, session: AsyncSession, call: CallSnapshot) -> None:
        await rows.save_call(session, call)
        if call.customer:
            await timeline.record_call(session, call, self.clock.now())

    async def _record(self, session: AsyncSession, command: Record) -> None:
        spool = await store.create(
            session,
            command.recording,
            command.call,
            command.customer,
            self.clock.now(),
            command.language,
            self.recordings_folder,
        )
        await session.commit()
        self._to_media(StartRecording(command.recording, command.call, command.leg, str(spool)))

    async def _finish(self, command: FinishRecording) -> None:
        try:
            async with self.sessions() as session:
                row = await store.finish(
                    session,
                    command.recording,
                    command.language,
                    self.recordings_folder,
                    self.clock.now(),
                    command.cause,
                )
                await session.commit()
        except Exception:
            log.exception("a recording was not closed; the next start closes it", recording=command.recording)
            return
        self.publish("recording.finished", {"recording": command.recording, "call_id": command.call})
        if row.transcript_state == "pending":
            self.transcribe_file(row.id, self.recordings_folder / row.path, row.language)

    def transcribe_file(self, recording: str, path: Path, language: str) -> None:
        """Put a finished recording in the line for the recogniser."""
        self.transcriptions.add(TranscribeFile(recording, str(path), language))

    def _transcribed(self, event: FileTranscribed) -> None:
        async def save() -> None:
            async with self.sessions() as session:
                await store.save_transcript(session, event, self.clock.now())
                await session.commit()
            self.publish("recording.transcribed", {"recording": event.recording, "outcome": event.outcome})

        self.lane.put("transcript", save)

    # ------------------------------------------------------------------------------------- who is calling

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find_caller(self, command: FindCaller) -> None:
        ani, found = "", CallerContext()
        try:
            async with asyncio.timeout(FIND_TIMEOUT_S), self.sessions() as session:
                ani, found = await context.find_caller(
                    session, command.number, command.withheld, command.display_name, self.region, self.clock.now()
                )
                await session.commit()
        except Exception:
            log.exception("the caller could not be looked up; the call goes on without", call=command.call)
        self.happened(CallerFound(command.call, ani, found))

    # ------------------------------------------------------------------------------------------------- ending

    async def drain(self) -> None:
        """Take no new calls, and wait until the running ones have ended and their rows are written."""
        self.switchboard.drain()
        await self._idle.wait()
        await self.lane.drained()
        await asyncio.gather(*self._tasks)
        await self.lane.drained()

    async def close(self) -> None:
        """Write what is to be written, and stop."""
        if self._timer is not None:
            self._timer.cancel()
        await self.lane.stop()
        await asyncio.gather(*self._tasks)
        self.journal.close_all()


async def _save_bindings(event: BindingChanged, session: AsyncSession) -> None:
    await rows.save_bindings(session, event)
