"""The funnel with a real database, real files and a real switchboard; only sockets and workers are written down."""

import asyncio
import io
import itertools
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from structlog.testing import capture_logs

from crm_bridge import context, timeline
from crm_bridge.match import Claim, claim
from crm_bridge.notify.outbox import Notifier
from crm_bridge.notify.parcel import Route
from crm_bridge.tables import Customer, Identity, Interaction
from crm_bridge.webhooks.tables import WebhookEvent
from hotline import database, logs
from ivr_flows.load import load
from recordings.journal import Journal
from recordings.spool import SpoolWriter
from recordings.tables import Recording, Transcript
from telephony import acd, sdp
from telephony.edge import funnel, rows
from telephony.edge.funnel import Funnel
from telephony.edge.messages import MessageRequests
from telephony.edge.process_clock import ProcessClock
from telephony.edge.recovery import INTERRUPTED, recover
from telephony.edge.standing import LOST
from telephony.events import (
    Answer,
    AnswerText,
    BindingChanged,
    BindingRow,
    CallerContext,
    Command,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    FileTranscribed,
    FollowRecording,
    GuardKeys,
    Hangup,
    HangupRequested,
    HearStream,
    Invite,
    InviteReceived,
    KeySignalled,
    KeysRequested,
    LegLost,
    LegOpened,
    LegQuality,
    OpenLeg,
    PhraseRecognised,
    Play,
    PlaySamples,
    Prompt,
    PromptRendered,
    RecordingStopped,
    RenderPrompt,
    SeekPlaying,
    SendKeys,
    SipCommand,
    StartRecording,
    StartStream,
    StopFollowing,
    StopHearing,
    StopRecording,
    StopStream,
    StreamHeard,
    TellLamp,
    TextReceived,
    TicksCounted,
    TranscribeFile,
    UtteranceRecognised,
    VoiceStarted,
    Word,
    WorkerDied,
    WorkerStarted,
)
from telephony.requests import SendMessage
from telephony.switchboard import Switchboard, SwitchboardSettings
from telephony.tables import Agent, Binding, Call
from tests.crm_bridge.webhooks.receiver import endpoint
from tests.databases import migrate
from tests.telephony.switchboard.room import CALLER_OFFER, FLOW
from tests.telephony.switchboard.test_secret_keys import FLOW as SECRET_FLOW

T = TypeVar("T", bound=msgspec.Struct)
SPEECH_FLOW = """
flow: main
languages: [en]
start: a
steps:
  a:
    menu: {prompt: Your bill?, choices: {1: {phrases: [my bill], next: b}}}
    no_input: b
    no_match: b
  b:
    hangup:
"""


class Written:
    """Stands where a socket or a worker would: writes down what it is given."""

    def __init__(self) -> None:
        self.commands: list[msgspec.Struct] = []
        self.answer: Callable[[msgspec.Struct], None] = lambda _: None

    def send(self, message: msgspec.Struct) -> None:
        self.commands.append(message)
        self.answer(message)

    def perform(self, command: SipCommand) -> None:
        self.send(command)

    def said(self, kind: type[T]) -> list[T]:
        return [command for command in self.commands if isinstance(command, kind)]


