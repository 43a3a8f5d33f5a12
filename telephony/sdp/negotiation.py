"""Offer/answer (RFC 3264) for one stream of telephone audio, to phones and to browsers.

Rule 1: in an answer exactly one codec is named, so neither side has to guess what comes. We send packets of 20 ms, and
take packets of any length, so `ptime:20` is said whatever is asked for.

Rule 2: a phone gets RTP, encrypted or not, and a browser UDP/TLS/RTP/SAVPF with what `telephony.sdp.webrtc` writes;
which of the two is said by `Capabilities.webrtc`, and never mixed.

Rule 3: a stream keeps its place for the dialog's life (RFC 3264 section 8). `Negotiated` remembers every stream and
which one is ours, and comes back as `Capabilities.standing` with whatever is said later.
"""

import ipaddress
import re
from typing import Final

import msgspec

from telephony.events import Codec, Srtp, SrtpKey, WebRtc
from telephony.sdp import sdes, webrtc
from telephony.sdp.agreement import Capabilities, Negotiated, audio_stream, bare, refused, session_lines, times_of
from telephony.sdp.description import Media, SdpError, SessionDescription, parse, write
from telephony.sdp.stream import (
    ADDRESS_FORMAT,
    DYNAMIC,
    ENCODINGS,
    EVENTS,
    LAWS,
    MEDIA_FORMAT,
    MEDIA_TYPE,
    NAMES,
    NOWHERE,
    NUMBERS,
    PLAIN,
    REVERSED,
    SECURE,
    STATIC,
    TRANSPORT,
    Format,
    check_packet_time,
    check_reachable,
    codecs_of,
    direction_of,
    far_end,
    is_browsers,
    telephone_event,
)

_ORIGIN: Final = re.compile(r"(?m)^o=(\S+ \S+) (\S+) ")


def is_webrtc(offer_text: str) -> bool:
    """Whether an offer comes from a browser: audio over DTLS-SRTP with ICE. False for what cannot be read."""
    try:
        description = parse(offer_text)
    except SdpError:
        return False
    return any(media.kind == "audio" and is_browsers(media, description) for media in description.media)


def favourite(offer_text: str, capabilities: Capabilities) -> Codec | None:
    """Return the codec that an offer would be answered with; None for one that would be refused."""
    try:
        return answer(offer_text, capabilities).codec
    except SdpError:
        return None


def is_same(before: str, after: str) -> bool:
    """Whether two descriptions of ours differ in nothing but the version."""
    return _ORIGIN.sub(r"o=\1 ", before, count=1) == _ORIGIN.sub(r"o=\1 ", after, count=1)


# ----------------------------------------------------------------------------------------------------- our offer


def offer(capabilities: Capabilities, prefer: Codec | None = None) -> str:
    """Return an offer of our codecs, and of telephone-event by each of their clocks; `prefer` names the codec of the
    other side of the call, which comes first. Where that is one of the two laws nothing wider is offered: there is
    nothing wider to be heard, and phones that answer with all that they know, what they like first, would have each
    talk translated. In the middle of a session that is else the one that is spoken, every stream there ever was is in
    its place, and payload types stay what they were."""
    standing = capabilities.standing
    first = prefer or capabilities.prefer or (standing.codec if standing is not None else None)
    spoken = prefer or capabilities.prefer
    narrow = [codec for codec in capabilities.codecs if codec in LAWS] if spoken in ("PCMU", "PCMA") else []
    codecs, events = _numbered(_in_order(tuple(narrow) or capabilities.codecs, first), standing)
    audio = audio_stream(capabilities, codecs, events, "sendrecv", _protocol(capabilities), _offered_keys(capabilities))
    session = session_lines(capabilities, "0 0")
    streams = _in_place(audio, standing)
    if capabilities.webrtc is not None:
        return webrtc.write_offer(session, streams, standing.chosen if standing is not None else 0, capabilities.webrtc)
    return write(SessionDescription(session, streams))


def _in_order(codecs: tuple[int, ...], prefer: Codec | None) -> list[int]:
    return sorted(codecs, key=lambda codec: NAMES[codec] != prefer)


