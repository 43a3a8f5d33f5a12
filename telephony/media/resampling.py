"""Between 16 kHz and the plane's 8 kHz, by one half-band filter (Crochiere and Rabiner, Multirate Digital Signal
Processing, 1983, section 5.3): every second of its taps is nought, so each sample costs 26 products.

A windowed sinc (Kaiser, beta 5.65): flat to 0.1 dB up to 3.4 kHz, 58 dB down from 4.6 kHz on. It delays by 25 samples
at 16 kHz, which is 1.6 ms. Streams come in pieces of any length; the filter remembers what it needs of the last one.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.media.g711 import Samples

Floats = npt.NDArray[np.float32]

TAPS: Final = 51
"""4n + 3, so that the outermost taps are not nought."""
BETA: Final = 5.65
WIDE_HZ: Final = 16_000
_MIDDLE: Final = TAPS // 2


def _taps() -> Floats:
    """The filter's taps at even places, the others being nought but for one half in the middle; their sum is a half,
    so that the two halves of the filter give the same level."""
    place = np.arange(0, TAPS, 2) - _MIDDLE
    taps = np.sinc(place / 2) / 2 * np.kaiser(TAPS, BETA)[::2]
    scaled: Floats = (taps / taps.sum() / 2).astype(np.float32)
    return scaled


EVEN_TAPS: Final = _taps()
_PAST: Final = len(EVEN_TAPS) - 1
_ODD_DELAY: Final = (_MIDDLE + 1) // 2


def _rounded(samples: npt.NDArray[np.floating]) -> Samples:
    rounded: Samples = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return rounded


class Halving:
    """16 kHz in, 8 kHz out."""

    __slots__ = ("_even", "_odd")

    def __init__(self) -> None:
        self._even = np.zeros(_PAST, np.float32)
        self._odd = np.zeros(_ODD_DELAY, np.float32)

    def take(self, samples: Samples) -> Samples:
        """Return int16[n] of int16[2 n]; the last of an odd number of samples is left out."""
        count = len(samples) // 2
        if not count:
            return np.zeros(0, np.int16)
        pairs = samples[: 2 * count].reshape(count, 2).astype(np.float32)
        even = np.concatenate((self._even, pairs[:, 0]))
        odd = np.concatenate((self._odd, pairs[:, 1]))
        self._even, self._odd = even[count:], odd[count:]
        return _rounded(np.convolve(even, EVEN_TAPS, "valid") + odd[:count] / 2)


class Doubling:
    """8 kHz in, 16 kHz out."""

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past = np.zeros(_PAST, np.float32)

    def take(self, samples: Samples) -> Samples:
        """Return int16[2 n] of int16[n]."""
        count = len(samples)
        if not count:
            return np.zeros(0, np.int16)
        known = np.concatenate((self._past, samples.astype(np.float32)))
        self._past = known[count:]
        doubled = np.empty((count, 2), np.float32)
        doubled[:, 0] = np.convolve(known, 2 * EVEN_TAPS, "valid")
        doubled[:, 1] = known[_PAST - _ODD_DELAY + 1 :][:count]
        return _rounded(doubled.reshape(-1))
