"""The RTP sockets of a media worker: drained once a tick into the rows of one matrix, no task or thread per packet."""

import contextlib
import errno
import ipaddress
import logging
import select
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.edge.ice import IceSession
from telephony.edge.rtcp_sockets import Came, RtcpSockets
from telephony.edge.secure_rtp import SecureRtp
from telephony.edge.webrtc import MAX_LATE, WebRtcLeg
from telephony.events import Srtp
from telephony.media.latch import AUTHENTICATED, Address
from telephony.rtp.packet import ROW_OCTETS, Integers, Octets

ROUNDS: Final = 8
"""The most packets of one leg in one tick. A flood on one leg takes no more than that from the others."""

log = logging.getLogger("hotline.media")


class NoPort(OSError):
    """Every RTP port of the range is taken."""


@dataclass(frozen=True, slots=True)
class Received:
    """The datagrams of a tick, as `MediaPlane.tick` takes them; `rows` is good until the next drain."""

    rows: Octets
    lengths: Integers
    legs: Integers
    sources: list[Address]


class RtpSockets:
    """One UDP socket per leg, by the leg's table row."""

    def __init__(self, address: str, ports: tuple[int, int], max_legs: int, ports_from: int = 0) -> None:
        self.address = address
        self.version = ipaddress.ip_address(address).version
        self._family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        low, high = ports
        self._ports = range(low + low % 2, high + 1, 2)
        self._next_port = max(0, (ports_from - low) // 2) % len(self._ports)
        self._sockets: list[socket.socket | None] = [None] * max_legs
        self._row_of: dict[int, int] = {}
        self._refused: set[int] = set()
        self._secured: dict[int, SecureRtp] = {}
        """By row, of phones' legs that are encrypted now."""
        self._once_secured: dict[int, SecureRtp] = {}
        """By row, of those that ever were: see `SecureRtp`, rule 2."""
        self._late: set[int] = set()
        """Rows of legs that another worker had before."""
        self._epoll = select.epoll()
        self._browsers: dict[int, WebRtcLeg] = {}
        """By row, and by each of their sockets."""
        self._browser_of: dict[int, WebRtcLeg] = {}
        self._unsettled: set[int] = set()
        """Descriptors of browsers' sockets that are among `setting_up`."""
        self.late: deque[tuple[WebRtcLeg, bytes]] = deque()
        """RTP packets of browsers that came otherwise than in datagrams (`WebRtcLeg`)."""
        self.reports: deque[tuple[int, bytes]] = deque()
        """RTCP of browsers, decrypted, with their rows."""
        self.rtcp = RtcpSockets(self._family)
        self.setting_up = select.epoll()
        """Sockets of browsers with whom ICE and DTLS are not done: these are read between ticks, too."""
        # Pages that no packet ever reaches cost nothing.
        self._matrix = np.zeros((max_legs * ROUNDS + MAX_LATE, ROW_OCTETS), np.uint8)
        octets = self._matrix.reshape(-1).data
        self._views = [octets[i : i + ROW_OCTETS] for i in range(0, len(octets), ROW_OCTETS)]

    @property
    def watched(self) -> tuple[select.epoll, ...]:
        """What is to be read between ticks."""
        return self.setting_up, self.rtcp.epoll

    def open(self, row: int, wanted: int = 0) -> int:
        """Bind a socket for a row, and one for its RTCP on the next port; return the port of the first, which is the
        one that is `wanted` if that is free. Raises `NoPort` or `OSError`."""
        udp, port = self._bind_pair(row, wanted)
        if wanted:
            self._late.add(row)
        self._epoll.register(udp, select.EPOLLIN)
        self._sockets[row] = udp
        self._row_of[udp.fileno()] = row
        return port

    def _bind_pair(self, row: int, wanted: int) -> tuple[socket.socket, int]:
        for attempt in range(len(self._ports)):
            udp = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                port = self._bind(udp, self.address, 0 if attempt else wanted)
            except OSError:
                udp.close()
                raise
            if self.rtcp.open(row, self.address, port + 1):
                return udp, port
            udp.close()  # somebody has the next one
        raise NoPort(f"no two ports in a row are free from {self._ports.start} on; widen media.ports")

    def take_reports(self) -> list[Came]:
        """Return the RTCP that has come and can be read, of phones and browsers."""
        came = [Came(row, report, AUTHENTICATED) for row, report in self.reports]
        self.reports.clear()
        for one in self.rtcp.drain():
            secured = self._secured.get(one.row)
            if secured is None:
                came.append(one)
                continue
            opened = secured.open_report(one.datagram)
            if opened is not None:
                came.append(Came(one.row, opened, one.source))
        return came

    def send_report(self, row: int, packet: bytes, destination: Address) -> None:
        """Send RTCP for the leg of a row, encrypted where its media is."""
        browser, secured = self._browsers.get(row), self._secured.get(row)
        if browser is not None:
            browser.send_report(packet)
            return
        sealed = packet if secured is None else secured.seal_report(packet)
        if sealed is not None:
            self.rtcp.send(row, sealed, destination)

    def close(self, row: int) -> None:
        """Close a row's sockets."""
        self.rtcp.close(row)
        udp = self._sockets[row]
        if udp is not None:
            self._epoll.unregister(udp)
            del self._row_of[udp.fileno()]
            udp.close()
        self._sockets[row] = None
        self._refused.discard(row)
        self._late.discard(row)
        self._secured.pop(row, None)
        self._once_secured.pop(row, None)

    def secure(self, row: int, srtp: Srtp | None) -> None:
        """Have a phone's leg encrypted with these keys from now on, or with None not. Raises `BadKey`."""
        if srtp is None:
            self._secured.pop(row, None)
            return
        secured = self._once_secured.get(row) or SecureRtp(joins_late=row in self._late)
        secured.use(srtp)
        self._once_secured[row] = self._secured[row] = secured

    def rejected(self, row: int) -> int:
        """Return how many packets of a phone's leg did not decrypt."""
        secured = self._once_secured.get(row)
        return secured.rejected if secured is not None else 0

    def close_all(self) -> None:
        """Close everything."""
        for row in list(self._row_of.values()):
            self.close(row)
        self.rtcp.close_all()
        self._epoll.close()
        self.setting_up.close()

    # ------------------------------------------------------------------------------------------------ browsers

    def add(self, leg: WebRtcLeg) -> None:
        """Take a browser's leg, which binds its sockets itself by `bind`."""
        self._browsers[leg.row] = leg

    def bind(self, session: IceSession, address: str) -> socket.socket:
        """Return a new socket of a browser's leg. Raises `OSError`."""
        leg: WebRtcLeg = session.leg  # type: ignore[assignment]  # the only kind there is
        udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        udp.setblocking(False)
        try:
            self._bind(udp, address, leg.at.pop(address, 0))
            self.setting_up.register(udp, select.EPOLLIN)
        except OSError:
            udp.close()
            raise
        self._unsettled.add(udp.fileno())
        self._browser_of[udp.fileno()] = leg
        return udp

    def forget(self, udp: socket.socket) -> None:
        """A browser's socket is about to be closed."""
        leg = self._browser_of.pop(udp.fileno(), None)
        if leg is not None:
            (self._epoll if udp.fileno() in self._row_of else self.setting_up).unregister(udp)
            self._row_of.pop(udp.fileno(), None)
            self._unsettled.discard(udp.fileno())

    def remove(self, leg: WebRtcLeg) -> None:
        """Forget a browser's leg; its sockets go when it has said goodbye."""
        if self._browsers.get(leg.row) is leg:
            del self._browsers[leg.row]
        self._refused.discard(leg.row)

    def settle(self) -> None:
        """Have the sockets of browsers over which nothing is set up any more read by the tick alone."""
        for descriptor in list(self._unsettled):
            leg = self._browser_of[descriptor]
            endpoint = leg.endpoints.get(descriptor)
            if endpoint is not None and endpoint.is_settled and leg.connected:
                self._unsettled.discard(descriptor)
                self.setting_up.unregister(descriptor)
                self._epoll.register(descriptor, select.EPOLLIN)
                self._row_of[descriptor] = leg.row

    def drain_setting_up(self) -> bool:
        """Read what belongs to set-ups; return whether there was anything."""
        ready = self.setting_up.poll(0)
        for descriptor, _event in ready:
            leg = self._browser_of.get(descriptor)
            endpoint = leg.endpoints.get(descriptor) if leg is not None else None
            if leg is None or endpoint is None:
                continue
            with contextlib.suppress(OSError):
                datagram, source = endpoint.udp.recvfrom(ROW_OCTETS)
                leg.take(datagram, descriptor, source[:2])
        return bool(ready)

    def _receive_of_browser(self, leg: WebRtcLeg, descriptor: int, row: memoryview) -> int:
        """Read a datagram of a browser; return the octets of the RTP packet that `row` now holds, 0 for none."""
        endpoint = leg.endpoints.get(descriptor)
        if endpoint is None:
            return 0
        length, source = endpoint.udp.recvfrom_into(row)
        if length and 128 <= row[0] <= 191:
            return leg.open_row(row, length)
        packet = leg.take(bytes(row[:length]), descriptor, source[:2])
        if packet is None:
            return 0
        row[: len(packet)] = packet
        return len(packet)

    def _take_late(self, lengths: list[int], legs: list[int], sources: list[Address]) -> None:
        while self.late:
            browser, packet = self.late.popleft()
            if self._browsers.get(browser.row) is browser:
                self._views[len(lengths)][: len(packet)] = packet
                lengths.append(len(packet))
                legs.append(browser.row)
                sources.append(AUTHENTICATED)

    def drain(self) -> Received:
        """Read what has come, one packet of each leg in turn, without waiting."""
        lengths: list[int] = []
        legs: list[int] = []
        sources: list[Address] = []
        self._take_late(lengths, legs, sources)
        for _ in range(ROUNDS):
            # A browser's leg may have several sockets; what has no row now is read in the next tick.
            ready = self._epoll.poll(0, max(1, len(self._row_of)))[: len(self._views) - len(lengths)]
            for descriptor, _event in ready:
                row = self._row_of[descriptor]
                browser = self._browser_of.get(descriptor)
                udp = self._sockets[row]
                try:
                    if browser is not None:
                        length = self._receive_of_browser(browser, descriptor, self._views[len(lengths)])
                        source = AUTHENTICATED
                        if not length or self._browsers.get(row) is not browser:
                            continue
                    elif udp is not None:
                        length, source = udp.recvfrom_into(self._views[len(lengths)])
                        secured = self._secured.get(row)
                        if secured is not None:
                            length = secured.open(self._views[len(lengths)], length)
                            if not length:
                                continue
                    else:
                        continue
                except OSError:  # nothing there after all, or an ICMP error that ends with being read
                    continue
                lengths.append(length)
                legs.append(row)
                sources.append(source[:2] if self.version == 6 else source)
            if not ready:
                break
        return Received(self._matrix[: len(lengths)], np.array(lengths, np.int64), np.array(legs, np.int64), sources)

    def send(
        self, datagrams: Octets, lengths: Sequence[int], senders: Sequence[int], destinations: Sequence[Address]
    ) -> None:
        """Send the first lengths[i] octets of datagrams[i] from the socket of row senders[i]. A refused one is logged
        once per leg, and lost."""
        octets = datagrams.reshape(-1).data
        width = datagrams.shape[1]
        begin = 0
        for row, size, destination in zip(senders, lengths, destinations, strict=True):
            udp, browser = self._sockets[row], self._browsers.get(row)
            if browser is not None:
                try:
                    browser.send(octets[begin : begin + size])
                except OSError as error:
                    self._note_refusal(row, error)
            elif udp is not None:
                packet = octets[begin : begin + size]
                try:
                    if row in self._secured:
                        packet = self._secured[row].seal(packet)
                    udp.sendto(packet, destination)
                except OSError as error:
                    self._note_refusal(row, error)
            begin += width

    def _note_refusal(self, row: int, error: OSError) -> None:
        if row not in self._refused:
            self._refused.add(row)
            log.warning("rtp_not_sent row=%d cause=%r", row, str(error))

    def _bind(self, udp: socket.socket, address: str, wanted: int = 0) -> int:
        for attempt in range(len(self._ports) + 1):
            if wanted and not attempt:
                port = wanted
            else:
                port = self._ports[self._next_port]
                self._next_port = (self._next_port + 1) % len(self._ports)
            try:
                udp.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
        raise NoPort(f"no even port is free from {self._ports.start} to {self._ports.stop - 1}; widen media.ports")
