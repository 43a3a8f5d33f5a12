"""Vosk for real: a small Korean model, with a grammar, hears espeak-ng over a telephone line."""

import sys
from pathlib import Path

import numpy as np
import pytest

from recordings.transcribe.engine import (
    EngineFailed,
    ModelMissing,
    Partial,
    RecognisedWord,
    Recogniser,
    RecogniserSettings,
)
from recordings.transcribe.recogniser import RecogniserCache
from recordings.transcribe.vosk_engine import VoskOptions, VoskRecogniser, missing
from tests.recordings.transcribe.conftest import KOREAN, KOREAN_WORDS
from tests.recordings.transcribe.voices import RATE_HZ, Espeak, Samples, silence

pytestmark = pytest.mark.timeout(120)

SHORT_LIVED = VoskOptions(tuple(KOREAN_WORDS), seconds_per_recogniser=2.0)


@pytest.fixture(scope="session")
def recogniser(cache: RecogniserCache) -> Recogniser:
    return cache.get("ko", KOREAN)


@pytest.fixture(scope="session")
def spoken(korean_voice: Espeak) -> tuple[Samples, list[float]]:
    """Every word once, a second of silence before each; and when each begins."""
    pieces, starts = [], []
    for word in KOREAN_WORDS:
        pieces.append(silence(1.0))
        starts.append(sum(map(len, pieces)) / RATE_HZ)
        pieces.append(korean_voice.say(word))
    return np.concatenate([*pieces, silence(0.2)]), starts


def test_words_and_times(recogniser: Recogniser, spoken: tuple[Samples, list[float]]) -> None:
    pcm, starts = spoken
    words = recogniser.transcribe(pcm, RATE_HZ)
    assert [word.text for word in words] == KOREAN_WORDS
    for word, start in zip(words, starts, strict=True):
        assert start - 0.15 <= word.start < word.end <= start + 1.2
        assert 0.5 < word.confidence <= 1.0


def test_a_stream_gives_each_word_while_the_next_is_not_yet_spoken(
    recogniser: Recogniser, spoken: tuple[Samples, list[float]]
) -> None:
    pcm, starts = spoken
    stream = recogniser.stream(RATE_HZ)
    heard: list[tuple[float, str]] = []
    partials = 0
    for position in range(0, len(pcm), 160):
        for found in stream.accept(pcm[position : position + 160]):
            if isinstance(found, Partial):
                partials += 1
            else:
                heard.append(((position + 160) / RATE_HZ, found.text))
    assert [text for _, text in heard] + [word.text for word in stream.finish()] == KOREAN_WORDS
    assert partials
    assert all(at < following for (at, _), following in zip(heard, starts[1:], strict=False))


