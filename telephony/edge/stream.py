"""SIP over TCP and TLS: listeners, the connections that they take, and those that are opened to far ends.

Rule 1: whatever a far end does costs a bounded amount: connections in all, from strangers and from one address, octets
of one message, octets that wait for somebody who does not read, and messages that wait for a connection.

Rule 2: nobody holds a connection by silence. A message that has begun must end soon, a new connection must bring one
soon, and one that nobody is registered by and no call goes over is closed after a while. One that somebody uses stays
as long as the system's keep-alives are answered.

Rule 3: a connection that is gone, and one that cannot be had, are told to the endpoint at once, each exactly once.
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

import structlog

from telephony.edge.connection import Connection, StreamLimits
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.sip.address import Flow, Remote
from telephony.sip.limiter import Limiter
from telephony.sip.sources import source_of

__all__ = ["Secured", "SipStreams", "StreamLimits"]

log = structlog.get_logger("hotline.sip")

MakeProtocol = Callable[[], asyncio.Protocol]
Secured = Callable[[MakeProtocol], MakeProtocol]
"""Turns what makes a connection in the clear into what makes one once a handshake is done."""
LOG_EVERY_S: Final = 60.0
SOURCES: Final = 256
BACKLOG: Final = 512
MIN_LOOK_S: Final = 0.25


class SipStreams:
    """Every connection over TCP and TLS of one SIP edge, taken and opened.

    `trusted` is the TLS context that far ends are verified with; without one no connection over TLS is opened.
    """

    def __init__(
        self,
        edge: SipEdge,
        clock: ProcessClock,
        trusted: ssl.SSLContext | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        self.edge = edge
        self.limits = limits or StreamLimits()
        self._clock = clock
        self._trusted = trusted
        self._servers: list[asyncio.Server] = []
        self._connections: dict[str, Connection] = {}
        self._from: Counter[str] = Counter()
        self._opening: dict[Remote, list[bytes]] = {}
        self._opened: dict[Remote, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._notes = Limiter(LOG_EVERY_S, SOURCES)
        self._looks: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        self._strangers = 0
        self._is_over = False
        self._none_left = asyncio.Event()
        edge.send_to_remote = self.send

    def __len__(self) -> int:
        return len(self._connections)

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        return self._clock.now()

    async def listen(
        self,
        transport: Literal["TCP", "TLS"],
        host: str,
        port: int,
        secured: Secured | None = None,
    ) -> tuple[str, int]:
        """Listen, and return the address that was bound (port 0: any). TLS takes `secured`. Raises `OSError`."""
        if (transport == "TLS") != (secured is not None):
            raise ValueError("TLS takes a certificate, and TCP none")

        def make() -> asyncio.Protocol:
            return Connection(self, transport)

        server = await asyncio.get_running_loop().create_server(
            secured(make) if secured is not None else make, host, port, backlog=BACKLOG
        )
        self._servers.append(server)
        own = server.sockets[0].getsockname()
        self.edge.endpoint.bound_to(own[0], own[1], transport)
        self._look_later()
        return own[0], own[1]

    async def close(self) -> None:
        """Take no more, send what waits to be sent, and close everything; nothing is told any more."""
        self._is_over = True
        if self._looks is not None:
            self._looks.cancel()
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.close()
        self._none_left.clear()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), self.limits.goodbye_s)
        for connection in list(self._connections.values()):
            connection.drop()

    # ----------------------------------------------------------------------------------- connections, as they come

    def take(self, connection: Connection) -> bool:
        """Count a new connection in; False where there are too many."""
        flow, limits = connection.flow, self.limits
        if self._is_over:
            return False
        if flow.opened is None and (
            len(self._connections) >= limits.connections
            or self._from[source_of(flow)] >= limits.from_one_address
            or self._is_full_of_strangers()
        ):
            self.note("a SIP connection too many", flow)
            return False
        self._connections[flow.connection] = connection
        self._from[source_of(flow)] += 1
        self._strangers += flow.opened is None
        return True

    def connected(self, connection: Connection) -> None:
        """A connection is there; what waits for it goes out first."""
        flow = connection.flow
        self._look_later()
        self.edge.connect(flow, connection.send)
        if flow.opened is not None:
            self._make_room()
            self._opened[flow.opened] = connection
            for message in self._opening.pop(flow.opened, []):
                connection.send(message)

    def leave(self, connection: Connection) -> None:
        """Nothing goes over a connection any more, though it may not be closed yet."""
        flow = connection.flow
        if flow.opened is not None and self._opened.get(flow.opened) is connection:
            del self._opened[flow.opened]
        if not self._is_over:
            self.edge.disconnected(flow)

    def lost(self, connection: Connection) -> None:
        """A connection that was taken is gone."""
        flow = connection.flow
        if self._connections.pop(flow.connection, None) is None:
            return
        source = source_of(flow)
        self._from[source] -= 1
        if not self._from[source]:
            del self._from[source]
        self._strangers -= flow.opened is None and not connection.is_used
        if not self._connections:
            self._none_left.set()
        self.leave(connection)

    def note(self, what: str, flow: Flow | Remote, **more: object) -> None:
        """Log something about a far end, once a minute."""
        held_back = self._notes.allows(flow.host, self.now())
        if held_back is not None:
            log.warning(what, source=f"{flow.host}:{flow.port}", transport=flow.transport, held_back=held_back, **more)

    # -------------------------------------------------------------------------------------------- far ends

    def send(self, message: bytes, remote: Remote) -> None:
        """Send a message to a far end, over the connection that there is, or a new one; never waits or raises."""
        known = self._opened.get(remote)
        if self._is_over:
            return
        if known is not None:
            known.send(message)
            return
        waiting = self._opening.get(remote)
        if waiting is None and len(self._opening) >= self.limits.opening:
            self.note("too many SIP connections are being opened", remote)
            asyncio.get_running_loop().call_soon(self.edge.refused, remote)
            return
        if waiting is None:
            waiting = self._opening[remote] = []
            task = asyncio.get_running_loop().create_task(self._open(remote, waiting), name="SIP connection")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if len(waiting) < self.limits.waiting:
            waiting.append(message)
        else:
            self.note("too many SIP messages wait for a connection", remote)

    async def _open(self, remote: Remote, waiting: list[bytes]) -> None:
        loop, cause = asyncio.get_running_loop(), ""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                await loop.create_connection(
                    lambda: Connection(self, remote.transport, remote),
                    remote.host,
                    remote.port,
                    ssl=self._context(remote),
                    server_hostname=(remote.name or remote.host) if remote.transport == "TLS" else None,
                )
        except ssl.SSLCertVerificationError as error:
            cause = f"its certificate is not good for {remote.name or remote.host}: {error.verify_message}"
        except TimeoutError:
            cause = f"no answer within {self.limits.connect_s:g} s"
        except (OSError, ValueError) as error:  # refused, unreachable, no name, TLS that fails
            cause = str(error) or type(error).__name__
        if self._opening.get(remote) is waiting and not self._is_over:
            del self._opening[remote]
            self.note("no SIP connection to a far end", remote, cause=cause or "it is gone again")
            self.edge.refused(remote)

    def _make_room(self) -> None:
        """Before another far end: who calls, hangs up and names another port each time must not leave us with as many
        connections. The longest silent of those that nobody uses gives way."""
        if len(self._opened) < self.limits.opened:
            return
        self._see_who_is_used(self.now())
        unused = [(each.silent_since, remote) for remote, each in self._opened.items() if not each.is_used]
        for _, remote in sorted(unused, key=lambda each: each[0]):
            if not self.edge.endpoint.is_needed(remote):
                self._opened[remote].close()
                return

    def _context(self, remote: Remote) -> ssl.SSLContext | None:
        if remote.transport == "TCP":
            return None
        if self._trusted is None:
            raise OSError("no authorities are known to verify it with")
        (remote.name or remote.host).encode("idna")  # for no name, asyncio would forget to close its socket
        return self._trusted

    # ------------------------------------------------------------------------------------------------ looking

    def _look_later(self) -> None:
        if self._looks is None and not self._is_over:
            self._looks = asyncio.get_running_loop().call_later(self.limits.look_every_s, self._look)

    def _look(self) -> None:
        self._looks = None
        now = self.now()
        if self._connections:
            self._see_who_is_used(now)
        for connection in list(self._connections.values()):
            connection.look(now)
        self._look_later()

    def _see_who_is_used(self, now: float) -> None:
        used = self.edge.endpoint.connections_in_use()
        self._looked_at = now
        self._strangers = 0
        for name, connection in self._connections.items():
            connection.is_used = name in used
            self._strangers += not connection.is_used and connection.flow.opened is None

    def _is_full_of_strangers(self) -> bool:
        """Who came since the last look counts as a stranger; before one is turned away there is another look."""
        if self._strangers >= self.limits.strangers and self.now() - self._looked_at >= MIN_LOOK_S:
            self._see_who_is_used(self.now())
        return self._strangers >= self.limits.strangers
