"""Keys of SRTP in descriptions: which lines are used, and what is answered to them."""

import pytest

from telephony import sdp
from telephony.events import Srtp, SrtpKey
from telephony.sdp import Capabilities, SdpError, sdes
from telephony.sdp.description import Media
from tests.telephony.sdp.offers import KEYS, key

CM80, CM32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"
THEIRS = key(CM80, 50)
OURS = Capabilities("192.0.2.1", 4000, 42, keys=KEYS)
HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"


def offer(*cryptos: str, protocol: str = "RTP/SAVP", port: int = 4002) -> str:
    lines = "".join(f"a=crypto:{each}\r\n" for each in cryptos)
    return f"{HEAD}m=audio {port} {protocol} 0\r\n{lines}"


def our_key(suite: str) -> str:
    return next(each.key for each in KEYS if each.suite == suite)


@pytest.mark.parametrize(
    "line",
    [
        f"1 {CM80} inline:{THEIRS}",
        f"1 {CM80} inline:{THEIRS}|2^20",
        f"1 {CM80} inline:{THEIRS}|1048576",
        f"1 {CM80} inline:{THEIRS}|2^48 WSH=128 -UNKNOWN=3",
        f"1 {CM80.lower()} inline:{THEIRS}",
    ],
)
def test_lines_that_are_used(line: str) -> None:
    media = Media("audio", 4000, "RTP/SAVP", ("0",), (("a", f"crypto:{line}"),))
    assert sdes.usable(media) == [sdes.Crypto(1, "AES_CM_128_HMAC_SHA1_80", THEIRS)]


@pytest.mark.parametrize(
    "line",
    [
        f"1 {CM80} inline:{THEIRS}|2^20|1:4",  # a master key identifier
        f"1 {CM80} inline:{THEIRS}|1:4",
        f"1 {CM80} inline:{THEIRS};inline:{THEIRS}",
        f"1 {CM80} inline:{THEIRS}|2^49",
        f"1 {CM80} inline:{THEIRS}|0",
        f"1 {CM80} inline:{THEIRS[:-4]}",
        f"1 {CM80} inline:{'!' * 40}",
        f"1 {CM80} inline:{THEIRS} UNENCRYPTED_SRTP",
        f"1 {CM80} inline:{THEIRS} KDR=16",
        f"1 F8_128_HMAC_SHA1_80 inline:{THEIRS}",
        f"0 {CM80} inline:{THEIRS}",
        f"1 {GCM} inline:{THEIRS}",
        f"1 {CM80} {THEIRS}",
        "",
    ],
)
def test_lines_that_are_passed_over(line: str) -> None:
    media = Media("audio", 4000, "RTP/SAVP", ("0",), (("a", f"crypto:{line}"),))
    assert sdes.usable(media) == []
    with pytest.raises(SdpError, match="a=crypto"):
        sdp.answer(offer(line), OURS)


@pytest.mark.parametrize("left_out", ["", "="])
def test_padding_may_be_left_out(left_out: str) -> None:
    theirs = key(GCM, 50)
    agreed = sdp.answer(offer(f"7 {GCM} inline:{theirs.rstrip(left_out) if left_out else theirs}"), OURS)
    assert agreed.srtp == Srtp("AEAD_AES_256_GCM", our_key(GCM), theirs)


def test_the_first_usable_line_is_answered_with_its_tag_and_our_own_key() -> None:
    text = offer(f"3 {CM32} inline:{key(CM32, 9)}|1:4", f"5 {CM80} inline:{THEIRS}", f"6 {GCM} inline:{key(GCM, 9)}")
    agreed = sdp.answer(text, OURS)
    assert agreed.srtp == Srtp("AES_CM_128_HMAC_SHA1_80", our_key(CM80), THEIRS)
    (media,) = sdp.parse(agreed.sdp).media
    assert (media.protocol, media.attributes("crypto")) == ("RTP/SAVP", [f"5 {CM80} inline:{our_key(CM80)}"])


def test_keys_beside_rtp_avp_are_taken_where_they_can_be() -> None:
    agreed = sdp.answer(offer(f"1 {CM80} inline:{THEIRS}", protocol="RTP/AVP"), OURS)
    assert agreed.srtp is not None
    assert sdp.parse(agreed.sdp).media[0].protocol == "RTP/AVP"
    plain = sdp.answer(offer(f"1 {CM80} inline:{THEIRS}|1:4", protocol="RTP/AVP"), OURS)
    assert plain.srtp is None
    assert "crypto" not in plain.sdp


def test_of_two_streams_the_encrypted_one_is_taken() -> None:
    both = offer(protocol="RTP/AVP") + f"m=audio 5000 RTP/SAVP 8\r\na=crypto:1 {CM80} inline:{THEIRS}\r\n"
    agreed = sdp.answer(both, OURS)
    assert (agreed.port, agreed.chosen, agreed.codec) == (5000, 1, "PCMA")
    assert [media.port for media in sdp.parse(agreed.sdp).media] == [0, 4000]


