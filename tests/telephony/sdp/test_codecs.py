"""Which codec is agreed on, under which number, with which keys: G.722, Opus and L16 beside G.711."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import Codec
from telephony.sdp import Capabilities, SdpError

ALL = tuple(sdp.CODECS)
OURS = Capabilities("192.0.2.1", 4000, 42, ALL)
THEIRS = Capabilities("192.0.2.2", 5000, 43, ALL)
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"


def offered(formats: str, *attributes: str) -> str:
    return f"{HEAD}m=audio 4002 RTP/AVP {formats}\r\n" + "".join(f"a={each}\r\n" for each in attributes)


def rtpmaps(text: str) -> list[str]:
    return sdp.parse(text).media[0].attributes("rtpmap")


@pytest.mark.parametrize(
    ("formats", "attributes", "codec", "number"),
    [
        ("9", (), "G722", 9),
        ("9", ("rtpmap:9 G722/8000",), "G722", 9),
        ("98", ("rtpmap:98 g722/8000/1",), "G722", 98),
        ("98", ("rtpmap:98 L16/16000",), "L16/16000", 98),
        ("99", ("rtpmap:99 L16/8000/1",), "L16/8000", 99),
        ("96", ("rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1"), "opus", 96),
        ("8 0 9", (), "PCMA", 8),
    ],
)
def test_what_is_offered_alone_is_taken(formats: str, attributes: tuple[str, ...], codec: str, number: int) -> None:
    agreed = sdp.answer(offered(formats, *attributes), OURS)
    assert (agreed.codec, agreed.payload_type) == (codec, number)
    assert sdp.parse(agreed.sdp).media[0].formats == (str(number),)


@pytest.mark.parametrize(
    ("formats", "attributes"),
    [
        ("10", ()),  # L16/44100/2, by RFC 3551
        ("11", ()),
        ("9", ("rtpmap:9 G722/16000",)),
        ("98", ("rtpmap:98 L16/16000/2",)),
        ("98", ("rtpmap:98 L16/44100",)),
        ("96", ("rtpmap:96 PCMU/8000",)),
        ("0", ("rtpmap:0 G722/8000",)),
        ("128", ("rtpmap:128 opus/48000/2",)),
        ("96", ("rtpmap:96 opus/8000",)),
    ],
)
def test_what_is_not_ours_is_refused(formats: str, attributes: tuple[str, ...]) -> None:
    with pytest.raises(SdpError, match="no codec in common") as caught:
        sdp.answer(offered(formats, *attributes), OURS)
    assert caught.value.warning == 305


def test_opus_is_answered_with_its_parameters_and_keys_of_its_clock() -> None:
    agreed = sdp.answer(
        offered(
            "96 101 102",
            "rtpmap:96 opus/48000/2",
            "rtpmap:101 telephone-event/8000",
            "rtpmap:102 telephone-event/48000",
        ),
        OURS,
    )
    assert (agreed.codec, agreed.telephone_event, agreed.event_clock) == ("opus", 102, 48_000)
    media = sdp.parse(agreed.sdp).media[0]
    assert media.attributes("rtpmap") == ["96 opus/48000/2", "102 telephone-event/48000"]
    assert "useinbandfec=1" in media.attributes("fmtp")[0]
    assert media.attributes("ptime") == ["20"]


@pytest.mark.parametrize(
    ("order", "formats", "codec"),
    [
        (("PCMU", "PCMA", "G722", "opus"), "9 96 8 0", "PCMA"),
        (("PCMU", "PCMA", "G722", "opus"), "9 96 0 8", "PCMU"),
        (("PCMU", "PCMA", "G722", "opus"), "96 9", "G722"),
        (("G722", "PCMA"), "0 8 9", "G722"),
        (("G722", "PCMA"), "0 8", "PCMA"),
        (("opus", "PCMU"), "0 96", "opus"),
        (("PCMU", "G722", "PCMA"), "9 8", "PCMA"),
    ],
)
def test_our_order_decides_for_a_phone_and_the_law_is_the_phones(
    order: tuple[Codec, ...], formats: str, codec: str
) -> None:
    ours = msgspec.structs.replace(OURS, codecs=tuple(sdp.NUMBERS[each] for each in order))
    agreed = sdp.answer(offered(formats, "rtpmap:96 opus/48000/2"), ours)
    assert agreed.codec == codec


def test_what_the_other_side_speaks_goes_before_all() -> None:
    ours = msgspec.structs.replace(OURS, prefer="G722")
    assert sdp.answer(offered("0 8 9"), ours).codec == "G722"
    assert sdp.answer(offered("8 0"), ours).codec == "PCMA"


def test_an_offer_has_keys_by_every_clock() -> None:
    assert rtpmaps(sdp.offer(OURS)) == [
        "0 PCMU/8000",
        "8 PCMA/8000",
        "9 G722/8000",
        "111 opus/48000/2",
        "122 L16/8000",
        "123 L16/16000",
        "101 telephone-event/8000",
        "105 telephone-event/16000",
        "110 telephone-event/48000",
    ]


@given(st.permutations(ALL), st.permutations(ALL), st.integers(1, 6), st.sampled_from([None, *sdp.NUMBERS]))
def test_two_of_us_agree_and_the_codec_that_is_preferred_is_taken(
    ours: list[int], theirs: list[int], count: int, prefer: Codec | None
) -> None:
    near = msgspec.structs.replace(OURS, codecs=tuple(ours[:count]))
    far = msgspec.structs.replace(THEIRS, codecs=tuple(theirs), prefer=prefer)
    offer = sdp.offer(near, prefer)
    answered = sdp.answer(offer, far)
    agreed = sdp.read_answer(answered.sdp, offer)
    assert (agreed.codec, agreed.payload_type) == (answered.codec, answered.payload_type)
    assert (agreed.telephone_event, agreed.event_clock) == (answered.telephone_event, answered.event_clock)
    assert agreed.receives == -1
    if prefer is not None and sdp.NUMBERS[prefer] in near.codecs:
        assert agreed.codec == prefer
    again = sdp.parse(sdp.offer(msgspec.structs.replace(near, standing=agreed))).media[0]
    assert again.formats[0] == str(agreed.payload_type)
    assert len(set(again.formats)) == len(again.formats)


def test_an_answer_with_a_number_of_its_own_is_sent_to_under_it_and_heard_under_ours() -> None:
    offer = sdp.offer(OURS)
    agreed = sdp.read_answer(offered("96", "rtpmap:96 opus/48000/2"), offer)
    assert (agreed.payload_type, agreed.receives) == (96, 111)


def test_numbers_that_have_a_meaning_keep_it() -> None:
    standing = sdp.answer(
        offered("101 96", "rtpmap:101 opus/48000/2", "rtpmap:96 telephone-event/48000"),
        OURS,
    )
    again = rtpmaps(sdp.offer(msgspec.structs.replace(OURS, standing=standing)))
    assert again[0] == "101 opus/48000/2"
    assert "96 telephone-event/48000" in again
    assert "97 telephone-event/8000" in again


@pytest.mark.parametrize("value", ["10", "19", "10.5", " 5"])
def test_packets_shorter_than_ours_are_refused_in_words(value: str) -> None:
    with pytest.raises(SdpError, match="maxptime") as caught:
        sdp.answer(offered("0", f"maxptime:{value}"), OURS)
    assert caught.value.warning == 305
    with pytest.raises(SdpError, match="maxptime"):
        sdp.read_answer(offered("0", f"maxptime:{value}"), sdp.offer(OURS))


@pytest.mark.parametrize("value", ["20", "40", "150", "0", "many"])
def test_other_lengths_of_packets_are_taken(value: str) -> None:
    assert sdp.answer(offered("0", f"maxptime:{value}", "ptime:10"), OURS).codec == "PCMU"


def test_another_order_of_codecs_is_no_refresh() -> None:
    assert sdp.is_refresh(offered("0 8"), offered("0 8"))
    assert not sdp.is_refresh(offered("0 8"), offered("0 9"))


def test_the_favourite_is_what_would_be_answered() -> None:
    assert sdp.favourite(offered("9 8"), OURS) == "PCMA"
    assert sdp.favourite(offered("18"), OURS) is None
    assert sdp.favourite("nonsense", OURS) is None
