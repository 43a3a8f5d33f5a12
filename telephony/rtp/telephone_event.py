"""Keys as RFC 4733 telephone-events, read and written: one press per event, whichever of its packets arrive.

A press is keyed on the RTP timestamp, which all packets of one event share (section 2.5.1.2), and is reported with the
first packet that comes. The marker bit and the three end packets are not needed for that, so losing them costs nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.clock import SAMPLE_RATE_HZ
from telephony.rtp.sequence import TIMESTAMP_BITS, unwrap

DIGITS: Final = "0123456789*#ABCD"
PAYLOAD_OCTETS: Final = 4
END_BIT: Final = 0x80
VOLUME: Final = 10
"""Section 2.3.4: of the tone that a gateway makes of it, -10 dBm0."""
STALE_SAMPLES: Final = 8 * SAMPLE_RATE_HZ
"""An older timestamp than this is not a straggler: the source has begun to count anew."""


def write(digit: str, duration: int, *, ended: bool) -> bytes:
    """Return the payload of one packet of a key's event (section 2.3); `duration` in units of the event's clock."""
    return bytes([DIGITS.index(digit), VOLUME | (END_BIT if ended else 0)]) + duration.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Press:
    """A key and how long, by the event's clock, it had been down when its first packet to arrive was sent."""

    digit: str
    held: int


class TelephoneEvents:
    """The events of one leg."""

    __slots__ = ("_duration", "_ended", "_event", "_ssrc", "_timestamp")

    def __init__(self) -> None:
        self._ssrc = -1
        self._timestamp = 0
        self._event = -1
        self._duration = 0
        self._ended = False

    def receive(self, ssrc: int, timestamp: int, payload: bytes) -> Press | None:
        """Take one packet's payload; return the press if it is the first of a key's event to arrive.

        Events other than the sixteen keys (hook flash, tones) and short payloads are passed over.
        """
        if len(payload) < PAYLOAD_OCTETS or payload[0] >= len(DIGITS):
            return None
        event, ended, duration = payload[0], bool(payload[1] & END_BIT), int.from_bytes(payload[2:4], "big")
        if ssrc != self._ssrc:
            self._ssrc, self._timestamp, self._event = ssrc, timestamp, -1
        at = int(unwrap(np.array([self._timestamp]), np.array([timestamp]), TIMESTAMP_BITS)[0])
        after = at - self._timestamp
        if self._event >= 0 and -STALE_SAMPLES < after <= 0:
            if after == 0:
                self._ended |= ended
                self._duration = max(self._duration, duration)
            return None
        continues = self._continues(event, after)
        self._timestamp, self._event, self._duration, self._ended = at, event, duration, ended
        return None if continues else Press(DIGITS[event], duration)

    def _continues(self, event: int, after: int) -> bool:
        """Section 2.5.1.3: a key held longer than the duration field can say goes on as a further event that begins
        where the one before it stopped, which had no end packet."""
        return event == self._event and not self._ended and 0 < after <= self._duration
