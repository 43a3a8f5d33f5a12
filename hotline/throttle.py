"""Counting failures by source in memory that does not grow."""

import hashlib
import ipaddress
import secrets
from array import array


class Throttle:
    """Failures by source: a bucket of `burst` that leaks one every `leak_s`, in `slots` buckets whatever comes.

    Sources share a bucket by a keyed hash that nobody outside can aim at.
    """

    def __init__(self, slots: int = 4096, burst: int = 10, leak_s: float = 6.0) -> None:
        self._burst, self._leak_s = burst, leak_s
        self._levels = array("d", bytes(8 * slots))
        self._at = array("d", bytes(8 * slots))
        self._key = secrets.token_bytes(16)

    def wait_s(self, source: str, now: float) -> float:
        """Return how long a source must wait before it may try again, 0 for not at all."""
        return max(0.0, (self._level(self._slot(source), now) - self._burst + 1) * self._leak_s)

    def failed(self, source: str, now: float) -> None:
        """Count a failure."""
        slot = self._slot(source)
        self._levels[slot] = min(self._level(slot, now) + 1, self._burst)
        self._at[slot] = now

    def _level(self, slot: int, now: float) -> float:
        return max(0.0, self._levels[slot] - max(0.0, now - self._at[slot]) / self._leak_s)

    def _slot(self, source: str) -> int:
        digest = hashlib.blake2b(_network(source).encode(), key=self._key, digest_size=8).digest()
        return int.from_bytes(digest) % len(self._levels)


def _network(source: str) -> str:
    """One IPv6 customer has 2**64 addresses: count them as one."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    return source if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
