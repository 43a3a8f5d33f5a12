"""The small jitter buffer of a leg with a coder: its packets have no fixed size, so they wait as they came."""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.codec import Coder
from telephony.media.g711 import Samples

TARGET_PACKETS: Final = 2
MAX_WAITING: Final = 25
LONG_GAP_TICKS: Final = 5
"""A silence in the timestamps, not a loss."""
CONCEALED_TICKS: Final = 5
SPARE_TICKS: Final = 100


class Waiting:
    """A leg's packets in, in whatever order they come; a tick's samples out, always."""

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._clock = coder.clock_per_tick
        self._waiting: dict[int, bytes] = {}
        self._ssrc = -1
        self._next: int | None = None
        self._heard = np.zeros(0, np.int16)
        self._dry = 0
        self._spare = MAX_WAITING
        self._ticks = 0
        self.started = False
        self.late = 0
        self.concealed = 0
        self.whole: bytes | None = None
        """The packet that was this tick, and nothing else; empty where one was missing."""

    def put(self, ssrc: int, timestamp: int, payload: bytes) -> None:
        """Take a packet."""
        if ssrc != self._ssrc:
            self._ssrc, self._next = ssrc, None
            self._waiting.clear()
        self.started = True
        if self._next is None:
            if not self._waiting:
                self._dry = 0
            self._waiting[timestamp] = payload
            return
        at = self._next + (timestamp - self._next + 0x80000000) % 0x100000000 - 0x80000000
        if at < self._next:
            self.late += 1
        elif len(self._waiting) < MAX_WAITING:
            self._waiting[at] = payload
        else:
            # More than half a second waits: the source runs far ahead, and is followed anew.
            self._waiting = {timestamp: payload}
            self._next = None

    def play(self, heeded: bool = True) -> Samples:
        """Return the next tick, int16[160]. Where nobody needs it (not `heeded`) a packet that is just this tick is not
        decoded, and silence stands for it; the decoder goes on from where it was once somebody does."""
        self._ticks += 1
        self.whole = None
        if self._next is None:
            self._dry += 1
            if len(self._waiting) < TARGET_PACKETS and self._dry < TARGET_PACKETS:
                return np.zeros(SAMPLES_PER_TICK, np.int16)
            self._next = min(self._waiting, default=None)
        if not heeded and self._skips():
            return np.zeros(SAMPLES_PER_TICK, np.int16)
        while len(self._heard) < SAMPLES_PER_TICK:
            self._heard = np.concatenate((self._heard, self._more()))
        tick, self._heard = self._heard[:SAMPLES_PER_TICK], self._heard[SAMPLES_PER_TICK:]
        self._shorten()
        return tick

    def _skips(self) -> bool:
        """Take the packet that is due undecoded, where there is one and it is this tick and nothing else."""
        payload = self._waiting.get(self._next) if self._next is not None else None
        if self._next is None or payload is None or len(self._heard):
            return False
        if self._coder.samples_in(payload) != SAMPLES_PER_TICK:
            return False
        self.whole = self._waiting.pop(self._next)
        self._next += self._clock
        self._dry = 0
        self._shorten()
        return True

    def _more(self) -> Samples:
        """Return the samples that come next, be it silence."""
        if self._next is None or not self._waiting:
            # Nothing is there: the stream is late, and will be heard later by as much.
            self._dry += 1
            self.whole = b""
            return self._coder.conceal(None) if self._dry <= CONCEALED_TICKS else np.zeros(SAMPLES_PER_TICK, np.int16)
        self._dry = 0
        payload = self._waiting.pop(self._next, None)
        if payload is not None:
            samples = self._coder.decode(payload)
            self._next += len(samples) * self._clock // SAMPLES_PER_TICK
            if not len(self._heard) and len(samples) == SAMPLES_PER_TICK:
                self.whole = payload
            return samples
        after = min(self._waiting)
        if after - self._next > LONG_GAP_TICKS * self._clock:
            self._next = after
            return self._more()
        self.concealed += 1
        self.whole = b""
        self._next = min(self._next + self._clock, after)
        return self._coder.conceal(self._waiting[after] if self._next == after else None)

    def _shorten(self) -> None:
        """Take away delay that was not needed for two seconds: one packet at a time is left out."""
        self._spare = min(self._spare, len(self._waiting))
        if self._ticks % SPARE_TICKS == 0:
            if self._spare > TARGET_PACKETS and self._next is not None:
                self._next = min(self._waiting)
                self._coder.decode(self._waiting.pop(self._next))
                self._next += self._clock
            self._spare = MAX_WAITING