class House:
    """A funnel over a folder."""

    def __init__(self, folder: Path, sessions: async_sessionmaker[AsyncSession], flow: str = FLOW) -> None:
        (folder / "main.yaml").write_text(flow, encoding="utf-8")
        ids = itertools.count(1)
        self.folder = folder
        self.sessions = sessions
        self.sip, self.media, self.render, self.transcribe = Written(), Written(), Written(), Written()
        self.listen = Written()
        self.journal = Journal(folder / "journals")
        self.funnel = Funnel(
            clock=ProcessClock(),
            switchboard=Switchboard(
                SwitchboardSettings({"*": "main"}),
                {"main": load(folder / "main.yaml")},
                acd.Acd({"care": acd.QueueSettings("care")}, {"an": acd.AgentSettings("an")}),
                lambda: f"{next(ids):032x}",
            ),
            sessions=sessions,
            journal=self.journal,
            recordings_folder=folder / "recordings",
            region="VN",
            prompt_path=lambda prompt: folder / f"{prompt.kind}-{abs(hash(prompt.value))}.s16",
            sip=self.sip,
            media=self.media,
            render=self.render,
            transcribe=self.transcribe,
            listen=self.listen,
        )
        ports = itertools.count(20000, 2)

        def open_leg(message: msgspec.Struct) -> None:
            if isinstance(message, OpenLeg):
                leg = LegOpened(message.leg, "127.0.0.1", next(ports))
                asyncio.get_running_loop().call_soon(self.funnel.media_event, leg)

        def render(message: msgspec.Struct) -> None:
            assert isinstance(message, RenderPrompt)
            Path(message.path).write_bytes(b"\0\0")
            asyncio.get_running_loop().call_soon(self.funnel.speech_event, PromptRendered(message.key))

        self.media.answer = open_leg
        self.render.answer = render
        self.funnel.lane.start()

    async def until(self, look: Callable[[], object]) -> None:
        """Let the loop run until something is so."""
        async with asyncio.timeout(10):
            while not look():  # noqa: ASYNC110 - several parts are waited for, each in its own way
                await asyncio.sleep(0.005)

    async def call(self, number: str = "0912345678") -> str:
        """A call in its menu; return its id."""
        self.funnel.sip_events([InviteReceived("d1", number, "", not number, "1900", CALLER_OFFER, "192.0.2.1:5060")])
        call = self.funnel.switchboard.calls()[0].id
        await self.until(lambda: self.sip.said(Answer))
        self.funnel.sip_events([DialogConfirmed("d1")])
        await self.until(lambda: self.media.said(PlaySamples))
        return call

    def types(self, call: str, keys: str) -> None:
        """The caller presses keys."""
        for key in keys:
            self.funnel.media_event(DigitPressed(f"{call}.caller", key, "rfc4733", 0))

    def heard(self) -> list[str]:
        """What was rendered for callers."""
        return [each.value for each in self.render.said(RenderPrompt)]

    async def talk(self) -> str:
        """A call that talks with the agent; return its id."""
        bindings = (BindingRow("sip:an@192.0.2.2", "192.0.2.2", 5060, self.funnel.clock.now() + 60),)
        self.funnel.sip_events([BindingChanged("an", 1, bindings)])
        call = await self.call()
        self.types(call, "1")
        await self.until(lambda: self.sip.said(Invite))
        invite = self.sip.said(Invite)[0]
        answer = sdp.answer(invite.sdp, sdp.Capabilities("192.0.2.2", 6000, 1))
        self.funnel.sip_events([DialogAnswered(invite.dialog, answer.sdp)])
        await self.until(lambda: self.media.said(StartRecording))
        return call


def open_files() -> set[str]:
    """What this process has open."""
    return {os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}


def spoken(start: StartRecording) -> None:
    """Spool ten ticks, as the media worker does."""
    writer = SpoolWriter(Path(start.path), start.recording, 1000)
    for tick in range(1000, 1010):
        writer.write(tick, np.full((160, 2), 100, np.int16))
    writer.close()


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    yield database.session_factory(engine)
    await engine.dispose()


@pytest.fixture
async def house(tmp_path: Path, sessions: async_sessionmaker[AsyncSession]) -> AsyncIterator[House]:
    made = House(tmp_path, sessions)
    yield made
    await made.funnel.close()


async def test_a_call_is_a_row_and_a_journal_and_an_entry_on_the_timeline(house: House) -> None:
    call = await house.call()
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        row = await session.get(Call, call)
        items = (await session.scalars(select(Interaction))).all()
    assert row is not None
    assert (row.state, row.ended_by, row.ani) == ("ended", "caller", "+84912345678")
    assert [(item.channel, item.call_id, item.customer_id) for item in items] == [("call", call, row.customer_id)]
    journal = house.journal.path(call)
    assert journal is not None
    assert str(journal) not in open_files()
    kinds = [type(entry.message).__name__ for entry in house.journal.read(call)]
    assert kinds[0] == "InviteReceived"
    assert {"FindCaller", "CallerFound", "Answer", "Play", "DialogEnded", "CloseLeg"} <= set(kinds)


