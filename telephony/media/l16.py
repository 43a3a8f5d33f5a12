"""L16 (RFC 3551 section 4.5.11): samples as they are, 16 bits, mono, in network byte order, at 8 or 16 kHz.

The static payload types 10 and 11 are for 44.1 kHz; what is spoken here has a dynamic one.
"""

from typing import Final

import numpy as np

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, TICKS_PER_S
from telephony.media.g711 import Samples
from telephony.media.repetition import Repetition
from telephony.media.resampling import WIDE_HZ, Doubling, Halving

_WIRE: Final = np.dtype(">i2")


class L16Coder:
    """Both directions of a leg."""

    def __init__(self, rate_hz: int) -> None:
        if rate_hz not in (SAMPLE_RATE_HZ, WIDE_HZ):
            raise ValueError(f"L16 is spoken at 8000 or 16000 Hz, not at {rate_hz}")
        self.clock_per_tick = rate_hz // TICKS_PER_S
        wide = rate_hz == WIDE_HZ
        self._halving = Halving() if wide else None
        self._doubling = Doubling() if wide else None
        self._repetition = Repetition()

    def samples_in(self, payload: bytes) -> int:
        """Return how many samples at 8 kHz a packet holds."""
        return len(payload) // (_WIRE.itemsize if self._halving is None else 2 * _WIRE.itemsize)

    def decode(self, payload: bytes) -> Samples:
        """Return a packet's samples at 8 kHz; half a sample at its end is left out."""
        samples = np.frombuffer(payload, _WIRE, len(payload) // _WIRE.itemsize).astype(np.int16)
        if self._halving is not None:
            samples = self._halving.take(samples)
        if not len(samples):
            return self.conceal(None)
        self._repetition.remember(samples)
        return samples

    def conceal(self, following: bytes | None) -> Samples:  # noqa: ARG002 (a packet tells nothing of the one before)
        """Return int16[160] in place of a lost tick."""
        return self._repetition.tick()

    def encode(self, samples: Samples) -> bytes:
        """Return the octets of int16[160]: 320, or 640 at 16 kHz."""
        if len(samples) != SAMPLES_PER_TICK:
            raise ValueError(f"{len(samples)} samples are no tick")
        if self._doubling is not None:
            samples = self._doubling.take(samples)
        return samples.astype(_WIRE).tobytes()

    def close(self) -> None:
        """Nothing is held."""
