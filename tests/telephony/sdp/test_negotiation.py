"""Session descriptions and offer/answer, with what phones and browsers at large send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import Codec
from telephony.sdp import Capabilities, Media, SdpError, SessionDescription

OURS = Capabilities("192.0.2.1", 4000, 42)
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"

BARESIP = (
    "v=0\r\no=- 3915 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=tool:baresip 1.0.0\r\n"
    "m=audio 10042 RTP/AVP 0 8 101\r\nb=AS:125\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:10043\r\na=sendrecv\r\na=label:1\r\n"
    "a=rtcp-rsize\r\na=ssrc:2839 cname:sip:a@b\r\na=ptime:20\r\n"
)
LINPHONE = (
    "v=0\r\no=lan 1 2 IN IP4 192.0.2.2\r\ns=Talk\r\nc=IN IP4 192.0.2.2\r\nb=AS:380\r\nt=0 0\r\n"
    "m=audio 7078 RTP/AVP 96 97 8 0 98 99\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
    "a=rtpmap:97 speex/16000\r\na=rtpmap:98 telephone-event/48000\r\na=rtpmap:99 telephone-event/8000\r\n"
    "m=video 9078 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\n"
)


def audio(formats: str = "0 8", *attributes: str, port: int = 4002, protocol: str = "RTP/AVP") -> str:
    lines = "".join(f"a={attribute}\r\n" for attribute in attributes)
    return f"m=audio {port} {protocol} {formats}\r\n{lines}"


class TestAnswer:
    def test_baresip(self) -> None:
        agreed = sdp.answer(BARESIP, OURS)
        assert (agreed.address, agreed.port) == ("127.0.0.1", 10042)
        assert (agreed.payload_type, agreed.telephone_event, agreed.direction) == (0, 101, "sendrecv")
        assert agreed.sdp == (
            "v=0\r\no=hotline 42 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
            "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )

    def test_linphone(self) -> None:
        agreed = sdp.answer(LINPHONE, OURS)
        assert (agreed.payload_type, agreed.telephone_event) == (8, 99)
        video = sdp.parse(agreed.sdp).media[1]
        assert (video.kind, video.port, video.formats) == ("video", 0, ("100",))

    @pytest.mark.parametrize(("formats", "codec"), [("0 8", 0), ("8 0", 8), ("3 8", 8), ("0", 0)])
    def test_offerer_s_order_decides(self, formats: str, codec: int) -> None:
        agreed = sdp.answer(HEAD + audio(formats), OURS)
        assert (agreed.payload_type, agreed.telephone_event) == (codec, -1)
        assert sdp.parse(agreed.sdp).media[0].formats == (str(codec),)

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
    )
    def test_direction(self, theirs: str, ours: str) -> None:
        agreed = sdp.answer(HEAD + audio("0", theirs), OURS)
        assert agreed.direction == ours
        assert f"a={ours}\r\n" in agreed.sdp
        assert sdp.answer(HEAD + f"a={theirs}\r\n" + audio("0"), OURS).direction == ours

    def test_hold_in_the_old_style(self) -> None:
        held = HEAD.replace("c=IN IP4 192.0.2.2", "c=IN IP4 0.0.0.0")
        assert sdp.answer(held + audio(), OURS).direction == "recvonly"
        assert sdp.answer(held + audio("0", "recvonly"), OURS).direction == "inactive"

    def test_address_of_the_stream_goes_before_that_of_the_session(self) -> None:
        assert sdp.answer(HEAD + audio() + "c=IN IP4 192.0.2.7\r\n", OURS).address == "192.0.2.7"

    def test_ip_version_is_ours(self) -> None:
        offer = HEAD + audio() + "c=IN IP6 2001:db8::7\r\n"
        ours = sdp.Capabilities("2001:db8::1", 4000, 1)
        assert sdp.answer(offer, ours).address == "2001:db8::7"
        with pytest.raises(sdp.SdpError) as refused:
            sdp.answer(offer, OURS)
        assert refused.value.status == 488

    @pytest.mark.parametrize("address", ["phone.example", "224.2.1.1", "255.255.255.255", "192.0.2.300", "1"])
    def test_address_is_that_of_one_caller(self, address: str) -> None:
        answered = HEAD + audio() + f"c=IN IP4 {address}\r\n"
        with pytest.raises(sdp.SdpError) as refused:
            sdp.answer(answered, OURS)
        assert refused.value.status == 488
        with pytest.raises(sdp.SdpError):
            sdp.read_answer(answered)

    def test_first_usable_stream_is_taken_and_the_others_refused(self) -> None:
        streams = (
            audio(port=0) + audio("9 96") + audio(protocol="RTP/SAVP", port=5000) + audio(port=5002) + audio(port=5004)
        )
        agreed = sdp.answer(HEAD + streams, OURS)
        assert agreed.port == 5002
        assert [media.port for media in sdp.parse(agreed.sdp).media] == [0, 0, 0, 4000, 0]
        assert sdp.parse(agreed.sdp).media[2].protocol == "RTP/SAVP"

    def test_times_are_those_of_the_offer(self) -> None:
        offered = HEAD.replace("t=0 0", "t=2873397496 2873404696") + audio()
        assert "t=2873397496 2873404696\r\n" in sdp.answer(offered, OURS).sdp

    def test_our_address_may_be_ipv6(self) -> None:
        theirs = HEAD.replace("IN IP4 192.0.2.2", "IN IP6 2001:db8::2")
        agreed = sdp.answer(theirs + audio(), Capabilities("2001:db8::1", 4000, 1))
        assert "c=IN IP6 2001:db8::1\r\n" in agreed.sdp

    @pytest.mark.parametrize(
        ("text", "status", "cause"),
        [
            (HEAD, 488, "no audio stream"),
            (HEAD + "m=video 9 RTP/AVP 0\r\n", 488, "no audio stream"),
            (HEAD + audio(port=0), 488, "no audio stream"),
            (HEAD + audio("9 96", "rtpmap:96 opus/48000/2"), 488, "no codec in common"),
            (HEAD + audio("0", "rtpmap:0 L16/44100"), 488, "no codec in common"),
            (HEAD + audio(protocol="UDP/TLS/RTP/SAVPF"), 488, "over RTP/AVP"),
            (HEAD.replace("c=IN IP4 192.0.2.2\r\n", "") + audio(), 400, "no c= line"),
            (HEAD.replace("c=IN IP4", "c=ATM NSAP") + audio(), 400, "no c= line"),
            ("", 400, "v=0"),
            ("s=-\r\n", 400, "v=0"),
            ("v=0\r\ngarbage\r\n", 400, "line 2"),
            ("v=0\r\n\r\ns=-\r\n", 400, "line 2"),
            (HEAD + "m=audio many RTP/AVP 0\r\n", 400, "m= line"),
            (HEAD + "m=audio 65536 RTP/AVP 0\r\n", 400, "m= line"),
            (HEAD + audio() * 33, 400, "more than 32"),
            ("v=0\r\n" + "a=x\r\n" * 1000, 400, "more than 1000 lines"),
        ],
    )
    def test_what_cannot_be_served(self, text: str, status: int, cause: str) -> None:
        with pytest.raises(SdpError, match=cause) as caught:
            sdp.answer(text, OURS)
        assert caught.value.status == status
        assert cause in caught.value.cause


class TestOffer:
    @pytest.mark.parametrize(("prefer", "formats"), [(None, ("0", "8", "101")), ("PCMA", ("8", "0", "101"))])
    def test_offer(self, prefer: Codec | None, formats: tuple[str, ...]) -> None:
        (media,) = sdp.parse(sdp.offer(OURS, prefer)).media
        assert (media.kind, media.port, media.protocol, media.formats) == ("audio", 4000, "RTP/AVP", formats)
        assert media.attributes("fmtp") == ["101 0-15"]
        assert media.attributes("ptime") == ["20"]

    def test_our_own_answer_is_understood(self) -> None:
        theirs = Capabilities("192.0.2.2", 5000, 7)
        ours = sdp.offer(OURS, "PCMA")
        agreed = sdp.read_answer(sdp.answer(ours, theirs).sdp, ours)
        streams = (Media("audio", 4000, "RTP/AVP", ("8", "0", "101")),)
        assert agreed == sdp.Negotiated("", "192.0.2.2", 5000, 8, 101, "sendrecv", "PCMA", streams=streams)

    @pytest.mark.parametrize("text", [HEAD, HEAD + audio(port=0), HEAD + audio("96"), "garbage"])
    def test_refusals(self, text: str) -> None:
        with pytest.raises(SdpError):
            sdp.read_answer(text)


class TestRefresh:
    def test_same_stream(self) -> None:
        again = BARESIP.replace("3915 2", "3915 3").replace("baresip 1.0.0", "other")
        assert sdp.is_refresh(BARESIP, again)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("a=sendrecv", "a=sendonly"),
            ("10042", "10044"),
            ("IP4 127.0.0.1\r\nt", "IP4 127.0.0.2\r\nt"),
            ("AVP 0 8", "AVP 8 0"),
            ("m=audio", "m=video"),
        ],
    )
    def test_change(self, before: str, after: str) -> None:
        assert before in BARESIP
        assert not sdp.is_refresh(BARESIP, BARESIP.replace(before, after))


VALUES = st.text("abc 0123/:=-.", max_size=20).filter(lambda value: value.strip() == value)
LINES = st.lists(st.tuples(st.sampled_from("abcikostu"), VALUES), max_size=4).map(tuple)
WORDS = st.text("abc019/-", min_size=1, max_size=8)
MEDIA = st.builds(Media, WORDS, st.integers(0, 65535), WORDS, st.lists(WORDS, min_size=1, max_size=4).map(tuple), LINES)


class TestProperties:
    @given(LINES, st.lists(MEDIA, max_size=4).map(tuple))
    def test_reading_undoes_writing(self, lines: tuple[tuple[str, str], ...], media: tuple[Media, ...]) -> None:
        description = SessionDescription((("v", "0"), *lines), media)
        assert sdp.parse(sdp.write(description)) == description

    @given(st.text() | st.lists(st.sampled_from([*BARESIP.splitlines(), "", "m=", "c=", "a=rtpmap:"])).map("\n".join))
    def test_any_text_raises_sdp_error_at_most(self, text: str) -> None:
        try:
            agreed = sdp.answer(text, OURS)
        except SdpError:
            return
        assert agreed.payload_type in sdp.CODECS
        sdp.parse(agreed.sdp)


def test_only_the_codecs_that_are_taken_are_offered_and_agreed_on() -> None:
    alaw_only = Capabilities("192.0.2.9", 7000, 1, codecs=(8,))
    both = Capabilities("192.0.2.1", 4000, 1)
    assert sdp.parse(sdp.offer(alaw_only)).media[0].formats == ("8", "101")
    assert sdp.answer(sdp.offer(both), alaw_only).payload_type == 8
    ulaw_only = Capabilities("192.0.2.1", 4000, 1, codecs=(0,))
    with pytest.raises(SdpError, match="PCMA is needed"):
        sdp.answer(sdp.offer(ulaw_only), alaw_only)


FAX = "m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n"
VIDEO = "m=video 9078 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\n"


class TestLater:
    """In the middle of a session (RFC 3264 section 8)."""

    first = sdp.answer(HEAD + VIDEO + audio("0 101", "rtpmap:101 telephone-event/8000") + FAX, OURS)
    again = Capabilities("192.0.2.1", 4000, 42, version=2, standing=first)

    def test_our_offer_has_every_stream(self) -> None:
        described = sdp.parse(sdp.offer(self.again))
        assert [(each.kind, each.port) for each in described.media] == [("video", 0), ("audio", 4000), ("image", 0)]
        assert described.media[2].formats == ("t38",)

    def test_their_answer_to_it_is_read_at_its_place(self) -> None:
        answered = HEAD + "m=video 0 RTP/AVP 100\r\n" + audio("8", port=4444) + "m=image 0 udptl t38\r\n"
        agreed = sdp.read_answer(answered, sdp.offer(self.again))
        assert (agreed.port, agreed.chosen, agreed.payload_type) == (4444, 1, 8)

    @pytest.mark.parametrize("answered", [HEAD + audio(), HEAD + audio() * 4])
    def test_an_answer_with_other_streams_is_none(self, answered: str) -> None:
        with pytest.raises(SdpError):
            sdp.read_answer(answered, sdp.offer(self.again))

    def test_fewer_streams_than_before_are_refused(self) -> None:
        with pytest.raises(SdpError, match="1 streams, where there were 3"):
            sdp.answer(HEAD + audio(), self.again)

    def test_the_stream_there_was_goes_before_another_that_would_do(self) -> None:
        agreed = sdp.answer(HEAD + audio("0", port=6000) + audio("8 0", port=6002) + FAX, self.again)
        assert (agreed.port, agreed.payload_type) == (6002, 8)

    def test_port_0_is_a_pause_and_the_stream_may_come_back(self) -> None:
        held = sdp.answer(HEAD + VIDEO + audio(port=0) + FAX, self.again)
        assert (held.direction, held.port, held.address) == ("inactive", 0, sdp.NOWHERE)
        assert [each.port for each in sdp.parse(held.sdp).media] == [0, 0, 0]
        back = sdp.answer(HEAD + VIDEO + audio() + FAX, Capabilities("192.0.2.1", 4000, 42, version=3, standing=held))
        assert (back.direction, back.port, back.chosen) == ("sendrecv", 4002, 1)

    def test_numbers_keep_their_meaning(self) -> None:
        standing = sdp.answer(HEAD + audio("0 97", "rtpmap:97 telephone-event/8000"), OURS)
        again = sdp.offer(Capabilities("192.0.2.1", 4000, 42, standing=standing))
        assert sdp.parse(again).media[0].formats == ("0", "8", "97")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (HEAD + VIDEO, 304),
        (HEAD + audio("18"), 305),
        (HEAD + audio(protocol="RTP/SAVP"), 302),
        (HEAD + audio() + "c=IN IP4 239.1.1.1/127\r\n", 330),
        (HEAD + audio() + "c=IN IP4 phone.example\r\n", 301),
        (HEAD + audio() + "c=IN IP6 2001:db8::1\r\n", 301),
    ],
)
def test_refusals_say_why(text: str, warning: int) -> None:
    with pytest.raises(SdpError) as refused:
        sdp.answer(text, OURS)
    assert refused.value.warning == warning


def test_hold_over_ipv6_in_the_old_style() -> None:
    held = HEAD.replace("IP4 192.0.2.2", "IP6 ::")
    assert sdp.answer(held + audio(), Capabilities("2001:db8::1", 4000, 1)).direction == "recvonly"


@pytest.mark.parametrize("asked", ["ptime:10", "ptime:60", "maxptime:150"])
def test_packets_of_20_ms_are_said_whatever_is_asked(asked: str) -> None:
    assert sdp.parse(sdp.answer(HEAD + audio("0", asked), OURS).sdp).media[0].attributes("ptime") == ["20"]


@pytest.mark.parametrize("number", ["97", "127"])
@pytest.mark.parametrize("events", ["0-15", "0-16", "0-11,16"])
def test_keys_of_any_number_and_range(number: str, events: str) -> None:
    lines = f"rtpmap:{number} telephone-event/8000", f"fmtp:{number} {events}"
    agreed = sdp.answer(HEAD + audio(f"0 {number}", *lines), OURS)
    assert agreed.telephone_event == int(number)
    assert sdp.parse(agreed.sdp).media[0].attributes("fmtp") == [f"{number} 0-15"]


@pytest.mark.parametrize("number", ["0", "8", "128", "999"])
def test_keys_under_a_number_that_cannot_be_theirs_are_none(number: str) -> None:
    lines = f"rtpmap:{number} telephone-event/8000"
    other = "8" if number == "0" else "0"
    assert sdp.answer(HEAD + audio(f"{other} {number}", lines), OURS).telephone_event == -1


def test_comfort_noise_is_not_taken_up() -> None:
    agreed = sdp.answer(HEAD + audio("0 13", "rtpmap:13 CN/8000"), OURS)
    assert sdp.parse(agreed.sdp).media[0].formats == ("0",)


def test_lines_about_rtcp_and_bundles_are_left_unanswered() -> None:
    lines = "rtcp:4999 IN IP4 192.0.2.2", "rtcp-mux", "mid:a"
    text = HEAD + "a=group:BUNDLE a\r\n" + audio("0", *lines)
    agreed = sdp.answer(text, OURS)
    assert agreed.port == 4002
    assert not {"rtcp", "mid", "group"} & {
        value.partition(":")[0].partition("-")[0] for _, value in sdp.parse(agreed.sdp).media[0].lines
    }