async def test_a_seek_goes_to_the_worker_unless_its_prompt_still_waits(house: House) -> None:
    call = await house.call()
    running = SeekPlaying(f"{call}.caller", house.media.said(PlaySamples)[0].playback, 500)
    house.funnel._perform(running)
    assert house.media.said(SeekPlaying) == [running]
    render, house.render.answer = house.render.answer, lambda _: None
    house.funnel._perform(Play(f"{call}.caller", "new", (Prompt("text", "Never said before.", "en"),)))
    house.funnel._perform(SeekPlaying(f"{call}.caller", "new", 250))
    assert house.media.said(SeekPlaying) == [running]
    render(house.render.said(RenderPrompt)[-1])
    await house.until(lambda: house.media.said(PlaySamples)[-1].playback == "new")
    assert house.media.said(PlaySamples)[-1].offset_ms == 250


async def test_a_withheld_number_is_a_row_on_nobodys_timeline(house: House) -> None:
    call = await house.call(number="")
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        row = await session.get(Call, call)
        assert (await session.scalars(select(Interaction))).all() == []
    assert row is not None
    assert row.customer_id is None


async def test_a_caller_without_a_name_is_called_as_the_crm_does(house: House) -> None:
    asked: list[str] = []

    async def name_of(number: str) -> str:
        asked.append(number)
        return "Nguyễn Văn An"

    house.funnel.name_of = name_of
    call = await house.call()
    running = house.funnel.switchboard.call(call)
    assert running is not None
    assert (running.context.name, running.context.known) == ("Nguyễn Văn An", True)
    assert asked == ["+84912345678"]
    async with house.sessions() as session:
        assert (await session.scalars(select(Customer.name))).all() == ["Nguyễn Văn An"]


async def test_a_crm_that_fails_in_a_way_that_nobody_thought_of_stops_no_call(house: House) -> None:
    async def name_of(_: str) -> str:
        raise RuntimeError("no")

    house.funnel.name_of = name_of
    call = await house.call()
    running = house.funnel.switchboard.call(call)
    assert running is not None
    assert (running.context.name, running.context.customer != "") == ("", True)


async def test_the_agents_phone_rings_after_the_listeners_were_told(house: House) -> None:
    listener = house.funnel.live.listen()
    told_before: list[int] = []

    def note(message: msgspec.Struct) -> None:
        if isinstance(message, Invite):
            told_before.append(house.funnel.live.seq)

    house.sip.answer = note
    await house.talk()
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        agent = await session.get(Agent, "an")
        bindings = (await session.scalars(select(Binding))).all()
    assert agent is not None
    assert agent.state == "talking"
    assert [binding.host for binding in bindings] == ["192.0.2.2"]
    events = [await listener.next() for _ in range(house.funnel.live.seq)]
    offered = next(event for event in events if event["type"] == "call.offered")
    assert isinstance(offered["seq"], int)
    assert told_before >= [offered["seq"]]


async def test_keys_go_to_the_media_worker(house: House) -> None:
    call = await house.talk()
    house.funnel.happened(KeysRequested(call, "an", "12#"))
    assert house.media.said(SendKeys) == [SendKeys(f"{call}.caller", "12#")]
    invite = house.sip.said(Invite)[-1]
    house.funnel.media_event(DigitPressed(invite.dialog, "7", "rfc4733", 0))
    assert house.media.said(SendKeys)[1:] == [SendKeys(f"{call}.caller", "7")]
    written = [entry.message for entry in house.journal.read(call)]
    assert [each.keys for each in written if isinstance(each, KeysRequested | SendKeys)] == ["••#", "••#", "•"]
    assert [each.digit for each in written if isinstance(each, DigitPressed)][-1] == "•"


async def test_a_recording_is_a_row_before_it_begins_and_is_transcribed_after_its_end(house: House) -> None:
    call = await house.talk()
    start = house.media.said(StartRecording)[0]
    async with house.sessions() as session:
        row = await session.get(Recording, start.recording)
    assert row is not None
    assert row.state == "spooling"
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        row = await session.get_one(Recording, start.recording)
    assert (row.ani, row.agent, row.queue) == ("+84912345678", "an", "care")
    spoken(start)
    house.funnel.media_event(RecordingStopped(start.recording, 10))
    await house.until(lambda: house.transcribe.commands)
    asked = house.transcribe.commands[0]
    assert isinstance(asked, TranscribeFile)
    assert asked.path.endswith(f"{start.recording}.wav")
    house.funnel.speech_event(
        FileTranscribed(start.recording, "done", "whisper", "en", (Word("hello", 0.0, 0.1, 0.9, 0),))
    )
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        item = (await session.scalars(select(Interaction).where(Interaction.call_id == call))).one()
    assert item.recording_id == start.recording


