"""Interarrival jitter of all legs (RFC 3550 section 6.4.1 and appendix A.8).

Datagrams are read once a tick, so an arrival is known to 20 ms alone. A packet that comes earlier or later than the one
before it by less is then seen as no difference at all, or as one of 20 ms, as often as the difference is large: the
average is right all the same, since the two clocks' phases drift.
"""

from typing import Final

import numpy as np

from telephony.rtp.packet import Integers
from telephony.rtp.sequence import TIMESTAMP_BITS, unwrap

GAIN: Final = 16
"""Appendix A.8: "the gain parameter 1/16 gives a good noise reduction ratio while maintaining a reasonable rate of
convergence"."""
JUMP_TICKS: Final = 50
"""A second: the source paused or began anew."""


class Interarrival:
    """How evenly each leg's packets come."""

    def __init__(self, legs: int) -> None:
        self._known = np.zeros(legs, np.bool_)
        self._ssrc = np.zeros(legs, np.int64)
        self._transit = np.zeros(legs, np.int64)
        self._jitter = np.zeros(legs, np.float64)

    def reset(self, leg: int) -> None:
        """Forget a leg."""
        self._known[leg] = False
        self._jitter[leg] = 0

    def note(self, legs: Integers, ssrc: Integers, timestamp: Integers, tick: int, clock: Integers) -> None:
        """Take one packet of audio of each leg; the legs are distinct. `clock` is what their RTP clocks count in a
        tick."""
        before = self._transit[legs]
        transit = unwrap(before, tick * clock - timestamp, TIMESTAMP_BITS)
        difference = np.abs(transit - before)
        goes_on = self._known[legs] & (self._ssrc[legs] == ssrc) & (difference <= JUMP_TICKS * clock)
        self._jitter[legs] += np.where(goes_on, (difference - self._jitter[legs]) / GAIN, 0.0)
        self._transit[legs] = transit
        self._ssrc[legs] = ssrc
        self._known[legs] = True

    def jitter(self, leg: int) -> float:
        """Return a leg's jitter in units of its RTP clock."""
        return float(self._jitter[leg])
