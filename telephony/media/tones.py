"""Sounds made by arithmetic: keys and call progress tones, int16 at 8 kHz. The queue's music is `ivr_flows.music`."""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ
from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ
from telephony.media.g711 import Samples

FULL_SCALE: Final = 32767
EDGE_S: Final = 0.002
"""Tones fade in and out over this, so that they do not click."""
PROGRESS_HZ: Final = 425.0
"""ITU-T E.180: the tone of ringing and busy in Vietnam and most of the world."""

Wave = npt.NDArray[np.float64]


class UnknownDigit(ValueError):
    """A character that is no key of a telephone."""


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


def cadence(frequency: float, on_s: float, off_s: float, level_dbfs: float = -20.0) -> Samples:
    """Return one period of an interrupted tone, to be looped."""
    tone = _softened(_sine(frequency, int(on_s * SAMPLE_RATE_HZ)) * _amplitude(level_dbfs))
    return np.concatenate([tone, np.zeros(int(off_s * SAMPLE_RATE_HZ))]).astype(np.int16)


def ringback() -> Samples:
    """Return the tone of a phone that rings at the far end: 1 s on, 4 s off."""
    return cadence(PROGRESS_HZ, 1.0, 4.0)


def busy() -> Samples:
    """Return the busy tone: 0.5 s on, 0.5 s off."""
    return cadence(PROGRESS_HZ, 0.5, 0.5)
