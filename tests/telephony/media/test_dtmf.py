"""The detector on what it must hear and on what it must not, through both laws of G.711."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.media import g711
from telephony.media.dtmf import KEYS, ToneListener
from telephony.media.g711 import Samples
from telephony.media.tone_plans import PLANS
from telephony.media.tones import dtmf, progress

SEQUENCE = "123A456B789C*0#D1100"


def through_phone(samples: Samples, payload_type: int, seed: int = 1) -> Samples:
    """Quiet line noise, then G.711, in ticks: int16[n, 160]."""
    whole = np.concatenate([samples, np.zeros(-len(samples) % 160 + 800, np.int16)])
    noisy = whole + np.random.default_rng(seed).normal(0, 15, len(whole))
    ticks = np.clip(np.rint(noisy), -32768, 32767).astype(np.int16).reshape(-1, 160)
    law = np.full(len(ticks), payload_type, np.uint8)
    return g711.decode(g711.encode(ticks, law), law)


def keys(ticks: Samples, listener: ToneListener | None = None) -> str:
    listener = listener or ToneListener(1)
    leg = np.array([0])
    return "".join(digit for tick in ticks for _, digit in listener.listen(leg, tick[None]))


@pytest.mark.parametrize("payload_type", g711.LAWS)
@pytest.mark.parametrize("level_dbfs", [-3.0, -10.0, -20.0, -36.0])
@pytest.mark.parametrize("tone_ms", [40, 60, 80, 100])
def test_all_keys_are_heard_once(payload_type: int, level_dbfs: float, tone_ms: int) -> None:
    for offset in (0, 50, 119):  # where in a tick a tone begins is chance
        samples = np.concatenate([np.zeros(offset, np.int16), dtmf(SEQUENCE, tone_ms, 40, level_dbfs)])
        assert keys(through_phone(samples, payload_type)) == SEQUENCE


@pytest.mark.parametrize("tone_ms", [10, 18])
def test_what_is_too_short_is_no_key(tone_ms: int) -> None:
    assert keys(through_phone(dtmf(SEQUENCE, tone_ms, 60), 0)) == ""


def test_a_long_press_is_one() -> None:
    assert keys(through_phone(dtmf("7", 3000), 0)) == "7"


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_lost_packet_within_a_tone_makes_no_second_press(lost: int) -> None:
    ticks = through_phone(dtmf("7", 160), 0)
    ticks[lost] = 0
    assert keys(ticks) == "7"


@pytest.mark.parametrize(("row_db", "column_db"), [(-20, -12), (-12, -17), (-12, -12)])
def test_twist(row_db: float, column_db: float) -> None:
    at = np.arange(800) / 8000
    for row, column, digit in ((697, 1209, "1"), (941, 1633, "D"), (852, 1336, "8")):
        tones = 10 ** (row_db / 20) * np.sin(2 * np.pi * row * at) + 10 ** (column_db / 20) * np.sin(
            2 * np.pi * column * at
        )
        assert keys(through_phone((tones * 32767).astype(np.int16), 8)) == digit


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KEYS), st.floats(-0.012, 0.012), st.floats(-0.012, 0.012), st.floats(0, 6.3))
def test_tones_a_little_off_the_mark(digit: str, row_off: float, column_off: float, phase: float) -> None:
    at = np.arange(640) / 8000
    key = KEYS.index(digit)
    row, column = (697, 770, 852, 941)[key // 4] * (1 + row_off), (1209, 1336, 1477, 1633)[key % 4] * (1 + column_off)
    tones = np.sin(2 * np.pi * row * at + phase) + np.sin(2 * np.pi * column * at)
    assert keys(through_phone((tones * 6000).astype(np.int16), 0)) == digit


def voice(seed: int, seconds: float = 6.0) -> Samples:
    """Speech-like sound: a gliding glottal pulse train through moving formants, in syllables, with hiss between."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 8000)
    at = np.arange(count) / 8000
    pitch = rng.uniform(85, 260) * (1 + 0.15 * np.sin(2 * np.pi * rng.uniform(0.3, 1.2) * at))
    phase = 2 * np.pi * np.cumsum(pitch) / 8000
    formants = [(rng.uniform(300, 900), 120), (rng.uniform(900, 2200), 200), (rng.uniform(2200, 3200), 300)]
    sound = np.zeros(count)
    for harmonic in range(1, 40):
        frequency = pitch * harmonic
        gain = sum(
            1 / (1 + ((frequency - centre * (1 + 0.2 * np.sin(3 * at))) / width) ** 2) for centre, width in formants
        )
        sound += np.where(frequency < 3800, gain, 0) * np.sin(harmonic * phase) / harmonic**0.3
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2, 5) * at) + 0.4, 0, 1)
    sound = sound * syllables + rng.normal(0, 0.05, count)
    return np.asarray(sound / np.abs(sound).max() * 20_000, np.float64).astype(np.int16)


def test_voices_press_no_keys() -> None:
    assert [keys(through_phone(voice(seed), seed % 2 * 8)) for seed in range(30)] == [""] * 30


def chords() -> Samples:
    """Music: triads through four octaves, the kind of sound that comes nearest to two pure tones."""
    at = np.arange(2400) / 8000
    parts = []
    for note in range(48, 96):
        notes = [440 * 2 ** ((note + step - 69) / 12) for step in (0, 4, 7)]
        parts.append(sum(np.sin(2 * np.pi * hz * at) * np.exp(-2 * at) for hz in notes) * 5000)
    return np.concatenate(parts).astype(np.int16)


PROGRESS = [progress(country, name) for country, plan in PLANS.items() for name in plan]


@pytest.mark.parametrize("sound", [chords(), *PROGRESS, np.zeros(8000, np.int16)])
def test_music_tones_and_silence_press_no_keys(sound: Samples) -> None:
    assert keys(through_phone(sound, 0)) == ""


def test_noise_presses_no_keys() -> None:
    for peak in (100, 3000, 32000):
        loud = np.random.default_rng(peak).integers(-peak, peak, 80_000).astype(np.int16)
        assert keys(through_phone(loud, 8)) == ""


def test_each_leg_has_its_own_keys_and_reset_forgets() -> None:
    listener = ToneListener(3)
    streams = [through_phone(dtmf(digits, 80, 80), 0)[:40] for digits in ("12345", "9#9#9", "00000")]
    heard = ["", "", ""]
    for ticks in zip(*streams, strict=True):
        for leg, digit in listener.listen(np.arange(3), np.stack(ticks)):
            heard[leg] += digit
    assert heard == ["12345", "9#9#9", "00000"]
    tone = through_phone(dtmf("5", 200, 0), 0)[:10]
    alone = ToneListener(1)
    assert keys(tone, alone) == "5"
    alone.reset(0)
    assert keys(tone, alone) == "5"
