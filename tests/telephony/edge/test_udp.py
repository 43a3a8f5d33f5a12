"""The UDP socket on loopback: bursts, order, and what cannot be sent."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from telephony.edge.udp import BATCH, SEND_QUEUE, Address, UdpSocket

LOOPBACK = "127.0.0.1"


class Place:
    """A socket of ours, and a far end without a loop."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.batches: list[tuple[int, float]] = []
        self.failed: list[Exception] = []
        self.more = asyncio.Event()
        self.udp = UdpSocket(self.note, self.failed.append)
        self.address: Address = ("", 0)
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.bind((LOOPBACK, 0))
        self.far.settimeout(5)

    def note(self, batch: Sequence[tuple[bytes, Address]], waited_s: float) -> None:
        for data, source in batch:
            assert source == self.far.getsockname()[:2]
            self.received.append(data)
        self.batches.append((len(batch), waited_s))
        self.more.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.received) < count:
                self.more.clear()
                await self.more.wait()

    async def arrives_while_busy(self, data: bytes, seconds: float) -> None:
        """Have a datagram wait while the loop is busy, as in an overload."""
        self.far.sendto(data, self.address)
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            pass

    async def is_stamped(self) -> None:
        """Wait until the kernel notes when datagrams come: that begins some time after the first socket asks for it."""
        async with asyncio.timeout(5):
            while not self.batches or self.batches[-1][1] < 0.005:
                self.received.clear()
                await self.arrives_while_busy(b"first", 0.005)
                await self.until(1)
        self.received.clear()
        self.batches.clear()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    made.address = await made.udp.bind(LOOPBACK, 0)
    yield made
    made.udp.close()
    made.far.close()


class TestReading:
    async def test_a_burst_is_one_batch(self, place: Place) -> None:
        for number in range(BATCH):
            place.far.sendto(b"%d" % number, place.address)
        await place.until(BATCH)
        assert place.received == [b"%d" % number for number in range(BATCH)]
        assert [count for count, _ in place.batches] == [BATCH]

    async def test_what_is_beyond_a_batch_comes_next(self, place: Place) -> None:
        for number in range(2 * BATCH + 1):
            place.far.sendto(b"%d" % number, place.address)
        await place.until(2 * BATCH + 1)
        assert [count for count, _ in place.batches] == [BATCH, BATCH, 1]

    async def test_how_long_the_first_waited(self, place: Place) -> None:
        await place.is_stamped()
        await place.arrives_while_busy(b"early", 0.05)
        place.far.sendto(b"late", place.address)
        await place.until(2)
        assert 0.05 <= place.batches[0][1] < 5.0


class TestSending:
    async def test_in_order(self, place: Place) -> None:
        for number in range(10):
            place.udp.send(b"%d" % number, place.far.getsockname())
        assert [place.far.recv(100) for _ in range(10)] == [b"%d" % number for number in range(10)]

    @pytest.mark.parametrize("address", [("255.255.255.255", 9), ("a.name.invalid", 9), ("::1", 9), (LOOPBACK, 70_000)])
    async def test_what_cannot_be_sent_is_told(self, place: Place, address: Address) -> None:
        place.udp.send(b"x", address)
        assert len(place.failed) == 1
        assert isinstance(place.failed[0], OSError)

    async def test_a_full_buffer_keeps_the_order(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        full = True
        really = UdpSocket._send

        def send(udp: UdpSocket, data: bytes, address: Address) -> None:
            if full:
                raise BlockingIOError(errno.EAGAIN, "full")
            really(udp, data, address)

        monkeypatch.setattr(UdpSocket, "_send", send)
        for number in range(SEND_QUEUE + 1):
            place.udp.send(b"%d" % number, place.far.getsockname())
        assert [str(error) for error in place.failed] == [
            f"[Errno {errno.ENOBUFS}] the send buffer and its queue are full"
        ]
        full = False
        place.udp.send(b"lost too", place.far.getsockname())
        received = [await asyncio.to_thread(place.far.recv, 100) for _ in range(100)]
        assert received == [b"%d" % number for number in range(100)]

    async def test_the_port_is_taken(self, place: Place) -> None:
        with pytest.raises(OSError, match="in use"):
            await UdpSocket(place.note, place.failed.append).bind(*place.address)


class TestEveryAddress:
    """`::` is every address of the machine, of IPv4 too: a far end there has the one address that it always has."""

    async def test_a_far_end_of_ipv4_has_its_own_address(self) -> None:
        place = Place()
        _, port = await place.udp.bind("::", 0)
        place.far.sendto(b"ask", (LOOPBACK, port))
        await place.until(1)  # `note` compares its source
        place.udp.send(b"answer", place.far.getsockname())
        assert place.far.recv(100) == b"answer"
        assert not place.failed
        place.udp.close()
        place.far.close()

    async def test_so_has_one_of_ipv6(self) -> None:
        place = Place()
        place.far.close()
        place.far = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        place.far.bind(("::1", 0))
        place.far.settimeout(5)
        _, port = await place.udp.bind("::", 0)
        place.far.sendto(b"ask", ("::1", port))
        await place.until(1)
        place.udp.send(b"answer", place.far.getsockname()[:2])
        assert place.far.recv(100) == b"answer"
        place.udp.close()
        place.far.close()