async def test_webhooks_are_told_of_a_text_the_end_of_a_call_and_its_transcript_in_order(house: House) -> None:
    house.funnel.webhooks.endpoints = [endpoint()]
    house.funnel.sip_events([text("m1")])
    call = await house.talk()
    start = house.media.said(StartRecording)[0]
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    spoken(start)
    house.funnel.media_event(RecordingStopped(start.recording, 10))
    await house.until(lambda: house.transcribe.commands)
    house.funnel.speech_event(FileTranscribed(start.recording, "done", "whisper", "en"))
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        events = (await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))).all()
        (person,) = set(await session.scalars(select(Interaction.customer_id)))
    assert [event.type for event in events] == ["interaction.created", "call.ended", "recording.transcribed"]
    assert {event.customer_id for event in events} == {person}
    written, ended, transcribed = (json.loads(event.body)["data"] for event in events)
    assert (written["customer"], written["text"]) == (person, "Xin chào")
    assert (ended["id"], ended["agent"], ended["recording"]) == (call, "an", start.recording)
    assert transcribed == {
        "recording": start.recording,
        "outcome": "done",
        "call": call,
        "customer": person,
        "language": "en",
    }


async def test_what_a_flow_sends_is_on_the_timeline_of_whoever_calls(
    tmp_path: Path, sessions: async_sessionmaker[AsyncSession]
) -> None:
    sending = (
        'flow: main\nlanguages: [en]\nstart: send\nsteps:\n  send:\n    notify: {text: "Hello", subject: "Order"}\n'
    )
    house = House(tmp_path, sessions, sending + "    next: bye\n    failed: bye\n  bye:\n    hangup: Bye\n")
    notifier = Notifier(sessions, "VN", [Route("email", "email", "shop.vn")], publish=house.funnel.publish)
    messages = MessageRequests(notifier, house.funnel.customers.turn, house.funnel.clock.now)
    house.funnel.requests.register(SendMessage, messages.perform)
    claims = (claim("phone", "phone", "+84912345678"), Claim("email", "an@example.vn", 2, 1.0))
    async with sessions() as session:
        await timeline.record(session, timeline.NewInteraction("phone", "inbound", 0.0, claims), 0.0)
        await session.commit()
    call = await house.call()
    await house.funnel.lane.drained()
    async with sessions() as session:
        entry = (await session.scalars(select(Interaction).where(Interaction.channel == "email"))).one()
    assert (entry.direction, entry.text, entry.attributes["call"]) == ("outbound", "Hello", call)
    await house.funnel.close()


async def test_words_are_told_while_they_are_spoken_and_stand_in_no_journal(house: House) -> None:
    call = await house.talk()
    start = house.media.said(StartRecording)[0]
    assert house.listen.commands == [FollowRecording(start.recording, start.path, "en")]
    listener = house.funnel.live.listen()
    growing = PhraseRecognised(start.recording, 0, 1, "xin", 0.5, 0.9, final=False)
    final = msgspec.structs.replace(growing, text="xin chào", end=1.2, final=True)
    for phrase in (growing, final):
        house.funnel.speech_event(phrase)
    events = [await listener.next() for _ in range(2)]
    assert [(event["type"], event["agent"], event["text"], "seq" in event) for event in events] == [
        ("transcript.phrase", "an", "xin", False),
        ("transcript.phrase", "an", "xin chào", True),
    ]
    assert house.funnel.live_words.phrases(call) == [final]
    assert "PhraseRecognised" not in {type(entry.message).__name__ for entry in house.journal.read(call)}
    house.funnel.worker_died(WorkerDied("live", 1, "killed by SIGKILL"))
    assert house.listen.commands[1:] == [FollowRecording(start.recording, start.path, "en", 1)]
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    spoken(start)
    house.funnel.media_event(RecordingStopped(start.recording, 10))
    assert house.listen.commands[2:] == [StopFollowing(start.recording)]
    await house.until(lambda: house.transcribe.commands)
    assert house.funnel.live_words.phrases(call) == [final]
    house.funnel.speech_event(FileTranscribed(start.recording, "done", "whisper", "vi"))
    await house.funnel.lane.drained()
    assert house.funnel.live_words.phrases(call) == []


