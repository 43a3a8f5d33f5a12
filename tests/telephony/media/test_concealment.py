"""Losses as lists of booleans, and how far what is heard is from what was said."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.media.concealment import KEPT, LONGEST, REPEATS, RETURN, SHORTEST, Concealment, periods
from telephony.media.g711 import Samples

LEGS = np.array([0, 2])
ONE = np.array([0])
PATTERNS: Final = {
    "one in ten": [number % 10 == 7 for number in range(200)],
    "two in a row": [number % 14 in (7, 8) for number in range(200)],
    "three in a row": [number % 20 in (7, 8, 9) for number in range(200)],
}


def voiced(ticks: int, pitch_hz: float = 130.0, seed: int = 1) -> Samples:
    """Something like a vowel: pulses of a gliding pitch through two resonances, with a little breath."""
    random = np.random.default_rng(seed)
    count = 160 * ticks
    hz = pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * np.arange(count) / 8000))
    phase = np.cumsum(hz / 8000)
    pulses = np.diff(np.floor(phase), prepend=0.0) + random.normal(0, 0.01, count)
    spectrum = np.fft.rfft(pulses)
    at = np.fft.rfftfreq(count, 1 / 8000)
    shape = sum(1 / (1 + ((at - centre) / width) ** 2) for centre, width in ((600, 120), (1200, 200), (2500, 300)))
    speech = np.fft.irfft(spectrum * shape, count)
    said: Samples = np.round(speech / np.abs(speech).max() * 12_000).astype(np.int16)
    return said


def heard_through(speech: Samples, lost: list[bool]) -> Samples:
    concealment = Concealment(1)
    ticks = []
    for tick, gone in zip(speech.reshape(-1, 160), lost, strict=True):
        row = tick[None].copy()
        if gone:
            row, _ = concealment.fill(ONE)
        else:
            concealment.remember(ONE, row)
        ticks.append(row[0])
    return np.concatenate(ticks)


def repeated(speech: Samples, lost: list[bool]) -> Samples:
    """The last tick again, fading: what most simple phones do."""
    ticks, last, gain = [], np.zeros(160), 1.0
    for tick, gone in zip(speech.reshape(-1, 160), lost, strict=True):
        last, gain = (last, gain * 0.6) if gone else (tick.astype(float), 1.0)
        ticks.append(last * gain)
    return np.round(np.concatenate(ticks)).astype(np.int16)


def distance_db(said: Samples, heard: Samples, lost: list[bool]) -> float:
    """The log-spectral distance of the lost ticks in 20 bands of 200 Hz, in dB: 0 is the same sound."""

    def bands(samples: Samples) -> npt.NDArray[np.float64]:
        ticks = samples.reshape(-1, 160)[np.array(lost)] * np.hanning(160)
        power = np.abs(np.fft.rfft(ticks)[:, 1:81]) ** 2
        levels: npt.NDArray[np.float64] = 10 * np.log10(power.reshape(len(ticks), 20, 4).sum(2) + 1e4)
        return levels

    return float(np.sqrt(((bands(said) - bands(heard)) ** 2).mean(1)).mean())


@pytest.mark.parametrize("pitch_hz", [90.0, 130.0, 190.0])
@pytest.mark.parametrize("name", PATTERNS)
def test_what_is_repeated_sounds_more_like_what_was_said_than_the_last_packet_again(name: str, pitch_hz: float) -> None:
    """Measured: 0.8, 2.7 and 6.3 dB; the last packet again is 4.3, 6.8 and 8.5 away, and silence 45."""
    speech, lost = voiced(200, pitch_hz), PATTERNS[name]
    found = distance_db(speech, heard_through(speech, lost), lost)
    assert found < distance_db(speech, repeated(speech, lost), lost) - 1.5
    assert found < {"one in ten": 1.2, "two in a row": 3.3, "three in a row": 7}[name]


@pytest.mark.parametrize("period", [SHORTEST, 57, 80, 101, LONGEST])
def test_the_period_of_a_voice_is_found(period: int) -> None:
    random = np.random.default_rng(period)
    shape = random.normal(0, 3000, period)
    past = np.tile(shape, KEPT // period + 1)[:KEPT].astype(np.float32)
    found = periods(past[None])[0]
    assert found % period == 0


def test_a_periodic_sound_goes_on_as_if_nothing_were_lost() -> None:
    tone = np.round(8000 * np.sin(2 * np.pi * 100 * np.arange(3200) / 8000)).astype(np.int16)
    lost = [number == 10 for number in range(20)]
    heard = heard_through(tone, lost)
    assert np.abs(heard[1600:1680].astype(int) - tone[1600:1680]).max() < 100  # 10 ms at full level
    assert np.abs(np.diff(heard.astype(int))).max() < 1.3 * np.abs(np.diff(tone.astype(int))).max()


def test_the_last_audio_fades_out_and_audio_starts_it_anew() -> None:
    concealment = Concealment(3)
    heard = np.full((2, 160), 10_000, np.int16)
    heard[1] = -10_000
    for _ in range(2):
        for _ in range(3):
            concealment.remember(LEGS, heard.copy())
        levels: list[int] = []
        for _ in range(REPEATS):
            filled, concealed = concealment.fill(LEGS)
            assert concealed.all()
            assert (filled[0] == -filled[1]).all()
            assert (np.diff(filled[0]) <= 0).all()
            levels += [int(filled[0, 0]), int(filled[0, -1])]
        assert levels[0] == 10_000
        assert levels == sorted(levels, reverse=True)
        assert levels[-1] < 100
        filled, concealed = concealment.fill(LEGS)
        assert not filled.any()
        assert not concealed.any()


def test_audio_that_comes_again_is_faded_in() -> None:
    concealment = Concealment(3)
    for _ in range(3):
        concealment.remember(LEGS, np.full((2, 160), 8000, np.int16))
    concealment.fill(ONE)
    again = np.full((2, 160), -8000, np.int16)
    faded = concealment.remember(LEGS, again)
    assert faded is not None
    assert faded.tolist() == [True, False]
    assert (np.diff(again[0]) <= 0).all()
    assert again[0, 0] > 5000
    assert (again[0, RETURN:] == -8000).all()
    assert (again[1] == -8000).all()
    assert concealment.remember(LEGS, again) is None


def test_what_was_hushed_or_reset_is_not_repeated() -> None:
    concealment = Concealment(3)
    concealment.remember(np.arange(3), np.full((3, 160), 1000, np.int16))
    concealment.hush(np.array([0]))
    concealment.reset(1)
    filled, concealed = concealment.fill(np.arange(3))
    assert concealed.tolist() == [False, False, True]
    assert not filled[:2].any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 2**31), st.sampled_from([10, 3000, 32767]))
def test_any_losses_of_anything_stay_within_what_was_loud(lost: list[bool], seed: int, peak: int) -> None:
    said = np.random.default_rng(seed).integers(-peak, peak + 1, (len(lost), 160)).astype(np.int16)
    heard = heard_through(said.reshape(-1), lost)
    assert np.abs(heard.astype(int)).max() <= min(32768, 3 * peak + 2)
