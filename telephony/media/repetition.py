"""Concealment for one leg whose codec has none of its own: as for G.711 (`telephony.media.concealment`)."""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.concealment import Concealment
from telephony.media.g711 import Samples

_ONE: Final = np.zeros(1, np.int64)


class Repetition:
    """The last tick that was heard, and what is made of it for those that are not."""

    __slots__ = ("_concealment", "_last")

    def __init__(self) -> None:
        self._concealment = Concealment(1)
        self._last = np.zeros(0, np.int16)

    def remember(self, samples: Samples) -> None:
        """Take what one packet held, of any length."""
        if len(samples) < SAMPLES_PER_TICK:
            samples = np.concatenate((self._last, samples))
        self._last = samples[-SAMPLES_PER_TICK:]
        if len(self._last) == SAMPLES_PER_TICK:
            self._concealment.remember(_ONE, self._last[np.newaxis])

    def tick(self) -> Samples:
        """Return int16[160] in place of a lost tick."""
        filled, _ = self._concealment.fill(_ONE)
        samples: Samples = filled[0]
        return samples
