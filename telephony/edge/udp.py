"""One UDP socket: one reader that drains bursts, sends in order, and how long a datagram waited for us.

asyncio's DatagramProtocol gives one datagram per callback, and whoever flushes after each pays for sending, telling and
arming a timer as often. Here a wake-up brings what has come, up to `BATCH`.
"""

import asyncio
import errno
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from telephony.edge.process_clock import age_s

Address = tuple[str, int]

BATCH: Final = 32
"""Datagrams read per wake-up: what else the loop has to do waits for no more than these."""
# A burst of INVITEs waits here while the loop is busy; the kernel doubles it and caps it at net.core.rmem_max.
RECEIVE_BUFFER_OCTETS: Final = 4 * 1024 * 1024
SEND_QUEUE: Final = 4096
"""Datagrams that wait while the kernel's send buffer is full; what comes on top of them is lost, and counted."""
_LARGEST: Final = 65_535
# Linux's number of it; the socket module has no name for it. The time is the kernel's, in seconds and nanoseconds.
_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_OCTETS: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_MAPPED: Final = "::ffff:"
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


class UdpSocket:
    """A bound socket on the running loop.

    `received` gets the datagrams of one wake-up with their sources, and the seconds that the first of them had waited
    in the kernel. `failed` gets what could not be sent or received: an address that leads nowhere, an ICMP error.
    Nothing of this stops the socket.
    """

    def __init__(
        self,
        received: Callable[[Sequence[tuple[bytes, Address]], float], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._received = received
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self._socket: socket.socket
        self._is_mapped = False
        """Whether far ends of IPv4 come and go as IPv6 (RFC 4291 section 2.5.5.2), which nobody else is to see: they
        would be one /64, and no trunk's."""

    async def bind(self, host: str, port: int) -> Address:
        """Bind, and return the address that was bound (port 0: any). Raises `OSError`."""
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
            bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                self._is_mapped = str(address[0]) == "::"
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not self._is_mapped)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        self._socket = bound
        self._loop.add_reader(bound, self._read)
        own = bound.getsockname()
        return own[0], own[1]

    def close(self) -> None:
        """Close; what waits to be sent is lost."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._waiting.clear()
        self._socket.close()

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram after those that were sent before it. The host is an IP address: a name would have to be
        looked up, and everybody would wait for that."""
        if self._waiting:
            self._wait(data, address)
            return
        try:
            self._send(data, address)
        except OSError as error:
            if error.errno in _FULL:
                self._wait(data, address)
                self._loop.add_writer(self._socket, self._send_waiting)
            else:
                self._failed(error)

    def _send(self, data: bytes, address: Address) -> None:
        if self._is_mapped and ":" not in address[0]:
            address = _MAPPED + address[0], address[1]
        socket.inet_pton(self._socket.family, address[0])
        try:
            self._socket.sendto(data, address)
        except OverflowError as error:
            raise OSError(errno.EINVAL, str(error)) from None

    def _wait(self, data: bytes, address: Address) -> None:
        if len(self._waiting) < SEND_QUEUE:
            self._waiting.append((data, address))
        else:
            self._failed(OSError(errno.ENOBUFS, "the send buffer and its queue are full"))

    def _send_waiting(self) -> None:
        while self._waiting:
            try:
                self._send(*self._waiting[0])
            except OSError as error:
                if error.errno in _FULL:
                    return
                self._failed(error)
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        batch: list[tuple[bytes, Address]] = []
        waited_s = 0.0
        try:
            data, ancillary, _, source = self._socket.recvmsg(_LARGEST, _ANCILLARY_OCTETS)
            batch.append((data, (source[0], source[1])))
            if ancillary:
                waited_s = age_s(*_TIMESPEC.unpack(ancillary[0][2]))
            while len(batch) < BATCH:
                data, source = self._socket.recvfrom(_LARGEST)
                batch.append((data, (source[0], source[1])))
        except BlockingIOError:
            pass
        except OSError as error:
            self._failed(error)
        if self._is_mapped:
            batch = [(data, (host.removeprefix(_MAPPED), port)) for data, (host, port) in batch]
        if batch:
            self._received(batch, waited_s)
