"""A server with listeners over TCP and TLS on loopback, and bare clients, for the tests of both loops."""

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Literal, TypeVar

from hotline import tls
from hotline.handshake import over_tls
from telephony import sdp
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.edge.stream import SipStreams, StreamLimits
from telephony.events import Answer, Invite, InviteReceived, SipCommand, SipEvent
from telephony.sip.address import Address, Remote
from telephony.sip.digest import hash_password
from telephony.sip.endpoint import Endpoint, EndpointSettings
from telephony.sip.invitation import Attempt
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.stream import PONG, StreamParser
from telephony.sip.uri import NameAddr, Uri

LOOPBACK = "127.0.0.1"
WAIT_S = 5.0
E = TypeVar("E")
Run = Callable[[Coroutine[Any, Any, None]], None]


class Server:
    """An endpoint behind an edge with streams, which notes its events and answers calls."""

    def __init__(self, limits: StreamLimits | None = None, trusted: ssl.SSLContext | None = None) -> None:
        self.clock = ProcessClock()
        self.seen: asyncio.Queue[SipEvent] = asyncio.Queue()
        self.answers = True
        self.dialogs: list[str] = []
        self.endpoint = Endpoint(
            EndpointSettings((LOOPBACK, 0)),
            lambda user: (hash_password(user, "hotline", "secret"),) if user == "desk" else (),
            secrets.token_hex,
            lambda: secrets.token_hex(16),
        )
        self.edge = SipEdge(self.endpoint, self.clock, self._on_events)
        self.streams = SipStreams(self.edge, self.clock, trusted, limits)
        self.ports: dict[str, int] = {}

    async def listen(self, transport: Literal["TCP", "TLS"] = "TCP", context: ssl.SSLContext | None = None) -> int:
        """Listen on a port of the system's choice."""
        secured = None if context is None else (lambda make: over_tls(make, context))
        _, self.ports[transport] = await self.streams.listen(transport, LOOPBACK, 0, secured)
        self.edge.begin()
        return self.ports[transport]

    def _on_events(self, events: list[SipEvent]) -> None:
        for event in events:
            self.seen.put_nowait(event)
            if not isinstance(event, InviteReceived):
                continue
            self.dialogs.append(event.dialog)
            if self.answers:
                ours = sdp.Capabilities(LOOPBACK, 4000, 1)
                self.perform(Answer(event.dialog, sdp.answer(event.sdp, ours).sdp))

    def perform(self, command: SipCommand) -> None:
        """Let the endpoint do something."""
        self.edge.perform(command)

    def call(self, *ways: Address, dialog: str = "out") -> None:
        """Send an INVITE along these ways, one after the other."""
        target = Uri(user="1900", host=LOOPBACK)
        attempts = tuple(
            Attempt(target, way, NameAddr(Uri(user="1", host="caller.example")), NameAddr(target)) for way in ways
        )
        invite = Invite(dialog, "1900", "1", "", sdp.offer(sdp.Capabilities(LOOPBACK, 4002, 2)))
        self.endpoint._dialogs.invite(invite, attempts, self.clock.now())
        self.edge.begin()

    async def next(self, kind: type[E]) -> E:
        """Return the next event of a kind."""
        async with asyncio.timeout(WAIT_S):
            while True:
                event = await self.seen.get()
                if isinstance(event, kind):
                    return event

    async def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for something that no event tells."""
        end = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < end, f"not within {WAIT_S:g} s: {what}"
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close everything."""
        await self.streams.close()
        self.edge.close()


@contextlib.asynccontextmanager
async def serving(
    limits: StreamLimits | None = None,
    context: ssl.SSLContext | None = None,
    trusted: ssl.SSLContext | None = None,
    *,
    listens: bool = True,
) -> AsyncIterator[Server]:
    """Run a server with a listener, over TLS where there is a context for it; or one that is bound for UDP alone."""
    server = Server(limits, trusted)
    try:
        if listens:
            await server.listen("TLS" if context is not None else "TCP", context)
        else:
            server.endpoint.bound_to(LOOPBACK, 5060)
        yield server
    finally:
        await server.close()


class Client:
    """A connection to a server, as octets and as messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._parser = StreamParser()
        self._messages: list[Request | Response] = []
        self.pongs = 0

    @property
    def port(self) -> int:
        """Our own port."""
        port: int = self.writer.get_extra_info("sockname")[1]
        return port

    async def send(self, data: bytes, size: int = 0) -> None:
        """Write octets, `size` at a time where it is given."""
        pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if size:
                await asyncio.sleep(0)

    async def next(self) -> Request | Response:
        """Return the next message; fails where the connection ends first."""
        async with asyncio.timeout(WAIT_S):
            while not self._messages:
                data = await self.reader.read(65536)
                assert data, "the connection is over"
                if data.startswith(PONG) or b"\r\n\r\n\r\n" in data:
                    self.pongs += 1
                self._messages += [parse_datagram(message) for message in self._parser.feed(data)]
        return self._messages.pop(0)

    async def response(self, status: int) -> Response:
        """Return the next message, a response with this status."""
        message = await self.next()
        assert isinstance(message, Response), message
        assert message.status == status, message
        return message

    async def ends(self) -> bytes:
        """Return what comes until the end of the connection."""
        rest = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WAIT_S):
                while data := await self.reader.read(65536):
                    rest += data
        return rest

    async def close(self) -> None:
        """Close it."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(port: int, trusted: ssl.SSLContext | None = None, host: str = LOOPBACK) -> AsyncIterator[Client]:
    """A connection to a port of loopback."""
    client = Client(*await asyncio.open_connection(host, port, ssl=trusted))
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.Queue[Client]]]:
    """A port where somebody waits to be connected to."""
    clients: asyncio.Queue[Client] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        clients.put_nowait(Client(reader, writer))

    server = await asyncio.start_server(take, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1], clients
    finally:
        server.close()
        for writer in writers:  # a test that fails leaves them open, and uvloop waits for them
            writer.close()
        await server.wait_closed()


class Certificates:
    """A certificate for loopback, and contexts of both ends."""

    def __init__(self, folder: Path, names: tuple[str, ...] = (LOOPBACK, "localhost")) -> None:
        made = tls.ensure(folder, names, time.time())
        self.file = made.certificate
        self.server = tls.server_context(made)
        self.client = ssl.create_default_context(cafile=made.certificate)


def remote(port: int, transport: Literal["TCP", "TLS"] = "TCP", name: str = "") -> Remote:
    """A far end on loopback."""
    return Remote(LOOPBACK, port, transport, name)
