"""SRTP of phones' legs, against other code that follows the RFCs and is itself checked by their test vectors."""

import base64
from typing import get_args

import pytest

from telephony.edge import secure_rtp
from telephony.edge.secure_rtp import MAX_SOURCES, MOST_SEARCHES, BadKey, SecureRtp
from telephony.events import Srtp, SrtpSuite
from tests.telephony.edge.srtp import AUTHENTICATION, ENCRYPTION, SALT, Direction, derive

SUITES = get_args(SrtpSuite)
CM80: SrtpSuite = "AES_CM_128_HMAC_SHA1_80"
# RFC 3711 appendix B.3
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")


def test_the_other_code_derives_keys_as_rfc_3711_b_3_does() -> None:
    assert derive(MASTER_KEY, MASTER_SALT, ENCRYPTION, 16).hex() == "c61e7a93744f39ee10734afe3ff7a087"
    assert derive(MASTER_KEY, MASTER_SALT, SALT, 14).hex() == "30cbbc08863d8c85d49db34a9ae1"
    assert derive(MASTER_KEY, MASTER_SALT, AUTHENTICATION, 20).hex() == "cebe321f6ff7716b6fd4ab49af256a156d38baa4"


def material(suite: SrtpSuite, seed: int) -> bytes:
    return bytes((seed + i) % 256 for i in range(secure_rtp.OCTETS[suite]))


def pair(suite: SrtpSuite = CM80, ours: int = 1, theirs: int = 100) -> tuple[Srtp, Direction, Direction]:
    """Return what the worker is told, and both directions as the phone has them: it sends, it receives."""
    told = Srtp(
        suite,
        base64.b64encode(material(suite, ours)).decode(),
        base64.b64encode(material(suite, theirs)).decode(),
    )
    return told, Direction(suite, material(suite, theirs)), Direction(suite, material(suite, ours))


def rtp(sequence: int, ssrc: int = 0xCAFEBABE, payload: bytes = b"\xab" * 160) -> bytes:
    timestamp = (160 * sequence).to_bytes(4, "big")
    return b"\x80\x00" + sequence.to_bytes(2, "big") + timestamp + ssrc.to_bytes(4, "big") + payload


def opened(secured: SecureRtp, packet: bytes) -> bytes:
    row = memoryview(bytearray(packet.ljust(2048, b"\0")))
    return bytes(row[: secured.open(row, len(packet))])


def secured_with(told: Srtp) -> SecureRtp:
    secured = SecureRtp()
    secured.use(told)
    return secured


@pytest.mark.parametrize("suite", SUITES)
def test_both_directions(suite: SrtpSuite) -> None:
    told, phone_sends, phone_hears = pair(suite)
    secured = secured_with(told)
    for sequence in range(1000, 1010):
        assert opened(secured, phone_sends.seal(rtp(sequence))) == rtp(sequence)
        sealed = bytes(secured.seal(rtp(sequence)))
        assert phone_hears.open(sealed) == rtp(sequence)
        assert rtp(sequence)[12:44] not in sealed
    assert secured.rejected == 0


def test_sequence_numbers_wrap() -> None:
    told, phone_sends, _ = pair()
    secured = secured_with(told)
    for sequence in range(65530, 65545):
        assert opened(secured, phone_sends.seal(rtp(sequence % 65536))) == rtp(sequence % 65536)


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_forged_doubled_or_in_the_clear_is_not_there(suite: SrtpSuite) -> None:
    told, phone_sends, _ = pair(suite)
    secured = secured_with(told)
    sealed = phone_sends.seal(rtp(7))
    for place in (1, 3, 5, 9, 20, len(sealed) - 1):
        forged = bytearray(sealed)
        forged[place] ^= 1
        assert opened(secured, bytes(forged)) == b""
    assert opened(secured, rtp(7)) == b""
    assert opened(secured, b"") == opened(secured, sealed[:11]) == opened(secured, b"\x80" * 2048) == b""
    assert opened(secured, sealed) == rtp(7)
    assert opened(secured, sealed) == b""
    assert secured.rejected == 11


def test_rtcp_on_the_same_port_is_nobody_s_fault() -> None:
    told, _, _ = pair()
    secured = secured_with(told)
    assert opened(secured, b"\x80\xc8" + bytes(40)) == b""
    assert secured.rejected == 0


