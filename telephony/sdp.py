"""Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one stream of telephone audio.

Rule 1: `parse` keeps every line it does not understand, so that `write` gives the description back.

Rule 2: what we speak is PCMU (0), PCMA (8) and telephone-event (RFC 4733) over RTP/AVP, in packets of 20 ms. In an
answer exactly one codec is named, so neither side has to guess what comes.
"""

import ipaddress
import re
from typing import Final, Literal

import msgspec

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

PCMU: Final = 0
PCMA: Final = 8
TELEPHONE_EVENT: Final = 101
CODECS: Final = {PCMU: "PCMU/8000", PCMA: "PCMA/8000"}
MAX_MEDIA: Final = 32
NOWHERE: Final = "0.0.0.0"  # noqa: S104  # said and understood here, bound nowhere
MAX_LINES: Final = 1_000

_REVERSED: Final[dict[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_MEDIA: Final = re.compile(r"(\S+) ([0-9]{1,5})(?:/([0-9]{1,5}))? (\S+) (.+)")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) +([^/\s]+)/([0-9]+)(?:/([0-9]+))?")
_CONNECTION: Final = re.compile(r"IN (IP4|IP6) ([^\s/]+)(?:/[0-9/]+)?")


class SdpError(ValueError):
    """A session description that cannot be read (`status` 400) or not be served (488)."""

    def __init__(self, cause: str, status: int = 488) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


class Capabilities(msgspec.Struct, frozen=True):
    """Our side of the stream: where we receive RTP, the number in `o=` that stays for the dialog's life, and the codecs
    that we take, the one we like best first."""

    address: str
    port: int
    session_id: int
    codecs: tuple[int, ...] = (PCMU, PCMA)


class Negotiated(msgspec.Struct, frozen=True):
    """What was agreed on.

    `sdp` is our answer. `address` and `port` are where we send; `payload_type` what we send (0 or 8);
    `telephone_event` its payload type, -1 for none. `direction` is ours: `recvonly` when the far end only sends.
    """

    sdp: str
    address: str
    port: int
    payload_type: int
    telephone_event: int
    direction: Direction


class Media(msgspec.Struct, frozen=True):
    """One `m=` section; `lines` are the lines under it as (letter, value)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[tuple[str, str], ...] = ()
    ports: int = 1

    def attributes(self, name: str) -> list[str]:
        """Return the values of `a=name:value` lines."""
        return _attributes(self.lines, name)


class SessionDescription(msgspec.Struct, frozen=True):
    """A description; `lines` are those before the first `m=`, as (letter, value)."""

    lines: tuple[tuple[str, str], ...]
    media: tuple[Media, ...]

    def line(self, letter: str) -> str:
        """Return the value of the first session line with this letter, `""` for none."""
        return next((value for key, value in self.lines if key == letter), "")


def parse(text: str) -> SessionDescription:
    """Read a description. Raises `SdpError` with status 400."""
    session: list[tuple[str, str]] = []
    media: list[Media] = []
    lines = session
    for letter, value in _lines(text):
        if letter == "m":
            if media:
                media[-1] = msgspec.structs.replace(media[-1], lines=tuple(lines))
            media.append(_parse_media(value))
            lines = []
        else:
            lines.append((letter, value))
    if media:
        media[-1] = msgspec.structs.replace(media[-1], lines=tuple(lines))
    if not session or session[0] != ("v", "0"):
        raise SdpError("a session description begins with v=0", 400)
    if len(media) > MAX_MEDIA:
        raise SdpError(f"more than {MAX_MEDIA} m= lines", 400)
    return SessionDescription(tuple(session), tuple(media))


def write(description: SessionDescription) -> str:
    """Return a description as text, with CRLF."""
    lines = list(description.lines)
    for media in description.media:
        ports = f"{media.port}/{media.ports}" if media.ports != 1 else str(media.port)
        lines.append(("m", f"{media.kind} {ports} {media.protocol} {' '.join(media.formats)}"))
        lines += media.lines
    return "".join(f"{letter}={value}\r\n" for letter, value in lines)


def offer(capabilities: Capabilities, prefer: int | None = None) -> str:
    """Return an offer of our codecs and telephone-event; `prefer` (0 or 8) names the codec that comes first."""
    codecs = sorted(capabilities.codecs, key=lambda codec: codec != prefer)
    audio = _audio(capabilities.port, codecs, TELEPHONE_EVENT, "sendrecv")
    return write(SessionDescription(_session(capabilities, "0 0"), (audio,)))


def answer(offer_text: str, capabilities: Capabilities) -> Negotiated:
    """Answer an offer: the first audio stream that we can serve is accepted, every other one refused by port 0.

    Raises `SdpError`: status 400 for what is no description, 488 where nothing is in common (RFC 3264 section 6), the
    way to the address included.
    """
    offered = parse(offer_text)
    taken = capabilities.codecs
    chosen = next((index for index, media in enumerate(offered.media) if _is_usable(media, taken)), None)
    if chosen is None:
        raise SdpError(_why_not(offered, taken))
    theirs = offered.media[chosen]
    address, direction = _far_end(offered, theirs)
    version = _check_reachable(address)
    if version != ipaddress.ip_address(capabilities.address).version:
        raise SdpError(f"voice is taken over the other version of IP than {version}")
    codec = _codecs_of(theirs, taken)[0]
    event = _telephone_event(theirs)
    ours = [
        _audio(capabilities.port, [codec], event, _REVERSED[direction])
        if index == chosen
        else Media(media.kind, 0, media.protocol, media.formats)
        for index, media in enumerate(offered.media)
    ]
    # Section 6: "The t= line in the answer MUST equal that of the offer."
    session = _session(capabilities, offered.line("t") or "0 0")
    text = write(SessionDescription(session, tuple(ours)))
    return Negotiated(text, address, theirs.port, codec, event, _REVERSED[direction])


def read_answer(answer_text: str) -> Negotiated:
    """Read the answer to an offer of ours; its `sdp` is empty, since we have sent it already.

    Raises `SdpError` where the stream was refused, or where the answer is none.
    """
    answered = parse(answer_text)
    if not answered.media or not _is_usable(answered.media[0]):
        raise SdpError(_why_not(answered))
    theirs = answered.media[0]
    address, direction = _far_end(answered, theirs)
    _check_reachable(address)
    codec = _codecs_of(theirs)[0]
    return Negotiated("", address, theirs.port, codec, _telephone_event(theirs), _REVERSED[direction])


def is_refresh(before: str, after: str) -> bool:
    """Whether an offer changes nothing for us against the far end's last description: same address, port, codecs and
    direction. What cannot be read changes something."""
    try:
        return _essence(before) == _essence(after)
    except SdpError:
        return False


def _essence(text: str) -> tuple[object, ...]:
    description = parse(text)
    media = next((media for media in description.media if _is_usable(media)), None)
    if media is None:
        raise SdpError(_why_not(description))
    return *_far_end(description, media), media.port, _codecs_of(media)[0], _telephone_event(media)


def _lines(text: str) -> list[tuple[str, str]]:
    rows = text.replace("\r\n", "\n").split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    if len(rows) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines", 400)
    lines = []
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or row[1] != "=" or not row[0].isalpha() or "\r" in row:
            raise SdpError(f"line {number} is not letter=value", 400)
        lines.append((row[0], row[2:]))
    return lines


def _parse_media(value: str) -> Media:
    found = _MEDIA.fullmatch(value)
    if found is None or int(found.group(2)) > 65535:
        raise SdpError("an m= line that is not media port protocol formats", 400)
    kind, port, ports, protocol, formats = found.groups()
    return Media(kind, int(port), protocol, tuple(formats.split()), (), int(ports or 1))


def _attributes(lines: tuple[tuple[str, str], ...], name: str) -> list[str]:
    start = name + ":"
    return [value[len(start) :] for letter, value in lines if letter == "a" and value.startswith(start)]


def _maps(media: Media) -> dict[str, tuple[str, int]]:
    """Return `a=rtpmap` as {format: (lower-case encoding, clock rate)}."""
    maps = {}
    for value in media.attributes("rtpmap"):
        found = _RTPMAP.match(value)
        if found is not None:
            maps[found.group(1)] = (found.group(2).lower(), int(found.group(3)))
    return maps


def _codecs_of(media: Media, taken: tuple[int, ...] = tuple(CODECS)) -> list[int]:
    """Return which of the codecs that we take a stream names, in its own order. A static payload type needs no rtpmap,
    and one that says otherwise is not ours."""
    maps = _maps(media)
    ours = {str(codec): tuple(CODECS[codec].lower().split("/")) for codec in taken}
    return [
        int(format_)
        for format_ in media.formats
        if format_ in ours and tuple(map(str, maps.get(format_, ours[format_]))) == ours[format_]
    ]


def _telephone_event(media: Media) -> int:
    maps = _maps(media)
    return next((int(form) for form in media.formats if maps.get(form) == ("telephone-event", 8000)), -1)


def _is_usable(media: Media, taken: tuple[int, ...] = tuple(CODECS)) -> bool:
    return media.kind == "audio" and media.protocol == "RTP/AVP" and media.port != 0 and bool(_codecs_of(media, taken))


def _why_not(description: SessionDescription, taken: tuple[int, ...] = tuple(CODECS)) -> str:
    audio = [media for media in description.media if media.kind == "audio" and media.port != 0]
    if not audio:
        return "no audio stream"
    if all(media.protocol != "RTP/AVP" for media in audio):
        return "no audio stream over RTP/AVP"
    return f"no codec in common: {' or '.join(CODECS[codec].partition('/')[0] for codec in taken)} is needed"


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


def _audio(port: int, codecs: list[int], event: int, direction: Direction) -> Media:
    formats = [str(codec) for codec in codecs]
    lines = [("a", f"rtpmap:{codec} {CODECS[codec]}") for codec in codecs]
    if event >= 0:
        formats.append(str(event))
        lines += [("a", f"rtpmap:{event} telephone-event/8000"), ("a", f"fmtp:{event} 0-15")]
    lines += [("a", "ptime:20"), ("a", direction)]
    return Media("audio", port, "RTP/AVP", tuple(formats), tuple(lines))
