"""One `m=` section of the far end: which codecs, keys of the telephone, address and direction it names.

Rule 1: what we speak is PCMU (0), PCMA (8), G.722 (9, with the clock of 8000 that RFC 3551 section 4.5.2 gave it by
mistake), Opus (RFC 7587) and L16 at 8 and 16 kHz, mono, each with telephone-event (RFC 4733) of its clock.

Rule 2: a phone's stream is RTP/AVP or RTP/SAVP, with or without feedback (RFC 4585, RFC 5124), and encrypted where
`a=crypto` says so; a browser's is UDP/TLS/RTP/SAVPF. One is never taken for the other.
"""

import ipaddress
import re
from typing import Final

import msgspec

from telephony.clock import TICK_MS
from telephony.events import Codec, Direction
from telephony.sdp import webrtc
from telephony.sdp.description import Media, SdpError, SessionDescription

PCMU: Final = 0
PCMA: Final = 8
G722: Final = 9
OPUS: Final = 111
L16_NARROW: Final = 122
L16_WIDE: Final = 123
"""Dynamic ones are our numbers in offers; in an answer the offer's own number stands."""
LAWS: Final = (PCMU, PCMA)
STATIC: Final = (PCMU, PCMA, G722)
DYNAMIC: Final = range(96, 128)
TELEPHONE_EVENT: Final = 101
EVENTS: Final = {8000: TELEPHONE_EVENT, 16_000: 105, 48_000: 110}
"""Our numbers for keys, by clock."""
CODECS: Final = {
    PCMU: "PCMU/8000",
    PCMA: "PCMA/8000",
    G722: "G722/8000",
    OPUS: "opus/48000/2",
    L16_NARROW: "L16/8000",
    L16_WIDE: "L16/16000",
}
NAMES: Final[dict[int, Codec]] = {
    PCMU: "PCMU",
    PCMA: "PCMA",
    G722: "G722",
    OPUS: "opus",
    L16_NARROW: "L16/8000",
    L16_WIDE: "L16/16000",
}
NUMBERS: Final[dict[Codec, int]] = {name: number for number, name in NAMES.items()}
ENCODINGS: Final = {
    PCMU: ("pcmu", 8000),
    PCMA: ("pcma", 8000),
    G722: ("g722", 8000),
    OPUS: ("opus", 48000),
    L16_NARROW: ("l16", 8000),
    L16_WIDE: ("l16", 16000),
}
_CODEC_OF: Final = {encoding: codec for codec, encoding in ENCODINGS.items()}
NOWHERE: Final = "0.0.0.0"  # noqa: S104  # said and understood here, bound nowhere
NULL_ADDRESSES: Final = frozenset({NOWHERE, "::"})
"""Hold in the style of RFC 2543 (RFC 3264 section 8.4)."""
PLAIN: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
SECURE: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
REVERSED: Final[dict[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
# Codes of the Warning header field (RFC 3261 section 20.43).
ADDRESS_FORMAT, TRANSPORT, MEDIA_TYPE, MEDIA_FORMAT, MULTICAST = 301, 302, 304, 305, 330
_MAX_PAYLOAD_TYPE: Final = 127
_MILLISECONDS: Final = re.compile(r"[0-9]{1,9}")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([^/\s]+)/([0-9]+)(?:/([0-9]+))?")
_CONNECTION: Final = re.compile(r"IN (IP4|IP6) ([^\s/]+)(?:/[0-9/]+)?")


class Format(msgspec.Struct, frozen=True):
    """One of our codecs under the number it has in a description."""

    codec: int
    number: int


def is_browsers(media: Media, description: SessionDescription) -> bool:
    """Whether a stream is one of a browser's: DTLS-SRTP with ICE."""
    return webrtc.is_spoken(media) and bool(media.attributes("ice-ufrag") or description.attributes("ice-ufrag"))


def codecs_of(media: Media, taken: tuple[int, ...] = tuple(CODECS)) -> list[Format]:
    """Return which of the codecs that we take a stream names, in its own order. A static payload type needs no rtpmap,
    and one that says otherwise is not ours."""
    maps = _maps(media)
    found = []
    for format_ in media.formats:
        if format_.isascii() and format_.isdecimal() and len(format_) <= 3:
            number = int(format_)
            named = maps.get(format_) or (ENCODINGS[number] if number in STATIC else None)
            codec = _CODEC_OF.get(named) if named is not None else None
            if codec in taken and _fits(codec, number):
                found.append(Format(codec, number))
    return found


def _fits(codec: int, number: int) -> bool:
    """Whether a codec may have this number: G.711 its own alone, whose table it is read by."""
    if codec in LAWS or number in LAWS:
        return codec == number
    return number <= _MAX_PAYLOAD_TYPE


def check_packet_time(media: Media) -> None:
    """Raise `SdpError` where less than 20 ms is the most that a packet may hold (RFC 8866 section 6.4)."""
    for value in media.attributes("maxptime"):
        found = _MILLISECONDS.match(value.strip())
        if found is not None and 0 < int(found.group()) < TICK_MS:
            raise SdpError(f"a=maxptime:{found.group()}, and packets of {TICK_MS} ms are sent", warning=MEDIA_FORMAT)


def telephone_event(media: Media, codec: Format) -> tuple[int, int]:
    """Return the payload type of keys and its clock: the codec's where they offer that, else 8000; -1 for none."""
    maps = _maps(media)
    for clock in (ENCODINGS[codec.codec][1], 8000):
        for form in media.formats:
            if maps.get(form) == ("telephone-event", clock) and PCMA < int(form) <= _MAX_PAYLOAD_TYPE:
                return int(form), clock
    return -1, 8000


def far_end(description: SessionDescription, media: Media) -> tuple[str, Direction]:
    """Return where a phone receives, and the direction as it sees it. Of several `c=` lines the first counts: more
    than one means layers sent to groups (RFC 8866 section 5.7), and we serve none. Raises `SdpError`."""
    connection = next((value for letter, value in media.lines if letter == "c"), "") or description.line("c")
    found = _CONNECTION.fullmatch(connection.strip())
    if found is None:
        raise SdpError("no c= line that can be used", 400)
    address = found.group(2)
    direction = direction_of(description, media)
    if address in NULL_ADDRESSES:  # they do not want to receive
        direction = "sendonly" if direction in {"sendrecv", "sendonly"} else "inactive"
    return address, direction


def direction_of(description: SessionDescription, media: Media) -> Direction:
    """Return the direction of a stream as its own side sees it: at the stream, else for the session, else both ways."""
    return _direction(media.lines) or _direction(description.lines) or "sendrecv"


def check_reachable(address: str) -> int:
    """Return the IP version of a c= address. Raises `SdpError` for a name, which would have to be looked up, and for
    groups: one caller is spoken to, never a network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise SdpError("a c= line without an IP address", warning=ADDRESS_FORMAT) from None
    if found.is_multicast or str(found) == "255.255.255.255":
        raise SdpError("a c= line with the address of a group", warning=MULTICAST)
    return found.version


def _maps(media: Media) -> dict[str, tuple[str, int]]:
    """Return `a=rtpmap` as {format: (lower-case encoding, clock rate)}."""
    maps = {}
    for value in media.attributes("rtpmap"):
        found = _RTPMAP.match(value)
        if found is not None:
            encoding = found.group(2).lower()
            # One channel is what it means where none is said (RFC 8866 section 6.6); L16 has one here.
            name = encoding if encoding != "l16" or int((found.group(4) or "1")[:9]) == 1 else "l16 of many channels"
            maps[found.group(1)] = (name, int(found.group(3)[:9]))
    return maps


def _direction(lines: tuple[tuple[str, str], ...]) -> Direction | None:
    return next((known for letter, value in lines if letter == "a" for known in REVERSED if value == known), None)
