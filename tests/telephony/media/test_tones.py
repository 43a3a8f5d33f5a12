"""Keys and call progress tones, measured on the samples."""

from typing import get_args

import numpy as np
import pytest

from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ
from telephony.media.g711 import Samples
from telephony.media.tone_plans import PLANS, Burst, Country, ToneName
from telephony.media.tones import PROGRESS_DBFS, UnknownDigit, UnknownTone, dtmf, progress

TONES = [(country, name) for country in PLANS for name in PLANS[country]]


def spectrum(samples: Samples) -> list[float]:
    """The frequencies of the two strongest tones."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8000))
    first = int(power.argmax())
    power[max(0, first - 40) : first + 40] = 0
    return sorted([float(first), float(power.argmax())])


@pytest.mark.parametrize("key", range(16))
def test_a_key_is_its_two_tones(key: int) -> None:
    samples = dtmf(KEYS[key].lower(), tone_ms=200, pause_ms=50)
    assert len(samples) == 2000
    assert not samples[1600:].any()
    assert spectrum(samples[:1600]) == pytest.approx([ROWS_HZ[key // 4], COLUMNS_HZ[key % 4]], abs=3)


def test_levels() -> None:
    assert np.abs(dtmf("5", level_dbfs=-13.0)).max() == pytest.approx(2 * 32767 * 10 ** (-13 / 20), rel=0.05)
    assert np.abs(dtmf("5", level_dbfs=0.0).astype(np.int64)).max() == 32767  # cut off, not wrapped around
    assert len(dtmf("")) == 0


def test_what_is_no_key() -> None:
    with pytest.raises(UnknownDigit, match="'x'"):
        dtmf("1x")


# ------------------------------------------------------------------------------------------------ call progress


def bursts(samples: Samples) -> list[tuple[int, int]]:
    """Where it sounds and where it is silent, as (samples of sound, samples of silence after it): silence is 8 ms and
    more without a sample, which is longer than any wave here is near zero."""
    loud = np.flatnonzero(samples)
    gaps = np.flatnonzero(np.diff(loud) > 64)
    firsts = np.concatenate([[loud[0]], loud[gaps + 1]])
    lasts = np.concatenate([loud[gaps], [loud[-1]]])
    return list(zip((lasts - firsts).tolist(), np.diff(firsts, append=len(samples) + firsts[0]).tolist(), strict=True))


def lines(samples: Samples) -> dict[int, float]:
    """The lines of a spectrum within 20 dB of the strongest, from Hz to dBFS (a full-scale sine is 0)."""
    window = np.hanning(len(samples))
    size = 1 << 18
    amplitude = 2 * np.abs(np.fft.rfft(samples * window, size)) / window.sum() / 32767
    peaks = np.flatnonzero((amplitude[1:-1] >= amplitude[:-2]) & (amplitude[1:-1] > amplitude[2:])) + 1
    strong = peaks[amplitude[peaks] > 0.1 * amplitude.max()]
    return {round(float(peak) * 8000 / size): float(20 * np.log10(amplitude[peak])) for peak in strong}


def sounds(cadence: tuple[Burst, ...]) -> list[tuple[int, int, Burst]]:
    """Every burst of a tone with the samples at which it begins and ends."""
    found, at = [], 0
    for burst in cadence:
        end = at + round(burst.on_s * 8000)
        found.append((at, end, burst))
        at = end + round(burst.off_s * 8000)
    return found


def test_there_is_every_tone_of_every_country() -> None:
    assert set(PLANS) == set(get_args(Country))
    assert all(tuple(plan) == get_args(ToneName) for plan in PLANS.values())


@pytest.mark.parametrize(("country", "name"), TONES)
def test_cadence(country: Country, name: ToneName) -> None:
    samples, cadence = progress(country, name), PLANS[country][name]
    assert len(samples) == sum(round(burst.on_s * 8000) + round(burst.off_s * 8000) for burst in cadence)
    silence = np.ones(len(samples), np.bool_)
    for first, end, _ in sounds(cadence):
        silence[first:end] = False
    assert not samples[silence].any()
    parted = [burst for burst in cadence if burst.off_s]  # what has no silence after it is one with the next
    if len(parted) == len(cadence):
        measured = bursts(samples)
        assert [sound for sound, _ in measured] == pytest.approx([round(each.on_s * 8000) for each in cadence], abs=20)
        assert [period for _, period in measured] == pytest.approx(
            [round((each.on_s + each.off_s) * 8000) for each in cadence], abs=20
        )


@pytest.mark.parametrize(("country", "name"), TONES)
def test_frequencies(country: Country, name: ToneName) -> None:
    samples = progress(country, name)
    for first, end, burst in sounds(PLANS[country][name]):
        carriers = {round(hz) for hz in burst.hz}
        sidebands = {round(hz + way * burst.by_hz) for hz in burst.hz for way in (-1, 1)} if burst.by_hz else set()
        measured = lines(samples[first:end])
        expected = sorted(carriers | sidebands)
        assert sorted(measured) == pytest.approx(expected, abs=3), (country, name)


@pytest.mark.parametrize(("country", "name"), TONES)
def test_level_of_a_burst(country: Country, name: ToneName) -> None:
    """Whatever is in it, it has the power of one sine."""
    samples = progress(country, name).astype(np.float64) / 32767
    for first, end, burst in sounds(PLANS[country][name]):
        sound = samples[first + 16 : end - 16]  # without its soft edges
        level = 10 * np.log10(2 * np.mean(sound**2))
        assert level == pytest.approx(PROGRESS_DBFS - burst.below_db, abs=0.5), (country, name)
        assert -15 <= level + 3.14 + burst.below_db <= -5  # E.180 section 2, in dBm0
        assert abs(sound).max() < 0.5


def test_what_vietnam_hears() -> None:
    ringback, busy = progress("vn", "ringback"), progress("vn", "busy")
    assert (len(ringback), len(busy)) == (40_000, 8000)
    assert bursts(ringback)[0] == pytest.approx((8000, 40_000), abs=10)
    assert bursts(busy)[0] == pytest.approx((4000, 8000), abs=10)
    assert list(lines(ringback[:8000])) == list(lines(busy[:4000])) == [425]


def test_what_singapore_and_japan_hear_is_modulated() -> None:
    """A modulation of depth m puts m/2 of the carrier's amplitude into each sideband."""
    modulated: list[tuple[Country, int, float]] = [("sg", 24, 1.0), ("jp", 16, 0.85)]
    for country, by_hz, depth in modulated:
        burst = PLANS[country]["ringback"][0]
        found = lines(progress(country, "ringback")[: round(burst.on_s * 8000)])
        carrier = round(burst.hz[0])
        sideband_db = 20 * np.log10(depth / 2)
        assert found[carrier - by_hz] - found[carrier] == pytest.approx(sideband_db, abs=0.5)
        assert found[carrier + by_hz] - found[carrier] == pytest.approx(sideband_db, abs=0.5)


@pytest.mark.parametrize("country", PLANS)
def test_a_continuous_tone_has_no_seam(country: Country) -> None:
    once = progress(country, "dial")
    steps = np.abs(np.diff(np.concatenate([once, once]).astype(np.int64)))
    assert steps[len(once) - 1] <= steps[: len(once) - 1].max()
    assert set(lines(np.concatenate([once] * 3))) == {round(hz) for hz in PLANS[country]["dial"][0].hz}


def test_every_leg_has_the_same_array_and_none_can_write_to_it() -> None:
    assert progress("vn", "busy") is progress("vn", "busy")
    with pytest.raises(ValueError, match="read-only"):
        progress("vn", "busy")[0] = 1


def test_unknown_tones() -> None:
    with pytest.raises(UnknownTone, match="'engaged'; there is dial, ringback, busy"):
        progress("vn", "engaged")
    with pytest.raises(UnknownTone, match=r"'zz'.*media\.tones"):
        progress("zz", "busy")
