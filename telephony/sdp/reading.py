"""The far end's word on what we said: the answer to an offer of ours, and an offer that changes nothing."""

from telephony.events import Srtp, SrtpKey, WebRtc
from telephony.sdp import sdes, webrtc
from telephony.sdp.agreement import Negotiated, bare
from telephony.sdp.description import Media, SdpError, parse
from telephony.sdp.stream import (
    MEDIA_FORMAT,
    MEDIA_TYPE,
    NAMES,
    NOWHERE,
    PLAIN,
    REVERSED,
    SECURE,
    TRANSPORT,
    check_packet_time,
    check_reachable,
    codecs_of,
    direction_of,
    far_end,
    telephone_event,
)


def read_answer(answer_text: str, offer_text: str = "") -> Negotiated:
    """Read the answer to an offer of ours; its `sdp` is empty, since we have sent it already. Without the offer it is
    read as one that has what the answer has, and no keys.

    Raises `SdpError` where the stream was refused, or where the answer is none.
    """
    answered = parse(answer_text)
    offered = parse(offer_text) if offer_text else answered
    place = next((index for index, media in enumerate(offered.media) if media.port), 0)
    if len(answered.media) != len(offered.media) or not offered.media:
        # RFC 3264 section 6: "For each m= line in the offer, there MUST be a corresponding m= line in the answer."
        raise SdpError(f"{len(answered.media)} streams in the answer to an offer of {len(offered.media)}")
    ours, theirs = offered.media[place], answered.media[place]
    if theirs.kind != ours.kind or theirs.port == 0:
        raise SdpError("the answer refuses the audio stream", warning=MEDIA_TYPE)
    if not _is_answer_to(ours.protocol, theirs.protocol):
        raise SdpError(f"{theirs.protocol} in the answer to an offer of {ours.protocol}", warning=TRANSPORT)
    known = {each.codec for each in codecs_of(ours)}
    codecs = [each for each in codecs_of(theirs) if each.codec in known]
    if not codecs:
        raise SdpError("no codec of our offer in the answer", warning=MEDIA_FORMAT)
    codec = codecs[0]
    receives = next(each.number for each in codecs_of(ours) if each.codec == codec.codec)
    event, clock = telephone_event(theirs, codec)
    check_packet_time(theirs)
    other = webrtc.read(answered, theirs) if webrtc.is_spoken(theirs) else None
    if other is None:
        address, direction = far_end(answered, theirs)
        check_reachable(address)
    else:
        address, direction = NOWHERE, direction_of(answered, theirs)
    return Negotiated(
        "",
        address,
        theirs.port,
        codec.number,
        event,
        REVERSED[direction],
        NAMES[codec.codec],
        other,
        _agreed_keys(ours, theirs),
        bare(offered.media),
        place,
        receives if receives != codec.number else -1,
        clock,
    )


def _is_answer_to(ours: str, theirs: str) -> bool:
    """Some say RTP/SAVP when they take the keys of an RTP/AVP offer, or leave the F out: it is the keys that count."""
    phones = PLAIN | SECURE
    return theirs == ours or (theirs in phones and ours in phones)


def _agreed_keys(ours: Media, theirs: Media) -> Srtp | None:
    """Return what an answer makes of the keys in our offer. Raises `SdpError` where keys are a must."""
    offered = [(line.tag, SrtpKey(line.suite, line.key)) for line in sdes.usable(ours)]
    found = sdes.agreed(theirs, offered)
    if found is not None:
        line, key = found
        return Srtp(line.suite, key.key, line.key)
    must = ours.protocol in SECURE or theirs.protocol in SECURE
    if must or (offered and theirs.attributes("crypto")):
        raise SdpError("no a=crypto of our offer in the answer", warning=TRANSPORT)
    return None


def transport_of(text: str) -> WebRtc | None:
    """Return the far end of the browser's stream in a description, None for none that can be read."""
    try:
        description = parse(text)
        media = next((each for each in description.media if each.port and webrtc.is_spoken(each)), None)
        return webrtc.read(description, media) if media is not None else None
    except SdpError:
        return None


def is_refresh(before: str, after: str) -> bool:
    """Whether an offer changes nothing for us against the far end's last description: same address, port, codecs,
    direction and keys, and as many streams. What cannot be read changes something."""
    try:
        return _essence(before) == _essence(after)
    except SdpError:
        return False


def _essence(text: str) -> tuple[object, ...]:
    description = parse(text)
    places = [index for index, each in enumerate(description.media) if each.kind == "audio" and each.port]
    place = next((index for index in places if codecs_of(description.media[index])), None)
    if place is None:
        raise SdpError("no audio stream that we speak")
    media = description.media[place]
    codecs = tuple(codecs_of(media))
    if webrtc.is_spoken(media):
        other = webrtc.read(description, media)
        where: tuple[object, ...] = (direction_of(description, media), other.ufrag, other.fingerprint)
    else:
        where = (*far_end(description, media), media.port, *media.attributes("crypto"))
    streams = [(each.kind, each.protocol, each.port == 0) for each in description.media]
    return *where, codecs, telephone_event(media, codecs[0])[0], place, streams
