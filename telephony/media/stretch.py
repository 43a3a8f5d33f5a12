"""Taking delay away without a click: two ticks become one, faded from the first into the second, where nobody hears it.

In a silence it is not. Where none comes for long (music, a noisy line) it is done all the same, and so it is where far
too much is waiting, as after a stall: a fade of 20 ms in the middle of a sound is heard less than a jump.
"""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.media.g711 import Samples
from telephony.rtp.packet import Flags, Integers

QUIET_RMS: Final = 200.0
"""About -44 dBFS: the pauses of a talk, not its words."""
PATIENCE_TICKS: Final = 3 * TICKS_PER_S
TOO_MUCH_TICKS: Final = 5
_FADE: Final = ((1 - np.cos(np.pi * (np.arange(SAMPLES_PER_TICK) + 0.5) / SAMPLES_PER_TICK)) / 2).astype(np.float32)


def blended(first: Samples, second: Samples) -> Samples:
    """Return int16[n, 160] that begins as the first and ends as the second of two ticks that follow each other."""
    return np.rint(first + (second.astype(np.float32) - first) * _FADE).astype(np.int16)


class Stretching:
    """When each leg's surplus may be taken away."""

    def __init__(self, rows: int) -> None:
        self._waited = np.zeros(rows, np.int64)
        self.stretched = np.zeros(rows, np.int64)
        """How many ticks were taken away."""

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._waited[row] = self.stretched[row] = 0

    def due(self, rows: Integers, surplus: Integers, heard: Samples) -> Flags:
        """Return which of the rows, that say int16[n, 160] in this tick, may be shortened by a tick now."""
        samples = heard.astype(np.float32)
        quiet = np.einsum("ij,ij->i", samples, samples) < QUIET_RMS**2 * SAMPLES_PER_TICK
        now: Flags = quiet | (self._waited[rows] >= PATIENCE_TICKS) | (surplus > TOO_MUCH_TICKS)
        self._waited[rows] = np.where(now, 0, self._waited[rows] + 1)
        self.stretched[rows] += now
        return now
