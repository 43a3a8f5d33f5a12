"""Whisper for real: tiny.en hears Piper's voice over a telephone line."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from recordings.transcribe.engine import EngineFailed, ModelMissing, RecognisedWord, Recogniser, RecogniserSettings
from recordings.transcribe.error_rate import word_error_rate
from recordings.transcribe.recogniser import RecogniserCache
from recordings.transcribe.whisper_engine import (
    WhisperRecogniser,
    at_model_rate,
    is_english_only,
    missing,
    quietest_cut,
    span_of_sound,
    upsample,
)
from tests.recordings.transcribe.conftest import ENGLISH
from tests.recordings.transcribe.voices import RATE_HZ, Piper, Samples, silence

pytestmark = pytest.mark.timeout(120)

FIRST = "Hello, this is Anna from customer care. I can see your request about the late delivery."
SECOND = "We will send a new parcel tomorrow morning. Your order number is four seven one two."


@pytest.fixture(scope="session")
def recogniser(cache: RecogniserCache) -> Recogniser:
    return cache.get("en", ENGLISH)


@pytest.fixture(scope="session")
def talk(piper: Piper) -> Samples:
    return np.concatenate([silence(1.0), piper.say(FIRST), silence(3.0), piper.say(SECOND), silence(1.5)])


def text(words: list[RecognisedWord]) -> str:
    return " ".join(word.text for word in words)


def start_of(wanted: str, words: list[RecognisedWord]) -> float:
    return next(word.start for word in words if word.text.lower().strip(".,") == wanted)


def test_a_telephone_voice_is_understood_and_timed(recogniser: Recogniser, talk: Samples) -> None:
    words = recogniser.transcribe(talk, RATE_HZ)
    assert word_error_rate(f"{FIRST} {SECOND}", text(words)) <= 0.15
    assert 1.0 <= words[0].start <= 1.2
    assert words[-1].end <= len(talk) / RATE_HZ
    assert [word.start for word in words] == sorted(word.start for word in words)
    quiet = next(b.start - a.end for a, b in itertools.pairwise(words) if b.text.lower() == "we")
    assert quiet > 2.0
    assert recogniser.transcribe(talk, RATE_HZ) == words


def test_16_khz_is_taken_as_it_is(recogniser: Recogniser, talk: Samples) -> None:
    wide = (upsample(talk[: 8 * RATE_HZ]) * 32767).astype(np.int16)
    assert word_error_rate(FIRST, text(recogniser.transcribe(wide, 2 * RATE_HZ))) <= 0.15


@pytest.mark.parametrize(
    "pcm",
    [
        silence(0.0),
        silence(0.1),
        silence(20.0),
        np.full(5 * RATE_HZ, 8, np.int16),
        np.random.default_rng(1).normal(0, 300, 20 * RATE_HZ).astype(np.int16),
        (8000 * np.sin(2 * np.pi * 425 / RATE_HZ * np.arange(10 * RATE_HZ))).astype(np.int16),
    ],
    ids=["nothing", "a moment", "digital silence", "idle G.711", "line noise", "ringing tone"],
)
def test_nothing_is_made_up_where_nobody_speaks(recogniser: Recogniser, pcm: Samples) -> None:
    assert recogniser.transcribe(pcm, RATE_HZ) == []


def test_a_stream_gives_a_phrase_at_its_pause(recogniser: Recogniser, talk: Samples) -> None:
    stream = recogniser.stream(RATE_HZ)
    heard: list[tuple[float, RecognisedWord]] = []
    for position in range(0, len(talk), 160):
        found = stream.accept(talk[position : position + 160])
        heard += [((position + 160) / RATE_HZ, word) for word in found if isinstance(word, RecognisedWord)]
    words = [word for _, word in heard] + stream.finish()
    assert word_error_rate(f"{FIRST} {SECOND}", text(words)) <= 0.15
    assert heard[0][0] < start_of("we", words)  # the first sentences were out before the next one began
    assert start_of("we", words) == pytest.approx(start_of("we", recogniser.transcribe(talk, RATE_HZ)), abs=0.2)


def test_phrases_are_heard_so_far_and_then_whole(recogniser: Recogniser, piper: Piper) -> None:
    phrases = recogniser.phrases(RATE_HZ)
    assert (phrases.heard(), phrases.finish()) == ("", "")
    pcm = np.concatenate([silence(0.8), piper.say(FIRST), silence(0.6)])
    half = len(pcm) * 2 // 3
    phrases.accept(pcm[:half])
    begun = phrases.heard()
    assert begun.startswith("Hello, this is Anna")
    assert "delivery" not in begun
    phrases.accept(pcm[half:])
    assert word_error_rate(FIRST, phrases.finish()) <= 0.15
    phrases.accept(pcm[:half])
    phrases.drop()
    phrases.accept(np.concatenate([silence(0.8), piper.say(SECOND), silence(0.6)]))
    assert word_error_rate(SECOND, phrases.finish()) <= 0.15
    phrases.accept(silence(3.0))
    assert phrases.finish() == ""


def test_speech_without_a_pause_is_cut_within_the_window(
    recogniser: Recogniser, piper: Piper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.transcribe.whisper_engine.STREAM_BLOCK_S", 6)
    monkeypatch.setattr("recordings.transcribe.whisper_engine.CUT_WITHIN_S", 2)
    sentence = piper.say("I would like to change the address of my order please.")
    spoken = np.abs(sentence) > 300
    sentence = sentence[np.argmax(spoken) : len(sentence) - np.argmax(spoken[::-1])]
    stream = recogniser.stream(RATE_HZ)
    found = stream.accept(np.tile(sentence, 8 * RATE_HZ // len(sentence) + 1))
    assert found
    assert stream.finish()


def test_long_recordings_are_cut_where_it_is_quietest() -> None:
    noise = np.random.default_rng(2).normal(0, 1000, 400 * RATE_HZ).astype(np.int16)
    noise[290 * RATE_HZ : 291 * RATE_HZ] = 0
    cut = quietest_cut(noise, RATE_HZ, 300, 20)
    assert 290 * RATE_HZ <= cut <= 291 * RATE_HZ
    assert quietest_cut(noise[: 300 * RATE_HZ], RATE_HZ, 300, 20) == 300 * RATE_HZ


def test_words_of_later_blocks_keep_their_times(
    recogniser: Recogniser, talk: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recogniser.transcribe(talk, RATE_HZ)
    monkeypatch.setattr("recordings.transcribe.whisper_engine.BLOCK_S", 8)
    monkeypatch.setattr("recordings.transcribe.whisper_engine.CUT_WITHIN_S", 2)
    words = recogniser.transcribe(talk, RATE_HZ)
    assert word_error_rate(text(whole), text(words)) <= 0.1
    assert start_of("tomorrow", words) == pytest.approx(start_of("tomorrow", whole), abs=0.2)


def test_upsampling_keeps_a_tone_and_makes_no_image_of_it() -> None:
    tone = (10000 * np.sin(2 * np.pi * 1000 / RATE_HZ * np.arange(RATE_HZ))).astype(np.int16)
    doubled = upsample(tone)
    assert doubled.dtype == np.float32
    assert len(doubled) == 2 * len(tone)
    spectrum = np.abs(np.fft.rfft(doubled * np.hanning(len(doubled))))
    assert spectrum.argmax() == 1000
    image = spectrum[6900:7100].max() / spectrum.max()
    assert 20 * np.log10(image) < -60
    np.testing.assert_allclose(doubled[0::2] * 32768, tone, atol=0.01)
    assert len(upsample(silence(0.0))) == 0


def test_a_word_is_where_its_sound_is() -> None:
    pcm = silence(2.0)
    pcm[RATE_HZ : RATE_HZ + RATE_HZ // 2] = 1000
    assert span_of_sound(pcm, RATE_HZ, 0.6, 1.8) == (1.0, 1.5)
    assert span_of_sound(pcm, RATE_HZ, 1.1, 1.3) == (1.1, 1.3)
    assert span_of_sound(pcm, RATE_HZ, 0.2, 0.4) == (0.2, 0.4)
    assert span_of_sound(pcm, RATE_HZ, 1.99, 2.5) == (1.99, 2.5)


def test_other_rates_are_refused() -> None:
    with pytest.raises(EngineFailed, match="44100"):
        at_model_rate(silence(1.0), 44100)


def test_what_is_missing_is_said_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing(ENGLISH, "en") == ""
    assert "English alone" in missing(ENGLISH, "vi")
    assert "no folder" in missing(RecogniserSettings("whisper", str(tmp_path / "none")), "vi")
    (tmp_path / "model.bin").touch()
    (tmp_path / "config.json").touch()
    with pytest.raises(ModelMissing, match=r"no tokenizer\.json"):
        WhisperRecogniser("en", RecogniserSettings("whisper", str(tmp_path)))
    (tmp_path / "vocabulary.json").write_text(json.dumps(["token"] * 51865))
    assert not is_english_only(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "hotline[whisper]" in missing(ENGLISH, "en")


def test_a_damaged_model_is_a_failure_and_the_hub_stays_off(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(EngineFailed, match="cannot load"):
        WhisperRecogniser("en", RecogniserSettings("whisper", str(tmp_path)))
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_an_engine_that_breaks_says_where(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    assert isinstance(recogniser, WhisperRecogniser)
    monkeypatch.setattr(recogniser._model, "transcribe", broken)
    with pytest.raises(EngineFailed, match="out of memory"):
        recogniser.transcribe(silence(1.0), RATE_HZ)
    with pytest.raises(EngineFailed, match=r"over a phrase of 1\.0 s: out of memory"):
        recogniser.read(silence(1.0), RATE_HZ)
