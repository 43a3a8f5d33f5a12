"""What either side of a session is: our side as `Capabilities`, what was agreed on as `Negotiated`, and the parts of a
description that say so."""

from typing import Final

import msgspec

from telephony.events import Codec, Direction, Srtp, SrtpKey, WebRtc
from telephony.sdp import sdes
from telephony.sdp.description import Media, SessionDescription
from telephony.sdp.stream import CODECS, LAWS, NUMBERS, OPUS, PCMA, PCMU, Format

OPUS_FORMAT: Final = "minptime=10;useinbandfec=1;usedtx=0;stereo=0;maxaveragebitrate=24000"


class Negotiated(msgspec.Struct, frozen=True):
    """What was agreed on.

    `sdp` is our answer. `address` and `port` are where we send; `payload_type` the number of what we send, `codec` its
    name; `telephone_event` its payload type, -1 for none. `direction` is ours: `recvonly` when the far end only sends.
    `webrtc` is the far end of a browser's leg, `srtp` the keys of a phone's. `streams` are all streams of the session,
    without their lines, and `chosen` is the place of ours among them. `receives` is the number under which they send
    where it is another than ours: that of our offer (RFC 3264 section 5.1), else -1. `event_clock` is the clock of
    telephone-event.
    """

    sdp: str
    address: str
    port: int
    payload_type: int
    telephone_event: int
    direction: Direction
    codec: Codec = "PCMU"
    webrtc: WebRtc | None = None
    srtp: Srtp | None = None
    streams: tuple[Media, ...] = ()
    chosen: int = 0
    receives: int = -1
    event_clock: int = 8000


class Capabilities(msgspec.Struct, frozen=True):
    """Our side of the stream: where we receive RTP, the number in `o=` that stays for the dialog's life and the
    `version` of what we say, which rises by one with each change (RFC 3264 section 8), and the codecs that we take, the
    one we like best first. `webrtc` is what a leg to a browser says of itself. `prefer` is what the other side of the
    call speaks.

    `keys` are ours for SRTP to a phone, one for each suite, none to have it plain; `secure` says that offers of ours
    have them, `savp` that they are RTP/SAVP, and with `srtp_required` nothing goes without. `standing` is what was
    agreed on before.
    """

    address: str
    port: int
    session_id: int
    codecs: tuple[int, ...] = (PCMU, PCMA)
    webrtc: WebRtc | None = None
    version: int = 1
    keys: tuple[SrtpKey, ...] = ()
    secure: bool = False
    savp: bool = False
    srtp_required: bool = False
    standing: Negotiated | None = None
    prefer: Codec | None = None

    def pick(self, formats: list[Format]) -> Format:
        """Return what to speak of the codecs that an offer names, of which there is one at least: what the other side
        of the call speaks already, so that nothing has to be translated; else to a browser what it likes best, and to
        a phone what stands first in our own order. The two laws of G.711 are one there, and the phone's order tells."""
        spoken = NUMBERS[self.prefer] if self.prefer is not None else None
        if self.webrtc is not None:
            return min(formats, key=lambda each: each.codec != spoken)
        return min(formats, key=lambda each: (each.codec != spoken, self._rank(each.codec)))

    def _rank(self, codec: int) -> int:
        return min(self.codecs.index(each) for each in (LAWS if codec in LAWS else (codec,)) if each in self.codecs)


def refused(media: Media) -> Media:
    """Section 6: "a rejected stream has its port set to zero"; a format has to be there, and means nothing."""
    return Media(media.kind, 0, media.protocol, media.formats)


def bare(streams: tuple[Media, ...]) -> tuple[Media, ...]:
    """Return streams without their lines but `a=mid` (RFC 5888), which stays with a stream."""
    return tuple(
        Media(
            media.kind,
            media.port,
            media.protocol,
            media.formats,
            tuple(("a", f"mid:{mid}") for mid in media.attributes("mid")[:1]),
        )
        for media in streams
    )


def times_of(offered: SessionDescription) -> str:
    """Section 6: "The t= line in the answer MUST equal that of the offer." """
    return offered.line("t") or "0 0"


def session_lines(capabilities: Capabilities, times: str) -> tuple[tuple[str, str], ...]:
    """Return our lines before the first stream; `times` is the value of `t=`."""
    family = "IP6" if ":" in capabilities.address else "IP4"
    own = f"IN {family} {capabilities.address}"
    return (
        ("v", "0"),
        ("o", f"hotline {capabilities.session_id} {capabilities.version} {own}"),
        ("s", "-"),
        ("c", own),
        ("t", times),
    )


def audio_stream(
    capabilities: Capabilities,
    codecs: list[Format],
    events: dict[int, int],
    direction: Direction,
    protocol: str,
    keys: list[tuple[int, SrtpKey]] | None = None,
) -> Media:
    """Return our audio stream: codecs, telephone-events {payload type: clock}, and SRTP keys with their tags."""
    formats = [str(each.number) for each in codecs]
    lines = [("a", f"rtpmap:{each.number} {CODECS[each.codec]}") for each in codecs]
    lines += [("a", f"fmtp:{each.number} {OPUS_FORMAT}") for each in codecs if each.codec == OPUS]
    for event, clock in events.items():
        formats.append(str(event))
        lines += [("a", f"rtpmap:{event} telephone-event/{clock}"), ("a", f"fmtp:{event} 0-15")]
    lines += [sdes.write(tag, key) for tag, key in keys or ()]
    lines += [("a", "ptime:20"), ("a", direction)]
    return Media("audio", capabilities.port, protocol, tuple(formats), tuple(lines))
