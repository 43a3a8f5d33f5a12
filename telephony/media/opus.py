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
TARGET_PACKETS: Final = 2
MAX_WAITING: Final = 25
LONG_GAP: Final = 5 * CLOCK_PER_TICK
"""A silence in the timestamps, not a loss."""
CONCEALED_TICKS: Final = 5
SPARE_TICKS: Final = 100

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


class Decoder:
    """A leg's packets in, in whatever order they come; a tick's samples out, always."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._coder = library.decoder_create(SAMPLE_RATE_HZ, 1, None)
        if not self._coder:
            raise OpusFailed("libopus makes no decoder")
        self._waiting: dict[int, bytes] = {}
        self._ssrc = -1
        self._next: int | None = None
        self._heard = np.zeros(0, np.int16)
        self._decoded = np.zeros(_LONGEST, np.int16)
        self._dry = 0
        self._spare = MAX_WAITING
        self._ticks = 0
        self.started = False
        self.late = 0
        self.concealed = 0

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

    def play(self) -> Samples:
        """Return the next tick, int16[160]."""
        self._ticks += 1
        if self._next is None:
            self._dry += 1
            if len(self._waiting) < TARGET_PACKETS and self._dry < TARGET_PACKETS:
                return np.zeros(SAMPLES_PER_TICK, np.int16)
            self._next = min(self._waiting, default=None)
        while len(self._heard) < SAMPLES_PER_TICK:
            self._heard = np.concatenate((self._heard, self._more()))
        tick, self._heard = self._heard[:SAMPLES_PER_TICK], self._heard[SAMPLES_PER_TICK:]
        self._shorten()
        return tick

    def close(self) -> None:
        """Free the coder."""
        if self._coder:
            self._library.decoder_destroy(self._coder)
            self._coder = None

    def _more(self) -> Samples:
        """Return the samples that come next, be it silence."""
        if self._next is None or not self._waiting:
            # Nothing is there: the stream is late, and will be heard later by as much.
            self._dry += 1
            return self._conceal() if self._dry <= CONCEALED_TICKS else np.zeros(SAMPLES_PER_TICK, np.int16)
        self._dry = 0
        payload = self._waiting.pop(self._next, None)
        if payload is not None:
            samples = self._decode(payload, 0)
            self._next += len(samples) * (CLOCK_PER_TICK // SAMPLES_PER_TICK)
            return samples
        after = min(self._waiting)
        if after - self._next > LONG_GAP:
            self._next = after
            return self._more()
        self.concealed += 1
        self._next = min(self._next + CLOCK_PER_TICK, after)
        return self._decode(self._waiting[after], 1) if self._next == after else self._conceal()

    def _decode(self, payload: bytes, fec: int) -> Samples:
        size = len(payload)
        room = SAMPLES_PER_TICK if fec else _LONGEST
        count = self._library.decode(self._coder, payload, size, self._decoded.ctypes.data, room, fec)
        return self._decoded[:count].copy() if count > 0 else self._conceal()

    def _conceal(self) -> Samples:
        count = self._library.decode(self._coder, None, 0, self._decoded.ctypes.data, SAMPLES_PER_TICK, 0)
        if count != SAMPLES_PER_TICK:
            return np.zeros(SAMPLES_PER_TICK, np.int16)
        return self._decoded[:SAMPLES_PER_TICK].copy()

    def _shorten(self) -> None:
        """Take away delay that was not needed for two seconds: one packet at a time is left out."""
        self._spare = min(self._spare, len(self._waiting))
        if self._ticks % SPARE_TICKS == 0:
            if self._spare > TARGET_PACKETS and self._next is not None:
                self._next = min(self._waiting)
                self._decode(self._waiting.pop(self._next), 0)
                self._next += CLOCK_PER_TICK
            self._spare = MAX_WAITING