async def test_quality_is_told_to_those_who_listen_now_and_stands_in_the_journal(house: House) -> None:
    call = await house.talk()
    await house.funnel.lane.drained()
    before = house.funnel.live.seq
    listener = house.funnel.live.listen()
    house.funnel.media_event(LegQuality(f"{call}.caller", 7, 250, 2, 0.008, 3.5, -1.0, 4.21))
    event = await listener.next()
    assert (event["type"], event["side"], event["mos"], "seq" in event) == ("call.quality", "caller", 4.21, False)
    assert house.funnel.live.seq == before
    assert "LegQuality" in {type(entry.message).__name__ for entry in house.journal.read(call)}


async def test_ticks_are_counted_over_every_worker(house: House) -> None:
    house.funnel.media_event(TicksCounted(run=250, late=2, skipped=7))
    house.funnel.media_event(TicksCounted(run=250, late=1, skipped=0))
    assert house.funnel.ticks == {"on_time": 497, "late": 3, "skipped": 7}


async def test_what_is_said_reaches_the_flow_and_the_journal_and_no_log(
    tmp_path: Path, sessions: async_sessionmaker[AsyncSession]
) -> None:
    house = House(tmp_path, sessions, SPEECH_FLOW)
    house.funnel.hear = hear = Written()
    house.funnel.hearing.languages, house.funnel.hearing.path = {"en"}, "/run/hear"
    with capture_logs() as lines:
        call = await house.call()
        assert hear.commands == house.media.said(StartStream) == []  # the worker is not there yet
        house.funnel.speech_event(WorkerStarted("hear", 1))
        (heard,) = hear.said(HearStream)
        assert heard.phrases == ("my bill", "one")
        assert house.media.said(StartStream) == [StartStream(heard.stream, f"{call}.caller", "/run/hear")]
        house.funnel.worker_died(WorkerDied("hear", 1, "killed by SIGKILL"))
        house.funnel.speech_event(WorkerStarted("hear", 2))
        heard = hear.said(HearStream)[-1]
        house.funnel.media_event(VoiceStarted(f"{call}.caller", 108))
        house.funnel.speech_event(StreamHeard(heard.stream, "began", 100))
        house.funnel.speech_event(StreamHeard(heard.stream, "words", 100, 140, "my bill", 0.9))
        await house.funnel.lane.drained()
    assert not house.funnel.switchboard.is_running(call)
    assert hear.commands[-1] == StopHearing(heard.stream)
    assert house.media.said(StopStream)[-1] == StopStream(heard.stream)
    said = [each.message for each in house.journal.read(call) if isinstance(each.message, UtteranceRecognised)]
    assert [each.text for each in said] == ["my bill"]
    assert "bill" not in str(lines)
    await house.funnel.close()


async def test_what_is_typed_in_secret_reaches_the_flow_and_nothing_that_is_kept(
    tmp_path: Path, sessions: async_sessionmaker[AsyncSession]
) -> None:
    house = House(tmp_path, sessions, SECRET_FLOW)
    listener = house.funnel.live.listen()
    with capture_logs() as lines:
        call = await house.call()
        leg = f"{call}.caller"
        house.funnel.media_event(DigitPressed(leg, "1", "rfc4733", 0))
        for digit in "96":
            house.funnel.media_event(DigitPressed(leg, digit, "inband", 0))
        for digit in "57":
            house.funnel.sip_events([KeySignalled("d1", digit)])
        state = house.funnel.switchboard.board.calls[call].flow_state
        assert state is not None
        assert state.variables["pin"] == "9657"
        await house.funnel.lane.drained()
    assert house.media.said(GuardKeys) == [GuardKeys(leg, on=True)]
    pressed = [
        each.message for each in house.journal.read(call) if isinstance(each.message, DigitPressed | KeySignalled)
    ]
    assert "".join(each.digit for each in pressed) == "1••••"
    told = [await listener.next() for _ in range(house.funnel.live.seq)]
    kept = (str(told), str(lines), str(house.funnel.switchboard.call(call)))
    assert not any("9657" in each for each in kept)
    await house.funnel.close()


