"""G.711: both laws as tables, exact after the ITU-T's reference implementation (G.191, module G.711).

Decoded samples fill 16 bits (µ-law 14 bits shifted by two, A-law 13 bits shifted by three), as everywhere in practice.
Payload types are the static ones of RFC 3551: 0 for PCMU, 8 for PCMA.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.rtp.packet import Octets

PCMU: Final = 0
PCMA: Final = 8
LAWS: Final = (PCMU, PCMA)
MULAW_BIAS: Final = 33
MULAW_CLIP: Final = 0x1FFF

Samples = npt.NDArray[np.int16]


def _expand_mulaw() -> Samples:
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    magnitude = (0x80 << exponent) + (4 << (exponent + 1)) * mantissa + (2 << (exponent + 1)) - 4 * MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _expand_alaw() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 0x0F
    linear = (mantissa << 4) + 8
    segmented = ((mantissa + 16 << 4) + 8) << np.maximum(exponent - 1, 0)
    magnitude = np.where(exponent == 0, linear, segmented)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _all_samples() -> npt.NDArray[np.int64]:
    """Every 16-bit sample, at the index that it has as an unsigned number."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)


def _log2(value: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of the highest bit set, 0 for 0."""
    return np.asarray(np.sum(value[:, None] >> np.arange(1, 16) > 0, axis=1), np.int64)


def _compress_mulaw() -> Octets:
    sample = _all_samples()
    # G.191 takes the one's complement of negative samples, so that -1 and 0 fall into mirrored steps.
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + MULAW_BIAS, MULAW_CLIP)
    segment = _log2(magnitude >> 6) + (magnitude >> 6 > 0) + 1
    code = (8 - segment) << 4 | 0x0F - (magnitude >> segment & 0x0F)
    return np.asarray(code | np.where(sample >= 0, 0x80, 0), np.uint8)


def _compress_alaw() -> Octets:
    sample = _all_samples()
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    exponent = np.where(magnitude > 15, _log2(magnitude) - 3, 0)
    mantissa = np.where(magnitude > 15, (magnitude >> np.maximum(exponent - 1, 0)) - 16, magnitude)
    code = exponent << 4 | mantissa
    return ((code | np.where(sample >= 0, 0x80, 0)) ^ 0x55).astype(np.uint8)


DECODE: Final = np.stack([_expand_mulaw(), _expand_alaw()])
"""int16[2, 256]: µ-law, A-law."""
ENCODE: Final = np.stack([_compress_mulaw(), _compress_alaw()])
"""uint8[2, 65536], indexed by the sample seen as an unsigned number."""


def decode(payload: Octets, payload_type: Octets) -> Samples:
    """Decode uint8[n, 160], each row by its own payload type, into int16[n, 160]."""
    a_law = payload_type == PCMA
    samples: Samples = DECODE[0].take(payload)
    if a_law.any():
        samples[a_law] = DECODE[1].take(payload[a_law])
    return samples


def encode(samples: Samples, payload_type: Octets) -> Octets:
    """Encode int16[n, 160], each row by its own payload type, into uint8[n, 160]."""
    a_law = payload_type == PCMA
    unsigned = np.ascontiguousarray(samples).view(np.uint16)
    payload: Octets = ENCODE[0].take(unsigned)
    if a_law.any():
        payload[a_law] = ENCODE[1].take(unsigned[a_law])
    return payload
