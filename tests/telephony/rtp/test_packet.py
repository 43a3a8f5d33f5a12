import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.packet import HEADER_OCTETS, ROW_OCTETS, parse, write_headers
from tests.telephony.rtp.packets import lay, packet, parsed

u16, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(st.integers(0, 127), st.booleans(), u16, u32, u32), min_size=1, max_size=5))
def test_what_is_written_is_read(values: list[tuple[int, bool, int, int, int]]) -> None:
    columns = [np.array(column) for column in zip(*values, strict=True)]
    rows = np.zeros((len(values), ROW_OCTETS), np.uint8)
    write_headers(rows, columns[0].astype(np.uint8), columns[1].astype(np.bool_), *columns[2:])
    headers = parse(rows, np.full(len(values), HEADER_OCTETS + 160))
    read = zip(headers.payload_type, headers.marker, headers.sequence, headers.timestamp, headers.ssrc, strict=True)
    assert [tuple(map(int, one)) for one in read] == [tuple(map(int, one)) for one in values]
    assert headers.valid.all()
    assert set(headers.offset.tolist()) == {12}
    assert set(headers.octets.tolist()) == {160}


def test_numbers_wrap_when_written() -> None:
    rows = np.zeros((1, 12), np.uint8)
    ones = np.ones(1, np.int64)
    write_headers(rows, np.zeros(1, np.uint8), np.zeros(1, np.bool_), 65536 * ones + 7, 2**32 * ones + 9, ones)
    headers = parse(rows, 12 * ones)
    assert (headers.sequence[0], headers.timestamp[0]) == (7, 9)


@given(
    st.integers(0, 15),
    st.none() | st.integers(0, 20),
    st.integers(0, 30),
    st.binary(max_size=200),
)
def test_csrc_extension_and_padding_are_taken_off(
    sources: int, words: int | None, padding: int, payload: bytes
) -> None:
    flags = 0x80 | sources | (0x10 if words is not None else 0) | (0x20 if padding else 0)
    extension = b"" if words is None else b"\xbe\xde" + words.to_bytes(2, "big") + bytes(4 * words)
    pad = bytes(padding - 1) + bytes([padding]) if padding else b""
    plain = packet(1, 2, b"")
    headers, rows = parsed([bytes([flags]) + plain[1:] + bytes(4 * sources) + extension + payload + pad])
    assert headers.valid[0]
    begin, octets = headers.offset[0], headers.octets[0]
    assert rows[0, begin : begin + octets].tobytes() == payload


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_any_octets_are_legal_input(datagrams: list[bytes]) -> None:
    headers, _ = parsed(datagrams)
    for i in np.flatnonzero(headers.valid).tolist():
        assert datagrams[i][0] >> 6 == 2
        assert headers.offset[i] >= 12
        assert headers.octets[i] >= 0
        assert headers.offset[i] + headers.octets[i] <= len(datagrams[i])


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        packet(1, 1, b"")[:11],
        b"\x00" + packet(1, 1, b"x" * 160)[1:],  # STUN has version 0
        b"\x85" + packet(1, 1, b"x" * 8)[1:],  # five CSRC announced, two there
        b"\x90" + packet(1, 1, b"xyz")[1:],  # an extension without its length
        b"\x90" + packet(1, 1, b"\xbe\xde\x00\x05abcd")[1:],  # an extension longer than the packet
        b"\xa0" + packet(1, 1, b"abc\x00")[1:],  # padding of nothing
        b"\xa0" + packet(1, 1, b"abc\x05")[1:],  # more padding than payload
        b"\xa0" + packet(1, 1, b"")[1:],  # padding announced, no payload
    ],
)
def test_garbage_is_marked(datagram: bytes) -> None:
    headers, _ = parsed([datagram, packet(1, 1, b"fine")])
    assert headers.valid.tolist() == [False, True]


def test_a_length_beyond_the_row_is_garbage() -> None:
    rows, _ = lay([packet(1, 1, b"x")])
    assert not parse(rows, np.array([ROW_OCTETS + 1])).valid[0]
