"""RTP headers, read and written for all packets of a tick at once (RFC 3550 section 5.1).

Rule 1: received datagrams lie in the rows of a matrix, uint8[n, ROW_OCTETS]; whatever is in a row beyond its length is
left over from an earlier tick and means nothing.

Rule 2: any octets at all are legal input. What is not RTP is marked so; nothing here raises for it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

ROW_OCTETS: Final = 2048
HEADER_OCTETS: Final = 12
VERSION: Final = 2

Octets = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_HEADER: Final = np.dtype(
    [("flags", "u1"), ("marker_type", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of n rows. Of a row that is not `valid` every other field is meaningless.

    `offset` is where the payload begins and `octets` its length, with CSRC list, extension and padding taken off.
    """

    valid: Flags
    marker: Flags
    payload_type: Octets
    sequence: Integers
    timestamp: Integers
    ssrc: Integers
    offset: Integers
    octets: Integers

    def take(self, chosen: Integers) -> "Headers":
        """Return the headers of some rows."""
        return Headers(
            self.valid[chosen],
            self.marker[chosen],
            self.payload_type[chosen],
            self.sequence[chosen],
            self.timestamp[chosen],
            self.ssrc[chosen],
            self.offset[chosen],
            self.octets[chosen],
        )


def parse(rows: Octets, lengths: Integers) -> Headers:
    """Read the headers of datagrams uint8[n, ROW_OCTETS] of `lengths` octets each."""
    fixed = np.ascontiguousarray(rows[:, :HEADER_OCTETS]).view(_HEADER)[:, 0]
    flags = fixed["flags"]
    offset = HEADER_OCTETS + 4 * (flags & 0x0F).astype(np.int64)
    valid = (lengths >= offset) & (lengths <= rows.shape[1]) & (flags >> 6 == VERSION)
    extended = np.flatnonzero(valid & (flags & 0x10 != 0))
    if extended.size:
        offset[extended], valid[extended] = _after_extension(rows, extended, offset[extended], lengths[extended])
    octets = lengths - offset
    padded = np.flatnonzero(valid & (flags & 0x20 != 0))
    if padded.size:
        # Section 5.1: the last octet counts the padding "including itself", so 0 is not a count.
        padding = rows[padded, lengths[padded] - 1].astype(np.int64)
        valid[padded] = (padding >= 1) & (padding <= octets[padded])
        octets[padded] -= padding
    marker_type: Octets = fixed["marker_type"]
    return Headers(
        valid=valid,
        marker=marker_type & 0x80 != 0,
        payload_type=marker_type & np.uint8(0x7F),
        sequence=fixed["sequence"].astype(np.int64),
        timestamp=fixed["timestamp"].astype(np.int64),
        ssrc=fixed["ssrc"].astype(np.int64),
        offset=offset,
        octets=octets,
    )


def _after_extension(rows: Octets, chosen: Integers, offset: Integers, lengths: Integers) -> tuple[Integers, Flags]:
    """Return the offsets behind the header extension (section 5.3.1), and whether it fits."""
    fits = offset + 4 <= lengths
    at = np.where(fits, offset, 0)
    words = rows[chosen, at + 2].astype(np.int64) << 8 | rows[chosen, at + 3]
    behind = offset + 4 + 4 * words
    return behind, fits & (behind <= lengths)


def write_headers(
    datagrams: Octets, payload_type: Octets, marker: Flags, sequence: Integers, timestamp: Integers, ssrc: Integers
) -> None:
    """Write plain twelve-octet headers into the front of uint8[n, at least 12]; numbers are wrapped here."""
    fixed = np.empty(len(datagrams), _HEADER)
    fixed["flags"] = VERSION << 6
    fixed["marker_type"] = payload_type | (marker.astype(np.uint8) << 7)
    fixed["sequence"] = sequence & 0xFFFF
    fixed["timestamp"] = timestamp & 0xFFFFFFFF
    fixed["ssrc"] = ssrc
    datagrams[:, :HEADER_OCTETS] = fixed.view(np.uint8).reshape(-1, HEADER_OCTETS)
