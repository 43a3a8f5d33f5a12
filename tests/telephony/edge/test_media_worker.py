"""The worker as a real process on loopback: what goes in by packets and commands comes out by packets and events."""

import base64
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args

import msgspec
import numpy as np
import pytest

from recordings.spool import read_spool
from telephony.edge.ice_servers import IceServer
from telephony.edge.media_settings import MediaSettings
from telephony.edge.media_worker import main
from telephony.edge.secure_rtp import fresh_keys
from telephony.edge.wire import Decoder, FromMedia, encode
from telephony.events import (
    CloseLeg,
    Command,
    ConnectLeg,
    DigitPressed,
    GuardKeys,
    Join,
    Leave,
    LegClosed,
    LegOpened,
    LegRefused,
    ListenForVoice,
    MediaTimedOut,
    OpenLeg,
    PauseRecording,
    PlaySamples,
    PromptFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    ResumeRecording,
    SeekPlaying,
    SendKeys,
    Srtp,
    SrtpKey,
    SrtpSuite,
    StartRecording,
    StartStream,
    StopRecording,
    StreamStopped,
    TicksCounted,
    VoiceDetector,
    VoiceStarted,
    WorkerStarted,
)
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.tones import dtmf
from tests.telephony.edge.srtp import Direction
from tests.telephony.media.signals import sine
from tests.telephony.media.speech import at_level, over_a_line, sentences

TIMEOUT_S = 10.0
START_S = 40.0
"""For a process that comes up: a second of work, where nobody else has any."""
TELEPHONE_EVENT = 101
STALLED = 3
"""Blocks that a busy machine may cost. That none is lost otherwise is shown in virtual time, in the plane's tests."""
SILENT = {bytes(320)}
T = TypeVar("T")


@dataclass
class Worker:
    """A worker process and the control process's end of its socket."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    seen: list[FromMedia] = field(default_factory=list)
    decoder: Decoder[FromMedia] = field(default_factory=lambda: Decoder(FromMedia))

    def send(self, *commands: Command) -> None:
        for command in commands:
            self.control.sendall(encode(command))

    def wait_for(
        self, kind: type[T], meanwhile: Callable[[], object] = lambda: None, timeout_s: float = TIMEOUT_S
    ) -> T:
        """Return the next event of a kind, and drop those before it; call `meanwhile` every few milliseconds."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for place, event in enumerate(self.seen):
                if isinstance(event, kind):
                    del self.seen[: place + 1]
                    return event
            meanwhile()
            if select.select([self.control], [], [], 0.005)[0]:
                octets = self.control.recv(65536)
                assert octets, f"the worker is gone: {self.process.wait(5)}"
                self.seen += self.decoder.feed(octets)
        raise AssertionError(f"no {kind.__name__}; there came {self.seen}")

    def ends(self) -> int:
        return self.process.wait(TIMEOUT_S)


@contextmanager
def worker(
    max_legs: int = 8,
    media_timeout_s: float = 30.0,
    ports: tuple[int, int] = (42000, 42999),
    ice_servers: tuple[IceServer, ...] = (),
    voice_detector: VoiceDetector = "plain",
) -> Iterator[Worker]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    anchor = time.time() - time.monotonic()
    settings = MediaSettings(
        "127.0.0.1", ports, anchor, media_timeout_s, max_legs, ice_servers=ice_servers, voice_detector=voice_detector
    )
    text = msgspec.json.encode(settings).decode()
    command = [sys.executable, "-m", "telephony.edge.media_worker", "--fd", str(theirs.fileno()), "--settings", text]
    with ours, theirs, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        running = Worker(process, ours)
        try:
            assert running.wait_for(WorkerStarted, timeout_s=START_S) == WorkerStarted("media", process.pid)
            yield running
        finally:
            ours.close()
            if process.poll() is None:
                process.terminate()


