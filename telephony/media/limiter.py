"""A limiter for sums that are louder than a sample can be: the level goes down instead of the peaks being cut off.

Three loud talkers at once are three times as loud as one. Held at the limits, their sum is a square wave that nobody
understands; here it is scaled down, fast (2 ms), and let up again slowly, as Giannoulis, Massberg and Reiss, Digital
Dynamic Range Compressor Design (J. Audio Eng. Soc. 60, 2012), section 2.2 describe. What still sticks out in those
2 ms is held at the limits. A sum that fits is not touched.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Integers

LOUDEST: Final = np.iinfo(np.int16).max
SOFTEST: Final = np.iinfo(np.int16).min
CEILING: Final = 32_000
ATTACK_SAMPLES: Final = SAMPLE_RATE_HZ // 500
RELEASE: Final = 10 ** (0.5 / 20)
"""Half a decibel a tick: from three talkers back to one in 0.4 s."""

_ATTACK: Final = np.minimum(np.arange(1, SAMPLES_PER_TICK + 1, dtype=np.float32) / ATTACK_SAMPLES, 1)
_RELEASE: Final = np.arange(1, SAMPLES_PER_TICK + 1, dtype=np.float32) / SAMPLES_PER_TICK


def saturate(sums: npt.NDArray[np.int32]) -> Samples:
    """Return int32 sums as int16, held at the limits instead of wrapped around."""
    return np.clip(sums, SOFTEST, LOUDEST).astype(np.int16)


class Limiter:
    """One gain per table row, which outlasts the tick."""

    def __init__(self, rows: int) -> None:
        self._gain = np.ones(rows, np.float32)

    def reset(self, row: int) -> None:
        """Forget a row's past."""
        self._gain[row] = 1.0

    def limit(self, rows: Integers, sums: npt.NDArray[np.int32]) -> Samples:
        """Return int32[n, 160], what n table rows are to hear, as int16[n, 160]."""
        peak = np.maximum(sums.max(axis=1), -sums.min(axis=1))
        before = self._gain[rows]
        touched = np.flatnonzero((peak > LOUDEST) | (before < 1))
        if not touched.size:
            return sums.astype(np.int16)
        limited = saturate(sums)
        before, peak = before[touched], np.maximum(peak[touched], 1)
        fits = np.where(peak > CEILING, CEILING / peak, 1).astype(np.float32)
        after = np.minimum(fits, before * RELEASE)
        course = np.where((after < before)[:, None], _ATTACK, _RELEASE)
        gain = before[:, None] + (after - before)[:, None] * course
        limited[touched] = np.clip(np.rint(sums[touched] * gain), SOFTEST, LOUDEST).astype(np.int16)
        self._gain[rows[touched]] = after
        return limited
