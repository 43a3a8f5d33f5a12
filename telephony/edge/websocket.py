"""SIP over WebSocket (RFC 7118): each frame, text or binary, is one SIP message.

Rule 1: whatever a page does costs a bounded amount: connections in all and from one address, octets of a frame, and
messages that wait for a page which does not read.

Rule 2: a connection that is silently dead is found out by the server's pings (RFC 6455 section 5.5.2), which the web
server sends; here it only ends.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from telephony.edge.sip import SipEdge
from telephony.sip.address import Flow
from telephony.sip.limiter import Limiter

SUBPROTOCOL: Final = "sip"
MAX_CONNECTIONS: Final = 2_000
MAX_FROM_ONE_ADDRESS: Final = 200
"""A contact center's agents stand behind one address."""
MAX_STRANGERS: Final = 500
"""Of pages where nobody is signed in: callers', of whom there are never more than calls."""
MAX_WAITING: Final = 100
LOG_EVERY_S: Final = 60.0
LOGGED_SOURCES: Final = 256
POLICY_VIOLATION: Final = 1008  # RFC 6455 section 7.4.1
TRY_AGAIN_LATER: Final = 1013

log = structlog.get_logger("hotline.sip")


@dataclass(slots=True, eq=False)
class _Connection:
    flow: Flow
    session: str
    waiting: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(MAX_WAITING))
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, message: bytes) -> None:
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.over.set()


class SipWebSockets:
    """The WebSockets of one SIP edge."""

    def __init__(self, edge: SipEdge) -> None:
        self._edge = edge
        self._connections: set[_Connection] = set()
        self._from: Counter[str] = Counter()
        self._notes = Limiter(LOG_EVERY_S, LOGGED_SOURCES)

    def __len__(self) -> int:
        return len(self._connections)

    def close_session(self, session: str) -> None:
        """Close the connections that were opened by a page of this session: it has signed out."""
        for connection in self._connections:
            if session and connection.session == session:
                connection.over.set()

    def _note(self, what: str, host: str) -> None:
        """Log a page that was turned away, once a minute and source: whoever comes again and again fills no log."""
        held_back = self._notes.allows(host, asyncio.get_running_loop().time())
        if held_back is not None:
            log.warning(what, source=host, connections=len(self._connections), held_back=held_back)

    async def serve(self, websocket: WebSocket) -> None:
        """Carry one WebSocket from its handshake to its end."""
        host, port = websocket.client or ("", 0)
        if SUBPROTOCOL not in websocket.scope.get("subprotocols", ()):
            await websocket.close(POLICY_VIOLATION, "ask for the subprotocol sip")
            return
        if len(self._connections) >= MAX_CONNECTIONS or self._from[host] >= MAX_FROM_ONE_ADDRESS:
            self._note("a SIP WebSocket too many", host)
            await websocket.close(TRY_AGAIN_LATER, "too many connections")
            return
        session = str(getattr(getattr(websocket.state, "principal", None), "session", "") or "")
        if not session and sum(not each.session for each in self._connections) >= MAX_STRANGERS:
            self._note("a SIP WebSocket of a stranger too many", host)
            await websocket.close(TRY_AGAIN_LATER, "too many connections")
            return
        flow = Flow(host, port, uuid4().hex, "WSS" if websocket.scope.get("scheme") == "wss" else "WS")
        connection = _Connection(flow, session)
        self._connections.add(connection)
        self._from[host] += 1
        try:
            await websocket.accept(SUBPROTOCOL)
            await self._carry(websocket, connection)
        finally:
            self._connections.discard(connection)
            self._from -= Counter({host: 1})
            self._edge.disconnected(flow)

    async def _carry(self, websocket: WebSocket, connection: _Connection) -> None:
        self._edge.connect(connection.flow, connection.send)
        parts = [
            asyncio.create_task(part)
            for part in (
                self._receive(websocket, connection.flow),
                _send(websocket, connection.waiting),
                connection.over.wait(),
            )
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if connection.over.is_set() and websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(POLICY_VIOLATION, "signed out, or too slow")

    async def _receive(self, websocket: WebSocket, flow: Flow) -> None:
        while True:
            frame = await websocket.receive()
            if frame["type"] != "websocket.receive":
                return
            text = frame.get("text")
            message = text.encode("utf-8", "surrogateescape") if text is not None else frame.get("bytes") or b""
            self._edge.received(message, flow)


async def _send(websocket: WebSocket, waiting: asyncio.Queue[bytes]) -> None:
    """Send as text what is text: a page's JavaScript expects strings."""
    while True:
        message = await waiting.get()
        try:
            text = message.decode("utf-8")
        except UnicodeDecodeError:
            await websocket.send_bytes(message)
        else:
            await websocket.send_text(text)


async def sip_over_websocket(websocket: WebSocket) -> None:
    """The route `WS /sip`."""
    sockets = getattr(websocket.app.state, "sip", None)
    if not isinstance(sockets, SipWebSockets):
        await websocket.close(TRY_AGAIN_LATER, "the telephone side is not running yet")
        return
    await sockets.serve(websocket)