async def test_a_fault_over_a_secret_key_is_logged_without_it(
    tmp_path: Path, sessions: async_sessionmaker[AsyncSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, sessions, SECRET_FLOW)
    call = await house.call()
    house.funnel.media_event(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))

    def fails(*_: object) -> list[Command]:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(Switchboard, "handle", fails)
    for terminal in (True, False):
        lines = io.StringIO()
        monkeypatch.setattr(funnel, "log", logger_to(lines, terminal=terminal))
        house.funnel.media_event(DigitPressed(f"{call}.caller", "9", "rfc4733", 0))
        assert "DigitPressed" in lines.getvalue()
        assert "a fault of ours" in lines.getvalue()  # and the traceback before it
        assert not re.search(r"""['"]9['"]""", lines.getvalue())
    await house.funnel.close()


def logger_to(lines: io.StringIO, *, terminal: bool) -> Any:
    """A logger that renders as the running hotline does."""
    return structlog.wrap_logger(structlog.PrintLogger(lines), processors=logs._renderers(terminal=terminal))


async def test_what_the_journal_cannot_take_is_done_all_the_same(house: House) -> None:
    """Half a character, say, as a program leaves it that cuts texts carelessly."""
    call = await house.call()
    with capture_logs() as said:
        house.funnel.media_event(DigitPressed(f"{call}.caller", "\ud83d", "rfc4733", 0))
    assert [line["event"] for line in said] == ["the journal cannot be written; the call goes on"]
    await house.until(lambda: len(house.media.said(PlaySamples)) == 2)  # the menu again: that was none of its keys
    assert not [each for each in house.journal.read(call) if isinstance(each.message, DigitPressed)]


async def test_without_a_database_the_call_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(rows, "save_call", broken)
    monkeypatch.setattr("telephony.edge.funnel.context.find_caller", broken)
    call = await house.call()
    assert house.funnel.switchboard.calls()[0].id == call
    assert house.journal.read(call)


async def test_a_database_that_is_locked_by_another_process_keeps_no_caller_waiting(
    house: House, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "hotline.db", isolation_level=None)
    house.funnel.lane.hold_up_s = 0.05
    try:
        other.execute("BEGIN IMMEDIATE")
        call = await house.talk()
        house.funnel.sip_events([DialogEnded("d1", "bye")])
        await house.until(lambda: house.media.said(StopRecording))
        spoken(house.media.said(StartRecording)[0])
        house.funnel.media_event(RecordingStopped(house.media.said(StartRecording)[0].recording, 10))
        await house.funnel.lane.drained()
        assert house.funnel.lane.away
    finally:
        other.execute("ROLLBACK")
        other.close()
    await house.until(lambda: house.transcribe.commands)
    await house.until(lambda: not house.funnel.lane.away)
    async with house.sessions() as session:
        row = await session.get_one(Call, call)
        recording = (await session.scalars(select(Recording))).one()
    assert (row.state, row.ended_by) == ("ended", "caller")
    assert (recording.state, recording.call_id) == ("closed", call)


async def test_a_caller_who_could_not_be_looked_up_is_looked_up_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = itertools.count()
    find_caller = context.find_caller

    async def at_the_third_time(*given: Any, **said: Any) -> tuple[str, CallerContext]:
        if next(tries) < 2:
            raise OSError("the database is away")
        return await find_caller(*given, **said)

    monkeypatch.setattr("telephony.edge.funnel.context.find_caller", at_the_third_time)
    monkeypatch.setattr("telephony.edge.funnel.FIND_PAUSE_S", 0.01)
    await house.call()
    await house.until(lambda: house.funnel.switchboard.calls()[0].ani == "+84912345678")


async def test_a_caller_who_was_not_found_in_time_is_found_when_the_row_is_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr("telephony.edge.funnel.FIND_ATTEMPTS", 1)
    with monkeypatch.context() as patch:
        patch.setattr("telephony.edge.funnel.context.find_caller", away)
        call = await house.call()
    assert house.funnel.switchboard.calls()[0].ani == ""
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        row = await session.get_one(Call, call)
        item = (await session.scalars(select(Interaction))).one()
    assert (row.ani, row.ended_by) == ("+84912345678", "caller")
    assert item.customer_id == row.customer_id


