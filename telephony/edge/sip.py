"""The SIP edge: one UDP socket, connections, one timer, and the sans-IO endpoint between them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from telephony.edge.lag import LoopLag, unread
from telephony.edge.process_clock import ProcessClock, worked_s
from telephony.edge.udp import UdpSocket
from telephony.events import SipCommand, SipEvent
from telephony.sip.address import Address, Flow, Remote
from telephony.sip.endpoint import Endpoint
from telephony.sip.errors import RemoteError
from telephony.sip.registrar import Row

LOG_ERRORS_EVERY_S: Final = 60.0

log = structlog.get_logger("hotline.sip")


class SipEdge:
    """Carries datagrams, messages of connections and time to an endpoint, and its events to `on_events`.

    A connection is whoever calls `connect`: it gets the messages that are meant for it, and gives those it receives.
    Whoever opens connections is `send_to_remote`: it gets the messages for far ends that have to be connected to.

    `on_events` may call `perform`; what that makes happen is told in a later call, never inside it. An error in
    sending (an unreachable phone) is logged once a minute with its count, and stops nothing: the endpoint's timers
    find out who does not answer.
    """

    def __init__(self, endpoint: Endpoint, clock: ProcessClock, on_events: Callable[[list[SipEvent]], None]) -> None:
        self.endpoint = endpoint
        self.send_errors = 0
        self.send_to_remote: Callable[[bytes, Remote], None] | None = None
        self._clock = clock
        self._on_events = on_events
        self._udp: UdpSocket | None = None
        self._connections: dict[str, Callable[[bytes], None]] = {}
        self._lag = LoopLag(clock, self._late)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._flushing = False
        self._running = False
        self._logged_at = 0.0

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Bind, and return the address that was bound (port 0: any). Raises `OSError`."""
        udp = UdpSocket(self._received, self._count_error)
        own = await udp.bind(host, port)
        self._udp = udp
        self.endpoint.bound_to(*own)
        self.begin()
        return own

    def begin(self) -> None:
        """Send and tell from now on; `start` does it, and this where there is no UDP."""
        self._running = True
        self._flush()

    def close(self) -> None:
        """Tell who watches that we stop, and close the socket and the timer; nothing more is sent or told."""
        self.endpoint.deactivate(self._clock.now())
        self._flush()
        self._running = False
        self._lag.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    def restore(self, bindings: Mapping[str, Iterable[Row]]) -> None:
        """Take registrations back after a restart; may be called before `start`."""
        self.endpoint.restore(bindings, self._clock.now())
        self._flush()

    def forget(self, user: str) -> None:
        """A user has new passwords, or none: the phones that registered with the old ones are nobody's."""
        self.endpoint.forget(user, self._clock.now())
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
        self.received_all([message], flow)

    def received_all(self, messages: Iterable[bytes], flow: Flow) -> None:
        """A connection brought several messages at once: they cost one flush."""
        if flow.connection in self._connections:
            now = self._clock.now()
            self._lag.look()
            for message in messages:
                self._receive(message, flow, now)
            self._flush()

    def has_read(self, transport: asyncio.Transport, flow: Flow, octets: int, begun: float) -> None:
        """So much of a connection has been read and worked off since `begun`: what it has brought besides waits as long
        for each of its octets."""
        now = self._clock.now()
        wait_s = unread(transport) * (now - begun) / octets
        self.endpoint.overload.measured(wait_s, worked_s(), now, flow.connection)

    def received_broken(self, error: RemoteError, flow: Flow) -> None:
        """A connection brought what ends it: nothing that follows can be read."""
        if flow.connection in self._connections:
            self.endpoint.receive_broken(error, flow, self._clock.now())
            self._flush()

    def disconnected(self, flow: Flow) -> None:
        """A connection is gone."""
        if self._connections.pop(flow.connection, None) is not None:
            self.endpoint.connection_lost(flow.connection, self._clock.now(), flow.opened)
            self._flush()

    def refused(self, remote: Remote) -> None:
        """A far end could not be connected to."""
        self.endpoint.connection_refused(remote, self._clock.now())
        self._flush()

    # ------------------------------------------------------------------------------------------- the socket's side

    def _received(self, batch: Sequence[tuple[bytes, tuple[str, int]]], waited_s: float) -> None:
        """What came at once goes in, and one flush follows."""
        now = self._clock.now()
        self.endpoint.overload.measured(waited_s, worked_s(), now)
        for data, source in batch:
            self._receive(data, source, now)
        self._flush()

    def _late(self, late_s: float) -> None:
        """So long has waited what comes over connections."""
        self.endpoint.overload.measured(late_s, worked_s(), self._clock.now(), "loop")

    def _receive(self, data: bytes, source: Address, now: float) -> None:
        """A fault of ours in one message keeps no other out."""
        try:
            self.endpoint.receive(data, source, now)
        except Exception:
            log.exception("a fault of ours in a SIP message; the others go on", source=source[0])

    def _on_timer(self) -> None:
        """A fault of ours at one deadline (which is over by then) keeps the timers of all others running."""
        self._timer = None
        try:
            self.endpoint.handle_deadline(self._clock.now())
        except Exception:
            log.exception("a fault of ours at a SIP deadline; the others go on")
        self._flush()

    # --------------------------------------------------------------------------------------------------- flush

    def _flush(self) -> None:
        """Send, tell, and arm the timer, until nothing is left; a `perform` inside `on_events` leaves it to us."""
        if self._flushing or not self._running:
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
        if isinstance(address, Remote):
            if self.send_to_remote is not None:
                self.send_to_remote(data, address)
            else:
                asyncio.get_running_loop().call_soon(self.refused, address)
        elif self._udp is not None:
            self._udp.send(data, (address[0], address[1]))
        elif self._running:
            self._count_error(OSError("it is for UDP, and no sip.listen is udp:"))

    def _arm(self) -> None:
        """One `call_later` at the endpoint's deadline. An armed timer that comes too early stays: it finds nothing due
        and arms the next one, which is cheaper than a new timer for each deadline that is cancelled."""
        deadline = self.endpoint.deadline()
        if not self._running or deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay = max(0.0, deadline - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _count_error(self, error: Exception) -> None:
        self.send_errors += 1
        now = self._clock.now()
        if now - self._logged_at >= LOG_ERRORS_EVERY_S:
            self._logged_at = now
            log.warning("a SIP datagram could not be sent", error=str(error), errors=self.send_errors)
