"""The RTCP sockets of a media worker: one beside each phone's RTP socket, on the odd port after it (RFC 3550 section
11).

Reports come every few seconds, so these are in an epoll of their own: the tick does not look at them, and they are read
as soon as something comes, which is when the round trip is measured best.
"""

import contextlib
import select
import socket
from dataclasses import dataclass
from typing import Final

from telephony.media.latch import Address

AT_ONCE: Final = 64
"""So many are read before the loop looks at its tick again."""
LONGEST: Final = 1500


@dataclass(frozen=True, slots=True)
class Came:
    """A datagram for the leg of a table row."""

    row: int
    datagram: bytes
    source: Address


class RtcpSockets:
    """By table row."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self._family = family
        self._sockets: dict[int, socket.socket] = {}
        self._row_of: dict[int, int] = {}
        self.epoll = select.epoll()

    def open(self, row: int, address: str, port: int) -> bool:
        """Bind a row's socket; return whether the port was free."""
        udp = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            udp.bind((address, port))
            self.epoll.register(udp, select.EPOLLIN)
        except OSError:
            udp.close()
            return False
        self._sockets[row] = udp
        self._row_of[udp.fileno()] = row
        return True

    def close(self, row: int) -> None:
        """Close a row's socket, if it has one."""
        udp = self._sockets.pop(row, None)
        if udp is not None:
            self.epoll.unregister(udp)
            del self._row_of[udp.fileno()]
            udp.close()

    def close_all(self) -> None:
        """Close everything."""
        for row in list(self._sockets):
            self.close(row)
        self.epoll.close()

    def drain(self) -> list[Came]:
        """Return what has come, one datagram of each leg, without waiting."""
        came: list[Came] = []
        for descriptor, _event in self.epoll.poll(0, AT_ONCE):
            row = self._row_of[descriptor]
            with contextlib.suppress(OSError):  # an ICMP error that ends with being read
                datagram, source = self._sockets[row].recvfrom(LONGEST)
                came.append(Came(row, datagram, source[:2]))
        return came

    def send(self, row: int, datagram: bytes, destination: Address) -> None:
        """Send now or not at all: there will be another report."""
        udp = self._sockets.get(row)
        if udp is not None and 0 < destination[1] < 65536:
            with contextlib.suppress(OSError):
                udp.sendto(datagram, destination)
