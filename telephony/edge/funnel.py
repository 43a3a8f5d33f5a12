"""The funnel: every event goes through the switchboard, every command is performed by one `match`.

Nothing here decides anything. What comes back (a leg's port, a caller's context, a finished prompt) is a new event.
Commands go by one of three ways: signalling and media at once; rows, and whatever may be told only after them, down the
ordered lane; the look-up of a caller, and what a flow asks of the world, each in a task of its own, since none of those
need wait for another.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import context, customer, identity
from crm_bridge.advice import Advice
from crm_bridge.webhooks.outbox import Webhooks
from recordings.journal import Journal
from telephony.clock import iso, tick_at
from telephony.edge import call_rows, callbacks, consents, rows, scores, texts, voicemails
from telephony.edge.alarms import Alarms
from telephony.edge.audio_streams import AudioStreams
from telephony.edge.customer_requests import CustomerRequests
from telephony.edge.flow_requests import FlowRequests
from telephony.edge.hearing import Hearing
from telephony.edge.lane import AWAY, Lane
from telephony.edge.live import Live
from telephony.edge.live_words import LiveWords
from telephony.edge.process_clock import ProcessClock
from telephony.edge.recording import Recordings
from telephony.edge.redaction import without_digit, without_keys
from telephony.edge.sip_log import log_refusal
from telephony.edge.speech import Prompts, Transcriptions
from telephony.edge.standing import LOST
from telephony.edge.trunks import Trunks, report
from telephony.edge.workers import Sender
from telephony.events import (
    AddCandidates,
    Answer,
    AnswerSession,
    AnswerText,
    BindingChanged,
    CallerContext,
    CallerFound,
    CloseLeg,
    Command,
    ConnectLeg,
    Event,
    FileTranscribed,
    FindCaller,
    FinishRecording,
    FlowRequest,
    GuardKeys,
    Hangup,
    Invite,
    Join,
    Leave,
    Listen,
    ListenForVoice,
    MessageRejected,
    Note,
    OfferSession,
    OpenLeg,
    PauseRecording,
    PhraseRecognised,
    Play,
    Progress,
    PromptRendered,
    Publish,
    Record,
    RecordingPaused,
    RecordingResumed,
    RecordingStopped,
    Refer,
    RefuseNumber,
    RefuseSession,
    RegistrationRefused,
    Reject,
    RenderPrompt,
    RestartIce,
    ResumeRecording,
    Ring,
    SaveAgent,
    SaveCall,
    SaveCallback,
    SaveConsent,
    SaveScore,
    SaveText,
    SaveVoicemail,
    SeekPlaying,
    SendKeys,
    SignalCandidates,
    SignalKey,
    SipCommand,
    SipEvent,
    StopListening,
    StopPlaying,
    StopRecording,
    StreamHeard,
    StreamStopped,
    TellLamp,
    TellRefer,
    TicksCounted,
    TimePassed,
    TranscribeFile,
    TrunkChanged,
    WorkerDied,
    WorkerStarted,
)
from telephony.switchboard import Switchboard

log = structlog.get_logger("hotline.funnel")

RowCommand = SaveCall | SaveAgent | SaveCallback | SaveText | SaveConsent | SaveVoicemail | SaveScore
"""What is written down the ordered lane."""
FIND_TIMEOUT_S = 10.0
FIND_ATTEMPTS = 10
FIND_PAUSE_S = 1.0
LAST_CHANCE_S = 15.0
MAX_NAME_LENGTH = 200


class SipEdge(Protocol):
    """What performs SIP commands."""

    def perform(self, command: SipCommand) -> None:
        """Perform one command at once."""


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
    listen: Sender | None = None
    hear: Sender | None = None
    trunks: Trunks | None = None
    webhooks: Webhooks = field(default_factory=Webhooks)
    name_of: Callable[[str], Awaitable[str]] | None = None
    advice: Advice = context.NO_OFFERS
    """What a CRM calls whoever has a number in E.164, "" for nobody; it answers soon, and never raises."""
    ticks: Counter[str] = field(default_factory=Counter)
    """What became of the media workers' ticks: how many were `on_time`, `late` and `skipped`."""
    prompts: Prompts = field(init=False)
    transcriptions: Transcriptions = field(init=False)
    live_words: LiveWords = field(init=False)
    recordings: Recordings = field(init=False)
    audio: AudioStreams = field(init=False)
    hearing: Hearing = field(init=False)
    alarms: Alarms = field(init=False)
    requests: FlowRequests = field(init=False)
    customers: CustomerRequests = field(init=False)
    _events: deque[Event] = field(default_factory=deque)
    _busy: bool = False
    _timer: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """To write: SQLite lets those who wait for its one writer ask again and again, in no order; a lock has one."""
    _inviting: set[str] = field(default_factory=set)
    """Dialogs whose INVITE is in the lane."""

    def __post_init__(self) -> None:
        self.prompts = Prompts(self.prompt_path, self._to_render, self._to_media, self.happened)
        self.transcriptions = Transcriptions(self._to_transcribe, self._transcribed)
        self.live_words = LiveWords(self._to_listen, self.publish, self.switchboard.call, self.clock)
        self.recordings = Recordings(
            self.recordings_folder,
            self.sessions,
            self.clock,
            self.lane,
            self.transcriptions,
            self.live_words,
            self._to_media,
            self.publish,
            self._start,
            self.webhooks,
        )
        self.audio = AudioStreams(self._to_media)
        self.hearing = Hearing(self._to_media, self._to_hear, self.happened)
        self.alarms = Alarms(self.publish, self.clock.now)
        self.requests = FlowRequests(self.happened, self.switchboard.is_running, self._start)
        self.customers = CustomerRequests(self.sessions, self._turn, self.region, self.clock.now, advice=self.advice)
        self.customers.register(self.requests)
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
            kept = without_digit(event) if self.switchboard.is_secret(event, now) else event  # before: see there
            commands = self.switchboard.handle(event, now)
        except Exception:
            # One call's fault must not take the others down; the journal shows what led to it.
            log.exception("an event was not handled", kind=type(event).__name__, call=call)
            return
        self._write_journal(call or self.switchboard.call_of(event), kept, now)
        for command in commands:
            self._write_journal(self.switchboard.call_of(command), command, now)
            try:
                self._perform(command)
            except Exception:
                # Nor may one command that fails keep the rest of them, or whoever told the event, from going on.
                log.exception("a command was not performed", kind=type(command).__name__, call=call)
        if call and not self.switchboard.is_running(call):
            self.journal.close(call)  # what still comes opens it again
        if self.switchboard.busy():
            self._idle.clear()
        else:
            self._idle.set()

    def _write_journal(self, call: str, message: Event | Command, now: float) -> None:
        if not call or isinstance(message, Publish) or (isinstance(message, SaveCall) and not message.call.ended_at):
            return  # what rows and listeners are told follows from the rest; how a call ended must outlive a lost row
        try:
            self.journal.append(call, tick_at(now), without_keys(message))
        except (OSError, ValueError) as error:  # a disk that is full, a text that is none
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
                    self.lane.put_row("bindings", event.user, self._in_session(partial(_save_bindings, event)))
                    self.happened(event)
                case MessageRejected() | RegistrationRefused():
                    log_refusal(event)
                case TrunkChanged():
                    self.publish("trunk.changed", report(event))
                    if self.trunks is not None:
                        self.trunks.changed(event)
                    self.happened(event)
                case _:
                    self.happened(event)

    def media_event(self, event: Event) -> None:
        """Take what the media worker says."""
        match event:
            case TicksCounted():
                self.ticks.update(on_time=event.run - event.late, late=event.late, skipped=event.skipped)
                return
            case StreamStopped():
                self.audio.stopped(event)
                self.hearing.stopped(event)
            case RecordingPaused() | RecordingResumed():
                self.recordings.paused(event)
            case RecordingStopped() if event.cause and event.cause != LOST:
                mend = "make room on the disk of recordings.store, and see `hotline doctor`; the log names the calls"
                self.alarms.tell("recording_failed", event.cause, mend)
        self.happened(event)

    def speech_event(
        self, event: PromptRendered | FileTranscribed | PhraseRecognised | StreamHeard | WorkerStarted
    ) -> None:
        """Take what a speech worker says."""
        match event:
            case PromptRendered():
                if event.cause:
                    log.error("a prompt could not be rendered", cause=event.cause)
                self.prompts.rendered(event)
            case FileTranscribed():
                self.transcriptions.transcribed(event)
            case PhraseRecognised():
                self.live_words.recognised(event)
            case StreamHeard():
                self.hearing.heard(event)
            case WorkerStarted():
                if event.worker == "hear":
                    self.hearing.worker_started()

    def worker_died(self, event: WorkerDied) -> None:
        """A worker is gone, and is being started again."""
        log.error("a worker died", worker=event.worker, process=event.process, cause=event.cause)
        match event.worker:
            case "media":  # its calls go on in another: `telephony.edge.media_workers`
                mend = (
                    "its calls go on in another where there is one; the log before this line says what went wrong in it"
                )
                self.alarms.tell("media_worker_died", f"a media worker was gone: {event.cause}", mend)
            case "render":
                self.prompts.renderer_died()
            case "transcribe":
                self.transcriptions.transcriber_died()
            case "live":
                self.live_words.recogniser_died()
            case "hear":
                self.hearing.worker_died()

    # -------------------------------------------------------------------------------------------- commands out

    def _perform(self, command: Command) -> None:  # noqa: C901, PLR0912, PLR0915 - one match over every command is the point
        match command:
            case (
                Ring()
                | Progress()
                | Answer()
                | Reject()
                | OfferSession()
                | AnswerSession()
                | RefuseSession()
                | Refer()
                | TellRefer()
                | SignalKey()
                | SignalCandidates()
                | AnswerText()
            ):
                self._to_sip(command)
            case Hangup():
                self._inviting.discard(command.dialog)  # an offer that is over before its phone rang does not ring
                self._to_sip(command)
            case Invite():
                # The agent's phone rings after the rows that say so, and after the agent has been told who calls.
                self._inviting.add(command.dialog)
                self.lane.put("invite", self._later(lambda: self._invite(command)))
            case (
                OpenLeg()
                | ConnectLeg()
                | RestartIce()
                | AddCandidates()
                | Join()
                | Leave()
                | SendKeys()
                | GuardKeys()
                | ListenForVoice()
            ):
                self._to_media(command)
            case StopPlaying():
                if not self.prompts.cancel(command.leg, command.playback, tick_at(self.clock.now())):
                    self._to_media(command)
            case SeekPlaying():
                if not self.prompts.seek(command):
                    self._to_media(command)
            case CloseLeg():
                # Behind the stop of a recording of it, which goes down the lane.
                self.prompts.cancel(command.leg)
                self.lane.put("close leg", self._later(lambda: self._to_media(command)))
            case Play():
                self.prompts.play(command)
            case Listen():
                self.hearing.listen(command)
            case StopListening():
                self.hearing.stop(command.call)
            case Record():
                self.recordings.record(command)
            case StopRecording():
                self.recordings.stop(command)
            case PauseRecording() | ResumeRecording():
                self.recordings.pause(command)
            case FinishRecording():
                self.recordings.finish(command)
            case FindCaller():
                self._start(self._find_caller(command))
            case FlowRequest():
                self.requests.perform(command)
            case TellLamp():
                # Behind the row of the agent's state, and behind the INVITE that rings the agent's phone.
                self.lane.put("lamp", self._later(lambda: self._to_sip(command)))
            case SaveCall() | SaveAgent() | SaveCallback() | SaveText():
                self._put_row(command)
            case SaveConsent() | SaveVoicemail() | SaveScore():
                self._put_row(command)
            case Note():
                pass  # written into the journal, where everything is, and performed by being there
            case RefuseNumber():
                log.warning("a number was not dialled", user=command.user, number=command.number, cause=command.cause)
            case Publish():
                self.lane.put("publish", self._later(lambda: self._tell(command)))
            case _:
                raise TypeError(f"nobody performs {type(command).__name__}")

    def _to_sip(self, command: SipCommand) -> None:
        if self.sip is not None:
            self.sip.perform(command)

    def _invite(self, command: Invite) -> None:
        if command.dialog in self._inviting:
            self._inviting.discard(command.dialog)
            self._to_sip(command)

    def _to_media(self, command: Command) -> None:
        if self.media is not None:
            self.media.send(command)

    def _to_render(self, command: RenderPrompt) -> None:
        if self.render is not None:
            self.render.send(command)

    def _to_transcribe(self, command: TranscribeFile) -> None:
        if self.transcribe is not None:
            self.transcribe.send(command)

    def _to_listen(self, command: Command) -> None:
        if self.listen is not None:
            self.listen.send(command)

    def _to_hear(self, command: Command) -> None:
        if self.hear is not None:
            self.hear.send(command)

    def _tell(self, command: Publish) -> None:
        self.publish(command.type, command.body, kept=command.kept)

    def publish(self, type_: str, body: dict[str, object], *, kept: bool = True) -> None:
        """Tell whoever listens."""
        self.live.publish(type_, body, iso(self.clock.now()), kept=kept)

    # ----------------------------------------------------------------------------------------------- rows

    def _in_session(self, work: Callable[[AsyncSession], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            async with self._turn, self.sessions() as session:
                await work(session)
                await session.commit()

        return run

    def _put_row(self, command: RowCommand) -> None:
        match command:
            case SaveCall():
                save = self._in_session(
                    lambda session: call_rows.save(session, command.call, self.region, self.clock.now(), self.webhooks)
                )
                self.lane.put_row("call", command.call.id, save)
            case SaveAgent():
                save = self._in_session(lambda session: rows.save_agent(session, command))
                self.lane.put_row("agent", command.agent, save)
            case SaveCallback():
                keep = self._in_session(lambda session: callbacks.save(session, command.callback))
                self.lane.put_row("callback", command.callback.id, keep)
            case SaveText():
                self.lane.put_row("text", command.external_id, partial(self._save_text, command))
            case SaveConsent():
                save = self._in_session(lambda session: consents.save(session, command, self.clock.now()))
                self.lane.put_row("consent", f"{command.call} {command.at}", save)
            case SaveVoicemail():
                self.lane.put_row("voicemail", command.recording, partial(self._save_voicemail, command))
            case SaveScore():
                self.lane.put_row("score", f"{command.call} {command.number}", partial(self._save_score, command))

    async def _save_voicemail(self, command: SaveVoicemail) -> None:
        """Keep a message, and only then tell those who are to deal with it."""
        async with self._turn:
            told = await voicemails.keep(self.sessions, command, self.clock.now(), self.webhooks)
        if told is not None:
            self.publish("interaction.created", told)
        self.publish("voicemail.created", {"voicemail": command.recording, "queue": command.queue})

    async def _save_score(self, command: SaveScore) -> None:
        async with self._turn:
            told = await scores.keep(self.sessions, command, self.clock.now(), self.webhooks)
        if told is not None:
            self.publish("interaction.created", told)

    async def _save_text(self, command: SaveText) -> None:
        """Keep a text, and only then say so to its sender."""
        async with self._turn:
            status, told = await texts.keep(self.sessions, command, self.region, self.clock.now(), self.webhooks)
        self._to_sip(AnswerText(command.message, status))
        if told is not None:
            self.publish("interaction.created", told)

    def _later(self, work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            work()

        return run

    def _transcribed(self, event: FileTranscribed) -> None:
        self.recordings.transcribed(event)

    # ------------------------------------------------------------------------------------- who is calling

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find_caller(self, command: FindCaller) -> None:
        """Look up who calls; with the database away again and again, as long as it is of use to the call."""
        ani = "" if command.withheld else identity.phone(command.number, self.region)
        found = CallerContext()
        for attempt in range(FIND_ATTEMPTS if ani else 0):
            if attempt:
                await asyncio.sleep(FIND_PAUSE_S)
                if not self.switchboard.is_running(command.call):
                    break
            try:
                found = await self._found(ani, command)
            except AWAY as error:
                log.error("the caller is not looked up yet; the call goes on", call=command.call, cause=str(error))
            except Exception:
                log.exception("the caller could not be looked up; the call goes on without", call=command.call)
                break
            else:
                break
        is_known = bool(found.customer or found.candidates)
        self.happened(CallerFound(command.call, ani if is_known else "", await self._named(ani, found)))

    async def _named(self, ani: str, found: CallerContext) -> CallerContext:
        """Fill an empty name with what a CRM says of the number, unless it is only claimed, or that of a guest of the
        profile. What goes wrong in it is only said: the call goes on."""
        if self.name_of is None or found.name or not found.customer or not found.assurance:
            return found
        try:
            name = (await self.name_of(ani))[:MAX_NAME_LENGTH]
            if not name:
                return found
            async with asyncio.timeout(FIND_TIMEOUT_S), self._turn, self.sessions() as session:
                await customer.fill(session, found.customer, name=name, language="", tags=(), now=self.clock.now())
                await session.commit()
        except Exception:
            log.exception("what a CRM calls the caller was not taken; the call goes on", customer=found.customer)
            return found
        return msgspec.structs.replace(found, name=name, known=True)

    async def _found(self, ani: str, command: FindCaller) -> CallerContext:
        async with asyncio.timeout(FIND_TIMEOUT_S):
            known = await self._known(ani, claimed=command.claimed)
            return await self._made(command) if known is None else known

    async def _known(self, ani: str, *, claimed: bool) -> CallerContext | None:
        """Look up without writing: whoever is known waits for no writer."""
        async with self.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            return await context.find_known(session, ani, self.clock.now(), claimed=claimed, advice=self.advice)

    async def _made(self, command: FindCaller) -> CallerContext:
        async with self._turn, self.sessions() as session:
            _, found = await context.find_caller(
                session,
                command.number,
                command.withheld,
                command.display_name,
                self.region,
                self.clock.now(),
                claimed=command.claimed,
                dialled=command.dialled,
            )
            await session.commit()
        return found

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
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=LAST_CHANCE_S)
            for task in unfinished:
                task.cancel()
        self.journal.close_all()


async def _save_bindings(event: BindingChanged, session: AsyncSession) -> None:
    await rows.save_bindings(session, event)
