"""Codecs that a leg has an object for: all but G.711, whose tables serve all legs at once (`telephony.media.g711`).

Rule 1: a coder is pure but for the library that it was made from, has the state of one leg in both directions, and
fills whole ticks: whatever comes, samples go out. What it cannot read it conceals.

Rule 2: it knows nothing of sequence numbers, timestamps or jitter. It gets packets in their order, and is told of a
tick that is missing.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from telephony.events import Codec
from telephony.media.g711 import Samples
from telephony.media.g722 import OCTETS_PER_TICK, G722Coder
from telephony.media.g722 import Library as G722Library
from telephony.media.l16 import L16Coder
from telephony.media.opus import CLOCK_PER_TICK as OPUS_CLOCK
from telephony.media.opus import MAX_PAYLOAD, OpusCoder
from telephony.media.opus import Library as OpusLibrary


class Coder(Protocol):
    """One leg's codec."""

    @property
    def clock_per_tick(self) -> int:
        """What the RTP clock counts in 20 ms."""
        ...

    def samples_in(self, payload: bytes) -> int:
        """Return how many samples `decode` would give, without decoding: 0 or less for what it would refuse."""
        ...

    def decode(self, payload: bytes) -> Samples:
        """Return all that one packet holds, at 8 kHz: int16[n], 160 samples for every 20 ms. A refused packet is
        concealed, as one tick."""
        ...

    def conceal(self, following: bytes | None) -> Samples:
        """Return int16[160] in place of a lost tick; `following` is the packet after it where that has come, which may
        hold a copy (in-band FEC)."""
        ...

    def encode(self, samples: Samples) -> bytes:
        """Return the payload of one tick, int16[160]."""
        ...

    def close(self) -> None:
        """Free what the coder holds; it is not used after that. May be repeated."""
        ...


CLOCK_PER_TICK: Final[dict[Codec, int]] = {
    "PCMU": 160,
    "PCMA": 160,
    "G722": 160,
    "L16/8000": 160,
    "L16/16000": 320,
    "opus": OPUS_CLOCK,
}
"""RTP clock units in 20 ms."""
PAYLOAD_OCTETS: Final[dict[Codec, int]] = {
    "PCMU": 160,
    "PCMA": 160,
    "G722": OCTETS_PER_TICK,
    "L16/8000": 320,
    "L16/16000": 640,
    "opus": MAX_PAYLOAD,
}
"""The most that we make of a tick; Opus packets of others may be longer (`telephony.media.passing`)."""


class NoCodec(RuntimeError):
    """A codec that cannot be spoken here, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """What codecs are made from; None for what is not installed."""

    opus: OpusLibrary | None = None
    g722: G722Library | None = None

    def make(self, codec: Codec) -> Coder | None:
        """Return a new coder, None for G.711, which needs none. Raises `NoCodec`."""
        match codec:
            case "PCMU" | "PCMA":
                return None
            case "G722":
                if self.g722 is None:
                    raise NoCodec("there is no G.722 here (PyAV has it): take G722 out of media.codecs")
                return G722Coder(self.g722)
            case "L16/8000":
                return L16Coder(8_000)
            case "L16/16000":
                return L16Coder(16_000)
            case "opus":
                if self.opus is None:
                    raise NoCodec("there is no libopus here: take opus out of media.codecs")
                return OpusCoder(self.opus)
