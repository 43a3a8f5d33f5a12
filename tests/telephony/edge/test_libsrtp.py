"""libsrtp in place: the same packets as by its Python binding, whatever is in the row beside them."""

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.edge.libsrtp import InPlace

KEY = bytes(range(30))
packets = st.binary(min_size=0, max_size=1400).map(lambda payload: bytes.fromhex("800000010000000200000003") + payload)


def session(kind: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(KEY, kind)
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy)


SENDING, RECEIVING = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND


@given(packets)
def test_what_is_sealed_opens_in_its_place_and_is_what_the_binding_makes(packet: bytes) -> None:
    sealed = bytes(InPlace(session(SENDING)).seal(memoryview(packet)))
    assert sealed == session(SENDING).protect(packet)
    row = bytearray(b"\xff" * 2048)
    row[: len(sealed)] = sealed
    receiving = InPlace(session(RECEIVING))
    assert receiving.open(memoryview(row), len(sealed)) == len(packet)
    assert bytes(row[: len(packet)]) == packet
    assert receiving.open(memoryview(bytearray(sealed)), len(sealed)) == 0  # it came already


@given(st.binary(max_size=2048))
def test_what_is_forged_does_not_open(octets: bytes) -> None:
    row = bytearray(octets.ljust(2048, b"\0"))
    assert InPlace(session(RECEIVING)).open(memoryview(row), len(octets)) == 0


def test_what_is_too_long_is_not_sealed() -> None:
    with pytest.raises(OSError, match="1501"):
        InPlace(session(SENDING)).seal(bytes(1501))