@pytest.mark.parametrize(
    ("text", "ours", "cause"),
    [
        (offer(f"1 {CM80} inline:{THEIRS}"), Capabilities("192.0.2.1", 4000, 1), "switched off"),
        (offer(protocol="RTP/AVP"), Capabilities("192.0.2.1", 4000, 1, keys=KEYS, srtp_required=True), "a=crypto"),
        (offer(f"1 {CM80} inline:{our_key(CM80)}"), OURS, "a=crypto"),
        (offer(protocol="UDP/TLS/RTP/SAVP"), OURS, "over RTP/AVP or RTP/SAVP"),
    ],
)
def test_what_is_refused(text: str, ours: Capabilities, cause: str) -> None:
    with pytest.raises(SdpError, match=cause) as refused:
        sdp.answer(text, ours)
    assert (refused.value.status, refused.value.warning) == (488, 302)


def test_a_later_offer_keeps_our_key_whatever_theirs_is_and_changes_it_with_the_suite() -> None:
    first = sdp.answer(offer(f"1 {CM80} inline:{THEIRS}"), OURS)
    fresh = tuple(SrtpKey(each.suite, key(each.suite, 77)) for each in KEYS)
    later = Capabilities("192.0.2.1", 4000, 42, keys=fresh, standing=first, version=2)
    again = sdp.answer(offer(f"1 {CM80} inline:{key(CM80, 51)}"), later)
    assert again.srtp == Srtp("AES_CM_128_HMAC_SHA1_80", our_key(CM80), key(CM80, 51))
    other = sdp.answer(offer(f"1 {GCM} inline:{key(GCM, 51)}"), later)
    assert other.srtp == Srtp("AEAD_AES_256_GCM", key(GCM, 77), key(GCM, 51))


def test_our_offer_names_the_strongest_first_and_no_short_tags() -> None:
    (media,) = sdp.parse(sdp.offer(Capabilities("192.0.2.1", 4000, 1, keys=KEYS, secure=True))).media
    assert media.protocol == "RTP/AVP"
    assert [line.split()[:2] for line in media.attributes("crypto")] == [
        ["1", "AEAD_AES_256_GCM"],
        ["2", "AEAD_AES_128_GCM"],
        ["3", CM80],
    ]
    must = sdp.offer(Capabilities("192.0.2.1", 4000, 1, keys=KEYS, srtp_required=True))
    assert sdp.parse(must).media[0].protocol == "RTP/SAVP"
    assert "crypto" not in sdp.offer(OURS)


class TestTheirAnswer:
    ours = sdp.offer(Capabilities("192.0.2.1", 4000, 1, keys=KEYS, secure=True))

    def test_takes_one_of_our_keys(self) -> None:
        agreed = sdp.read_answer(offer(f"3 {CM80} inline:{THEIRS}", protocol="RTP/AVP"), self.ours)
        assert agreed.srtp == Srtp("AES_CM_128_HMAC_SHA1_80", our_key(CM80), THEIRS)

    def test_may_say_rtp_savp_then(self) -> None:
        assert sdp.read_answer(offer(f"3 {CM80} inline:{THEIRS}"), self.ours).srtp is not None

    def test_may_go_without(self) -> None:
        assert sdp.read_answer(offer(protocol="RTP/AVP"), self.ours).srtp is None

    @pytest.mark.parametrize(
        "line", [f"1 {CM80} inline:{THEIRS}", f"4 {CM80} inline:{THEIRS}", f"3 {CM80} inline:{our_key(CM80)}"]
    )
    def test_with_what_we_did_not_offer_is_none(self, line: str) -> None:
        with pytest.raises(SdpError, match="a=crypto"):
            sdp.read_answer(offer(line, protocol="RTP/AVP"), self.ours)

    def test_without_keys_is_none_where_they_are_a_must(self) -> None:
        must = sdp.offer(Capabilities("192.0.2.1", 4000, 1, keys=KEYS, srtp_required=True))
        for protocol in ("RTP/SAVP", "RTP/AVP"):
            with pytest.raises(SdpError, match="a=crypto"):
                sdp.read_answer(offer(protocol=protocol), must)

    def test_refreshes_with_the_same_key_alone(self) -> None:
        before = offer(f"3 {CM80} inline:{THEIRS}")
        assert sdp.is_refresh(before, before.replace("o=- 1 1", "o=- 1 2"))
        assert not sdp.is_refresh(before, offer(f"3 {CM80} inline:{key(CM80, 51)}"))


def test_keys_are_not_shown() -> None:
    for secret in (KEYS[0], Srtp("AES_CM_128_HMAC_SHA1_80", our_key(CM80), THEIRS)):
        assert our_key(CM80) not in repr(secret)
        assert THEIRS not in str(secret)