def _numbered(codecs: list[int], standing: Negotiated | None) -> tuple[list[Format], dict[int, int]]:
    """Return codecs with their numbers, and the numbers of telephone-event with their clocks. Section 8.3.2: a number
    that had a meaning keeps it."""
    clocks = sorted({ENCODINGS[codec][1] for codec in codecs})
    kept: dict[int | str, int] = {}
    if standing is not None:
        kept[NUMBERS[standing.codec]] = standing.payload_type
        if standing.telephone_event >= 0:
            kept[f"event {standing.event_clock}"] = standing.telephone_event
    taken = set(kept.values())

    def number(name: int | str, wished: int) -> int:
        if name not in kept:
            free = (each for each in (wished, *DYNAMIC) if each not in taken)
            kept[name] = wished if wished in STATIC else next(free)
            taken.add(kept[name])
        return kept[name]

    formats = [Format(codec, number(codec, codec)) for codec in codecs]
    return formats, {number(f"event {clock}", EVENTS[clock]): clock for clock in clocks}


def _protocol(capabilities: Capabilities) -> str:
    """The profile of our stream: what it was, else RTP/AVP with keys for those who know them (RFC 8643), or RTP/SAVP
    where keys are a must."""
    standing = capabilities.standing
    if capabilities.webrtc is not None:
        return webrtc.PROTOCOL
    if standing is not None and standing.streams:
        return standing.streams[standing.chosen].protocol
    return "RTP/SAVP" if capabilities.srtp_required or capabilities.savp else "RTP/AVP"


def _offered_keys(capabilities: Capabilities) -> list[tuple[int, SrtpKey]]:
    """Return our keys with their tags; an encrypted session goes on with the very keys it has."""
    standing = capabilities.standing
    if standing is not None:
        return [(1, SrtpKey(standing.srtp.suite, standing.srtp.ours))] if standing.srtp is not None else []
    if not (capabilities.secure or capabilities.srtp_required):
        return []
    keys = {key.suite: key for key in capabilities.keys}
    return list(enumerate((keys[suite] for suite in sdes.OFFERED if suite in keys), 1))


def _in_place(audio: Media, standing: Negotiated | None) -> tuple[Media, ...]:
    """Section 8: a stream is never taken away, and those that were refused stay so."""
    if standing is None or not standing.streams:
        return (audio,)
    mid = tuple(("a", f"mid:{each}") for each in standing.streams[standing.chosen].attributes("mid"))
    ours = msgspec.structs.replace(audio, lines=(*audio.lines, *mid))
    return tuple(ours if index == standing.chosen else each for index, each in enumerate(map(_still, standing.streams)))


def _still(media: Media) -> Media:
    return msgspec.structs.replace(media, port=0)


# ----------------------------------------------------------------------------------------------------- our answer


def answer(offer_text: str, capabilities: Capabilities) -> Negotiated:
    """Answer an offer: the audio stream that there was before, else the first that is encrypted, else the first that
    we can serve is accepted, every other one refused by port 0.

    In the middle of a session our stream may be offered with port 0: then nothing flows until it is offered again.
    Raises `SdpError`: status 400 for what is no description, 488 where nothing is in common (RFC 3264 section 6), the
    way to the address included.
    """
    offered = parse(offer_text)
    standing = capabilities.standing
    if standing is not None and len(offered.media) < len(standing.streams):
        # Section 8: "the number of m= lines MUST be equal to or larger than that in the previous SDP."
        raise SdpError(f"{len(offered.media)} streams, where there were {len(standing.streams)}", warning=MEDIA_TYPE)
    chosen = _choose(offered, capabilities)
    if chosen is None:
        if standing is not None and _is_paused(offered, standing):
            return _pause(offered, capabilities, standing)
        raise _refusal(offered, capabilities)
    if capabilities.webrtc is not None:
        return _answer_browser(offered, chosen, capabilities, capabilities.webrtc)
    return _answer_phone(offered, chosen, capabilities)


def _answer_phone(offered: SessionDescription, chosen: int, capabilities: Capabilities) -> Negotiated:
    theirs = offered.media[chosen]
    address, direction = far_end(offered, theirs)
    _check_version(address, capabilities.address)
    check_packet_time(theirs)
    codec = capabilities.pick(codecs_of(theirs, capabilities.codecs))
    event, clock = telephone_event(theirs, codec)
    keys = sdes.choose(theirs, _keys(capabilities))
    audio = audio_stream(
        capabilities,
        [codec],
        {event: clock} if event >= 0 else {},
        REVERSED[direction],
        theirs.protocol,
        [(keys[0].tag, keys[1])] if keys is not None else [],
    )
    streams = tuple(audio if index == chosen else refused(media) for index, media in enumerate(offered.media))
    return Negotiated(
        write(SessionDescription(session_lines(capabilities, times_of(offered)), streams)),
        address,
        theirs.port,
        codec.number,
        event,
        REVERSED[direction],
        NAMES[codec.codec],
        srtp=Srtp(keys[1].suite, keys[1].key, keys[0].key) if keys is not None else None,
        streams=bare(streams),
        chosen=chosen,
        event_clock=clock,
    )


