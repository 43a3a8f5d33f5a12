"""Token buckets for any number of senders, in constant memory.

There are two rows of buckets. A sender has one in each, by a keyed hash that nobody outside can compute, and is let
through while either has a token; that takes one from both. Whoever sends too much empties its own two, and it takes
two such neighbours, one in each row, to hold up somebody else. There is no table to be filled: a million forged senders
share the very same buckets, each with its fair part, and none is remembered. (The idea is Stochastic Fair Blue's.)
"""

import hashlib
from array import array
from typing import Final

_ROWS: Final = 2


class FairBuckets:
    """`rate` tokens a second for each sender, and at most `burst` saved up. `size` buckets a row; `key` is secret."""

    def __init__(self, rate: float, burst: float, size: int, key: bytes) -> None:
        self._rate = rate
        self._burst = burst
        self._size = size
        self._key = key[:64]
        self._tokens = array("d", [burst]) * (_ROWS * size)
        self._since = array("d", [0.0]) * (_ROWS * size)

    def take(self, sender: str, now: float) -> bool:
        """Take a token of a sender's; False where there is none."""
        buckets = self._buckets(sender)
        allowed = False
        for bucket in buckets:
            saved = self._tokens[bucket] + max(0.0, now - self._since[bucket]) * self._rate
            self._tokens[bucket] = min(self._burst, saved)
            self._since[bucket] = max(now, self._since[bucket])
            allowed = allowed or self._tokens[bucket] >= 1.0
        if allowed:
            for bucket in buckets:
                self._tokens[bucket] = max(0.0, self._tokens[bucket] - 1.0)
        return allowed

    def _buckets(self, sender: str) -> tuple[int, int]:
        octets = sender.encode("utf-8", "surrogateescape")
        number = int.from_bytes(hashlib.blake2b(octets, digest_size=16, key=self._key).digest(), "big")
        return number % self._size, self._size + (number >> 64) % self._size
