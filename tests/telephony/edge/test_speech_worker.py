"""The speech worker as a real process at the end of a socket."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ivr_flows.prompts import VoiceSettings, prompt_path
from recordings.spool import SpoolWriter
from telephony.edge.live_audio import LiveAudio
from telephony.edge.speech_worker import NICENESS, Role, SpeechSettings
from telephony.edge.wire import Decoder, FromSpeech, ToSpeech, encode
from telephony.events import (
    FileTranscribed,
    FollowRecording,
    HearStream,
    PhraseRecognised,
    Prompt,
    PromptRendered,
    RenderPrompt,
    StopFollowing,
    StopHearing,
    StreamHeard,
    TranscribeFile,
    WorkerStarted,
)
from tests.recordings.transcribe.conftest import KOREAN, KOREAN_WORDS, korean
from tests.recordings.transcribe.voices import silence

TIMEOUT_S = 60.0


class Worker:
    """A worker process and our end of its socket."""

    def __init__(self, process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
        self.process, self.connection = process, connection
        self._decoder: Decoder[FromSpeech] = Decoder(FromSpeech)
        self._messages: list[FromSpeech] = []

    def next(self) -> FromSpeech:
        while not self._messages:
            octets = self.connection.recv(65536)
            assert octets, "the worker closed its socket"
            self._messages += self._decoder.feed(octets)
        return self._messages.pop(0)

    def ask(self, request: ToSpeech) -> FromSpeech:
        self.connection.sendall(encode(request))
        return self.next()


@contextlib.contextmanager
def worker(role: Role, settings: SpeechSettings | None = None, *more: str) -> Iterator[Worker]:
    """Start a worker, take its greeting, and see it leave when the socket closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.settimeout(TIMEOUT_S)
    given = msgspec.json.encode(settings or SpeechSettings()).decode()
    command = [sys.executable, "-m", "telephony.edge.speech_worker", "--role", role, "--settings", given, *more]
    with theirs:
        process = subprocess.Popen([*command, "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
    try:
        with ours:
            started = Worker(process, ours)
            assert started.next() == WorkerStarted(role, process.pid)
            yield started
        assert process.wait(TIMEOUT_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_renders_prompts(tmp_path: Path) -> None:
    settings = SpeechSettings(voices={"vi": VoiceSettings("espeak", voice="vi")})
    with worker("render", settings) as speech:
        for prompt in (
            Prompt("text", "Xin chào quý khách.", "vi"),
            Prompt("text", "Hello.", "en"),
            Prompt("music", "waiting"),
        ):
            assert prompt.kind != "tone"
            path = prompt_path(tmp_path, prompt, settings.voices)
            request = RenderPrompt(str(path), prompt.kind, prompt.value, prompt.language, str(path))
            assert speech.ask(request) == PromptRendered(str(path))
            samples = np.fromfile(path, np.int16)
            assert 0.3 < len(samples) / 8000 < 60
            assert np.abs(samples.astype(np.int32)).max() > 3000
        made = path.stat()
        assert speech.ask(request) == PromptRendered(str(path))
        assert path.stat() == made


def test_a_failing_request_is_answered_and_kills_nothing(tmp_path: Path) -> None:
    with worker("render") as speech:
        path = str(tmp_path / "x.s16")
        no_voice = speech.ask(RenderPrompt("1", "text", "hello", "xx", path))
        assert isinstance(no_voice, PromptRendered)
        assert (no_voice.key, "no voice 'xx'" in no_voice.cause) == ("1", True)
        no_file = speech.ask(RenderPrompt("2", "file", str(tmp_path / "no.wav"), "", path))
        assert isinstance(no_file, PromptRendered)
        assert "No such file" in no_file.cause
        wrong = speech.ask(TranscribeFile("r", "x.wav", "en"))
        assert isinstance(wrong, FileTranscribed)
        assert (wrong.outcome, wrong.cause) == ("failed", "this worker's role is render")
        assert speech.ask(RenderPrompt("3", "text", "hello", "en", path)) == PromptRendered("3")


def test_requests_are_answered_in_order(tmp_path: Path) -> None:
    with worker("render") as speech:
        frames = b"".join(
            encode(RenderPrompt(str(number), "text", f"number {number}", "en", str(tmp_path / f"{number}.s16")))
            for number in range(5)
        )
        for begin in range(0, len(frames), 7):
            speech.connection.sendall(frames[begin : begin + 7])
        assert [speech.next() for _ in range(5)] == [PromptRendered(str(number)) for number in range(5)]


def test_transcribes_or_says_why_not(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4 * 8000))
    with worker("transcribe") as speech:
        answer = speech.ask(TranscribeFile("r", str(path), "vi"))
        assert isinstance(answer, FileTranscribed)
        assert (answer.recording, answer.outcome, answer.words) == ("r", "awaiting_model", ())
        assert "vi" in answer.cause
        assert speech.ask(RenderPrompt("k", "text", "x", "en", str(path))) == PromptRendered(
            "k", "this worker's role is transcribe"
        )


def test_the_live_recogniser_tells_what_is_heard_and_refuses_what_is_not_its_own(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "r1.spool", "r1", 0)
    with worker("live", SpeechSettings(recognisers={"ko": KOREAN})) as speech:
        speech.connection.sendall(encode(FollowRecording("r0", str(tmp_path / "r0.spool"), "vi")))  # no such model
        speech.connection.sendall(encode(FollowRecording("r1", str(tmp_path / "r1.spool"), "ko")))
        assert speech.ask(TranscribeFile("r", "x.wav", "ko")) == FileTranscribed(
            "r", "failed", language="ko", cause="this worker's role is live"
        )
        voice = korean()
        # One word after another: of what was recorded before it looked, it hears the last seconds alone.
        heard: list[PhraseRecognised] = []
        tick = 0
        for word in KOREAN_WORDS:
            pcm = np.concatenate([silence(0.5), voice.say(word), silence(1)])
            for row in pcm[: len(pcm) // 160 * 160].reshape(-1, 160):
                writer.write(tick, np.stack([np.zeros(160, np.int16), row], axis=1))
                tick += 1
            if word == KOREAN_WORDS[-1]:
                writer.close()
                speech.connection.sendall(encode(StopFollowing("r1")))
            event = speech.next()
            while isinstance(event, PhraseRecognised) and not event.final:
                event = speech.next()
            assert isinstance(event, PhraseRecognised)
            heard.append(event)
        assert [event.text for event in heard][1:] == KOREAN_WORDS[1:]  # the first is new to the voice
        assert [(event.phrase, event.channel) for event in heard] == [(number, 1) for number in range(len(heard))]
        assert speech.ask(RenderPrompt("k", "text", "x", "en", "")) == PromptRendered("k", "this worker's role is live")


def test_the_hearing_worker_hears_answers_from_live_audio(tmp_path: Path) -> None:
    path = tmp_path / "hear"
    path.write_bytes(b"")  # of one that was killed
    settings = SpeechSettings(recognisers={"ko": msgspec.structs.replace(KOREAN, options={})}, heard=("ko", "vi"))
    with worker("hear", settings, "--audio", str(path)) as speech:
        speech.connection.sendall(encode(HearStream("s1", "vi", ())))  # no such model
        speech.connection.sendall(encode(HearStream("s2", "ko", ("예약", "번호"))))
        assert speech.ask(RenderPrompt("k", "text", "x", "en", "")) == PromptRendered("k", "this worker's role is hear")
        audio = LiveAudio()
        for stream in ("s1", "s2"):
            audio.begin(stream, str(path))
        pcm = np.concatenate([silence(0.5), korean().say("번호"), silence(1)])
        for tick, row in enumerate(pcm[: len(pcm) // 160 * 160].reshape(-1, 160)):
            both = np.stack([row, np.zeros(160, np.int16)], axis=1)
            assert audio.put(tick, [("s2", both)] if tick else [("s1", both), ("s2", both)]) == []
        began, heard = speech.next(), speech.next()
        assert isinstance(began, StreamHeard)
        assert isinstance(heard, StreamHeard)
        assert (began.stream, began.outcome) == ("s2", "began")
        assert (heard.stream, heard.outcome, heard.text) == ("s2", "words", "번호")
        audio.close()
        speech.connection.sendall(encode(StopHearing("s2")))
        assert speech.ask(TranscribeFile("r", "x.wav", "ko")) == FileTranscribed(
            "r", "failed", language="ko", cause="this worker's role is hear"
        )


def test_audio_belongs_to_the_hearing_worker_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "telephony.edge.speech_worker", "--fd", "0"]
    for given in (["--role", "hear"], ["--role", "live", "--audio", str(tmp_path / "hear")]):
        ran = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
        assert (ran.returncode, "--audio PATH belongs to --role hear" in ran.stderr) == (2, True)


def test_a_live_request_to_another_role_is_passed_over() -> None:
    with worker("render") as speech:
        speech.connection.sendall(encode(FollowRecording("r1", "r1.spool", "en")))
        speech.connection.sendall(encode(StopFollowing("r1")))
        assert isinstance(speech.ask(TranscribeFile("r", "x.wav", "vi")), FileTranscribed)


@pytest.mark.parametrize("role", ["render", "transcribe", "live"])
def test_is_nicer_than_the_media_worker_and_deaf_to_ctrl_c(role: Role, tmp_path: Path) -> None:
    with worker(role) as speech:
        assert os.getpriority(os.PRIO_PROCESS, speech.process.pid) == min(os.nice(0) + NICENESS[role], 19)
        speech.process.send_signal(signal.SIGINT)
        answer = speech.ask(RenderPrompt("1", "text", "hello", "en", str(tmp_path / "x.s16")))
        assert isinstance(answer, PromptRendered)


def test_wrong_settings_are_wrong_usage() -> None:
    command = [sys.executable, "-m", "telephony.edge.speech_worker", "--role", "render", "--fd", "0"]
    for settings in ('{"voices": {"vi": {"engine": "abacus"}}}', "{"):
        ran = subprocess.run([*command, "--settings", settings], capture_output=True, text=True, check=False)
        assert ran.returncode == 2
        assert "--settings" in ran.stderr
