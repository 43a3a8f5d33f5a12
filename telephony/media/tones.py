"""Sounds made by arithmetic: keys and call progress tones, int16 at 8 kHz. The queue's music is `ivr_flows.music`."""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ
from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ
from telephony.media.g711 import Samples
from telephony.media.tone_plans import PLANS, Burst

FULL_SCALE: Final = 32767
EDGE_S: Final = 0.002
"""Tones fade in and out over this, so that they do not click."""
PROGRESS_DBFS: Final = -16.0
"""What a continuous call progress tone would have: -13 dBm0, 0 dBm0 being 3 dB below the loudest sine. ITU-T E.180
section 2 recommends -15 to -5 dBm0; our prompts and music are quieter than a network's tones, so this is near the low
end."""

Wave = npt.NDArray[np.float64]


class UnknownDigit(ValueError):
    """A character that is no key of a telephone."""


class UnknownTone(LookupError):
    """A call progress tone, or a country, that there is no plan for."""


def _sine(frequency: float, samples: int) -> Wave:
    return np.sin(2 * np.pi * frequency * np.arange(samples) / SAMPLE_RATE_HZ)


def _amplitude(dbfs: float) -> float:
    return float(FULL_SCALE * 10 ** (dbfs / 20))


def _softened(wave: Wave) -> Wave:
    """Fade the ends of a tone."""
    edge = min(int(EDGE_S * SAMPLE_RATE_HZ), len(wave) // 2)
    ramp = np.linspace(0, 1, edge, endpoint=False)
    wave[:edge] *= ramp
    wave[len(wave) - edge :] *= ramp[::-1]
    return wave


def dtmf(digits: str, tone_ms: int = 100, pause_ms: int = 100, level_dbfs: float = -13.0) -> Samples:
    """Return the keys of `digits`, each followed by a pause; `level_dbfs` is that of each of a key's two tones.

    Raises `UnknownDigit`.
    """
    count, pause = (ms * SAMPLE_RATE_HZ // 1000 for ms in (tone_ms, pause_ms))
    parts: list[Wave] = []
    for digit in digits:
        key = KEYS.find(digit.upper())
        if key < 0:
            raise UnknownDigit(f"{digit!r} is no telephone key; the keys are {KEYS}")
        tones = _sine(ROWS_HZ[key // 4], count) + _sine(COLUMNS_HZ[key % 4], count)
        parts += [_softened(tones * _amplitude(level_dbfs)), np.zeros(pause)]
    wave = np.concatenate(parts) if parts else np.zeros(0)
    return np.rint(np.clip(wave, -FULL_SCALE, FULL_SCALE)).astype(np.int16)


@cache
def progress(country: str, name: str) -> Samples:
    """Return one period of a country's call progress tone, to be looped: int16[n], the same array every time, which
    nobody can write to. Raises `UnknownTone`."""
    plan = next((plan for each, plan in PLANS.items() if each == country), None)
    if plan is None:
        raise UnknownTone(f"no tones of '{country}' are known; there are those of {', '.join(PLANS)} (media.tones)")
    cadence = next((cadence for each, cadence in plan.items() if each == name), None)
    if cadence is None:
        raise UnknownTone(f"there is no tone '{name}'; there is {', '.join(plan)}")
    endless = len(cadence) == 1 and not cadence[0].off_s
    parts = [part for burst in cadence for part in (_sound(burst, endless=endless), np.zeros(_samples(burst.off_s)))]
    tone: Samples = np.rint(np.concatenate(parts)).astype(np.int16)
    tone.flags.writeable = False
    return tone


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _sound(burst: Burst, *, endless: bool) -> Wave:
    """Return a burst's sound. Frequencies at once have the level of one between them, and modulation changes no
    power."""
    count = _samples(burst.on_s)
    wave: Wave = np.sum([_sine(hz, count) for hz in burst.hz], axis=0) / np.sqrt(len(burst.hz))
    if burst.by_hz:
        wave *= (1 + burst.depth * _sine(burst.by_hz, count)) / np.sqrt(1 + burst.depth**2 / 2)
    wave *= _amplitude(PROGRESS_DBFS - burst.below_db)
    return wave if endless else _softened(wave)
