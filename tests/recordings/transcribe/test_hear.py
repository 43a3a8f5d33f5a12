"""Answers heard by the real recogniser, row by row as they come; and engines that hear what they are told to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from recordings.transcribe.engine import EngineFailed, Heard, RecogniserSettings, UtteranceStream
from recordings.transcribe.hear import LONGEST_GAP, MOST_WAITING, Hearer
from recordings.transcribe.recogniser import LOADERS, RecogniserCache
from telephony.events import HearStream, StreamHeard
from tests.recordings.transcribe.conftest import ENGLISH, KOREAN
from tests.recordings.transcribe.voices import Espeak, Piper, Samples, silence

FREE = msgspec.structs.replace(KOREAN, options={})
PHRASES = ("예약", "확인", "번호", "보험")


def rows(*parts: Samples) -> Samples:
    pcm = np.concatenate(parts)
    return pcm[: len(pcm) // 160 * 160].reshape(-1, 160)


def hear(hearer: Hearer, audio: Iterable[Samples], stream: str = "s", first_tick: int = 0) -> list[StreamHeard]:
    """Take rows as they come, with all the work there is after each."""
    told: list[StreamHeard] = []
    for tick, row in enumerate(audio, first_tick):
        hearer.take(stream, tick, row)
        told += work(hearer)
    return told


def work(hearer: Hearer) -> list[StreamHeard]:
    told, more = hearer.turn()
    while more:
        further, more = hearer.turn()
        told += further
    return told


def cough(seed: int) -> Samples:
    noise = np.convolve(np.random.default_rng(seed).standard_normal(2800), np.ones(6) / 6, "same")
    return np.clip(noise * np.exp(-np.arange(2800) / 640) * 20000, -32000, 32000).astype(np.int16)


def test_words_of_the_menu_are_heard_at_once(korean_voice: Espeak, cache: RecogniserCache) -> None:
    hearer = Hearer({"ko": FREE}, cache)
    hearer.hear(HearStream("s", "ko", PHRASES))
    for word in PHRASES:
        said = korean_voice.say(word)
        began, heard = hear(hearer, rows(silence(0.5), said, silence(1.5)), first_tick=10_000)
        hearer.stop("s")
        hearer.hear(HearStream("s", "ko", PHRASES))
        assert (began.outcome, heard.outcome, heard.text) == ("began", "words", word)
        assert heard.confidence >= 0.6
        assert began.start == heard.start
        assert 10_020 <= heard.start <= 10_030
        assert abs(heard.end - 10_025 - len(said) / 160) <= 5


def test_the_first_syllable_is_there_when_somebody_speaks_at_once(korean_voice: Espeak, cache: RecogniserCache) -> None:
    hearer = Hearer({"ko": FREE}, cache)
    hearer.hear(HearStream("s", "ko-KR", PHRASES))
    assert hear(hearer, rows(korean_voice.say("예약"), silence(1)))[-1].text == "예약"


@pytest.mark.parametrize("seed", range(4))
def test_a_cough_is_no_word(seed: int, cache: RecogniserCache) -> None:
    hearer = Hearer({"ko": FREE}, cache)
    hearer.hear(HearStream("s", "ko", PHRASES))
    told = hear(hearer, rows(silence(0.5), cough(seed), silence(1.5)))
    assert all(each.confidence < 0.6 for each in told)
    assert told[-1].outcome in ("nothing", "words")


def test_words_that_the_model_does_not_know_are_left_out(
    korean_voice: Espeak, cache: RecogniserCache, caplog: pytest.LogCaptureFixture
) -> None:
    hearer = Hearer({"ko": FREE}, cache)
    hearer.hear(HearStream("s", "ko", ("예약", "qqq")))
    assert "qqq" in caplog.text
    assert hear(hearer, rows(korean_voice.say("예약"), silence(1)))[-1].text == "예약"
    assert "예약" not in caplog.text


def test_whisper_hears_answers(piper: Piper, cache: RecogniserCache) -> None:
    hearer = Hearer({"en": ENGLISH}, cache)
    hearer.hear(HearStream("s", "en"))
    sentence = "I would like to talk to an agent."
    heard = hear(hearer, rows(silence(0.3), piper.say(sentence), silence(1)))[-1]
    assert (heard.text, heard.outcome) == (sentence, "words")
    assert heard.confidence > 0.8
    rumble = (np.random.default_rng(1).standard_normal(8000) * 3000).astype(np.int16)
    assert hear(hearer, rows(silence(0.5), rumble, silence(1)), first_tick=500)[-1].outcome == "nothing"


@dataclass
class Told:
    """An engine that hears what it was told to, or breaks."""

    heard: Heard | None = None
    error: bool = False
    samples: int = 0
    loaded: list[str] = field(default_factory=list)
    engine: str = "told"

    def utterances(self, _rate: int, _phrases: tuple[str, ...]) -> UtteranceStream:
        return self

    def accept(self, pcm: Samples) -> None:
        if self.error:
            raise EngineFailed("broken")
        self.samples += len(pcm)

    def finish(self) -> Heard | None:
        return self.heard

    def drop(self) -> None:
        self.samples = 0


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told(Heard("word", 0.7654321))
    monkeypatch.setitem(LOADERS, "vosk", lambda *_: told)
    return told


def hearer_of(most: int = 32) -> Hearer:
    return Hearer({"xx": RecogniserSettings("vosk", "model")}, RecogniserCache(), most)


LOUD = np.tile(np.array([3000, -3000], np.int16), 80)
QUIET = np.zeros(160, np.int16)


def test_an_answer_is_over_after_a_pause(engine: Told) -> None:
    hearer = hearer_of()
    hearer.hear(HearStream("s", "xx"))
    hearer.hear(HearStream("s", "xx"))
    told = hear(hearer, [QUIET] * 10 + [LOUD] * 20 + [QUIET] * 40)
    assert told == [StreamHeard("s", "began", 10), StreamHeard("s", "words", 10, 30, "word", 0.765)]
    engine.heard = None
    assert hear(hearer, [LOUD] * 20 + [QUIET] * 40, first_tick=70)[-1] == StreamHeard("s", "nothing")
    assert hear(hearer, [LOUD] * 4 + [QUIET] * 40, first_tick=200) == []  # a click
    hearer.stop("s")
    hearer.stop("s")
    assert (len(hearer), hear(hearer, [LOUD] * 20)) == (0, [])


def test_missing_rows_are_silence_and_a_long_gap_ends_what_was_said(engine: Told) -> None:
    hearer = hearer_of()
    hearer.hear(HearStream("s", "xx"))
    hear(hearer, [LOUD] * 20)
    assert hear(hearer, [LOUD] * 20 + [QUIET] * 40, first_tick=25)[-1].end == 45
    assert engine.samples == 0
    hear(hearer, [LOUD] * 20, first_tick=100)
    told = hear(hearer, [QUIET], first_tick=120 + LONGEST_GAP + 1)
    assert (told[-1].outcome, told[-1].end) == ("words", 120)
    assert hear(hearer, [LOUD], first_tick=3) == []  # late


def test_what_lags_behind_is_given_up(engine: Told) -> None:
    hearer = hearer_of()
    hearer.hear(HearStream("s", "xx"))
    hear(hearer, [LOUD] * 10)
    for tick in range(MOST_WAITING // 160 + 2):
        hearer.take("s", 10 + tick, LOUD)
    assert work(hearer) == [StreamHeard("s", "nothing")]
    assert engine.samples == 0


def test_an_engine_that_breaks_ends_the_hearing_of_one(engine: Told, caplog: pytest.LogCaptureFixture) -> None:
    hearer = hearer_of(most=1)
    hearer.hear(HearStream("s", "xx"))
    hearer.hear(HearStream("t", "xx"))
    assert "speech_input_full" in caplog.text
    hear(hearer, [LOUD] * 10)
    engine.error = True
    assert hear(hearer, [LOUD], first_tick=10) == [StreamHeard("s", "nothing")]
    assert len(hearer) == 0
    for _ in range(2):
        hearer.hear(HearStream("u", "yy"))
    hearer.load("yy")
    assert caplog.text.count("no_speech_input") == 1
