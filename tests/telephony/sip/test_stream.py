"""Cutting a stream into messages: wherever it was split, and whatever is in it."""

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.sip.message import MessageLimits, Request, parse_datagram
from telephony.sip.stream import PING, PONG, StreamParser
from tests.telephony.sip.messages import OFFER, write_request

OPTIONS = write_request("OPTIONS")
INVITE = write_request(body=OFFER)
SMALL = MessageLimits(octets=2_000, header_lines=40, line_octets=300)


class Read:
    """What a parser makes of pieces: messages, pings, and how it ends."""

    def __init__(self, pieces: Sequence[bytes], limits: MessageLimits | None = None) -> None:
        parser = StreamParser(limits)
        self.messages: list[bytes] = []
        self.pings = 0
        for piece in pieces:
            self.messages += parser.feed(piece)
            self.pings += parser.pings()
        self.is_inside = parser.is_inside
        self.fault = None
        if parser.fault is not None:
            partial = parser.fault.partial
            assert partial is not None
            self.fault = parser.fault.status, parser.fault.reason, partial.method, tuple(partial.headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Read) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Read({vars(self)})"


def with_length(line: str, body: bytes = b"12345") -> bytes:
    """A message whose Content-Length is written so; LF where the line says it."""
    return OPTIONS.replace(b"Content-Length: 0\r\n", line.encode() + b"\r\n") + body


class TestMessages:
    def test_pipelined_messages_come_one_by_one(self) -> None:
        assert Read([OPTIONS + INVITE + OPTIONS]).messages == [OPTIONS, INVITE, OPTIONS]

    def test_the_rest_waits_for_what_follows(self) -> None:
        parser = StreamParser()
        assert parser.feed(INVITE[:-1]) == []
        assert parser.is_inside
        assert parser.feed(INVITE[-1:] + OPTIONS[:10]) == [INVITE]
        assert parser.is_inside
        assert parser.feed(OPTIONS[10:]) == [OPTIONS]
        assert not parser.is_inside

    @pytest.mark.parametrize(
        "line",
        [
            "Content-Length: 5",
            "content-length   :   5  ",
            "CONTENT-LENGTH\t:\t5",
            "l: 5",
            "L:5",
            "Content-Length:\r\n  5",
            "X-Before: a\r\n b\r\nl:\r\n\t5\r\nX-After: Content-Length: 9",
        ],
    )
    def test_every_way_to_write_content_length(self, line: str) -> None:
        message = with_length(line)
        assert Read([message + OPTIONS]).messages == [message, OPTIONS]
        assert parse_datagram(message).body == b"12345"

    def test_without_content_length_there_is_no_body(self) -> None:
        message = OPTIONS.replace(b"Content-Length: 0\r\n", b"")
        assert Read([message + OPTIONS]).messages == [message, OPTIONS]
        assert parse_datagram(message).body == b""

    def test_a_name_that_only_looks_like_it_is_none(self) -> None:
        message = OPTIONS.replace(b"Content-Length: 0", b"X-Content-Length: 7\r\nXl: 8")
        assert Read([message + OPTIONS]).messages == [message, OPTIONS]

    @pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
    def test_lines_may_end_without_cr(self, ends: bytes) -> None:
        message = with_length("Content-Length: 5").replace(b"\r\n", ends)
        read = Read([message + OPTIONS.replace(b"\r\n", ends)])
        assert len(read.messages) == 2
        assert parse_datagram(read.messages[0]).body == b"12345"

    def test_an_empty_line_in_the_body_is_the_bodys(self) -> None:
        message = with_length("Content-Length: 8", b"a\r\n\r\nb\r\n").replace(b"Content-Type", b"X-Type")
        head, _, body = message.replace(b"\r\n", b"\n", message.count(b"\r\n") - 3).partition(b"\n\n")
        assert body == b"a\r\n\r\nb\r\n"
        whole = head + b"\n\n" + body
        assert Read([whole + OPTIONS]).messages == [whole, OPTIONS]
        assert parse_datagram(whole).body == body

    def test_a_broken_message_that_has_an_end_costs_itself_alone(self) -> None:
        broken = OPTIONS.replace(b"CSeq: 1 OPTIONS", b"CSeq: one")
        assert Read([broken + OPTIONS]).messages == [broken, OPTIONS]


class TestKeepAlives:
    def test_a_ping_is_counted_and_a_pong_swallowed(self) -> None:
        read = Read([PING + PONG + OPTIONS + PONG + PING + PING + INVITE])
        assert read.messages == [OPTIONS, INVITE]
        assert read.pings == 3

    def test_a_ping_that_comes_in_pieces(self) -> None:
        for at in range(1, 4):
            assert Read([PING[:at], PING[at:]]).pings == 1
        assert Read([bytes([sign]) for sign in PING * 3]).pings == 3

    def test_nothing_is_kept_of_endless_line_ends(self) -> None:
        parser = StreamParser()
        for _ in range(100):
            parser.feed(b"\n\r" * 1000)
        assert len(parser._held) <= 3
        assert not parser.is_inside


