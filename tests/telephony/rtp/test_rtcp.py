"""RTCP: what is written is read again, and no octets do anything but raise `RtcpError`."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.rtcp import (
    TYPES,
    Goodbye,
    Packet,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderReport,
    middle_of,
    ntp_of,
    parse,
    round_trip_s,
    write,
)

words = st.integers(0, 2**32 - 1)
blocks = st.builds(
    ReportBlock,
    words,
    st.integers(0, 255).map(lambda n: n / 256),
    st.integers(-(2**23), 2**23 - 1),
    words,
    words,
    words,
    words,
)
several = st.lists(blocks, max_size=31).map(tuple)
reports = st.one_of(
    st.builds(SenderReport, words, st.integers(0, 2**64 - 1), words, words, words, several),
    st.builds(ReceiverReport, words, several),
)
goodbyes = st.builds(Goodbye, st.lists(words, max_size=31).map(tuple), st.text(max_size=60))


@given(st.lists(reports, min_size=1, max_size=3), st.lists(goodbyes, max_size=2), st.text(max_size=80))
def test_what_is_written_is_read_again(said: list[Packet], left: list[Goodbye], cname: str) -> None:
    octets = write([*said, *left], cname)
    assert parse(octets) == [*said, *left]
    assert octets[1] & 0x7F in TYPES
    assert len(octets) % 4 == 0


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    with contextlib.suppress(RtcpError):
        parse(octets)


@given(reports, st.data())
def test_whatever_is_cut_or_changed_is_read_or_refused(report: Packet, data: st.DataObject) -> None:
    octets = bytearray(write([report], "cname"))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RtcpError):
        parse(bytes(octets[: data.draw(st.integers(0, len(octets)))]))


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (b"", "nothing"),
        (b"\x80\xc8\x00", "left over"),
        (b"\x40\xc9\x00\x01\x00\x00\x00\x01", "version 1"),
        (b"\x80\xc9\x00\x09\x00\x00\x00\x01", "40 octets"),
        (b"\x82\xc9\x00\x01\x00\x00\x00\x01", "2 report blocks"),
        (b"\x80\xc8\x00\x01\x00\x00\x00\x01", "sender report"),
        (b"\xa0\xc9\x00\x01\x00\x00\x00\x00", "padding"),
        (b"\x82\xcb\x00\x01\x00\x00\x00\x01", "goodbye"),
    ],
)
def test_what_is_wrong_is_said(octets: bytes, cause: str) -> None:
    with pytest.raises(RtcpError, match=cause):
        parse(octets)


def test_padding_and_unknown_kinds_are_skipped() -> None:
    unknown = b"\x80\xcf\x00\x01\x00\x00\x00\x01"
    padded = b"\xa0\xc9\x00\x02\x00\x00\x00\x07\x00\x00\x00\x04"
    assert parse(unknown + padded) == [ReceiverReport(7)]


@given(st.floats(1.7e9, 4e9), st.floats(0, 5), st.floats(0, 10))
def test_the_round_trip(sent_at: float, trip_s: float, held_s: float) -> None:
    """Also over the wrap of the middle bits, every 65,536 s."""
    block = ReportBlock(1, 0, 0, 0, 0, middle_of(ntp_of(sent_at)) or 1, int(held_s * 65536))
    found = round_trip_s(block, ntp_of(sent_at + trip_s + held_s))
    if found is None:  # a rounding below nothing
        assert trip_s < 0.001
    else:
        assert abs(found - trip_s) < 0.001


def test_no_round_trip_without_a_report_of_ours() -> None:
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0, 0, 0), ntp_of(1.8e9)) is None
