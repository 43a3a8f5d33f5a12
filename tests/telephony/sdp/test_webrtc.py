"""Offers of browsers, and answers to them."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import WebRtc

PRINT = ":".join(f"{octet:02X}" for octet in range(32))
WEB = WebRtc("u1", "p" * 22, ("1 1 udp 2130706431 192.0.2.1 4000 typ host",), f"sha-256 {PRINT}")
OURS = sdp.Capabilities("192.0.2.1", 4000, 7, (sdp.PCMU, sdp.PCMA, sdp.OPUS), WEB)
# As Chromium 156 writes it.
CHROMIUM = """\
v=0
o=- 1586713933190283227 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:4062224173 1 udp 2113937151 89b1dc21-146c-4276-aa19-9e1771412dd6.local 52314 typ host generation 0
a=candidate:960913101 1 udp 2113942271 8fc81923-3079-4ca6-bc8b-f92dd35a7350.local 34463 typ host generation 0
a=ice-ufrag:GDip
a=ice-pwd:BpAYZsDtl9TIe8cKE99dDLvL
a=ice-options:trickle
a=fingerprint:sha-256 24:30:FC:35:FD:55:A1:41:66:6F:59:89:3B:74:DE:8F:49:9F:3C:11:31:81:87:BF:05:9B:FC:C9:03:21:47:87
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:- aadbc447-cd93-45eb-89c4-1d6d59ea4ec4
a=rtcp-mux
a=rtcp-rsize
a=rtcp-xr:rcvr-rtt=all
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:4040360116 cname:3P8geGzaaa8IqdUr
a=ssrc:4040360116 msid:- aadbc447-cd93-45eb-89c4-1d6d59ea4ec4
"""
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\na=mid:1\na=rtpmap:96 VP8/90000\n"


def only(offer: str, *formats: str) -> str:
    """Return the offer with these payload types alone."""
    return offer.replace("111 63 9 0 8 13 110 126", " ".join(formats))


def test_a_browsers_offer_is_known_as_one() -> None:
    assert sdp.is_webrtc(CHROMIUM)
    assert not sdp.is_webrtc(sdp.offer(sdp.Capabilities("192.0.2.1", 4000, 7)))
    assert not sdp.is_webrtc("nonsense")


def test_a_browser_is_answered_in_its_own_words() -> None:
    agreed = sdp.answer(CHROMIUM, OURS)

    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("opus", 111, 110)
    assert agreed.webrtc is not None
    assert (agreed.webrtc.ufrag, agreed.webrtc.setup, len(agreed.webrtc.candidates)) == ("GDip", "actpass", 2)
    description = sdp.parse(agreed.sdp)
    (media,) = description.media
    assert (media.protocol, media.port, media.formats) == ("UDP/TLS/RTP/SAVPF", 4000, ("111", "110"))
    assert description.attributes("group") == ["BUNDLE 0"]
    assert media.attributes("setup") == ["active"]
    assert media.attributes("candidate") == list(WEB.candidates)
    assert ("a", "rtcp-mux") in media.lines
    assert media.attributes("rtpmap")[-1] == "110 telephone-event/48000"


def test_without_opus_the_first_g711_is_taken_with_keys_of_its_clock() -> None:
    agreed = sdp.answer(CHROMIUM, sdp.Capabilities("192.0.2.1", 4000, 7, (sdp.PCMU, sdp.PCMA), WEB))
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("PCMU", 0, 126)


def test_other_streams_are_refused_and_left_out_of_the_bundle() -> None:
    agreed = sdp.answer(CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + VIDEO, OURS)
    description = sdp.parse(agreed.sdp)
    assert [media.port for media in description.media] == [4000, 0]
    assert description.attributes("group") == ["BUNDLE 0"]


def test_our_offer_prefers_the_callers_codec_and_is_understood_by_ourselves() -> None:
    offer = sdp.offer(OURS, "PCMA")
    assert sdp.parse(offer).media[0].formats == ("8", "0", "101")
    agreed = sdp.read_answer(sdp.answer(offer, OURS).sdp)
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == ("PCMA", 8, 101)
    assert agreed.webrtc == WebRtc(WEB.ufrag, WEB.password, WEB.candidates, WEB.fingerprint, "active")


def test_whoever_is_active_makes_us_passive() -> None:
    agreed = sdp.answer(CHROMIUM.replace("setup:actpass", "setup:active"), OURS)
    assert sdp.parse(agreed.sdp).media[0].attributes("setup") == ["passive"]


def test_a_browser_chooses_where_a_phone_gets_our_order() -> None:
    codecs = (sdp.PCMU, sdp.PCMA, sdp.OPUS)
    assert sdp.answer(CHROMIUM, sdp.Capabilities("192.0.2.1", 4000, 7, codecs, WEB)).codec == "opus"
    phones = "v=0\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nm=audio 4 RTP/AVP 96 8 0\r\na=rtpmap:96 opus/48000/2\r\n"
    assert sdp.answer(phones, sdp.Capabilities("192.0.2.1", 4000, 7, codecs)).codec == "PCMA"


def test_the_same_offer_again_is_a_refresh_and_a_restart_of_ice_is_not() -> None:
    assert sdp.is_refresh(CHROMIUM, CHROMIUM.replace("o=- 1586713933190283227 2", "o=- 1586713933190283227 3"))
    assert not sdp.is_refresh(CHROMIUM, CHROMIUM.replace("ufrag:GDip", "ufrag:Other"))


@pytest.mark.parametrize(
    ("offer", "cause"),
    [
        (CHROMIUM.replace("a=rtcp-mux\n", ""), "rtcp-mux"),
        (CHROMIUM.replace("sha-256", "sha-1"), "fingerprint"),
        (CHROMIUM.replace("a=ice-ufrag:GDip\n", ""), "ice-ufrag"),
        (CHROMIUM.replace("setup:actpass", "setup:holdconn"), "setup"),
        (only(CHROMIUM, "9", "13"), "codec"),
        (CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"), "SAVPF"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_cause(offer: str, cause: str) -> None:
    with pytest.raises(sdp.SdpError, match=cause) as refused:
        sdp.answer(offer, OURS)
    assert refused.value.status == 488


def test_a_browser_is_not_answered_as_a_phone() -> None:
    with pytest.raises(sdp.SdpError, match="RTP/AVP"):
        sdp.answer(CHROMIUM, sdp.Capabilities("192.0.2.1", 4000, 7))


LINES = CHROMIUM.splitlines()


@given(st.lists(st.sampled_from(LINES), max_size=60), st.lists(st.text(max_size=40), max_size=3))
def test_no_mixture_of_lines_raises_anything_else(lines: list[str], strange: list[str]) -> None:
    text = "\n".join(["v=0", *lines, *strange])
    assert isinstance(sdp.is_webrtc(text), bool)
    with contextlib.suppress(sdp.SdpError):
        assert sdp.answer(text, OURS).payload_type in range(128)
    with contextlib.suppress(sdp.SdpError):
        assert sdp.read_answer(text).payload_type in range(128)


def test_dtls_without_ice_is_no_browser_and_is_refused() -> None:
    lines = [line for line in CHROMIUM.splitlines() if not line.startswith(("a=ice", "a=candidate"))]
    phone = "\n".join(lines).replace("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP") + "\n"
    assert not sdp.is_webrtc(phone)
    with pytest.raises(sdp.SdpError) as refused:
        sdp.answer(phone, sdp.Capabilities("192.0.2.1", 4000, 7))
    assert (refused.value.status, refused.value.warning) == (488, 302)


def test_an_offer_in_the_middle_has_every_stream_of_a_browser_with_its_mid() -> None:
    standing = sdp.answer(CHROMIUM.replace("a=mid:0", "a=mid:audio") + VIDEO, OURS)
    again = sdp.parse(sdp.offer(msgspec.structs.replace(OURS, standing=standing, version=2)))
    assert [(media.kind, media.port, media.attributes("mid")) for media in again.media] == [
        ("audio", 4000, ["audio"]),
        ("video", 0, ["1"]),
    ]
    assert again.attributes("group") == ["BUNDLE audio"]
    assert again.media[0].formats == ("111", "0", "8", "101", "110")
