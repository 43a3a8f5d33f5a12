import os
import socket
from collections.abc import Iterator

import pytest

from telephony.edge import control_link
from telephony.edge.control_link import ControlLink
from telephony.edge.wire import MAX_FRAME_OCTETS, Decoder, FromMedia, encode
from telephony.events import CloseLeg, LegRefused, OpenLeg

Pair = tuple[ControlLink, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    link = ControlLink(os.dup(theirs.fileno()))
    theirs.close()
    with ours:
        yield link, ours
    link.close()


def test_commands_come_whole_however_they_are_cut(pair: Pair) -> None:
    link, control = pair
    stream = encode(OpenLeg("a")) + encode(CloseLeg("b"))
    found = []
    assert not link.wait(0)
    for octet in stream:
        control.sendall(bytes([octet]))
        assert link.wait(1)
        found += link.receive()
    assert found == [OpenLeg("a"), CloseLeg("b")]
    assert link.receive() == []
    assert not link.closed


@pytest.mark.parametrize("body", [b"\xff", b"\x81\xa4what\xa4Fire", b""])
def test_a_broken_command_is_left_out(pair: Pair, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    link, control = pair
    control.sendall(encode(OpenLeg("a")) + len(body).to_bytes(4, "big") + body + encode(OpenLeg("b")))
    assert link.receive() == [OpenLeg("a"), OpenLeg("b")]
    assert "command_broken" in caplog.text
    assert not link.closed


def test_a_stream_that_cannot_be_trusted_is_closed(pair: Pair) -> None:
    link, control = pair
    control.sendall((MAX_FRAME_OCTETS + 1).to_bytes(4, "big"))
    assert link.receive() == []
    assert link.closed


def test_the_other_side_is_gone(pair: Pair) -> None:
    link, control = pair
    control.sendall(encode(OpenLeg("last")))
    control.close()
    assert link.receive() == [OpenLeg("last")]
    assert link.receive() == []
    assert link.closed
    link.send(LegRefused("a", "nobody hears this"))


def test_sending_to_nobody_is_no_error(pair: Pair) -> None:
    link, control = pair
    control.close()
    link.send(LegRefused("a", ""))
    assert link.closed


def test_a_slow_reader_gets_everything_and_a_dead_one_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    link, control = pair
    for number in range(2000):
        link.send(LegRefused(str(number), "x" * 500))
    decoder: Decoder[FromMedia] = Decoder(FromMedia)
    found: list[FromMedia] = []
    while len(found) < 2000:
        found += decoder.feed(control.recv(1 << 20))
        link.flush()
    assert found == [LegRefused(str(number), "x" * 500) for number in range(2000)]
    monkeypatch.setattr(control_link, "MAX_UNSENT_OCTETS", 1000)
    while not link.closed:
        link.send(LegRefused("a", "x" * 5000))