def test_rtcp_that_is_forged_is_counted() -> None:
    told, _, _ = pair()
    secured = secured_with(told)
    assert secured.open_report(b"\x80\xc8" + bytes(40)) is None
    assert secured.open_report(b"") is None
    assert secured.rejected == 2


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(("rolls", "sequence"), [(1, 0), (1, 65535), (3, 1), (40, 30000)])
def test_a_stream_that_is_joined_late_is_understood(suite: SrtpSuite, rolls: int, sequence: int) -> None:
    told, phone_sends, _ = pair(suite)
    phone_sends.roll_over = rolls
    secured = SecureRtp(joins_late=True)
    secured.use(told)
    assert opened(secured, phone_sends.seal(rtp(sequence))) == rtp(sequence)
    following = (sequence + 1) % 65536
    assert opened(secured, phone_sends.seal(rtp(following))) == rtp(following)
    assert opened(secured, rtp(following)) == b""
    assert secured.rejected == 1


def test_whoever_was_there_from_the_beginning_believes_no_other_count() -> None:
    told, phone_sends, _ = pair()
    phone_sends.roll_over = 1
    assert opened(secured_with(told), phone_sends.seal(rtp(7))) == b""


def test_the_search_for_how_often_a_stream_has_wrapped_has_an_end() -> None:
    told, phone_sends, _ = pair()
    secured = SecureRtp(joins_late=True)
    secured.use(told)
    for sequence in range(MOST_SEARCHES):
        assert opened(secured, rtp(sequence)) == b""
    phone_sends.roll_over = 1
    assert opened(secured, phone_sends.seal(rtp(9))) == b""
    assert secured.rejected == MOST_SEARCHES + 1


def test_the_same_keys_again_change_nothing() -> None:
    told, phone_sends, phone_hears = pair()
    secured = secured_with(told)
    sealed = phone_sends.seal(rtp(1))
    assert opened(secured, sealed) == rtp(1)
    secured.use(told)
    assert opened(secured, sealed) == b""  # still known to have come
    assert phone_hears.open(bytes(secured.seal(rtp(1)))) == rtp(1)


def test_another_key_of_theirs_leaves_ours_as_it_is() -> None:
    told, phone_sends, phone_hears = pair()
    secured = secured_with(told)
    assert phone_hears.open(bytes(secured.seal(rtp(1)))) == rtp(1)
    rekeyed, new_sends, _ = pair(theirs=200)
    secured.use(rekeyed)
    assert opened(secured, phone_sends.seal(rtp(2))) == b""
    assert opened(secured, new_sends.seal(rtp(2))) == rtp(2)
    assert phone_hears.open(bytes(secured.seal(rtp(2)))) == rtp(2)


def test_a_key_goes_on_where_it_was_so_that_no_keystream_is_used_twice() -> None:
    told, _, phone_hears = pair()
    secured = secured_with(told)
    for sequence in (65534, 65535, 0):
        secured.seal(rtp(sequence))
    other, _, _ = pair(ours=50)
    secured.use(other)
    secured.use(told)
    phone_hears.roll_over = 1
    assert phone_hears.open(bytes(secured.seal(rtp(1)))) == rtp(1)


def test_sources_of_one_key_are_bounded() -> None:
    told, phone_sends, _ = pair()
    secured = secured_with(told)
    for ssrc in range(1, MAX_SOURCES + 1):
        assert opened(secured, phone_sends.seal(rtp(5, ssrc))) == rtp(5, ssrc)
    assert opened(secured, phone_sends.seal(rtp(5, 999))) == b""
    assert opened(secured, phone_sends.seal(rtp(6, 1))) == rtp(6, 1)


def test_nothing_goes_out_without_a_key() -> None:
    with pytest.raises(OSError, match="no key"):
        SecureRtp().seal(rtp(1))
    assert opened(SecureRtp(), rtp(1)) == b""


@pytest.mark.parametrize("key", ["", "AAAA", "!" * 40, base64.b64encode(bytes(44)).decode()])
def test_a_key_of_the_wrong_length_is_refused(key: str) -> None:
    with pytest.raises(BadKey):
        SecureRtp().use(Srtp(CM80, key, key))


def test_fresh_keys_fit_their_suites_and_are_never_the_same() -> None:
    one, other = secure_rtp.fresh_keys(), secure_rtp.fresh_keys()
    assert [each.suite for each in one] == list(SUITES)
    assert not {each.key for each in one} & {each.key for each in other}
    for each, other_key in zip(one, other, strict=True):
        secured_with(Srtp(each.suite, each.key, other_key.key))
