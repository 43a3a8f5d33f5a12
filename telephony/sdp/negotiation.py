"""Offer/answer (RFC 3264) for one stream of telephone audio, to phones and to browsers.

Rule 1: what we speak is PCMU (0), PCMA (8) and telephone-event (RFC 4733), and to browsers Opus too (RFC 7587), in
packets of 20 ms. In an answer exactly one codec is named, so neither side has to guess what comes.

Rule 2: a phone gets RTP/AVP, a browser UDP/TLS/RTP/SAVPF with what `telephony.sdp.webrtc` writes; which of the two is
said by `Capabilities.webrtc`, and never mixed.
"""

import ipaddress
import re
from typing import Final, Literal

import msgspec

from telephony.events import Codec, WebRtc
from telephony.sdp import webrtc
from telephony.sdp.description import Media, SdpError, SessionDescription, parse, write

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

PCMU: Final = 0
PCMA: Final = 8
OPUS: Final = 111
"""Our number for Opus in offers; in an answer the offer's own number stands."""
TELEPHONE_EVENT: Final = 101
CODECS: Final = {PCMU: "PCMU/8000", PCMA: "PCMA/8000", OPUS: "opus/48000/2"}
NAMES: Final[dict[int, Codec]] = {PCMU: "PCMU", PCMA: "PCMA", OPUS: "opus"}
OPUS_FORMAT: Final = "minptime=10;useinbandfec=1;usedtx=0;stereo=0;maxaveragebitrate=24000"
NOWHERE: Final = "0.0.0.0"  # noqa: S104  # said and understood here, bound nowhere

