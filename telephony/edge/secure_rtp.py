"""SRTP of phones' legs (RFC 3711, RFC 7714) by libsrtp, with the keys of their SDP (`telephony.sdp.sdes`).

Rule 1: what does not authenticate is not there: neither heard, nor does it move the leg's latch.

Rule 2: a key is used by one session for as long as the leg lives, even if the leg is plain in between. A second session
would begin its packet index anew, and encrypt two packets with one keystream (RFC 3711 section 9.1).

Rule 3: how often a far end's sequence numbers have wrapped is part of what encrypts a packet, and in none of them
(RFC 3711 section 3.3.1). Whoever joins late, as a media worker does that takes a leg over, finds it out.
"""

import base64
import secrets
from typing import Final

import pylibsrtp

from telephony.edge.libsrtp import InPlace
from telephony.events import Srtp, SrtpKey, SrtpSuite
from telephony.rtp import rtcp

PROFILES: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
OCTETS: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""How long a master key and its salt are together."""
HEADER_OCTETS: Final = 12
MAX_SOURCES: Final = 64
"""libsrtp keeps a replay window for every SSRC that proved itself, for ever; so many are let in under one key."""


MOST_ROLLS: Final = 64
"""So often a stream may have wrapped when it is joined late: every 22 minutes, so for nearly a day."""
MOST_SEARCHES: Final = 3
"""Packets of one leg for which that is tried, a few milliseconds each; what comes after them is forged."""
_STEP: Final = 1 << 14
"""How far a packet may be ahead of the last one, and be taken for what it is: less than half of the numbers."""


class BadKey(ValueError):
    """A key that its suite cannot use."""


class SecureRtp:
    """Both directions of one leg. `rejected` counts packets that were forged, old, doubled or in the clear."""

    __slots__ = ("_receiving", "_searches", "_sending", "_sending_by_key", "_sources", "_srtp", "rejected")

    def __init__(self, *, joins_late: bool = False) -> None:
        self.rejected = 0
        self._searches = MOST_SEARCHES if joins_late else 0
        """How many are left."""
        self._srtp: Srtp | None = None
        self._receiving: InPlace | None = None
        self._sending: InPlace | None = None
        self._sending_by_key: dict[str, InPlace] = {}
        self._sources: set[bytes] = set()

    def use(self, srtp: Srtp) -> None:
        """Go on with these keys; said again they change nothing. Raises `BadKey`."""
        before, self._srtp = self._srtp, srtp
        if before is None or (before.suite, before.theirs) != (srtp.suite, srtp.theirs):
            self._receiving = _session(srtp.suite, srtp.theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
            self._sources = set()
        sending = self._sending_by_key.get(srtp.ours)
        if sending is None:
            sending = _session(srtp.suite, srtp.ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
            self._sending_by_key[srtp.ours] = sending
        self._sending = sending

    def open(self, row: memoryview, length: int) -> int:
        """Decrypt the SRTP packet in the first `length` octets of `row`, in its place; return the octets of the RTP
        packet, 0 for none."""
        if length >= HEADER_OCTETS and row[1] & 0x7F in rtcp.TYPES:
            return 0
        source = bytes(row[8:12])
        is_known = source in self._sources
        if self._receiving is None or not (is_known or len(self._sources) < MAX_SOURCES):
            self.rejected += 1
            return 0
        came = bytes(row[:length]) if self._searches and not is_known else b""
        opened = self._receiving.open(row, length) or (came and self._catch_up(came, row)) or 0
        if not opened:
            self.rejected += 1
        elif not is_known:
            self._sources.add(source)
        return opened

    def _catch_up(self, came: bytes, row: memoryview) -> int:
        """Find out how often a stream that was joined late has wrapped. Packets of our own, encrypted with its key,
        lead a new session through its numbers, and each time round the one that came is tried. Return as `open` does.
        """
        if self._srtp is None or len(came) < HEADER_OCTETS:
            return 0
        self._searches -= 1
        ahead = _session(self._srtp.suite, self._srtp.theirs, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        behind = _session(self._srtp.suite, self._srtp.theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        number = int.from_bytes(came[2:4], "big")
        for index in range((number - 1) % (1 << 16), MOST_ROLLS << 16, _STEP):
            lead = b"\x80\0" + (index % (1 << 16)).to_bytes(2, "big") + came[4:HEADER_OCTETS]
            sealed = bytearray(ahead.seal(lead))
            behind.open(memoryview(sealed), len(sealed))
            if (index + 1) % (1 << 16) == number and index + 1 >= 1 << 16:
                row[: len(came)] = came
                opened = behind.open(row, len(came))
                if opened:
                    self._receiving, self._sources, self._searches = behind, set(), 0
                    return opened
        return 0

    def seal(self, packet: bytes | memoryview) -> memoryview:
        """Return the SRTP packet of an RTP packet; it is good until the next one of any leg. Raises `OSError` where
        that cannot be done: nothing goes out in the clear."""
        if self._sending is None:
            raise OSError("no key to encrypt with")
        return self._sending.seal(packet)

    def open_report(self, datagram: bytes) -> bytes | None:
        """Return the RTCP packet in an SRTCP packet (RFC 3711 section 3.4), None for what is forged or old."""
        opened = self._receiving.open_report(datagram) if self._receiving is not None else None
        self.rejected += opened is None
        return opened

    def seal_report(self, packet: bytes) -> bytes | None:
        """Encrypt an RTCP packet; None where that cannot be done: nothing goes out in the clear."""
        return self._sending.seal_report(packet) if self._sending is not None else None


def fresh_keys() -> tuple[SrtpKey, ...]:
    """Return a new master key with its salt for every suite."""
    return tuple(
        SrtpKey(suite, base64.b64encode(secrets.token_bytes(octets)).decode()) for suite, octets in OCTETS.items()
    )


def _session(suite: SrtpSuite, key: str, kind: int) -> InPlace:
    try:
        octets = base64.b64decode(key, validate=True)
    except ValueError:
        raise BadKey(f"a key for {suite} that is not base64") from None
    if len(octets) != OCTETS[suite]:
        raise BadKey(f"a key of {len(octets)} octets for {suite}, which takes {OCTETS[suite]}")
    try:
        return InPlace(pylibsrtp.Session(pylibsrtp.Policy(octets, kind, 0, PROFILES[suite])))
    except pylibsrtp.Error as error:
        raise BadKey(f"libsrtp does not take {suite}: {error}") from error
