"""How loud the echo of what a leg is sent can be, so that nobody takes a prompt for its listener's voice.

Until it is known better, an echo is 12 dB below what was sent, and as late as it likes. What comes back while somebody
is spoken to and says nothing shows it better: most lines return next to nothing, and then a quiet caller is heard over
a loud prompt. It is known after a second of sound, and counts for one or two more.

Two things are known of a line: the loudest that came back above its noise, and how loud the noise was when the loudest
was sent, for so much may have hidden in it.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Flags, Integers

Floats = npt.NDArray[np.float32]

LATEST_TICKS: Final = 25
"""An echo comes half a second after what was sent, or sooner: a satellite, a mobile and our jitter buffer."""
MOST: Final = np.float32(10**-0.9)
"""9 dB below what was sent: the loudest echo, 12 dB below, and what two ticks' powers differ by."""
MARGIN: Final = np.float32(10**0.6)
"""6 dB above the loudest echo that came."""
TELLING: Final = np.float32(32768.0**2 * 10**-4.0)
"""-40 dBFS: of softer sound nothing can be learned."""
LEARNED_TICKS: Final = 50
"""Of sound that was sent."""


class Echo:
    """What rows are sent, and what came back of it. Levels of echo are ratios of powers; of each there is that of the
    present second of sound and that of the one before."""

    def __init__(self, rows: int) -> None:
        self._sent = np.zeros((rows, 2), np.float32)
        self._part = np.zeros(rows, np.int64)
        self._returned = np.full((rows, 2), np.inf, np.float32)
        """The most that came back."""
        self._hidden = np.full((rows, 2), np.inf, np.float32)
        """The most that can have come back unnoticed."""
        self._learned = np.zeros(rows, np.int64)

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._sent[row], self._learned[row] = 0.0, 0
        self._returned[row] = self._hidden[row] = np.inf

    def send(self, rows: Integers, sent: Samples, tick: int) -> None:
        """Take what is sent in a tick, int16[n, 160]."""
        samples = sent.astype(np.float32)
        power = np.einsum("ij,ij->i", samples, samples) / SAMPLES_PER_TICK
        now = tick // LATEST_TICKS
        turned = rows[self._part[rows] != now]
        if turned.size:
            self._sent[turned, now % 2] = 0
            self._sent[turned[self._part[turned] != now - 1]] = 0
            self._part[turned] = now
        self._sent[rows, now % 2] = np.maximum(self._sent[rows, now % 2], power)

    def loudest(self, rows: Integers) -> Floats:
        """Return the power up to which a tick may be nothing but echo."""
        known = np.maximum(self._returned[rows].max(axis=1), self._hidden[rows].min(axis=1))
        loudest: Floats = self._sent[rows].max(axis=1) * np.minimum(MOST, MARGIN * known)
        return loudest

    def learn(self, rows: Integers, power: Floats, noise: Floats, quiet: Flags) -> None:
        """Take the power of a tick, and up to which power it may be noise; `quiet` are those without a voice."""
        sent = self._sent[rows].max(axis=1)
        telling = np.flatnonzero(quiet & (sent > TELLING))
        if not telling.size:
            return
        rows, sent, power, noise = rows[telling], sent[telling], power[telling], noise[telling]
        first = self._learned[rows] == 0
        returned = np.where(power > noise, power / sent, 0)
        self._returned[rows, 0] = np.maximum(returned, np.where(first, 0, self._returned[rows, 0]))
        self._hidden[rows, 0] = np.minimum(noise / sent, np.where(first, np.inf, self._hidden[rows, 0]))
        self._learned[rows] += 1
        full = rows[self._learned[rows] == LEARNED_TICKS]
        self._returned[full, 1], self._hidden[full, 1] = self._returned[full, 0], self._hidden[full, 0]
        self._learned[full] = 0
