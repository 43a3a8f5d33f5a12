"""SIP over real WebSockets: frames of both kinds, who is let in, and what a closed connection leaves behind."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import structlog
import websockets.asyncio.client as websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from hotline.web_server import WebServer
from telephony.edge import websocket
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.edge.websocket import SipWebSockets, sip_over_websocket
from telephony.events import BindingChanged, DialogEnded, InviteReceived, SipEvent
from telephony.sip.digest import authorize
from telephony.sip.message import parse_datagram
from tests.telephony.sip.messages import OFFER, write_register, write_request
from tests.telephony.sip.wire import USERS, make_endpoint

pytestmark = pytest.mark.timeout(30)
SIP = [Subprotocol("sip")]
WS = "SIP/2.0/WS f7d2.invalid"


class Place:
    """A server with nothing but `WS /sip`, and what its endpoint told."""

    def __init__(self) -> None:
        self.events: list[SipEvent] = []
        self.edge = SipEdge(make_endpoint(("127.0.0.1", 0)), ProcessClock(), self.events.extend)
        self.sockets = SipWebSockets(self.edge)
        self.app = Starlette(routes=[WebSocketRoute("/sip", sip_over_websocket)])
        self.app.state.sip = self.sockets
        self.address = ""

    async def until(self, kind: type[SipEvent]) -> SipEvent:
        """Wait for an event."""
        async with asyncio.timeout(5):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                await asyncio.sleep(0.01)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    await made.edge.start("127.0.0.1", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    made.address = f"ws://127.0.0.1:{listener.getsockname()[1]}/sip"
    server = WebServer(made.app, None)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    yield made
    await server.end(task)
    made.edge.close()


async def test_frames_of_both_kinds_are_answered_by_the_same_connection(place: Place) -> None:
    async with websockets.connect(place.address, subprotocols=SIP) as page:
        assert page.subprotocol == "sip"
        request = write_request("OPTIONS", via=WS)
        for frame in (request, request.replace(b"z9hG4bK1", b"z9hG4bK2").decode()):
            await page.send(frame)
            answer = await asyncio.wait_for(page.recv(), 5)
            assert isinstance(answer, str)
            assert answer.startswith("SIP/2.0 200 OK\r\n")
        await page.send("\r\n\r\n")
        assert await asyncio.wait_for(page.recv(), 5) == "\r\n"


async def test_without_the_subprotocol_nobody_is_let_in(place: Place) -> None:
    with pytest.raises(InvalidStatus):
        await websockets.connect(place.address)
    assert len(place.sockets) == 0


async def test_a_registered_page_is_forgotten_when_its_connection_closes(place: Place) -> None:
    async with websockets.connect(place.address, subprotocols=SIP) as page:
        await page.send(write_register(contact="<sip:x@y.invalid;transport=ws>"))
        challenged = parse_datagram(str(await page.recv()).encode())
        line = authorize(
            challenged.headers.lines("www-authenticate")[0], "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c"
        )
        await page.send(
            write_register(contact="<sip:x@y.invalid;transport=ws>", cseq=2, fields=(f"Authorization: {line}",))
        )
        assert str(await page.recv()).startswith("SIP/2.0 200")
        assert await place.until(BindingChanged) == BindingChanged("desk", 1, (), webrtc=True)
    assert await place.until(BindingChanged) == BindingChanged("desk", 0, (), webrtc=False)


async def test_a_caller_whose_page_is_closed_has_hung_up(place: Place) -> None:
    async with websockets.connect(place.address, subprotocols=SIP) as page:
        await page.send(write_request(via=WS, body=OFFER))
        invited = await place.until(InviteReceived)
        assert isinstance(invited, InviteReceived)
        assert invited.claimed
    ended = await place.until(DialogEnded)
    assert isinstance(ended, DialogEnded)
    assert (ended.dialog, ended.ending) == (invited.dialog, "cancelled")


async def test_one_address_has_so_many_connections_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_FROM_ONE_ADDRESS", 2)
    async with websockets.connect(place.address, subprotocols=SIP), websockets.connect(place.address, subprotocols=SIP):
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(InvalidStatus):
                    await websockets.connect(place.address, subprotocols=SIP)
    assert [line["event"] for line in logs] == ["a SIP WebSocket too many"]  # once a minute


async def test_strangers_leave_room_for_those_who_are_signed_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_STRANGERS", 1)
    async with websockets.connect(place.address, subprotocols=SIP):
        with pytest.raises(InvalidStatus):
            await websockets.connect(place.address, subprotocols=SIP)
        (stranger,) = place.sockets._connections
        stranger.session = "s1"
        async with websockets.connect(place.address, subprotocols=SIP):
            assert len(place.sockets) == 2


async def test_a_page_that_signs_out_is_closed(place: Place) -> None:
    async with websockets.connect(place.address, subprotocols=SIP) as page:
        (connection,) = place.sockets._connections
        connection.session = "s1"
        place.sockets.close_session("another")
        place.sockets.close_session("s1")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(page.recv(), 5)
    assert len(place.sockets) == 0


async def test_garbage_costs_nothing_and_closes_nothing(place: Place) -> None:
    async with websockets.connect(place.address, subprotocols=SIP) as page:
        for garbage in (b"\x00\xff" * 50, "nonsense", "", b""):
            await page.send(garbage)
        await page.send(write_request("OPTIONS", via=WS))
        assert str(await asyncio.wait_for(page.recv(), 5)).startswith("SIP/2.0 200")
