"""G.722 from the FFmpeg that PyAV's wheel brings along."""

import logging
from typing import Final

import av
import numpy as np

from telephony.media import g722
from telephony.media.g711 import Samples

log = logging.getLogger("hotline.media")
SAMPLES: Final = 320


class _Encoder:
    def __init__(self) -> None:
        self._context = av.AudioCodecContext.create("g722", "w")
        self._context.sample_rate, self._context.format, self._context.layout = 16_000, "s16", "mono"
        self._frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        self._frame.sample_rate = 16_000

    def encode(self, samples: Samples) -> bytes:
        """Return the 160 octets of int16[320]."""
        self._frame.planes[0].update(samples.tobytes())
        self._frame.pts = None
        return b"".join(map(bytes, self._context.encode(self._frame)))


class _Decoder:
    def __init__(self) -> None:
        self._context = av.AudioCodecContext.create("g722", "r")

    def decode(self, payload: bytes) -> Samples:
        """Return the int16[2 * octets] of a packet."""
        frames = self._context.decode(av.Packet(payload))
        pieces = [np.frombuffer(memoryview(frame.planes[0]), np.int16, frame.samples) for frame in frames]
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros(0, np.int16), *pieces])


def find() -> g722.Library | None:
    """Return the coders, None where FFmpeg was built without: then nobody speaks G.722."""
    if "g722" not in av.codecs_available:
        log.warning("g722_missing cause='the FFmpeg of PyAV has no G.722; phones speak G.711'")
        return None
    return g722.Library(_Encoder, _Decoder)
