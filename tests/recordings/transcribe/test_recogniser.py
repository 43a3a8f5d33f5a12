"""Which engine for which language, and a stereo file heard channel by channel."""

import itertools
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.transcribe.engine import UtteranceStream
from recordings.transcribe.error_rate import word_error_rate
from recordings.transcribe.recogniser import (
    LOADERS,
    EngineFailed,
    ModelMissing,
    PhraseStream,
    RecognisedWord,
    Recogniser,
    RecogniserCache,
    RecogniserSettings,
    RecogniserStream,
    missing,
    one_at_a_time,
    read_channels,
    settings_for,
    transcribe_file,
)
from telephony.events import FileTranscribed
from tests.recordings.transcribe.conftest import ENGLISH, KOREAN
from tests.recordings.transcribe.voices import RATE_HZ, Piper, Samples, silence

CALLER = "Good morning, I am calling about my order from last week."
AGENT = "Of course, let me look at it for you."


class Deaf:
    """A recogniser that hears what it was told to, or breaks."""

    engine = "deaf"

    def __init__(self, words: list[RecognisedWord] | None = None, error: Exception | None = None) -> None:
        self.words, self.error = words or [], error

    def stream(self, sample_rate_hz: int) -> RecogniserStream:
        raise NotImplementedError

    def phrases(self, sample_rate_hz: int) -> PhraseStream:
        raise NotImplementedError

    def utterances(self, sample_rate_hz: int, phrases: tuple[str, ...]) -> UtteranceStream:
        raise NotImplementedError

    def transcribe(self, pcm: Samples, sample_rate_hz: int) -> list[RecognisedWord]:  # noqa: ARG002 - the protocol's
        if self.error:
            raise self.error
        return self.words


def write(path: Path, *channels: Samples) -> Path:
    rows = np.stack([np.pad(channel, (0, max(map(len, channels)) - len(channel))) for channel in channels], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(rows.astype("<i2").tobytes())
    return path


def told(monkeypatch: pytest.MonkeyPatch, recogniser: Recogniser) -> None:
    monkeypatch.setitem(LOADERS, "vosk", lambda *_: recogniser)


def transcribed(path: Path, language: str = "ko") -> FileTranscribed:
    return transcribe_file(path, language, {"ko": KOREAN}, RecogniserCache(), recording="r1")


@pytest.mark.timeout(120)
def test_each_channel_is_heard_on_its_own(tmp_path: Path, piper: Piper, cache: RecogniserCache) -> None:
    caller = np.concatenate([silence(0.5), piper.say(CALLER), silence(4.0)])
    agent = np.concatenate([silence(len(caller) / RATE_HZ - 3.5), piper.say(AGENT), silence(0.5)])
    path = write(tmp_path / "r1.wav", caller, agent)
    heard = transcribe_file(path, "en-US", {"en": ENGLISH}, cache, recording="r1")
    assert (heard.recording, heard.outcome, heard.cause) == ("r1", "done", "")
    assert (heard.engine, heard.language) == ("whisper model", "en-US")
    for channel, spoken in enumerate([CALLER, AGENT]):
        text = " ".join(word.text for word in heard.words if word.channel == channel)
        assert word_error_rate(spoken, text) <= 0.15
    assert [word.start for word in heard.words] == sorted(word.start for word in heard.words)
    assert {word.channel for word in heard.words if word.start < 3} == {0}


def test_a_silent_call_is_done_and_says_that_nobody_spoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, Deaf())
    noise = np.random.default_rng(1).normal(0, 2000, RATE_HZ).astype(np.int16)
    heard = transcribed(write(tmp_path / "r1.wav", silence(1.0), noise))
    assert (heard.outcome, heard.words) == ("done", ())
    assert heard.cause.startswith("deaf ran over the whole recording and heard no words")
    assert "(the caller: silence, everyone else: sound without words)" in heard.cause


def test_words_of_both_channels_are_merged_in_time_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, Deaf([RecognisedWord("a", 0.1, 0.2, 1.0), RecognisedWord("b", 0.5, 0.6, 0.9)]))
    heard = transcribed(write(tmp_path / "r1.wav", silence(1.0), silence(1.0)))
    assert [(word.text, word.channel) for word in heard.words] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert heard.cause == ""


INSTANTS = st.floats(-1.0, 12.0)