class Phone:
    """An RTP far end. It sends PCMU in real time, whenever `pump` is called, and keeps what it hears."""

    def __init__(self, port: int = 0) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", port))
        self.udp.setblocking(False)
        self.port: int = self.udp.getsockname()[1]
        self.target = ("127.0.0.1", 0)
        self.ssrc = self.port
        self.sequence = 65530
        self.timestamp = 2**32 - 800
        self.heard: list[bytes] = []
        self.headers: list[bytes] = []
        self.says: list[Samples] = []
        self.said: list[Samples] = []
        self.next_at = time.monotonic()

    def pump(self) -> None:
        """Send what is due of `says` (silence when it is empty), and read what came."""
        while time.monotonic() >= self.next_at:
            self.next_at += 0.02
            speech = self.says.pop(0) if self.says else np.zeros(160, np.int16)
            self.said.append(speech)
            self.send(0, g711.encode(speech[None], np.zeros(1, np.uint8))[0].tobytes())
            self.timestamp += 160
        self.read()

    def send(self, payload_type: int, payload: bytes, timestamp: int | None = None) -> None:
        self.sequence += 1
        head = bytes([0x80, payload_type]) + (self.sequence % 65536).to_bytes(2, "big")
        head += ((self.timestamp if timestamp is None else timestamp) % 2**32).to_bytes(4, "big")
        self.udp.sendto(head + self.ssrc.to_bytes(4, "big") + payload, self.target)

    def press(self, event: int) -> None:
        """A key by RFC 4733 with a lost start and an end sent three times."""
        at = self.timestamp
        for flags, duration in ((0, 320), (0, 480), (0x80, 640), (0x80, 640), (0x80, 640)):
            self.send(TELEPHONE_EVENT, bytes([event, flags | 10]) + duration.to_bytes(2, "big"), at)

    def read(self) -> None:
        while select.select([self.udp], [], [], 0)[0]:
            datagram = self.udp.recv(2048)
            self.headers.append(datagram[:12])
            self.heard.append(datagram[12:])

    def hear(self) -> None:
        """Wait until something is heard."""
        until = time.monotonic() + TIMEOUT_S
        while not self.heard and time.monotonic() < until:
            self.pump()
            select.select([self.udp], [], [], 0.005)
        assert self.heard, "nothing is heard"

    def audio(self) -> bytes:
        return b"".join(self.heard)


@pytest.fixture
def phones() -> Iterator[Callable[[], Phone]]:
    made: list[Phone] = []

    def make() -> Phone:
        made.append(Phone())
        return made[-1]

    yield make
    for phone in made:
        phone.udp.close()


def connect(running: Worker, leg: str, phone: Phone) -> None:
    running.send(OpenLeg(leg))
    opened = running.wait_for(LegOpened)
    assert opened.leg == leg
    assert opened.port % 2 == 0
    phone.target = (opened.address, opened.port)
    running.send(ConnectLeg(leg, "127.0.0.1", phone.port, 0, TELEPHONE_EVENT))
    phone.next_at = time.monotonic()


