"""One connection over TCP or TLS: octets in, messages in order out, and what it may cost (`stream` has the rules)."""

import asyncio
import socket
from typing import Final, Literal, Protocol, cast
from uuid import uuid4

import msgspec

from telephony.edge.sip import SipEdge
from telephony.sip.address import Flow, Remote
from telephony.sip.stream import PONG, StreamParser

# A far end that is gone without a word is found out in about two minutes, and in half a minute where something waits
# for it.
_KEEPALIVE: Final = (
    ("SO_KEEPALIVE", socket.SOL_SOCKET, 1),
    ("TCP_NODELAY", socket.IPPROTO_TCP, 1),
    ("TCP_KEEPIDLE", socket.IPPROTO_TCP, 60),
    ("TCP_KEEPINTVL", socket.IPPROTO_TCP, 15),
    ("TCP_KEEPCNT", socket.IPPROTO_TCP, 4),
    ("TCP_USER_TIMEOUT", socket.IPPROTO_TCP, 30_000),
)


class StreamLimits(msgspec.Struct, frozen=True):
    """What connections may cost, in numbers, octets and seconds.

    `strangers` are connections that nobody is registered by and no call goes over: there is always room for the
    others. `idle_s` is theirs, `opened_idle_s` that of connections we opened, of which there are no more than `opened`
    but for those that are used. `opening` are far ends that are being connected to, `waiting` the messages to one of
    them. An address is one of IPv4, or 64 bits of one of IPv6.
    """

    connections: int = 4_000
    strangers: int = 1_000
    from_one_address: int = 500
    first_message_s: float = 20.0
    message_s: float = 20.0
    idle_s: float = 120.0
    opened_idle_s: float = 3_900.0
    goodbye_s: float = 2.0
    look_every_s: float = 5.0
    unsent_octets: int = 256 * 1024
    connect_s: float = 5.0
    opened: int = 1_000
    opening: int = 256
    waiting: int = 1_000


class Streams(Protocol):
    """Whoever holds connections."""

    edge: SipEdge
    limits: StreamLimits

    def now(self) -> float:
        """Return seconds since the Unix epoch."""

    def take(self, connection: "Connection") -> bool:
        """Count a new connection in; False where there are too many."""

    def connected(self, connection: "Connection") -> None:
        """A connection that was taken can be used."""

    def leave(self, connection: "Connection") -> None:
        """Nothing goes over a connection any more, though it may not be closed yet."""

    def lost(self, connection: "Connection") -> None:
        """A connection that was taken is gone."""

    def note(self, what: str, flow: Flow | Remote) -> None:
        """Log something about a far end, now and then."""


class Connection(asyncio.Protocol):
    """One connection over TCP or TLS."""

    def __init__(self, streams: Streams, transport: Literal["TCP", "TLS"], opened: Remote | None = None) -> None:
        self._streams = streams
        self._kind = transport
        self._opened = opened
        self._parser = StreamParser(streams.edge.endpoint.settings.limits.message)
        self._writer: asyncio.Transport | None = None
        self.flow = Flow("", 0, "", transport, opened)
        self.spoke_at = self.begun_at = self.told_at = streams.now()
        self.has_spoken = False
        self.is_used = False
        self._is_ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless there are too many."""
        writer = cast(asyncio.Transport, transport)
        peer = writer.get_extra_info("peername")
        if not peer:  # gone already
            writer.abort()
            return
        _set_options(writer)
        self.flow = Flow(peer[0], peer[1], uuid4().hex, self._kind, self._opened)
        if not self._streams.take(self):
            writer.abort()
            return
        self._writer = writer
        writer.set_write_buffer_limits(high=self._streams.limits.unsent_octets)
        self._streams.connected(self)

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._writer is None or self._is_ending:
            return
        was_inside = self._parser.is_inside
        messages = self._parser.feed(data)
        if messages or not was_inside:
            self.begun_at = self._streams.now()
        if messages:
            self.spoke_at, self.has_spoken = self.begun_at, True
            self._streams.edge.received_all(messages, self.flow)
            if self._writer is not None:
                self._streams.edge.has_read(self._writer, self.flow, len(data), self.spoke_at)
        pings = self._parser.pings()
        if pings:
            self.send(PONG * pings)
        if self._parser.fault is not None:
            self._streams.edge.received_broken(self._parser.fault, self.flow)
            self.end()

    def eof_received(self) -> bool:
        """The far end says no more; what it may still be told goes out, and that is the end."""
        return False

    def pause_writing(self) -> None:
        """The far end does not read. This may come from within a flush of the edge, which has to end first."""
        if not self._is_ending:
            self._is_ending = True
            self._streams.note("a SIP connection does not read, and is closed", self.flow)
            asyncio.get_running_loop().call_soon(self.drop)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone."""
        if self._writer is not None:
            self._writer = None
            self._streams.lost(self)

    def send(self, message: bytes) -> None:
        """Send octets, in order; never waits or raises."""
        if self._writer is not None and not self._is_ending:
            self.told_at = self._streams.now()
            self._writer.write(message)

    @property
    def silent_since(self) -> float:
        """When something last went over it, in either direction."""
        return max(self.spoke_at, self.told_at)

    def end(self) -> None:
        """Say no more, hear no more, and let the far end read what it was told before it is over: a connection that is
        closed with unread octets in it takes back what was sent."""
        if self._writer is None or self._is_ending:
            return
        self._is_ending = True
        asyncio.get_running_loop().call_later(self._streams.limits.goodbye_s, self.drop)
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()
        self._streams.leave(self)

    def close(self) -> None:
        """Close it once everything is sent."""
        if self._writer is not None:
            self._is_ending = True
            self._writer.close()
            self._streams.leave(self)

    def drop(self) -> None:
        """Close it now."""
        if self._writer is not None:
            self._is_ending = True
            self._writer.abort()
            self._streams.leave(self)

    def look(self, now: float) -> None:
        """Close what has been silent for too long (rule 2)."""
        limits = self._streams.limits
        if self._parser.is_inside and now - self.begun_at >= limits.message_s:
            self.drop()
        elif not self.is_used:
            idle_s = limits.idle_s if self.has_spoken else limits.first_message_s
            if now - self.spoke_at >= (limits.opened_idle_s if self._opened is not None else idle_s):
                self.close()


def _set_options(transport: asyncio.Transport) -> None:
    """Have dead far ends found out, and messages sent at once."""
    own = transport.get_extra_info("socket")
    for name, level, value in _KEEPALIVE:
        option = getattr(socket, name, None)
        if option is not None and own is not None:
            own.setsockopt(level, option, value)
