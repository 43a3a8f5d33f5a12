"""What the description of a browser's leg says beyond codecs: ICE (RFC 8839), DTLS (RFC 8842), BUNDLE (RFC 9143).

One stream, one transport: RTP and RTCP share it (RFC 5761), and every other stream of an offer is refused.
"""

from collections.abc import Sequence
from typing import Final

from telephony.events import WebRtc
from telephony.sdp.description import Media, SdpError, SessionDescription, write

PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
PROTOCOLS: Final = frozenset({PROTOCOL, "UDP/TLS/RTP/SAVP"})
STREAM: Final = "hotline"
MAX_CANDIDATES: Final = 40
MAX_WORD: Final = 256

Lines = tuple[tuple[str, str], ...]


def is_spoken(media: Media) -> bool:
    """Whether a stream is one of a browser's."""
    return media.protocol in PROTOCOLS


def read(description: SessionDescription, media: Media) -> WebRtc:
    """Return the far end of a browser's stream; ICE and DTLS may stand at either level. Raises `SdpError`."""

    def value(name: str) -> str:
        found = media.attributes(name) or description.attributes(name)
        if not found or not 0 < len(found[0].strip()) <= MAX_WORD:
            raise SdpError(f"no a={name} that can be used")
        return found[0].strip()

    if ("a", "rtcp-mux") not in media.lines:
        raise SdpError("RTP and RTCP must share one port: no a=rtcp-mux")
    algorithm, _, digits = value("fingerprint").partition(" ")
    if algorithm.lower() != "sha-256" or not digits:
        raise SdpError("a fingerprint other than sha-256")
    setup = value("setup")
    if setup not in ("active", "passive", "actpass"):
        raise SdpError("a=setup is none of active, passive, actpass")
    candidates = tuple(each for each in media.attributes("candidate") if len(each) <= MAX_WORD)[:MAX_CANDIDATES]
    return WebRtc(
        ufrag=value("ice-ufrag"),
        password=value("ice-pwd"),
        candidates=candidates,
        fingerprint=f"sha-256 {digits.strip().upper()}",
        setup="active" if setup == "active" else "passive" if setup == "passive" else "actpass",
    )


def write_offer(session: Lines, streams: Sequence[Media], chosen: int, ours: WebRtc) -> str:
    """Return an offer to a browser: `streams` has ours at `chosen`, and those that were refused with the `mid` they
    have."""
    mids = [next(iter(stream.attributes("mid")), str(index)) for index, stream in enumerate(streams)]
    written = [
        _stream(each, mids[index], ours, "actpass") if index == chosen else _refused(each, mids[index])
        for index, each in enumerate(streams)
    ]
    return write(SessionDescription(_bundled(session, mids[chosen]), tuple(written)))


def write_answer(
    session: Lines,
    media: Sequence[Media],
    chosen: int,
    offered: SessionDescription,
    ours: WebRtc,
    theirs: WebRtc,
) -> str:
    """Return an answer to a browser: `media` has the refused streams as they are, and ours at `chosen`. With a `setup`
    other than actpass ours is that of the association there is already (RFC 8842 section 5.5)."""
    mids = [next(iter(stream.attributes("mid")), str(index)) for index, stream in enumerate(offered.media)]
    chosen_setup = "passive" if theirs.setup == "active" else "active"
    setup = chosen_setup if ours.setup == "actpass" else ours.setup
    streams = [
        _stream(each, mids[index], ours, setup) if index == chosen else _refused(each, mids[index])
        for index, each in enumerate(media)
    ]
    return write(SessionDescription(_bundled(session, mids[chosen]), tuple(streams)))


def _refused(stream: Media, mid: str) -> Media:
    return Media(stream.kind, 0, stream.protocol, stream.formats, (("a", f"mid:{mid}"), ("a", "inactive")))


def _bundled(session: Lines, mid: str) -> Lines:
    return (*session, ("a", f"group:BUNDLE {mid}"), ("a", "msid-semantic: WMS *"))


def _stream(audio: Media, mid: str, ours: WebRtc, setup: str) -> Media:
    transport = [
        f"mid:{mid}",
        "rtcp-mux",
        f"ice-ufrag:{ours.ufrag}",
        f"ice-pwd:{ours.password}",
        f"fingerprint:{ours.fingerprint}",
        f"setup:{setup}",
        f"msid:{STREAM} audio",
        *(f"candidate:{candidate}" for candidate in ours.candidates),
        "ice-options:trickle",
        *(["end-of-candidates"] if ours.complete else []),
    ]
    lines = (*(line for line in audio.lines if line != ("a", f"mid:{mid}")), *(("a", line) for line in transport))
    return Media(audio.kind, audio.port, audio.protocol, audio.formats, lines)
