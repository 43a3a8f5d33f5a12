"""What a leg hears in place of a lost packet: the last 20 ms again, fading out (after ITU-T G.711 appendix I, without
its pitch search). After `len(FADE) - 1` lost packets in a row there is silence until audio comes again."""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Flags, Integers

FADE: Final = (1.0, 0.6, 0.25, 0.0)
"""The gain at the beginning of the first, second, … lost packet; each fades into the next one's."""
REPEATS: Final = len(FADE) - 1


def _ramps() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    ramps = [np.linspace(FADE[i], FADE[i + 1], SAMPLES_PER_TICK, endpoint=False) for i in range(REPEATS)]
    return np.stack(ramps).astype(np.float32)


_RAMPS: Final = _ramps()


class Concealment:
    """The last audio of each leg and how many losses in a row it has covered since."""

    def __init__(self, legs: int) -> None:
        self._last = np.zeros((legs, SAMPLES_PER_TICK), np.int16)
        self._covered = np.full(legs, REPEATS, np.int64)

    def reset(self, leg: int) -> None:
        """Forget a leg."""
        self._covered[leg] = REPEATS

    def hush(self, legs: Integers) -> None:
        """Repeat nothing until audio comes again."""
        self._covered[legs] = REPEATS

    def remember(self, legs: Integers, heard: Samples) -> None:
        """Keep int16[n, 160] that did arrive."""
        self._last[legs] = heard
        self._covered[legs] = 0

    def fill(self, legs: Integers) -> tuple[Samples, Flags]:
        """Return int16[n, 160] for legs whose packet is missing, and which of them are more than silence."""
        covered = self._covered[legs]
        concealed = covered < REPEATS
        self._covered[legs] = np.minimum(covered + 1, REPEATS)
        gain = np.where(concealed[:, None], _RAMPS[np.minimum(covered, REPEATS - 1)], np.float32(0))
        return (self._last[legs] * gain).astype(np.int16), concealed
