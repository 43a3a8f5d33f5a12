"""Comfort noise (RFC 3389): a background as loud and of the colour that the far end says, while it sends nothing.

The payload is a level in -dBov (one octet, section 3: 0 to 127) and, where the far end says more, reflection
coefficients of an all-pole filter, quantised in 8 bits (section 3.2: k = 258 (N - 127) / 32768). Of them a loop of one
second is made once, by shaping fixed noise in the frequency domain, so that it closes on itself without a step and
costs a tick nothing but a slice.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, TICKS_PER_S
from telephony.media.g711 import Samples

MAX_ORDER: Final = 12
OVERLOAD: Final = 32768.0
LOUDEST_DBOV: Final = 20
"""A background is never taken to be louder than -20 dBov, whatever the octet says."""

_WHITE: Final = np.fft.rfft(np.random.default_rng(3389).standard_normal(SAMPLE_RATE_HZ))


def predictor(reflection: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the coefficients 1, a1, … of A(z) by the step-up recursion."""
    a = np.ones(1)
    for k in reflection:
        longer = np.append(a, 0.0)
        a = longer + k * longer[::-1]
    return a


def noise_loop(payload: bytes) -> Samples:
    """Return int16[ticks, 160]: a second of the noise that a comfort noise payload stands for. Any octets are legal;
    none at all are silence."""
    if not payload:
        return np.zeros((TICKS_PER_S, SAMPLES_PER_TICK), np.int16)
    coefficients = np.frombuffer(payload[1 : 1 + MAX_ORDER], np.uint8).astype(np.float64)
    reflection = np.clip(258 * (coefficients - 127) / 32768, -0.95, 0.95)
    shape = np.abs(np.fft.rfft(predictor(reflection), SAMPLE_RATE_HZ))
    noise = np.fft.irfft(_WHITE / shape, SAMPLE_RATE_HZ)
    level = OVERLOAD * 10.0 ** (-max(payload[0] & 0x7F, LOUDEST_DBOV) / 20)
    scaled = noise * (level / np.sqrt(np.mean(noise**2)))
    loop: Samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return loop.reshape(TICKS_PER_S, SAMPLES_PER_TICK)


class Comfort:
    """The loops of the legs that rest."""

    def __init__(self) -> None:
        self._loops: dict[int, tuple[bytes, Samples, int]] = {}

    def reset(self, leg: int) -> None:
        """Forget a leg."""
        self._loops.pop(leg, None)

    def take(self, leg: int, payload: bytes, tick: int) -> None:
        """Take a comfort noise payload. The same again goes on with the loop there is, and so does another within a
        second: a flood of them must not cost the tick a transform each."""
        payload = payload[: 1 + MAX_ORDER]
        known = self._loops.get(leg)
        if known is None or (known[0] != payload and tick - known[2] >= TICKS_PER_S):
            self._loops[leg] = payload, noise_loop(payload), tick

    def play(self, leg: int, tick: int) -> Samples:
        """Return int16[160] of a leg's background; silence where it told of none."""
        loop = self._loops.get(leg)
        return loop[1][tick % TICKS_PER_S] if loop is not None else np.zeros(SAMPLES_PER_TICK, np.int16)