@given(st.lists(st.builds(RecognisedWord, st.text(max_size=3), INSTANTS, INSTANTS, st.floats(0, 1)), max_size=20))
def test_at_any_instant_one_word_at_most_is_spoken(heard: list[RecognisedWord]) -> None:
    words = one_at_a_time(heard, 10.0)
    assert sorted(word.text for word in words) == sorted(word.text for word in heard)
    for word in words:
        assert 0.0 <= word.start <= word.end <= 10.0
    for word, following in itertools.pairwise(words):
        assert word.end <= following.start


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 99)), max_size=20))
def test_times_that_are_in_order_stay_as_they_are(steps: list[tuple[int, int]]) -> None:
    words, end = [], 0
    for gap, length in steps:
        words.append(RecognisedWord("w", (end + gap) / 1000, (end + gap + length) / 1000, 1.0))
        end += gap + length
    assert one_at_a_time(words, (end + 1) / 1000) == words


def test_no_settings_or_no_folder_awaits_a_model(tmp_path: Path) -> None:
    path = write(tmp_path / "r1.wav", silence(1.0), silence(1.0))
    nothing_set = transcribed(path, "vi")
    assert (nothing_set.outcome, nothing_set.engine, nothing_set.words) == ("awaiting_model", "", ())
    assert "set speech.recognisers.vi to its engine and folder" in nothing_set.cause
    assert "speech.recognisers.vi" in nothing_set.cause
    absent = RecogniserSettings("vosk", str(tmp_path / "vi"))
    no_folder = transcribe_file(path, "vi", {"vi": absent}, RecogniserCache(), recording="r1")
    assert no_folder.outcome == "awaiting_model"
    assert str(tmp_path / "vi") in no_folder.cause
    assert transcribed(path, "").outcome == "awaiting_model"


@pytest.mark.parametrize("error", [EngineFailed("out of memory"), ZeroDivisionError("unforeseen")])
def test_an_engine_that_breaks_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    told(monkeypatch, Deaf(error=error))
    heard = transcribed(write(tmp_path / "r1.wav", silence(1.0)))
    assert (heard.outcome, heard.words) == ("failed", ())
    assert str(error) in heard.cause


def test_a_file_that_holds_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, Deaf())
    (tmp_path / "garbage.wav").write_bytes(b"RIFF and then nothing")
    assert "cannot be read" in transcribed(tmp_path / "garbage.wav").cause
    assert "cannot be read" in transcribed(tmp_path / "absent.wav").cause
    empty = transcribed(write(tmp_path / "empty.wav", silence(0.0)))
    assert (empty.outcome, empty.cause) == ("failed", "The recording empty.wav holds no audio.")
    with wave.open(str(tmp_path / "narrow.wav"), "wb") as file:
        file.setparams((1, 1, RATE_HZ, 0, "NONE", ""))
        file.writeframes(b"\x80" * 100)
    with pytest.raises(EngineFailed, match="8 bit"):
        read_channels(tmp_path / "narrow.wav")


def test_a_language_tag_falls_back_to_its_base() -> None:
    assert settings_for({"en": ENGLISH}, "en-US") is ENGLISH
    assert settings_for({"en": ENGLISH}, "EN_gb") is ENGLISH
    assert settings_for({"en": ENGLISH, "en-AU": KOREAN}, "en-AU") is KOREAN
    with pytest.raises(ModelMissing, match="for the language vi"):
        settings_for({"en": ENGLISH}, "vi-VN")


def test_what_is_missing_is_one_sentence_a_language(tmp_path: Path) -> None:
    absent = RecogniserSettings("whisper", str(tmp_path / "none"))
    sentences = missing({"en": ENGLISH, "ko": KOREAN, "fr": absent, "vi": ENGLISH}, ["en", "ko", "de", "fr", "vi"])
    assert len(sentences) == 3
    assert "for the language de" in sentences[0]
    assert "Recordings in fr await a model. There is no folder" in sentences[1]
    assert "English alone" in sentences[2]


def test_models_are_loaded_once_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(language: str, settings: RecogniserSettings) -> Recogniser:
        loaded.append(language)
        return Deaf()

    monkeypatch.setitem(LOADERS, "vosk", load)
    cache = RecogniserCache(capacity=2)
    first = cache.get("ko", KOREAN)
    assert cache.get("ko-KR", KOREAN) is first
    cache.get("en", KOREAN)
    cache.get("ko", KOREAN)
    cache.get("vi", KOREAN)
    assert len(cache) == 2
    assert cache.get("ko", KOREAN) is first
    cache.get("en", KOREAN)
    other = RecogniserSettings("vosk", "elsewhere")
    assert cache.get("en", other) is not cache.get("en", KOREAN)
    assert loaded == ["ko", "en", "vi", "en", "en", "en"]