class TestFaults:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("Content-Length: five", "Malformed Content-Length"),
            ("Content-Length: -5", "Malformed Content-Length"),
            ("Content-Length: 5 5", "Malformed Content-Length"),
            ("Content-Length:", "Malformed Content-Length"),
            ("Content-Length: 99999999999", "Malformed Content-Length"),
            ("Content-Length: 5\r\nl: 5", "More Than One Content-Length"),
        ],
    )
    def test_without_a_length_nothing_more_can_be_read(self, line: str, reason: str) -> None:
        read = Read([OPTIONS + with_length(line) + OPTIONS])
        assert read.messages == [OPTIONS]
        assert read.fault is not None
        assert read.fault[:3] == (400, reason, "OPTIONS")
        assert dict(read.fault[3])["call-id"] == "c1"
        assert not read.is_inside

    def test_a_body_that_is_too_large_is_refused_before_it_comes(self) -> None:
        read = Read([with_length("Content-Length: 16384", b"")])
        assert read.fault is not None
        assert read.fault[:3] == (513, "Message Too Large", "OPTIONS")

    def test_a_head_without_end_is_refused_at_the_limit(self) -> None:
        parser = StreamParser(SMALL)
        parser.feed(OPTIONS[:-4])
        while parser.fault is None:
            parser.feed(b"\r\nX-Fill: " + b"x" * 100)
            assert len(parser._held) < SMALL.octets + 200
        assert parser.fault.status == 513
        assert parser.fault.partial is not None
        assert parser.fault.partial.headers.get("call-id") == "c1"

    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS where none is spoken
            b"GET / HTTP/1.1\r\n",
            b"HELO example.com\r\n",
            b"\x00",
            b"{}",
            "xin chào\n".encode(),
        ],
    )
    def test_what_is_no_sip_is_known_by_its_first_line(self, data: bytes) -> None:
        read = Read([data])
        assert read.fault is not None
        assert read.fault[:3] == (400, "Not SIP", "")

    def test_a_first_line_without_end_is_refused_at_its_limit(self) -> None:
        read = Read([b"x" * 301], SMALL)
        assert read.fault is not None
        assert read.fault[1] == "First Line Too Long"
        assert Read([b"x" * 300], SMALL).fault is None

    def test_after_a_fault_nothing_is_kept(self) -> None:
        parser = StreamParser()
        parser.feed(b"GET / HTTP/1.1\r\n")
        assert parser.feed(OPTIONS * 100) == []
        assert not parser._held


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Messages, line ends, and now and then what is neither."""
    pieces = st.one_of(
        st.sampled_from([OPTIONS, INVITE, PING, PONG, b"\n", b"\r", with_length("l :5"), OPTIONS.replace(b"\r", b"")]),
        st.sampled_from([b"GET / HTTP/1.0\r\n", with_length("l: x"), OPTIONS[:60], b"A SIP/\n\n", b"x" * 400]),
        st.binary(max_size=6),
        st.text(alphabet="l:5 \r\nA/SIP", max_size=12).map(str.encode),
    )
    return b"".join(draw(st.lists(pieces, max_size=8)))


@st.composite
def split(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream, and the same in pieces."""
    data = draw(streams())
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)) | {0, len(data)})
    return data, [data[begin:end] for begin, end in pairwise(cuts)]


@given(split())
@example((OPTIONS * 2, [bytes([sign]) for sign in OPTIONS * 2]))
@example((PING * 2, [PING + PONG, PONG]))
def test_however_a_stream_is_split_it_says_the_same(given_: tuple[bytes, list[bytes]]) -> None:
    data, pieces = given_
    whole = Read([data], SMALL)
    assert Read(pieces, SMALL) == whole
    assert Read([data[at : at + 1] for at in range(len(data))], SMALL) == whole


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_octets_make_anything_but_a_fault(pieces: list[bytes]) -> None:
    read = Read(pieces, SMALL)
    for message in read.messages:
        assert len(message) <= SMALL.octets


@given(st.lists(st.sampled_from([OPTIONS, INVITE, with_length("l :5")]), max_size=10))
def test_every_message_is_one_that_the_parser_takes_whole(messages: list[bytes]) -> None:
    read = Read([b"".join(messages)])
    assert read.messages == messages
    for message in read.messages:
        parsed = parse_datagram(message)
        assert isinstance(parsed, Request)
        assert message.endswith(parsed.body)


def test_a_head_that_comes_octet_by_octet_is_not_scanned_again_and_again() -> None:
    """Time must grow with the octets, not with their square: ten times the head costs about ten times as much."""

    def seconds(octets: int) -> float:
        limits = MessageLimits(octets=2 * octets, header_lines=10**9, line_octets=10**9)
        data = OPTIONS[:-4] + b"\r\nX: " + b"x" * octets
        best = 1e9
        for _ in range(3):
            parser = StreamParser(limits)
            began = time.process_time()
            for at in range(len(data)):
                parser.feed(data[at : at + 1])
            best = min(best, time.process_time() - began)
        return best

    seconds(1_000)
    assert seconds(100_000) < 40 * seconds(10_000)
