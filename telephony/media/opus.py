"""Opus (RFC 6716, RFC 7587) for the legs of browsers that talk with each other: mono, 20 ms, at the plane's 8 kHz.

libopus decodes to and encodes from 8 kHz itself, so nothing is resampled here. A packet that is lost is rebuilt from
the in-band FEC of the one after it where that has come, and concealed otherwise.

Rule: pure but for libopus, whose functions come in as a `Library`. A packet that libopus refuses is a lost one.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Octets

CLOCK_PER_TICK: Final = 960
"""RFC 7587 section 4.1: the RTP clock is 48 kHz, whatever the audio's rate."""
MAX_PAYLOAD: Final = 160

_VOIP: Final = 2048
_BITRATE, _COMPLEXITY, _INBAND_FEC, _LOSS = 4002, 4010, 4012, 4014
_BITS_PER_S: Final = 24_000
_LONGEST: Final = 6 * SAMPLES_PER_TICK  # section 2: 120 ms


class OpusFailed(RuntimeError):
    """libopus could not make a coder."""


@dataclass(frozen=True, slots=True)
class Library:
    """What is used of libopus 1.3 or later, by its C names without `opus_`."""

    encoder_create: Callable[..., Any]
    encoder_destroy: Callable[..., Any]
    encoder_ctl: Callable[..., Any]
    encode: Callable[..., Any]
    decoder_create: Callable[..., Any]
    decoder_destroy: Callable[..., Any]
    decode: Callable[..., Any]
    packet_get_nb_samples: Callable[..., Any]


def bind(library: ctypes.CDLL) -> Library:
    """Return the functions of a loaded libopus, with their types. Raises `AttributeError` for another library."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    types: dict[str, tuple[Any, list[Any]]] = {
        "encoder_create": (pointer, [integer, integer, integer, pointer]),
        "encoder_destroy": (None, [pointer]),
        "encoder_ctl": (integer, [pointer, integer, integer]),
        "encode": (integer, [pointer, pointer, integer, pointer, integer]),
        "decoder_create": (pointer, [integer, integer, pointer]),
        "decoder_destroy": (None, [pointer]),
        "decode": (integer, [pointer, ctypes.c_char_p, integer, pointer, integer, integer]),
        "packet_get_nb_samples": (integer, [ctypes.c_char_p, integer, integer]),
    }
    found = {}
    for name, (result, arguments) in types.items():
        function = getattr(library, f"opus_{name}")
        function.restype, function.argtypes = result, arguments
        found[name] = function
    return Library(**found)


class Encoder:
    """Encodes a leg's ticks."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._coder = library.encoder_create(SAMPLE_RATE_HZ, 1, _VOIP, None)
        if not self._coder:
            raise OpusFailed("libopus makes no encoder")
        for option, value in ((_BITRATE, _BITS_PER_S), (_COMPLEXITY, 5), (_INBAND_FEC, 1), (_LOSS, 10)):
            library.encoder_ctl(self._coder, option, value)
        self._payload = np.zeros(MAX_PAYLOAD, np.uint8)

    def encode(self, samples: Samples) -> Octets:
        """Return the payload of int16[160]; it is good until the next call."""
        samples = np.ascontiguousarray(samples)
        size = self._library.encode(
            self._coder, samples.ctypes.data, SAMPLES_PER_TICK, self._payload.ctypes.data, MAX_PAYLOAD
        )
        return self._payload[: max(0, size)]

    def close(self) -> None:
        """Free the coder."""
        if self._coder:
            self._library.encoder_destroy(self._coder)
            self._coder = None


class OpusCoder:
    """Both directions of a leg, with in-band FEC. The coder of a direction is made when it is first needed."""

    clock_per_tick: Final = CLOCK_PER_TICK

    def __init__(self, library: Library) -> None:
        self._library = library
        self._encoder: Encoder | None = None
        self._decoder: Any = None
        self._room = np.zeros(_LONGEST, np.int16)

    def samples_in(self, payload: bytes) -> int:
        """Return how many samples at 8 kHz a packet says that it holds; negative for none of Opus."""
        count: int = self._library.packet_get_nb_samples(payload, len(payload), SAMPLE_RATE_HZ) if payload else 0
        return count

    def decode(self, payload: bytes) -> Samples:
        """Return what a packet holds, at 8 kHz: int16[20 to 960]. What libopus refuses is concealed, as one tick."""
        count = self._decode(payload, len(payload), _LONGEST, fec=0) if payload else 0
        return self._room[:count].copy() if count > 0 else self.conceal(None)

    def conceal(self, following: bytes | None) -> Samples:
        """Return int16[160] in place of a lost tick: from the FEC of the packet after it, where it has any."""
        count = self._decode(following, len(following), SAMPLES_PER_TICK, fec=1) if following else 0
        if count <= 0:
            count = self._decode(None, 0, SAMPLES_PER_TICK, fec=0)
        if count != SAMPLES_PER_TICK:
            return np.zeros(SAMPLES_PER_TICK, np.int16)
        return self._room[:SAMPLES_PER_TICK].copy()

    def encode(self, samples: Samples) -> bytes:
        """Return the payload of int16[160]."""
        if self._encoder is None:
            self._encoder = Encoder(self._library)
        return self._encoder.encode(samples).tobytes()

    def close(self) -> None:
        """Free the coders."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        if self._decoder is not None:
            self._library.decoder_destroy(self._decoder)
            self._decoder = None

    def _decode(self, payload: bytes | None, octets: int, room: int, *, fec: int) -> int:
        """Fill the room, and return by how much; negative for what was refused."""
        if self._decoder is None:
            self._decoder = self._library.decoder_create(SAMPLE_RATE_HZ, 1, None)
            if not self._decoder:
                raise OpusFailed("libopus makes no decoder")
        count: int = self._library.decode(self._decoder, payload, octets, self._room.ctypes.data, room, fec)
        return count
