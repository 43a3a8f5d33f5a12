"""The SIP edge: one UDP socket, the connections of pages, one timer, and the sans-IO endpoint between them."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from telephony.edge.process_clock import ProcessClock
from telephony.events import SipCommand, SipEvent
from telephony.sip.address import Address, Flow
from telephony.sip.endpoint import Endpoint
from telephony.sip.registrar import BindingRow

# A burst of INVITEs waits here while the loop is busy; the kernel doubles it and caps it at net.core.rmem_max.
RECEIVE_BUFFER_OCTETS: Final = 1024 * 1024
LOG_ERRORS_EVERY_S: Final = 60.0

log = structlog.get_logger("hotline.sip")


class SipEdge(asyncio.DatagramProtocol):
    """Carries datagrams, messages of connections and time to an endpoint, and its events to `on_events`.

    A connection is whoever calls `connect`: it gets the messages that are meant for it, and gives those it receives.

    `on_events` may call `perform`; what that makes happen is told in a later call, never inside it. An error in
    sending (an unreachable phone) is logged once a minute with its count, and stops nothing: the endpoint's timers
    find out who does not answer.
    """

    def __init__(self, endpoint: Endpoint, clock: ProcessClock, on_events: Callable[[list[SipEvent]], None]) -> None:
        self.endpoint = endpoint
        self.send_errors = 0
        self._clock = clock
        self._on_events = on_events
        self._transport: asyncio.DatagramTransport | None = None
        self._connections: dict[str, Callable[[bytes], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._flushing = False
        self._logged_at = 0.0

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Bind, and return the address that was bound (port 0: any). Raises `OSError`."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        self._transport = transport
        bound: socket.socket = transport.get_extra_info("socket")
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
        own = transport.get_extra_info("sockname")
        self.endpoint.bound_to(own[0], own[1])
        self._flush()
        return own[0], own[1]

    def close(self) -> None:
        """Close the socket and the timer; nothing more is sent or told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def restore(self, bindings: Mapping[str, Iterable[BindingRow]]) -> None:
        """Take registrations back after a restart; may be called before `start`."""
        self.endpoint.restore(bindings, self._clock.now())
        self._flush()

    def perform(self, command: SipCommand) -> None:
        """Do what the switchboard says, and send what comes of it."""
        self.endpoint.perform(command, self._clock.now())
        self._flush()

    # -------------------------------------------------------------------------------------------- connections

    def connect(self, flow: Flow, send: Callable[[bytes], None]) -> None:
        """Take a new connection; `send` takes one message for it, and never waits or raises."""
        self._connections[flow.connection] = send

    def received(self, message: bytes, flow: Flow) -> None:
        """A connection brought a message."""
        if flow.connection in self._connections:
            self.endpoint.receive(message, flow, self._clock.now())
            self._flush()

    def disconnected(self, flow: Flow) -> None:
        """A connection is gone."""
        if self._connections.pop(flow.connection, None) is not None:
            self.endpoint.connection_lost(flow.connection, self._clock.now())
            self._flush()

    # ------------------------------------------------------------------------------------------ asyncio's side

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram came."""
        self.endpoint.receive(data, (addr[0], addr[1]), self._clock.now())
        self._flush()

    def error_received(self, exc: Exception) -> None:
        """The kernel says that something could not be sent (ICMP): it does not say what."""
        self._count_error(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone; an error here would be the machine's, not a peer's."""
        if exc is not None:
            log.error("the SIP socket failed", error=str(exc))

    def _on_timer(self) -> None:
        self._timer = None
        self.endpoint.handle_deadline(self._clock.now())
        self._flush()

    # --------------------------------------------------------------------------------------------------- flush

    def _flush(self) -> None:
        """Send, tell, and arm the timer, until nothing is left; a `perform` inside `on_events` leaves it to us."""
        if self._flushing or self._transport is None:
            return
        self._flushing = True
        try:
            while True:
                for data, address in self.endpoint.datagrams():
                    self._send(data, address)
                events = self.endpoint.events()
                if not events:
                    break
                self._on_events(events)
        finally:
            self._flushing = False
            self._arm()

    def _send(self, data: bytes, address: Address) -> None:
        if isinstance(address, Flow):
            send = self._connections.get(address.connection)
            if send is not None:
                send(data)
            return
        if self._transport is None:
            return
        try:
            self._transport.sendto(data, address)
        except (OSError, ValueError) as error:
            self._count_error(error)

    def _arm(self) -> None:
        """One `call_at` at the endpoint's deadline; an armed timer that still fits stays."""
        deadline = self.endpoint.deadline()
        if self._transport is None or (self._timer is not None and deadline == self._timer_at):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _count_error(self, error: Exception) -> None:
        self.send_errors += 1
        now = self._clock.now()
        if now - self._logged_at >= LOG_ERRORS_EVERY_S:
            self._logged_at = now
            log.warning("a SIP datagram could not be sent", error=str(error), errors=self.send_errors)