_REVERSED: Final[dict[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_NAMED: Final = {PCMU: ("pcmu", 8000), PCMA: ("pcma", 8000), OPUS: ("opus", 48000)}
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([^/\s]+)/([0-9]+)(?:/([0-9]+))?")
_CONNECTION: Final = re.compile(r"IN (IP4|IP6) ([^\s/]+)(?:/[0-9/]+)?")


class Capabilities(msgspec.Struct, frozen=True):
    """Our side of the stream: where we receive RTP, the number in `o=` that stays for the dialog's life, and the codecs
    that we take, the one we like best first. `webrtc` is what a leg to a browser says of itself; Opus is for those."""

    address: str
    port: int
    session_id: int
    codecs: tuple[int, ...] = (PCMU, PCMA)
    webrtc: WebRtc | None = None

    @property
    def taken(self) -> tuple[int, ...]:
        """The codecs of this kind of leg."""
        return tuple(codec for codec in self.codecs if codec != OPUS or self.webrtc is not None)


class Negotiated(msgspec.Struct, frozen=True):
    """What was agreed on.

    `sdp` is our answer. `address` and `port` are where we send; `payload_type` the number of what we send, `codec` its
    name; `telephone_event` its payload type, -1 for none. `direction` is ours: `recvonly` when the far end only sends.
    `webrtc` is the far end of a browser's leg.
    """

    sdp: str
    address: str
    port: int
    payload_type: int
    telephone_event: int
    direction: Direction
    codec: Codec = "PCMU"
    webrtc: WebRtc | None = None


class _Format(msgspec.Struct, frozen=True):
    """One of our codecs under the number it has in a description."""

    codec: int
    number: int


def is_webrtc(offer_text: str) -> bool:
    """Whether an offer comes from a browser: audio over DTLS-SRTP with ICE. False for what cannot be read."""
    try:
        description = parse(offer_text)
    except SdpError:
        return False
    return any(media.kind == "audio" and webrtc.is_spoken(media) for media in description.media)


def offer(capabilities: Capabilities, prefer: Codec | None = None) -> str:
    """Return an offer of our codecs and telephone-event; `prefer` names the codec that comes first."""
    codecs = sorted(capabilities.taken, key=lambda codec: NAMES[codec] != prefer)
    events = {TELEPHONE_EVENT: 8000}
    audio = _audio(capabilities, [_Format(codec, codec) for codec in codecs], events, "sendrecv")
    session = _session(capabilities, "0 0")
    if capabilities.webrtc is not None:
        return webrtc.write_offer(session, audio, capabilities.webrtc)
    return write(SessionDescription(session, (audio,)))


def answer(offer_text: str, capabilities: Capabilities) -> Negotiated:
    """Answer an offer: the first audio stream that we can serve is accepted, every other one refused by port 0.

    Raises `SdpError`: status 400 for what is no description, 488 where nothing is in common (RFC 3264 section 6), the
    way to the address included.
    """
    offered = parse(offer_text)
    taken, browser = capabilities.taken, capabilities.webrtc is not None
    chosen = next((index for index, media in enumerate(offered.media) if _is_usable(media, taken, browser)), None)
    if chosen is None:
        raise SdpError(_why_not(offered, taken, browser))
    theirs = offered.media[chosen]
    far_end = webrtc.read(offered, theirs) if browser else None
    address, direction = _far_end(offered, theirs) if not browser else _direction_alone(offered, theirs)
    if not browser:
        version = _check_reachable(address)
        if version != ipaddress.ip_address(capabilities.address).version:
            raise SdpError(f"voice is taken over the other version of IP than {version}")
    codec = _codecs_of(theirs, taken)[0]
    event, clock = _telephone_event(theirs, codec)
    ours = [
        _audio(capabilities, [codec], {event: clock} if event >= 0 else {}, _REVERSED[direction])
        if index == chosen
        else Media(media.kind, 0, media.protocol, media.formats)
        for index, media in enumerate(offered.media)
    ]
    # Section 6: "The t= line in the answer MUST equal that of the offer."
    session = _session(capabilities, offered.line("t") or "0 0")
    if capabilities.webrtc is not None and far_end is not None:
        text = webrtc.write_answer(session, ours, chosen, offered, capabilities.webrtc, far_end)
    else:
        text = write(SessionDescription(session, tuple(ours)))
    return Negotiated(
        text, address, theirs.port, codec.number, event, _REVERSED[direction], NAMES[codec.codec], far_end
    )


def read_answer(answer_text: str) -> Negotiated:
    """Read the answer to an offer of ours; its `sdp` is empty, since we have sent it already.

    Raises `SdpError` where the stream was refused, or where the answer is none.
    """
    answered = parse(answer_text)
    browser = bool(answered.media) and webrtc.is_spoken(answered.media[0])
    if not answered.media or not _is_usable(answered.media[0], browser=browser):
        raise SdpError(_why_not(answered, browser=browser))
    theirs = answered.media[0]
    far_end = webrtc.read(answered, theirs) if browser else None
    address, direction = _far_end(answered, theirs) if not browser else _direction_alone(answered, theirs)
    if not browser:
        _check_reachable(address)
    codec = _codecs_of(theirs)[0]
    event, _ = _telephone_event(theirs, codec)
    return Negotiated("", address, theirs.port, codec.number, event, _REVERSED[direction], NAMES[codec.codec], far_end)


def is_refresh(before: str, after: str) -> bool:
    """Whether an offer changes nothing for us against the far end's last description: same address, port, codecs and
    direction. What cannot be read changes something."""
    try:
        return _essence(before) == _essence(after)
    except SdpError:
        return False


def _essence(text: str) -> tuple[object, ...]:
    description = parse(text)
    media = next((each for each in description.media if _is_usable(each, browser=webrtc.is_spoken(each))), None)
    if media is None:
        raise SdpError(_why_not(description))
    browser = webrtc.is_spoken(media)
    codec = _codecs_of(media)[0]
    if browser:
        far_end = webrtc.read(description, media)
        where: tuple[object, ...] = (*_direction_alone(description, media), far_end.ufrag, far_end.fingerprint)
    else:
        where = (*_far_end(description, media), media.port)
    return *where, codec, _telephone_event(media, codec)[0]


def _maps(media: Media) -> dict[str, tuple[str, int]]:
    """Return `a=rtpmap` as {format: (lower-case encoding, clock rate)}."""
    maps = {}
    for value in media.attributes("rtpmap"):
        found = _RTPMAP.match(value)
        if found is not None:
            maps[found.group(1)] = (found.group(2).lower(), int(found.group(3)))
    return maps


def _codecs_of(media: Media, taken: tuple[int, ...] = tuple(CODECS)) -> list[_Format]:
    """Return which of the codecs that we take a stream names, in its own order. A static payload type needs no rtpmap,
    and one that says otherwise is not ours."""
    maps = _maps(media)
    found = []
    for format_ in media.formats:
        if format_.isdecimal() and len(format_) <= 3:
            number = int(format_)
            named = maps.get(format_) or ((NAMES[number].lower(), 8000) if number in (PCMU, PCMA) else None)
            codec = number if number in (PCMU, PCMA) else OPUS
            if codec in taken and number <= 127 and named == _NAMED[codec]:
                found.append(_Format(codec, number))
    return found


def _telephone_event(media: Media, codec: _Format) -> tuple[int, int]:
    """Return the payload type of keys and its clock: the codec's where they offer that, else 8000; -1 for none."""
    maps = _maps(media)
    for clock in (_NAMED[codec.codec][1], 8000):
        for form in media.formats:
            if maps.get(form) == ("telephone-event", clock):
                return int(form), clock
    return -1, 8000


def _is_usable(media: Media, taken: tuple[int, ...] = tuple(CODECS), browser: bool = False) -> bool:
    if media.kind != "audio" or media.port == 0 or not _codecs_of(media, taken):
        return False
    return webrtc.is_spoken(media) if browser else media.protocol == "RTP/AVP"


def _why_not(description: SessionDescription, taken: tuple[int, ...] = tuple(CODECS), browser: bool = False) -> str:
    audio = [media for media in description.media if media.kind == "audio" and media.port != 0]
    if not audio:
        return "no audio stream"
    if browser and not any(webrtc.is_spoken(media) for media in audio):
        return "no audio stream over UDP/TLS/RTP/SAVPF"
    if not browser and all(media.protocol != "RTP/AVP" for media in audio):
        return "no audio stream over RTP/AVP"
    return f"no codec in common: {' or '.join(NAMES[codec] for codec in taken)} is needed"


def _direction_alone(description: SessionDescription, media: Media) -> tuple[str, Direction]:
    """A browser is where ICE finds it."""
    return NOWHERE, _direction(media.lines) or _direction(description.lines) or "sendrecv"


def _far_end(description: SessionDescription, media: Media) -> tuple[str, Direction]:
    """Return where they receive, and the direction as they see it."""
    connection = next((value for letter, value in media.lines if letter == "c"), "") or description.line("c")
    found = _CONNECTION.fullmatch(connection.strip())
    if found is None:
        raise SdpError("no c= line that can be used", 400)
    address = found.group(2)
    direction = _direction(media.lines) or _direction(description.lines) or "sendrecv"
    if address == NOWHERE:  # hold in the style of RFC 2543: they do not want to receive
        direction = "sendonly" if direction in {"sendrecv", "sendonly"} else "inactive"
    return address, direction


def _check_reachable(address: str) -> int:
    """Return the IP version of a c= address. Raises `SdpError` for a name, which would have to be looked up, and for
    groups: one caller is spoken to, never a network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise SdpError("a c= line without an IP address") from None
    if found.is_multicast or str(found) == "255.255.255.255":
        raise SdpError("a c= line with the address of a group")
    return found.version


def _direction(lines: tuple[tuple[str, str], ...]) -> Direction | None:
    return next((known for letter, value in lines if letter == "a" for known in _REVERSED if value == known), None)


def _session(capabilities: Capabilities, times: str) -> tuple[tuple[str, str], ...]:
    family = "IP6" if ":" in capabilities.address else "IP4"
    own = f"IN {family} {capabilities.address}"
    return (
        ("v", "0"),
        ("o", f"hotline {capabilities.session_id} 1 {own}"),
        ("s", "-"),
        ("c", own),
        ("t", times),
    )


def _audio(capabilities: Capabilities, codecs: list[_Format], events: dict[int, int], direction: Direction) -> Media:
    formats = [str(each.number) for each in codecs]
    lines = [("a", f"rtpmap:{each.number} {CODECS[each.codec]}") for each in codecs]
    lines += [("a", f"fmtp:{each.number} {OPUS_FORMAT}") for each in codecs if each.codec == OPUS]
    for event, clock in events.items():
        formats.append(str(event))
        lines += [("a", f"rtpmap:{event} telephone-event/{clock}"), ("a", f"fmtp:{event} 0-15")]
    lines += [("a", "ptime:20"), ("a", direction)]
    protocol = "RTP/AVP" if capabilities.webrtc is None else webrtc.PROTOCOL
    return Media("audio", capabilities.port, protocol, tuple(formats), tuple(lines))
