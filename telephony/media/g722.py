"""G.722 (ITU-T G.722, 64 kbit/s) for legs: 16 kHz on the wire, the plane's 8 kHz inside.

RFC 3551 section 4.5.2: "Even though the actual sampling rate for G.722 audio is 16,000 Hz, the RTP clock rate for the
G722 payload format is 8,000 Hz because that value was erroneously assigned in RFC 1890 and must remain unchanged for
backward compatibility." So an octet, which is two samples, is one unit of that clock, as an octet of G.711 is.

Rule: pure but for the ADPCM itself, whose coders come in as a `Library`. Every octet means something, so no packet is
refused; after a lost one the decoder's state is off and finds back by the leakage that the Recommendation built in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.media.repetition import Repetition
from telephony.media.resampling import Doubling, Halving

OCTETS_PER_TICK: Final = SAMPLES_PER_TICK


class Encoder(Protocol):
    """int16[320] at 16 kHz in, 160 octets out."""

    def encode(self, samples: Samples) -> bytes:
        """Return a tick's octets."""
        ...


class Decoder(Protocol):
    """Octets in, int16[2 * octets] at 16 kHz out."""

    def decode(self, payload: bytes) -> Samples:
        """Return a packet's samples."""
        ...


@dataclass(frozen=True, slots=True)
class Library:
    """What makes the coders; each has the state of one stream in one direction."""

    encoder: Callable[[], Encoder]
    decoder: Callable[[], Decoder]


class G722Coder:
    """Both directions of a leg. The coder of a direction is made when it is first needed."""

    clock_per_tick: Final = SAMPLES_PER_TICK

    def __init__(self, library: Library) -> None:
        self._library = library
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._halving = Halving()
        self._doubling = Doubling()
        self._repetition = Repetition()

    def samples_in(self, payload: bytes) -> int:
        """Return how many samples at 8 kHz a packet holds: one an octet."""
        return len(payload)

    def decode(self, payload: bytes) -> Samples:
        """Return int16[octets] at 8 kHz."""
        if not payload:
            return self.conceal(None)
        if self._decoder is None:
            self._decoder = self._library.decoder()
        samples = self._halving.take(self._decoder.decode(payload))
        self._repetition.remember(samples)
        return samples

    def conceal(self, following: bytes | None) -> Samples:  # noqa: ARG002 (a packet tells nothing of the one before)
        """Return int16[160] in place of a lost tick."""
        return self._repetition.tick()

    def encode(self, samples: Samples) -> bytes:
        """Return the 160 octets of int16[160]."""
        if self._encoder is None:
            self._encoder = self._library.encoder()
        return self._encoder.encode(self._doubling.take(samples))

    def close(self) -> None:
        """Forget the coders."""
        self._encoder = self._decoder = None
