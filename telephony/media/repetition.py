"""Concealment for one leg whose codec has none of its own: as for G.711 (`telephony.media.concealment`)."""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.concealment import KEPT, KEPT_TICKS, Concealment
from telephony.media.g711 import Samples

_ONE: Final = np.zeros(1, np.int64)


class Repetition:
    """The last audio that was heard, and what is made of it for ticks that are not."""

    __slots__ = ("_concealment", "_losing", "_past")

    def __init__(self) -> None:
        self._concealment = Concealment(1)
        self._past = np.zeros(KEPT, np.int16)
        self._losing = True
        """Nothing came since the last tick that was lost. It begins so, with nothing to repeat."""

    def remember(self, samples: Samples) -> None:
        """Take what one packet held, of any length. What follows a loss is faded in, in place."""
        if self._losing:
            self._losing = False
            self._fade_in(samples[:SAMPLES_PER_TICK])
        self._past = np.concatenate((self._past, samples))[-KEPT:]

    def tick(self) -> Samples:
        """Return int16[160] in place of a lost tick."""
        if not self._losing:
            self._losing = True
            # Only now, so that the last tick ends where the audio did, however packets were cut.
            for tick in self._past.reshape(KEPT_TICKS, 1, SAMPLES_PER_TICK):
                self._concealment.remember(_ONE, tick)
        filled, _ = self._concealment.fill(_ONE)
        samples: Samples = filled[0]
        return samples

    def _fade_in(self, first: Samples) -> None:
        tick = np.zeros((1, SAMPLES_PER_TICK), np.int16)
        tick[0, : len(first)] = first
        self._concealment.remember(_ONE, tick)
        first[:] = tick[0, : len(first)]