@dataclass
class Talk:
    """Phones that are connected to a worker, of which the caller and the agent are in one bridge."""

    worker: Worker
    phones: dict[str, Phone]

    def pump(self) -> None:
        for phone in self.phones.values():
            phone.pump()

    def go_on(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.pump()
            time.sleep(0.002)


@contextmanager
def talk(**phones: Phone) -> Iterator[Talk]:
    """Connect phones, a caller's and an agent's among them, and let those two talk."""
    with worker() as running:
        for leg, phone in phones.items():
            connect(running, leg, phone)
        running.send(Join("caller", "b"), Join("agent", "b"))
        yield Talk(running, phones)


def ramp(ticks: int, seed: int) -> Samples:
    """Samples that survive µ-law unchanged, and differ everywhere."""
    codes = np.random.default_rng(seed).integers(0, 256, ticks * 160).astype(np.uint8)
    return g711.decode(codes.reshape(-1, 160), np.zeros(ticks, np.uint8)).reshape(-1)


def missing(says: Samples, heard: bytes) -> int:
    """Return how many blocks of 20 ms are not in what was heard (samples, or µ-law of them), in their order."""
    law, lost, at = np.zeros(1, np.uint8), 0, 0
    for block in says.reshape(-1, 1, 160):
        found = max(heard.find(block.tobytes(), at), heard.find(g711.encode(block, law).tobytes(), at))
        lost += found < 0
        at = max(at, found)
    return lost


def write_clip(folder: Path, samples: Samples) -> str:
    path = folder / f"{len(samples)}.raw"
    samples.tofile(path)
    return str(path)


def test_a_prompt_is_heard_sample_for_sample(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    phone, first, second = phones(), ramp(10, 1)[:-77], ramp(8, 2)
    with worker() as running:
        connect(running, "a", phone)
        clips = (write_clip(tmp_path, first), write_clip(tmp_path, second))
        running.send(PlaySamples("a", "greeting", clips))
        finished = running.wait_for(PromptFinished, phone.pump)
        assert (finished.playback, finished.ending) == ("greeting", "finished")
        running.send(CloseLeg("a"))
        closed = running.wait_for(LegClosed, phone.pump)
    phone.read()
    expected = g711.encode(np.concatenate([first, second])[None], np.zeros(1, np.uint8)).tobytes()
    assert expected in phone.audio()
    assert closed.sent == len(phone.heard)
    assert closed.lost == 0
    sequence = [int.from_bytes(head[2:4], "big") for head in phone.headers]
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
    assert [head[1] >> 7 for head in phone.headers] == [1] + [0] * (len(sequence) - 1)


def test_a_key_ends_a_prompt(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    phone = phones()
    with worker() as running:
        connect(running, "a", phone)
        running.send(PlaySamples("a", "menu", (write_clip(tmp_path, ramp(50, 3)),), loop=True))
        phone.hear()  # commands and voice come by different ways: a key pressed before the leg is connected is nobody's
        phone.press(5)
        pressed = running.wait_for(DigitPressed, phone.pump)
        finished = running.wait_for(PromptFinished, phone.pump)
        assert (pressed.digit, pressed.source) == ("5", "rfc4733")
        assert (finished.playback, finished.ending, finished.tick) == ("menu", "barged_in", pressed.tick)
        running.send(CloseLeg("a"))
        running.wait_for(LegClosed, phone.pump)
        assert not [event for event in running.seen if isinstance(event, DigitPressed)]


def test_keys_are_sent_from_leg_to_leg(phones: Callable[[], Phone]) -> None:
    """One leg's far end is the other leg, and keys that cannot be pressed are not their end."""
    phone = phones()
    with worker() as running:
        connect(running, "pressing", phone)
        running.send(OpenLeg("hearing"))
        hearing = running.wait_for(LegOpened)
        running.send(ConnectLeg("hearing", "127.0.0.1", phone.target[1], 0, TELEPHONE_EVENT))
        running.send(ConnectLeg("pressing", "127.0.0.1", hearing.port, 0, TELEPHONE_EVENT))
        running.send(SendKeys("pressing", "1x"), SendKeys("nobody", "1"), SendKeys("pressing", "42#"))
        pressed = [running.wait_for(DigitPressed) for _ in range(3)]
        assert [(each.leg, each.digit, each.source) for each in pressed] == [
            ("hearing", digit, "rfc4733") for digit in "42#"
        ]


@pytest.mark.parametrize("detector", get_args(VoiceDetector))
def test_a_voice_ends_a_prompt(
    detector: VoiceDetector, tmp_path: Path, phones: Callable[[], Phone], capfd: pytest.CaptureFixture[str]
) -> None:
    if detector == "trained":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("faster_whisper")
    phone = phones()
    with worker(voice_detector=detector) as running:
        connect(running, "a", phone)
        prompt = (sine(440, 4.0) // 4).astype(np.int16)
        running.send(
            ListenForVoice("a", detector="trained"),
            PlaySamples("a", "menu", (write_clip(tmp_path, prompt),), loop=True, barge_in_by_voice=True),
        )
        phone.hear()
        phone.says += [*over_a_line(np.zeros(8000)), *over_a_line(at_level(sentences()[0], -15.0))]
        began = running.wait_for(VoiceStarted, phone.pump)
        finished = running.wait_for(PromptFinished, phone.pump)
        assert (finished.playback, finished.ending, finished.tick) == ("menu", "barged_in", began.tick)
    missing = [line for line in capfd.readouterr().err.splitlines() if "trained_voice_missing" in line]
    assert len(missing) == (detector == "plain")


def test_two_legs_are_bridged_and_recorded(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    caller, agent = phones(), phones()
    spool_path = tmp_path / "call.spool"
    with talk(caller=caller, agent=agent) as talking:
        running = talking.worker
        running.send(StartRecording("r", "call", "caller", str(spool_path)))
        started = running.wait_for(RecordingStarted, talking.pump)
        caller_says, agent_says = ramp(25, 4), ramp(25, 5)
        caller.says = list(caller_says.reshape(-1, 160))
        agent.says = list(agent_says.reshape(-1, 160))
        talking.go_on(1.0)
        running.send(StopRecording("r"))
        stopped = running.wait_for(RecordingStopped, talking.pump)
        assert stopped.cause == ""
        spool = read_spool(spool_path)
        assert (spool.recording, spool.first_tick, spool.ticks) == ("r", started.tick, stopped.ticks)
    assert missing(caller_says, agent.audio()) <= STALLED
    assert missing(agent_says, caller.audio()) <= STALLED
    assert missing(caller_says, spool.samples[:, 0].tobytes()) <= STALLED
    assert missing(agent_says, spool.samples[:, 1].tobytes()) <= STALLED


def test_keys_of_a_guarded_caller_are_in_no_spool_and_the_agent_hears_none(
    tmp_path: Path, phones: Callable[[], Phone]
) -> None:
    caller, agent = phones(), phones()
    spool_path = tmp_path / "call.spool"

    def pump() -> None:
        caller.pump()
        agent.pump()

    with worker() as running:
        connect(running, "caller", caller)
        connect(running, "agent", agent)
        running.send(Join("caller", "b"), Join("agent", "b"), GuardKeys("caller", on=True))
        running.send(StartRecording("r", "call", "caller", str(spool_path)))
        running.wait_for(RecordingStarted, pump)
        caller.says = list(dtmf("47", 100, 100).reshape(-1, 160))
        pressed = running.wait_for(DigitPressed, pump).digit + running.wait_for(DigitPressed, pump).digit
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pump()
            time.sleep(0.002)
        running.send(StopRecording("r"))
        running.wait_for(RecordingStopped, pump)
    assert pressed == "47"
    assert not read_spool(spool_path).samples.any()
    assert set(agent.audio()) == {0xFF}  # silence in µ-law


def test_garbage_on_one_leg_leaves_the_others_alone(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    good, bad = phones(), phones()
    noise = np.random.default_rng(6)
    says = ramp(20, 7)
    with worker() as running:
        connect(running, "good", good)
        connect(running, "bad", bad)
        running.send(Join("good", "b"), Join("bad", "b"))
        spool_path = tmp_path / "x.spool"
        running.send(StartRecording("r", "call", "good", str(spool_path)))
        running.wait_for(RecordingStarted)
        good.says = list(says.reshape(-1, 160))
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            good.pump()
            bad.udp.sendto(noise.bytes(int(noise.integers(0, 1500))), bad.target)
            bad.read()
            time.sleep(0.001)
        running.send(CloseLeg("good"))
        assert running.wait_for(LegClosed).lost == 0
        running.wait_for(RecordingStopped)
        assert missing(says, read_spool(spool_path).samples[:, 0].tobytes()) <= STALLED


def test_what_cannot_be_done_is_answered(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    with worker(max_legs=2, ports=(43000, 43003)) as running:
        running.control.sendall(b"\x00\x00\x00\x03\xff\xff\xff")
        running.send(PlaySamples("none", "p", ()), StartRecording("r", "c", "none", str(tmp_path / "r")))
        assert running.wait_for(PromptFinished).ending == "failed"
        assert "none is not open" in running.wait_for(RecordingStopped).cause
        running.send(CloseLeg("none"), StopRecording("other"), Join("none", "b"))
        assert running.wait_for(LegClosed) == LegClosed("none", 0, 0, 0, 0)
        assert "not running" in running.wait_for(RecordingStopped).cause
        connect(running, "a", phones())
        running.send(PlaySamples("a", "p", (str(tmp_path / "missing.raw"),)))
        assert "missing.raw" in running.wait_for(PromptFinished).cause
        running.send(PlaySamples("a", "p", ("tone:engaged",)))
        assert "no tone 'engaged'" in running.wait_for(PromptFinished).cause
        running.send(SeekPlaying("a", "p", 0), PlaySamples("a", "p", ("tone:busy",), level_db=13.0))
        assert "+12 dB" in running.wait_for(PromptFinished).cause
        running.send(ConnectLeg("a", "localhost", 4000, 0), ConnectLeg("a", "::1", 4000, 0), OpenLeg("a"), OpenLeg("b"))
        assert [running.wait_for(LegOpened).leg for _ in "ab"] == ["a", "b"]
        running.send(OpenLeg("c"))
        assert "all the legs" in running.wait_for(LegRefused).cause
        running.send(StartRecording("r2", "c", "a", str(tmp_path / "file" / "x")))
        (tmp_path / "file").write_text("in the way")
        assert running.wait_for(RecordingStarted).recording == "r2"
        running.send(StartRecording("r3", "c", "a", str(tmp_path / "file" / "x")))
        running.wait_for(RecordingStopped)


def test_a_listener_that_goes_away_ends_its_streams_and_not_the_worker(
    tmp_path: Path, phones: Callable[[], Phone]
) -> None:
    path = str(tmp_path / "live")
    with worker() as running, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        phone = phones()
        connect(running, "a", phone)
        running.send(StartStream("heard", "a", path), StartStream("of nobody", "none", path))
        refused = running.wait_for(StreamStopped, phone.pump)
        assert (refused.stream, "none is not open" in refused.cause) == ("of nobody", True)
        listener.accept()[0].close()
        assert running.wait_for(StreamStopped, phone.pump).stream == "heard"
        connect(running, "b", phones())


def test_no_port_is_left(phones: Callable[[], Phone]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 43100))
        with worker(ports=(43100, 43101)) as running:
            running.send(OpenLeg("a"))
            assert "widen media.ports" in running.wait_for(LegRefused).cause


def test_silence_is_told_once(phones: Callable[[], Phone]) -> None:
    phone = phones()
    with worker(media_timeout_s=0.1) as running:
        connect(running, "a", phone)
        assert running.wait_for(MediaTimedOut).leg == "a"
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            time.sleep(0.01)
        running.send(CloseLeg("a"))
        running.wait_for(LegClosed)
        assert not running.seen


def test_a_recording_is_what_both_ends_sent_through_hold_pause_and_transfer(
    tmp_path: Path, phones: Callable[[], Phone]
) -> None:
    caller, agent, colleague = phones(), phones(), phones()
    spool_path = tmp_path / "call.spool"
    with talk(caller=caller, agent=agent, colleague=colleague) as talking:
        running = talking.worker
        says = [ramp(110, seed) for seed in (7, 8, 9)]
        for phone, speech in zip((caller, agent, colleague), says, strict=True):
            phone.says = list(speech.reshape(-1, 160))
        running.send(StartRecording("r", "call", "caller", str(spool_path)))
        first = running.wait_for(RecordingStarted, talking.pump).tick
        talking.go_on(0.3)
        running.send(Leave("caller"))
        talking.go_on(0.2)
        running.send(Join("caller", "b"), PauseRecording("r"))
        paused = running.wait_for(RecordingPaused, talking.pump).tick - first
        talking.go_on(0.3)
        running.send(ResumeRecording("r"), CloseLeg("agent"), Join("colleague", "b"))
        resumed = running.wait_for(RecordingResumed, talking.pump).tick - first
        talking.go_on(0.3)
        running.send(StopRecording("r"))
        running.wait_for(RecordingStopped, talking.pump)
    rows = read_spool(spool_path).samples.reshape(-1, 160, 2)
    assert not rows[paused:resumed].any()
    assert rows[:paused, :, 1].any()
    said = [{block.tobytes() for block in speech.reshape(-1, 160)} for speech in says]
    strange = [
        tick
        for tick, row in enumerate(rows)
        if row.any()
        and not (row[:, 0].tobytes() in said[0] | SILENT and row[:, 1].tobytes() in said[1] | said[2] | SILENT)
    ]
    assert len(strange) <= STALLED
    assert {row[:, 1].tobytes() for row in rows[resumed:]} & said[2]
    assert not {row[:, 1].tobytes() for row in rows[resumed + 1 :]} & said[1]


def test_a_full_disk_ends_the_recording_and_not_the_call(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    caller, agent = phones(), phones()
    with talk(caller=caller, agent=agent) as talking:
        running = talking.worker
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
        running.send(StartRecording("r", "call", "caller", str(tmp_path / "r.spool")))
        stopped = running.wait_for(RecordingStopped, talking.pump)
        assert "could not be written" in stopped.cause
        caller_says = ramp(20, 4)
        caller.says = list(caller_says.reshape(-1, 160))
        talking.go_on(0.8)
    assert missing(caller_says, agent.audio()) <= STALLED
    assert read_spool(tmp_path / "r.spool").ticks > 20


def test_linear_algebra_starts_no_threads_of_its_own() -> None:
    with worker() as running:
        threads = list(Path(f"/proc/{running.process.pid}/task").iterdir())
        assert len(threads) == 2, "one for everything, and the one that writes spools"


@pytest.mark.parametrize("ending", ["socket", "sigterm"])
def test_the_end_closes_spools(ending: str, tmp_path: Path, phones: Callable[[], Phone]) -> None:
    with worker() as running:
        connect(running, "a", phones())
        running.send(StartRecording("r", "c", "a", str(tmp_path / "r.spool")))
        started = running.wait_for(RecordingStarted)
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        if ending == "socket":
            running.control.close()
        else:
            running.process.terminate()
            assert running.wait_for(RecordingStopped).cause == ""
        assert running.ends() == 0
        spool = read_spool(tmp_path / "r.spool")
        assert spool.first_tick == started.tick
        assert spool.ticks >= 1


def test_a_killed_worker_loses_no_more_than_its_buffer(tmp_path: Path, phones: Callable[[], Phone]) -> None:
    with worker() as running:
        connect(running, "a", phones())
        running.send(StartRecording("r", "c", "a", str(tmp_path / "r.spool")))
        running.wait_for(RecordingStarted)
        began, path = time.monotonic(), tmp_path / "r.spool"
        while not (path.exists() and path.stat().st_size > 20 * 640 + 100):
            assert time.monotonic() - began < TIMEOUT_S
            time.sleep(0.01)
        os.kill(running.process.pid, signal.SIGKILL)
        assert running.ends() == -signal.SIGKILL
    assert read_spool(path).ticks >= 20


def test_bad_settings_are_told(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--fd", "3", "--settings", '{"address": 1}']) == 2
    assert "bad_settings" in caplog.text


class SecurePhone(Phone):
    """A phone that encrypts, and counts what does not decrypt."""

    def __init__(self, ours: SrtpKey, theirs: SrtpKey) -> None:
        super().__init__()
        self.sends = Direction(theirs.suite, base64.b64decode(theirs.key))
        self.hears = Direction(ours.suite, base64.b64decode(ours.key))
        self.sequence = 100
        self.clear: list[bytes] = []

    def pump_sealed(self) -> None:
        """Say a packet, and decrypt what has come."""
        packet = b"\x80\x00" + self.sequence.to_bytes(2, "big") + (160 * self.sequence).to_bytes(4, "big")
        self.sequence += 1
        self.udp.sendto(self.sends.seal(packet + bytes(4) + bytes([0x9A]) * 160), self.target)
        while select.select([self.udp], [], [], 0)[0]:
            self.clear.append(self.hears.open(self.udp.recv(2048)))


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_an_encrypted_leg_hears_and_says_nothing_in_the_clear(suite: SrtpSuite, phones: Callable[[], Phone]) -> None:
    with worker() as running:
        running.send(OpenLeg("a"), OpenLeg("b"))
        opened = [running.wait_for(LegOpened), running.wait_for(LegOpened)]
        ours = next(key for key in opened[0].keys if key.suite == suite)
        assert not set(opened[0].keys) & set(opened[1].keys)
        theirs = next(key for key in fresh_keys() if key.suite == suite)
        plain, secure = phones(), SecurePhone(ours, theirs)
        secure.target, plain.target = ("127.0.0.1", opened[0].port), ("127.0.0.1", opened[1].port)
        running.send(
            ConnectLeg("a", "127.0.0.1", secure.port, 0, srtp=Srtp(suite, ours.key, theirs.key)),
            ConnectLeg("b", "127.0.0.1", plain.port, 0),
            Join("a", "x"),
            Join("b", "x"),
        )
        forger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end = time.monotonic() + TIMEOUT_S
        with secure.udp, forger:
            while time.monotonic() < end:
                time.sleep(0.02)
                secure.pump_sealed()
                plain.pump()
                # In the clear, and before the phone itself: it neither is heard nor moves the leg.
                forger.sendto(b"\x80\x00" + bytes(10) + bytes([0x55]) * 160, secure.target)
                if bytes([0x9A]) * 160 in plain.audio() and len(secure.clear) > 10:
                    break
        assert bytes([0x9A]) * 160 in plain.audio()
        assert len(secure.clear) > 10  # and every one of them decrypted
        assert not any(0x55 in heard for heard in plain.heard)


def test_a_key_that_does_not_fit_is_refused_and_nothing_is_sent_in_the_clear(phones: Callable[[], Phone]) -> None:
    with worker() as running:
        phone = phones()
        running.send(OpenLeg("a"))
        running.wait_for(LegOpened)
        running.send(ConnectLeg("a", "127.0.0.1", phone.port, 0, srtp=Srtp("AEAD_AES_128_GCM", "AAAA", "AAAA")))
        running.send(OpenLeg("b"), CloseLeg("a"))
        running.wait_for(LegOpened)
        assert running.wait_for(LegClosed).sent == 0


def test_what_becomes_of_the_ticks_is_told_every_five_seconds() -> None:
    with worker() as running:
        counted = running.wait_for(TicksCounted)
    assert 0 < counted.run <= 251
    assert 0 <= counted.late <= counted.run
    assert counted.skipped >= 0
