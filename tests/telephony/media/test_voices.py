"""Barge-in by voice and the telling of it, in a plane."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from telephony.events import (
    CloseLeg,
    DigitPressed,
    Join,
    LegQuality,
    ListenForVoice,
    MediaEvent,
    PlaySamples,
    PromptFinished,
    StopPlaying,
    VoiceEnded,
    VoiceStarted,
)
from telephony.media.g711 import Samples
from telephony.media.tones import dtmf
from telephony.media.voice_activity import Floats
from telephony.media.voices import ListeningSettings
from telephony.rtp.packet import Integers
from tests.telephony.media.room import FIRST_TICK, Room, noise
from tests.telephony.media.speech import at_level, beginning, over_a_line, prompts, sentences
from tests.telephony.media.speech import noise as line_noise

DELAY = 2
"""Ticks in the jitter ring."""


def caller_says(before_s: float, sentence: int = 0, dbfs: float = -22.0) -> tuple[Samples, int]:
    """A quiet line, a sentence, and a second of silence: what is said, and the tick in which the voice begins."""
    voice = at_level(sentences()[sentence], dbfs)
    pause = round(before_s * 8000)
    sound = np.concatenate((np.zeros(pause), voice, np.zeros(8000)))
    sound += line_noise(len(sound) / 8000, -60.0)[: len(sound)]
    return over_a_line(sound).reshape(-1), (pause + beginning(voice)) // 160


def happened(room: Room) -> list[MediaEvent]:
    """What happened, without the figures of each leg."""
    return [event for event in room.events if not isinstance(event, LegQuality)]


def play(room: Room, *, by_voice: bool = True, by_key: bool = True, loop: bool = True) -> None:
    room.do(PlaySamples("a", "p", (), by_key, loop, barge_in_by_voice=by_voice), [prompts()[0]])


def test_a_voice_ends_a_prompt() -> None:
    room = Room()
    phone = room.add("a", payload_type=8)
    play(room)
    sound, begins = caller_says(1.5)
    room.talk({"a": sound})
    (over,) = happened(room)
    assert isinstance(over, PromptFinished)
    assert over.ending == "barged_in"
    delay = over.tick - (FIRST_TICK + begins)
    assert 6 <= delay <= 10 + DELAY
    after = [np.abs(tick).max() for tick in phone.heard[over.tick - FIRST_TICK :]]
    assert max(after) <= 8


@pytest.mark.parametrize("by_voice", [True, False])
def test_only_where_it_may(by_voice: bool) -> None:
    room = Room()
    room.add("a", payload_type=8)
    play(room, by_voice=by_voice, by_key=False)
    assert room.plane._legs.watched.any() == by_voice
    room.talk({"a": caller_says(1.5)[0]})
    assert [type(event) for event in happened(room)] == ([PromptFinished] if by_voice else [])
    assert not room.plane._legs.watched.any()


def test_how_much_voice_it_takes_is_a_setting() -> None:
    ticks = {}
    for shortest in (120, 400):
        room = Room(listening=ListeningSettings(shortest_ms=shortest))
        room.add("a", payload_type=8)
        play(room)
        room.talk({"a": caller_says(1.5)[0]})
        ticks[shortest] = next(event.tick for event in happened(room) if isinstance(event, PromptFinished))
    assert 14 <= ticks[400] - ticks[120] <= 22


def test_whoever_talked_already_when_the_prompt_began_has_to_go_on() -> None:
    room = Room()
    room.add("a", payload_type=8)
    room.do(ListenForVoice("a"))
    sound, begins = caller_says(0.5, dbfs=-12.0)
    said = begins + 15
    room.talk({"a": sound[: said * 160]})
    assert [type(event) for event in happened(room)] == [VoiceStarted]
    play(room)
    room.talk({"a": sound[said * 160 :]})
    over = next(event for event in happened(room) if isinstance(event, PromptFinished))
    assert over.tick - FIRST_TICK >= said + 5
    assert sum(isinstance(event, VoiceStarted) for event in happened(room)) == 1


def test_a_voice_is_told_of_when_somebody_asked() -> None:
    room = Room()
    room.add("a", payload_type=8)
    room.add("b", payload_type=8)
    room.do(ListenForVoice("a"))
    room.do(ListenForVoice("a"))
    sound, begins = caller_says(1.5)
    room.talk({"a": sound, "b": sound})
    began, ended = happened(room)
    assert isinstance(began, VoiceStarted)
    assert isinstance(ended, VoiceEnded)
    assert (began.leg, ended.leg) == ("a", "a")
    assert 6 <= began.tick - FIRST_TICK - begins <= 10 + DELAY
    assert ended.tick > began.tick + 50
    room.do(ListenForVoice("a", on=False))
    room.talk({"a": sound, "b": sound})
    assert len(happened(room)) == 2
    assert not room.plane._legs.watched.any()


def test_a_key_comes_before_its_tone_is_taken_for_anything() -> None:
    room = Room()
    room.add("a", payload_type=8, telephone_event=-1)
    play(room)
    room.talk({"a": np.concatenate((np.zeros(8000, np.int16), dtmf("5", 400, 100)))})
    assert [type(event) for event in happened(room)] == [DigitPressed, PromptFinished]
    room = Room()
    room.add("a", payload_type=8)
    play(room, by_key=False)
    room.talk({"a": np.concatenate((np.zeros(8000, np.int16), dtmf("123456789", 400, 100)))})
    assert not [event for event in happened(room) if isinstance(event, PromptFinished)]


def test_nobody_is_watched_any_more_when_the_reason_is_gone() -> None:
    room = Room()
    for leg in "ab":
        room.add(leg)
    play(room)
    room.do(ListenForVoice("b"))
    room.idle(1)
    assert room.plane._legs.watched.sum() == 2
    room.do(StopPlaying("a", "p"))
    room.idle(1)
    assert room.plane._legs.watched.sum() == 1
    play(room)
    room.do(PlaySamples("a", "q", ()), [noise(50, 1)])
    room.idle(1)
    assert room.plane._legs.watched.sum() == 1
    play(room)
    room.do(CloseLeg("a"))
    room.do(CloseLeg("b"))
    assert not room.plane._legs.watched.any()
    del room.phones["a"], room.phones["b"]
    room.add("c")
    room.idle(2)
    assert not room.plane._legs.watched.any()


def test_what_is_passed_on_undecoded_is_decoded_for_whoever_listens() -> None:
    room = Room()
    for leg in "ab":
        room.add(leg)
        room.do(Join(leg, "talk"))
    table = room.plane._legs
    table.coder_type[:] = 97  # as if they spoke a codec of their own
    room.plane._passing.begin()
    assert not table.heeded[table.open_rows].any()
    room.do(ListenForVoice("a"))
    room.plane._passing.begin()
    assert table.heeded[table.open_rows].all()


@dataclass
class Trained:
    """A detector that finds what the test says, two ticks late."""

    finds: list[float] = field(default_factory=list)
    heard: int = 0
    begun: list[int] = field(default_factory=list)
    rows: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    def begin(self, row: int) -> None:
        self.begun.append(row)

    def hear(self, rows: Integers, heard: Samples) -> None:
        self.heard += len(heard) > 0
        self.rows = rows

    def verdicts(self) -> list[tuple[Integers, Floats]]:
        if not len(self.rows):
            return []
        likely = self.finds.pop(0) if self.finds else 0.0
        return [(self.rows, np.full(len(self.rows), likely, np.float32))]


def hiss(seconds: float) -> Samples:
    return over_a_line(line_noise(seconds, -25.0)).reshape(-1)


def test_a_trained_detector_has_the_word_where_it_is_asked() -> None:
    trained = Trained([0.9] * 200)
    room = Room(trained=trained)
    room.add("a", payload_type=8)
    room.add("b", payload_type=8)
    for leg, detector in (("a", "trained"), ("b", None)):
        room.do(ListenForVoice(leg, True, "trained" if detector else None))
    room.talk({"a": hiss(1.0), "b": hiss(1.0)})
    (began,) = happened(room)
    assert isinstance(began, VoiceStarted)
    assert began.leg == "a"
    assert trained.heard == 50
    assert trained.rows.tolist() == [room.phones["a"].row] == trained.begun


def test_it_hears_no_voice_in_a_voice_either() -> None:
    trained = Trained()
    room = Room(trained=trained, listening=ListeningSettings(detector="trained"))
    room.add("a", payload_type=8)
    play(room)
    room.talk({"a": caller_says(0.5)[0]})
    assert not happened(room)
    assert trained.heard > 50


def test_a_trained_detector_takes_echo_for_a_voice_and_is_not_believed() -> None:
    trained = Trained([1.0] * 1000)
    room = Room(trained=trained)
    room.add("a", payload_type=8)
    room.do(PlaySamples("a", "p", (), loop=True, barge_in_by_voice=True, detector="trained"), [prompts()[0]])
    echo = at_level(prompts()[0], -18.0 - 12.0)
    room.talk({"a": over_a_line(np.concatenate((np.zeros(1600), echo))).reshape(-1)})
    assert not happened(room)


def test_one_that_has_no_time_leaves_the_word_to_the_plain_detector() -> None:
    class Busy(Trained):
        def verdicts(self) -> list[tuple[Integers, Floats]]:
            return []

    busy = Busy()
    room = Room(trained=busy, listening=ListeningSettings(detector="trained"))
    room.add("a", payload_type=8)
    play(room)
    room.talk({"a": caller_says(1.5)[0]})
    assert [type(event) for event in happened(room)] == [PromptFinished]
    assert busy.heard > 50


def test_without_one_the_plain_detector_is_used() -> None:
    room = Room(listening=ListeningSettings(detector="trained"))
    room.add("a", payload_type=8)
    room.do(PlaySamples("a", "p", (), loop=True, barge_in_by_voice=True, detector="trained"), [prompts()[0]])
    room.talk({"a": caller_says(1.5)[0]})
    (over,) = happened(room)
    assert isinstance(over, PromptFinished)
    assert over.ending == "barged_in"
