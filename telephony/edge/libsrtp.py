"""libsrtp in place: what its Python binding does with three copies, done with none to decrypt and one to encrypt.

One buffer serves all sessions, since one thread does all of it.
"""

from typing import Final

import pylibsrtp
from pylibsrtp._binding import ffi, lib

MAX_OCTETS: Final = 1500
"""No packet of media is longer; as many are left for what encryption adds."""
_BUFFER: Final = bytearray(2 * MAX_OCTETS)
_OCTETS: Final = memoryview(_BUFFER)
_POINTER: Final = ffi.from_buffer(_BUFFER)
_LENGTH: Final = ffi.new("int *")


class InPlace:
    """A session of pylibsrtp's, which stays its own."""

    __slots__ = ("_session", "_srtp")

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session  # it frees what is below when it goes
        self._srtp = session._srtp[0]

    def open(self, row: memoryview, length: int) -> int:
        """Decrypt the SRTP packet in the first `length` octets of `row`; return the octets of the RTP packet there, 0
        for what is forged, old or no packet. `row` may be longer, and has to begin at a multiple of 4."""
        if not 12 <= length <= MAX_OCTETS:
            return 0
        _LENGTH[0] = length
        if lib.srtp_unprotect(self._srtp, ffi.from_buffer(row), _LENGTH):
            return 0
        return int(_LENGTH[0])

    def seal(self, packet: bytes | memoryview) -> memoryview:
        """Return the SRTP packet of an RTP packet; it is good until the next one. Raises `OSError` where libsrtp does
        not want to, as for a key that is used up: nothing goes out in the clear."""
        length = len(packet)
        if length > MAX_OCTETS:
            raise OSError(f"{length} octets are no packet of media")
        _OCTETS[:length] = packet
        _LENGTH[0] = length
        status = lib.srtp_protect(self._srtp, _POINTER, _LENGTH)
        if status:
            raise OSError(f"not encrypted: libsrtp's status {status}")
        return _OCTETS[: _LENGTH[0]]

    def open_report(self, datagram: bytes) -> bytes | None:
        """Return the RTCP packet in an SRTCP packet, None for what is forged or old."""
        try:
            return bytes(self._session.unprotect_rtcp(datagram)) if len(datagram) <= MAX_OCTETS else None
        except pylibsrtp.Error:
            return None

    def seal_report(self, packet: bytes) -> bytes | None:
        """Return the SRTCP packet of an RTCP packet, None where libsrtp does not want to."""
        try:
            return bytes(self._session.protect_rtcp(packet))
        except pylibsrtp.Error:
            return None
