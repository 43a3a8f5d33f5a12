import socket
from collections.abc import Iterator

import numpy as np
import pytest

from telephony.edge.rtp_sockets import ROUNDS, NoPort, RtpSockets

ANY = ("127.0.0.1", 0)


@pytest.fixture
def sockets() -> Iterator[RtpSockets]:
    made = RtpSockets("127.0.0.1", (44001, 44099), 4)
    yield made
    made.close_all()


def far_end(family: socket.AddressFamily = socket.AF_INET, address: str = "127.0.0.1") -> socket.socket:
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((address, 0))
    udp.settimeout(5)
    return udp


def test_datagrams_lie_in_rows_with_their_leg_and_source(sockets: RtpSockets) -> None:
    ports = [sockets.open(row) for row in (2, 0)]
    assert [port % 2 for port in ports] == [0, 0]
    with far_end() as one, far_end() as two:
        one.sendto(b"first", ("127.0.0.1", ports[0]))
        one.sendto(b"second", ("127.0.0.1", ports[0]))
        two.sendto(b"x" * 3000, ("127.0.0.1", ports[1]))
        received = sockets.drain()
        texts = [row[:length].tobytes() for row, length in zip(received.rows, received.lengths, strict=True)]
        assert sorted(zip(received.legs.tolist(), texts, received.sources, strict=True)) == [
            (0, b"x" * 2048, two.getsockname()),
            (2, b"first", one.getsockname()),
            (2, b"second", one.getsockname()),
        ]
    assert len(sockets.drain().lengths) == 0


def test_a_flood_on_one_leg_takes_its_share_and_no_more(sockets: RtpSockets) -> None:
    flooded, other = sockets.open(0), sockets.open(1)
    with far_end() as udp:
        for number in range(100):
            udp.sendto(bytes([number]), ("127.0.0.1", flooded))
        udp.sendto(b"heard", ("127.0.0.1", other))
        legs = sockets.drain().legs.tolist()
    assert legs.count(0) == ROUNDS
    assert legs.count(1) == 1


def test_datagrams_go_out_of_their_leg(sockets: RtpSockets) -> None:
    ports = [sockets.open(0), sockets.open(1)]
    with far_end() as one, far_end() as two:
        datagrams = np.arange(20, dtype=np.uint8).reshape(2, 10)
        sockets.send(datagrams, [10, 10], [1, 0], [one.getsockname(), two.getsockname()])
        assert one.recvfrom(99) == (bytes(range(10)), ("127.0.0.1", ports[1]))
        assert two.recvfrom(99) == (bytes(range(10, 20)), ("127.0.0.1", ports[0]))


def test_what_cannot_be_sent_is_logged_once(sockets: RtpSockets, caplog: pytest.LogCaptureFixture) -> None:
    sockets.open(0)
    for _ in range(3):
        # No process of ours may send to the broadcast address; a row without a socket has just been closed.
        sockets.send(np.zeros((2, 10), np.uint8), [10, 10], [0, 3], [("255.255.255.255", 9), ANY])
    assert caplog.text.count("rtp_not_sent") == 1


def test_ports_are_taken_in_turn_and_given_back() -> None:
    sockets = RtpSockets("127.0.0.1", (44100, 44105), 4)
    ports = [sockets.open(row) for row in range(3)]
    assert sorted(ports) == [44100, 44102, 44104]
    with pytest.raises(NoPort, match="44100 to 44105"):
        sockets.open(3)
    sockets.close(1)
    sockets.close(1)
    assert sockets.open(3) == ports[1]
    sockets.close_all()


def test_an_address_that_is_not_ours_is_an_error() -> None:
    sockets = RtpSockets("192.0.2.1", (44200, 44299), 4)
    with pytest.raises(OSError, match="assign"):
        sockets.open(0)
    sockets.close_all()


def test_ip_version_six() -> None:
    try:
        udp = far_end(socket.AF_INET6, "::1")
    except OSError:
        return  # this machine speaks version 4 alone
    sockets = RtpSockets("::1", (44300, 44399), 1)
    with udp:
        port = sockets.open(0)
        udp.sendto(b"hello", ("::1", port))
        received = sockets.drain()
        assert received.sources == [("::1", udp.getsockname()[1])]
        sockets.send(np.zeros((1, 10), np.uint8), [10], [0], received.sources)
        assert udp.recv(99) == bytes(10)
    sockets.close_all()
