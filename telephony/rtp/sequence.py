"""Numbers that wrap are unwrapped once, at the door; behind it they are plain integers.

`Continuity` counts what a source sent and what of it never came (RFC 3550 appendix A.3).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.rtp.packet import Integers

SEQUENCE_BITS: Final = 16
TIMESTAMP_BITS: Final = 32
MAX_DROPOUT: Final = 3000
"""RFC 3550 appendix A.1: a jump further ahead is a restarted source, not lost packets."""


def unwrap(reference: Integers, number: Integers, bits: int) -> Integers:
    """Return the integers congruent to `number` modulo 2**bits that lie nearest to `reference`."""
    half = 1 << (bits - 1)
    return reference + ((number - reference + half) & ((1 << bits) - 1)) - half


@dataclass(frozen=True, slots=True)
class Heard:
    """A leg's present source: its highest sequence number with the wraps it has had, and packets due and come."""

    ssrc: int
    highest: int
    expected: int
    received: int


class Continuity:
    """Expected and received packets of each leg's present source."""

    def __init__(self, legs: int) -> None:
        self._running = np.zeros(legs, np.bool_)
        self._ssrc = np.zeros(legs, np.int64)
        self._first = np.zeros(legs, np.int64)
        self._highest = np.zeros(legs, np.int64)
        self._received = np.zeros(legs, np.int64)
        self._lost_before = np.zeros(legs, np.int64)

    def reset(self, leg: int) -> None:
        """Forget a leg."""
        self._running[leg] = False
        self._lost_before[leg] = 0

    def note(self, legs: Integers, ssrc: Integers, sequence: Integers) -> None:
        """Count one packet of each leg; the legs are distinct."""
        extended = unwrap(self._highest[legs], sequence, SEQUENCE_BITS)
        jumped = np.abs(extended - self._highest[legs]) > MAX_DROPOUT
        begins = ~self._running[legs] | (self._ssrc[legs] != ssrc) | jumped
        if begins.any():
            self._begin(legs[begins], ssrc[begins], sequence[begins])
            extended = np.where(begins, sequence, extended)
        self._highest[legs] = np.maximum(self._highest[legs], extended)
        self._first[legs] = np.minimum(self._first[legs], extended)
        self._received[legs] += 1

    def lost(self, leg: int) -> int:
        """Return how many packets never came; duplicates can hide losses, as in the RFC, but never make it negative."""
        return int(self._lost_before[leg]) + self._lost_now(leg)

    def heard(self, leg: int) -> Heard | None:
        """Return what came of a leg's present source, None where there is none."""
        if not self._running[leg]:
            return None
        highest, first = int(self._highest[leg]), int(self._first[leg])
        return Heard(int(self._ssrc[leg]), highest, highest - first + 1, int(self._received[leg]))

    def _begin(self, legs: Integers, ssrc: Integers, sequence: Integers) -> None:
        for leg in legs.tolist():
            self._lost_before[leg] += self._lost_now(leg)
        self._running[legs] = True
        self._ssrc[legs] = ssrc
        self._first[legs] = sequence
        self._highest[legs] = sequence
        self._received[legs] = 0

    def _lost_now(self, leg: int) -> int:
        if not self._running[leg]:
            return 0
        expected = int(self._highest[leg] - self._first[leg]) + 1
        return max(0, expected - int(self._received[leg]))