def _answer_browser(offered: SessionDescription, chosen: int, capabilities: Capabilities, ours: WebRtc) -> Negotiated:
    theirs = offered.media[chosen]
    other = webrtc.read(offered, theirs)
    direction = REVERSED[direction_of(offered, theirs)]
    check_packet_time(theirs)
    codec = capabilities.pick(codecs_of(theirs, capabilities.codecs))
    event, clock = telephone_event(theirs, codec)
    audio = audio_stream(capabilities, [codec], {event: clock} if event >= 0 else {}, direction, webrtc.PROTOCOL)
    streams = tuple(audio if index == chosen else refused(media) for index, media in enumerate(offered.media))
    text = webrtc.write_answer(session_lines(capabilities, times_of(offered)), streams, chosen, offered, ours, other)
    number, name = codec.number, NAMES[codec.codec]
    written = bare(parse(text).media)
    return Negotiated(
        text, NOWHERE, theirs.port, number, event, direction, name, other, None, written, chosen, event_clock=clock
    )


def _is_paused(offered: SessionDescription, standing: Negotiated) -> bool:
    """Section 8.2: our stream is there, with port 0."""
    if standing.webrtc is not None or not standing.streams:
        return False
    media = offered.media[standing.chosen]
    return media.kind == "audio" and media.port == 0


def _pause(offered: SessionDescription, capabilities: Capabilities, standing: Negotiated) -> Negotiated:
    streams = tuple(refused(media) for media in offered.media)
    text = write(SessionDescription(session_lines(capabilities, times_of(offered)), streams))
    return msgspec.structs.replace(
        standing, sdp=text, address=NOWHERE, port=0, direction="inactive", streams=bare(streams)
    )


def _choose(offered: SessionDescription, capabilities: Capabilities) -> int | None:
    places = [index for index, media in enumerate(offered.media) if _is_usable(media, capabilities)]
    standing = capabilities.standing
    if standing is not None and standing.streams and standing.chosen in places:
        return standing.chosen
    keys = _keys(capabilities)
    secured = [index for index in places if sdes.choose(offered.media[index], keys) is not None]
    return next(iter(secured or places), None)


def _keys(capabilities: Capabilities) -> tuple[SrtpKey, ...]:
    """Our keys; that of an encrypted session goes on as long as its suite does."""
    standing = capabilities.standing
    if standing is None or standing.srtp is None or capabilities.webrtc is not None:
        return () if capabilities.webrtc is not None else capabilities.keys
    kept = SrtpKey(standing.srtp.suite, standing.srtp.ours)
    return tuple(kept if key.suite == kept.suite else key for key in capabilities.keys)


def _is_usable(media: Media, capabilities: Capabilities) -> bool:
    if media.kind != "audio" or media.port == 0 or not codecs_of(media, capabilities.codecs):
        return False
    if capabilities.webrtc is not None:
        return webrtc.is_spoken(media)
    return _profile_fits(media, capabilities)


def _profile_fits(media: Media, capabilities: Capabilities) -> bool:
    if sdes.choose(media, _keys(capabilities)) is not None:
        return media.protocol in SECURE or media.protocol in PLAIN
    return media.protocol in PLAIN and not capabilities.srtp_required


def _check_version(address: str, ours: str) -> None:
    version = check_reachable(address)
    if version != ipaddress.ip_address(ours).version:
        raise SdpError(f"voice is taken over the other version of IP than {version}", warning=ADDRESS_FORMAT)


def _refusal(description: SessionDescription, capabilities: Capabilities) -> SdpError:
    """Return why nothing of an offer can be served."""
    audio = [media for media in description.media if media.kind == "audio" and media.port != 0]
    if not audio:
        return SdpError("no audio stream", warning=MEDIA_TYPE)
    if capabilities.webrtc is not None:
        if not any(webrtc.is_spoken(media) for media in audio):
            return SdpError("no audio stream over UDP/TLS/RTP/SAVPF", warning=TRANSPORT)
    elif all(media.protocol not in PLAIN | SECURE for media in audio):
        return SdpError("no audio stream over RTP/AVP or RTP/SAVP", warning=TRANSPORT)
    elif not any(_profile_fits(media, capabilities) for media in audio):
        if not capabilities.keys:
            return SdpError("no audio stream over RTP/AVP, and SRTP is switched off", warning=TRANSPORT)
        return SdpError("no audio stream whose a=crypto can be used", warning=TRANSPORT)
    needed = " or ".join(NAMES[codec] for codec in capabilities.codecs)
    return SdpError(f"no codec in common: {needed} is needed", warning=MEDIA_FORMAT)