def test_times_go_on_when_a_recogniser_is_replaced(
    recogniser: Recogniser, spoken: tuple[Samples, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recogniser, "_options", SHORT_LIVED)
    pcm, starts = spoken
    words = recogniser.transcribe(pcm, RATE_HZ)
    assert [word.text for word in words[:3]] == KOREAN_WORDS[:3]  # a fresh one must learn the voice anew
    for word, start in zip(words, starts, strict=True):
        assert start - 0.15 <= word.start < word.end <= start + 1.2


def test_speech_without_a_pause_outlives_no_recogniser_for_ever(
    recogniser: Recogniser, korean_voice: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(recogniser, VoskRecogniser)
    made = 0
    make = recogniser.recognizer

    def counted(rate_hz: int) -> object:
        nonlocal made
        made += 1
        return make(rate_hz)

    monkeypatch.setattr(recogniser, "_options", SHORT_LIVED)
    monkeypatch.setattr(recogniser, "recognizer", counted)
    word = korean_voice.say("번호")
    loudest = word[np.abs(word) > 500]
    recogniser.transcribe(np.tile(loudest, 10 * RATE_HZ // len(loudest) + 1), RATE_HZ)
    assert made >= 3  # ten seconds of two at a time, four at most


def test_phrases_are_heard_as_they_are_spoken(
    recogniser: Recogniser, korean_voice: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(recogniser, VoskRecogniser)
    made: list[int] = []
    make = recogniser.recognizer

    def counted(rate_hz: int) -> object:
        made.append(rate_hz)
        return make(rate_hz)

    monkeypatch.setattr(recogniser, "recognizer", counted)
    phrases = recogniser.phrases(RATE_HZ)
    assert (phrases.heard(), phrases.finish(), made) == ("", "", [])  # who says nothing costs nothing
    heard = []
    for word in KOREAN_WORDS:
        pcm = np.concatenate([silence(0.8), korean_voice.say(word), silence(0.6)])
        texts = set()
        for position in range(0, len(pcm), 1600):
            phrases.accept(pcm[position : position + 1600])
            texts.add(phrases.heard())
        heard.append(phrases.finish())
        assert texts >= {"", heard[-1]}
    assert heard == KOREAN_WORDS
    assert len(made) == 1
    phrases.accept(korean_voice.say("예약"))
    phrases.drop()
    phrases.accept(np.concatenate([silence(0.8), korean_voice.say("번호"), silence(0.6)]))
    assert phrases.finish() == "번호"


def test_no_recogniser_of_phrases_grows_old(
    recogniser: Recogniser, korean_voice: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(recogniser, VoskRecogniser)
    made = 0
    make = recogniser.recognizer

    def counted(rate_hz: int) -> object:
        nonlocal made
        made += 1
        return make(rate_hz)

    monkeypatch.setattr(recogniser, "_options", SHORT_LIVED)
    monkeypatch.setattr(recogniser, "recognizer", counted)
    phrases = recogniser.phrases(RATE_HZ)
    for _ in range(4):
        phrases.accept(np.concatenate([silence(0.8), korean_voice.say("비밀번호"), silence(0.6)]))
        assert phrases.finish() in KOREAN_WORDS  # each other one is new to the voice
    assert made >= 3
    phrases.accept(silence(10.0))
    assert phrases.finish() == ""


def test_silence_gives_no_words(recogniser: Recogniser) -> None:
    assert recogniser.transcribe(silence(3.0), RATE_HZ) == []
    assert recogniser.transcribe(silence(0.0), RATE_HZ) == []


def test_a_grammar_of_unknown_words_is_refused_by_name() -> None:
    settings = RecogniserSettings("vosk", KOREAN.model, {"grammar": ["예약", "hotline"]})
    with pytest.raises(EngineFailed, match="hotline"):
        VoskRecogniser(settings)


def test_wrong_options_are_named() -> None:
    with pytest.raises(EngineFailed, match=r"beam.*Known: grammar"):
        VoskRecogniser(RecogniserSettings("vosk", KOREAN.model, {"beam": 5}))


def test_what_is_missing_is_said_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(KOREAN) == ""
    assert "no folder" in missing(RecogniserSettings("vosk", str(tmp_path / "none")))
    assert "not a Vosk model" in missing(RecogniserSettings("vosk", str(tmp_path)))
    with pytest.raises(ModelMissing, match="not a Vosk model"):
        VoskRecogniser(RecogniserSettings("vosk", str(tmp_path)))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install vosk" in missing(KOREAN)


def test_a_damaged_model_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "final.mdl").write_bytes(b"not a model")
    with pytest.raises(EngineFailed, match="cannot load"):
        VoskRecogniser(RecogniserSettings("vosk", str(tmp_path)))


def test_words_are_plain_values(recogniser: Recogniser, spoken: tuple[Samples, list[float]]) -> None:
    word = recogniser.transcribe(spoken[0], RATE_HZ)[0]
    assert isinstance(word, RecognisedWord)
    assert type(word.start) is float
    assert recogniser.engine == "vosk model"
    assert "vosk" in sys.modules
