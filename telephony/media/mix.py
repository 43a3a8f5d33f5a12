"""Bridges: everyone in a bridge hears the sum of the others, which is the total minus their own audio."""

from typing import Final

import numpy as np

from telephony.media.g711 import Samples
from telephony.rtp.packet import Integers

ALONE: Final = -1
LOUDEST: Final = np.iinfo(np.int16).max
SOFTEST: Final = np.iinfo(np.int16).min


def saturate(sums: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> Samples:
    """Return int32 sums as int16, held at the limits instead of wrapped around."""
    return np.clip(sums, SOFTEST, LOUDEST).astype(np.int16)


def total_minus_own(heard: Samples, bridge: Integers) -> Samples:
    """Return what each of n legs hears of the others: int16[n, 160], from int16[n, 160] and the bridge of each (ALONE:
    none, and silence)."""
    others = np.zeros_like(heard)
    members = np.flatnonzero(bridge != ALONE)
    if members.size < 2:
        return others
    members = members[np.argsort(bridge[members], kind="stable")]
    grouped = bridge[members]
    begins = np.concatenate(([True], grouped[1:] != grouped[:-1]))
    audio = heard[members].astype(np.int32)
    totals = np.add.reduceat(audio, np.flatnonzero(begins), axis=0)
    others[members] = saturate(totals[np.cumsum(begins) - 1] - audio)
    return others