async def test_the_phone_of_an_offer_that_is_over_does_not_ring(house: House) -> None:
    held = asyncio.Event()

    async def hold() -> None:
        await held.wait()

    bindings = (BindingRow("sip:an@192.0.2.2", "192.0.2.2", 5060, house.funnel.clock.now() + 60),)
    house.funnel.sip_events([BindingChanged("an", 1, bindings)])
    call = await house.call()
    house.funnel.lane.put("a slow piece", hold)
    house.funnel.media_event(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    await house.until(lambda: f"{call}.agent1" in {leg.leg for leg in house.media.said(OpenLeg)})
    await asyncio.sleep(0)
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    held.set()
    await house.funnel.lane.drained()
    assert house.sip.said(Hangup) == [Hangup(f"{call}.agent1")]
    assert house.sip.said(Invite) == []


async def test_a_command_that_fails_keeps_nothing_else_from_being_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await house.call()

    def broken(_leg: str) -> bool:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(house.funnel.prompts, "cancel", broken)
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        row = await session.get_one(Call, call)
    assert row.state == "ended"


async def test_a_media_worker_that_dies_is_an_alarm_and_lost_legs_end_their_call_with_its_cause(house: House) -> None:
    call = await house.talk()
    house.funnel.worker_died(WorkerDied("media", 1, "killed by SIGKILL"))
    assert [alarm.kind for alarm in house.funnel.alarms.present()] == ["media_worker_died"]
    assert house.sip.said(Hangup) == []
    house.funnel.media_event(LegLost(f"{call}.caller", LOST))
    house.funnel.media_event(RecordingStopped(house.media.said(StartRecording)[0].recording, 0, LOST))
    assert {command.dialog for command in house.sip.said(Hangup)} == {"d1", f"{call}.agent1"}
    await house.funnel.drain()
    async with house.sessions() as session:
        row = await session.get(Call, call)
    assert row is not None
    assert row.ended_by == "failure: the media worker died"
    assert [alarm.kind for alarm in house.funnel.alarms.present()] == ["media_worker_died"]


async def test_draining_waits_for_the_running_calls(house: House) -> None:
    call = await house.call()
    draining = asyncio.create_task(house.funnel.drain())
    await asyncio.sleep(0)
    house.funnel.sip_events([InviteReceived("d2", "1", "", False, "1900", CALLER_OFFER, "192.0.2.1:5060")])
    assert len(house.funnel.switchboard.calls()) == 1
    assert not draining.done()
    house.funnel.happened(HangupRequested(call, "tests"))
    await draining


async def test_an_event_that_cannot_be_handled_takes_no_other_call_down(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await house.call()

    def broken(_event: object, _now: float) -> list[Command]:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr(house.funnel.switchboard, "handle", broken)
        house.funnel.happened(HangupRequested(call, "tests"))
    house.funnel.happened(HangupRequested(call, "tests"))
    assert not house.funnel.switchboard.calls()


async def test_a_call_cut_off_by_a_crash_is_closed_at_the_next_start(house: House, tmp_path: Path) -> None:
    call = await house.talk()
    start = house.media.said(StartRecording)[0]
    await house.funnel.lane.drained()
    closed = await recover(house.sessions, Journal(tmp_path / "journals"), tmp_path / "recordings", 2e9)
    assert closed == 1
    async with house.sessions() as session:
        row = await session.get(Call, call)
        recording = await session.get(Recording, start.recording)
        item = (await session.scalars(select(Interaction).where(Interaction.call_id == call))).one()
    assert row is not None
    assert recording is not None
    assert (row.state, row.ended_by) == ("ended", INTERRUPTED)
    assert row.ended_at is not None
    assert row.started_at <= row.ended_at < 2e9
    assert recording.state != "spooling"
    assert item.attributes["ended_by"] == INTERRUPTED
    assert await recover(house.sessions, house.journal, tmp_path / "recordings", 2e9) == 0


async def test_an_interrupted_call_lasted_as_long_as_its_recording_and_a_damaged_journal_stops_no_start(
    house: House, tmp_path: Path
) -> None:
    call = await house.talk()
    await house.funnel.lane.drained()
    spoken(house.media.said(StartRecording)[0])
    journal = house.journal.path(call)
    assert journal is not None
    journal.write_bytes(b"\0\0\0\n" + journal.read_bytes())
    assert await recover(house.sessions, Journal(tmp_path / "journals"), tmp_path / "recordings", 2e9) == 1
    async with house.sessions() as session:
        row = await session.get_one(Call, call)
        recording = (await session.scalars(select(Recording))).one()
    assert row.ended_at == recording.started_at + recording.seconds
    assert row.ended_at > (row.talk_started_at or 0) > 0


async def test_a_call_whose_end_was_not_saved_any_more_has_it_in_its_journal(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await house.call()
    await house.funnel.lane.drained()

    async def broken(*_: object) -> None:
        raise ValueError("a row that cannot be")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "save_call", broken)
        house.funnel.sip_events([DialogEnded("d1", "bye")])
        await house.funnel.lane.drained()
    assert await recover(house.sessions, Journal(tmp_path / "journals"), tmp_path / "recordings", 2e9) == 1
    async with house.sessions() as session:
        row = await session.get_one(Call, call)
        item = (await session.scalars(select(Interaction))).one()
    assert (row.state, row.ended_by) == ("ended", "caller")
    assert item.attributes["ended_by"] == "caller"


async def test_a_lamp_is_shown_after_the_row_that_says_so(house: House) -> None:
    rows_then: list[str | None] = []
    lane = house.funnel.lane

    def perform(command: msgspec.Struct) -> None:
        if isinstance(command, TellLamp):
            with sqlite3.connect(house.folder / "hotline.db") as reader:
                found = reader.execute("SELECT state FROM agents WHERE name = 'an'").fetchone()
            rows_then.append(found[0] if found else None)

    house.sip.answer = perform
    bindings = (BindingRow("sip:an@192.0.2.2", "192.0.2.2", 5060, house.funnel.clock.now() + 60),)
    house.funnel.sip_events([BindingChanged("an", 1, bindings)])
    await lane.drained()
    assert rows_then == ["ready"]
    assert [lamp.state for lamp in house.sip.said(TellLamp)] == ["ready"]


def text(message: str, number: str = "0912345678", external_id: str = "t1", dialog: str = "") -> TextReceived:
    return TextReceived(message, dialog, number, False, "1900", "text/plain", "Xin chào", external_id)


async def test_a_text_is_on_the_timeline_before_its_sender_is_told_so_and_once(house: House) -> None:
    seen: list[int] = []

    def perform(command: msgspec.Struct) -> None:
        if isinstance(command, AnswerText):
            with sqlite3.connect(house.folder / "hotline.db") as reader:
                seen.append(reader.execute("SELECT count(*) FROM interactions").fetchone()[0])

    house.sip.answer = perform
    house.funnel.sip_events([text("m1")])
    await house.funnel.lane.drained()
    house.funnel.sip_events([text("m2")])
    await house.funnel.lane.drained()
    assert house.sip.said(AnswerText) == [AnswerText("m1", 202), AnswerText("m2", 202)]
    assert seen == [1, 1]
    async with house.sessions() as session:
        (item,) = (await session.scalars(select(Interaction))).all()
        (link,) = (await session.scalars(select(Identity))).all()
    assert (item.channel, item.direction, item.text) == ("sip", "inbound", "Xin chào")
    assert item.attributes == {"dnis": "1900", "content_type": "text/plain"}
    assert (link.value, link.assurance) == ("+84912345678", 0), "nobody vouches for what a text says of itself"


async def test_a_text_in_a_call_is_the_callers(house: House) -> None:
    call = await house.call()
    house.funnel.sip_events([text("m1", number="0987654321", dialog="d1")])
    await house.funnel.lane.drained()
    async with house.sessions() as session:
        items = {item.channel: item for item in (await session.scalars(select(Interaction))).all()}
    assert items["sip"].customer_id == items["call"].customer_id
    assert items["sip"].attributes["call"] == call


async def test_a_text_of_nobody_is_refused(house: House) -> None:
    house.funnel.sip_events([text("m1", number="lan")])
    await house.funnel.lane.drained()
    assert house.sip.said(AnswerText) == [AnswerText("m1", 403)]


async def test_a_transcript_of_a_recording_that_is_deleted_is_nobodys(house: House) -> None:
    await house.talk()
    start = house.media.said(StartRecording)[0]
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    spoken(start)
    house.funnel.media_event(RecordingStopped(start.recording, 10))
    await house.until(lambda: house.transcribe.commands)
    async with house.sessions.begin() as session:
        await session.execute(delete(Recording))
    with capture_logs() as logged:
        house.funnel.speech_event(FileTranscribed(start.recording, "done", "whisper", "en"))
        await house.funnel.lane.drained()
    assert [(each["log_level"], each.get("recording")) for each in logged] == [("info", start.recording)]
    async with house.sessions() as session:
        assert (await session.scalars(select(Transcript))).all() == []
