"""The UDP edge on loopback, with real sockets and a real clock."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from functools import partial

import pytest
import structlog

from telephony import sdp
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.events import (
    Answer,
    DialogConfirmed,
    DialogEnded,
    Hangup,
    Invite,
    InviteReceived,
    MessageRejected,
    SipCommand,
    SipEvent,
    TellLamp,
)
from telephony.sip.address import Address
from telephony.sip.digest import authorize, hash_password
from telephony.sip.endpoint import Endpoint, EndpointSettings
from telephony.sip.message import Request, Response, parse_datagram, respond
from tests.telephony.sip.messages import write_request

LOOPBACK = "127.0.0.1"


class Phone:
    """An endpoint behind an edge, which notes its events and may react to them."""

    def __init__(self, domain: str = "hotline") -> None:
        self.clock = ProcessClock()
        self.seen: asyncio.Queue[SipEvent] = asyncio.Queue()
        self.answers = True
        endpoint = Endpoint(
            EndpointSettings((LOOPBACK, 0), domain=domain),
            lambda _: (),
            secrets.token_hex,
            lambda: secrets.token_hex(16),
        )
        self.edge = SipEdge(endpoint, self.clock, self.on_events)
        self.address = ("", 0)

    def on_events(self, events: list[SipEvent]) -> None:
        for event in events:
            self.seen.put_nowait(event)
            if isinstance(event, InviteReceived) and self.answers:
                ours = sdp.Capabilities(LOOPBACK, 4000, 1)
                self.perform(Answer(event.dialog, sdp.answer(event.sdp, ours).sdp))

    def perform(self, command: SipCommand) -> None:
        self.edge.perform(command)

    async def next(self) -> SipEvent:
        return await asyncio.wait_for(self.seen.get(), 5.0)


@pytest.fixture
async def phones() -> AsyncIterator[tuple[Phone, Phone]]:
    caller, desk = Phone(), Phone("elsewhere")  # whose caller is not one of its own users
    for phone in (caller, desk):
        phone.address = await phone.edge.start(LOOPBACK, 0)
    host, port = desk.address
    caller.edge.restore({"desk": [(f"sip:desk@{host}:{port}", host, port, caller.clock.now() + 3600)]})
    yield caller, desk
    caller.edge.close()
    desk.edge.close()


def invite() -> Invite:
    return Invite("out", "desk", "+84912345678", "Lan", sdp.offer(sdp.Capabilities(LOOPBACK, 4002, 2)))


class TestUdp:
    async def test_a_call(self, phones: tuple[Phone, Phone]) -> None:
        caller, desk = phones
        caller.perform(invite())
        ringing = await desk.next()
        assert isinstance(ringing, InviteReceived)
        assert ringing.number == "+84912345678"
        assert (await caller.next()).__class__.__name__ == "DialogAnswered"
        assert await desk.next() == DialogConfirmed(ringing.dialog)
        caller.perform(Hangup("out"))
        assert await caller.next() == DialogEnded("out", "local")
        assert await desk.next() == DialogEnded(ringing.dialog, "bye")

    async def test_timers_run(self, phones: tuple[Phone, Phone]) -> None:
        """The INVITE is sent again after T1 when its first copy goes to nobody."""
        caller, _ = phones
        received: asyncio.Queue[bytes] = asyncio.Queue()

        class Listener(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002  # asyncio names it
                received.put_nowait(data)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=(LOOPBACK, 0))
        host, port = transport.get_extra_info("sockname")
        caller.edge.restore({"desk": [(f"sip:desk@{host}:{port}", host, port, caller.clock.now() + 3600)]})
        begin = caller.clock.now()
        caller.perform(invite())
        copies = [await asyncio.wait_for(received.get(), 5.0) for _ in range(2)]
        assert copies[0] == copies[1]
        assert caller.clock.now() - begin >= 0.49
        transport.close()

    async def test_contact_is_the_bound_address(self, phones: tuple[Phone, Phone]) -> None:
        caller, desk = phones
        caller.perform(invite())
        ringing = await desk.next()
        assert isinstance(ringing, InviteReceived)
        assert ringing.source == f"{LOOPBACK}:{caller.address[1]}"

    async def test_unreachable_phone_stops_nothing(self, phones: tuple[Phone, Phone]) -> None:
        caller, desk = phones
        desk.edge.close()
        await asyncio.sleep(0)
        caller.perform(invite())
        caller.perform(Hangup("out"))
        assert await caller.next() == DialogEnded("out", "local")
        await desk.edge.start(*desk.address)
        caller.perform(Invite("again", "desk", "", "", sdp.offer(sdp.Capabilities(LOOPBACK, 4002, 2))))
        while not isinstance(await desk.next(), InviteReceived):
            pass

    async def test_address_that_cannot_be_sent_to_is_counted(self, phones: tuple[Phone, Phone]) -> None:
        caller, _ = phones
        caller.edge.restore({"desk": [("sip:desk@255.255.255.255", "255.255.255.255", 9, 4e9)]})
        caller.perform(invite())
        await asyncio.sleep(0.01)
        assert caller.edge.send_errors >= 1
        caller.perform(Hangup("out"))
        assert await caller.next() == DialogEnded("out", "local")

    async def test_garbage_is_told(self, phones: tuple[Phone, Phone]) -> None:
        _, desk = phones
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=desk.address)
        transport.sendto(b"garbage")
        assert isinstance(await desk.next(), MessageRejected)
        transport.close()

    async def test_a_fault_of_ours_at_one_deadline_stops_no_other_timer(
        self, phones: tuple[Phone, Phone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller, _ = phones
        really, faults = Endpoint.handle_deadline, [RuntimeError("a bug")]

        def handle_deadline(endpoint: Endpoint, now: float) -> None:
            if endpoint is caller.edge.endpoint and faults:
                raise faults.pop()
            really(endpoint, now)

        monkeypatch.setattr(Endpoint, "handle_deadline", handle_deadline)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((LOOPBACK, 0))
            silent.setblocking(False)
            host, port = silent.getsockname()
            caller.edge.restore({"desk": [(f"sip:desk@{host}:{port}", host, port, caller.clock.now() + 3600)]})
            loop = asyncio.get_running_loop()
            with structlog.testing.capture_logs() as logs:
                caller.perform(invite())
                copies = [await asyncio.wait_for(loop.sock_recv(silent, 4096), 5.0) for _ in range(2)]
        assert copies[0] == copies[1]
        assert [entry["event"] for entry in logs] == ["a fault of ours at a SIP deadline; the others go on"]

    async def test_a_fault_of_ours_in_one_datagram_keeps_no_other_out(
        self, phones: tuple[Phone, Phone], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, desk = phones
        really = Endpoint.receive

        def receive(endpoint: Endpoint, data: bytes, source: Address, now: float) -> None:
            if data == b"bad":
                raise RuntimeError("a bug")
            really(endpoint, data, source, now)

        monkeypatch.setattr(Endpoint, "receive", receive)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=desk.address)
        with structlog.testing.capture_logs() as logs:
            transport.sendto(b"bad")
            transport.sendto(b"garbage")
            assert isinstance(await desk.next(), MessageRejected)
        assert [entry["log_level"] for entry in logs] == ["error"]
        transport.close()

    async def test_nothing_after_close(self, phones: tuple[Phone, Phone]) -> None:
        caller, _ = phones
        caller.edge.close()
        caller.perform(invite())
        caller.edge.close()
        assert caller.seen.empty()

    async def test_port_that_is_taken(self, phones: tuple[Phone, Phone]) -> None:
        with pytest.raises(OSError, match="in use"):
            await Phone().edge.start(*phones[0].address)


class WatchingPhone(asyncio.DatagramProtocol):
    """A socket that answers NOTIFYs, and keeps what came."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio's signature
        message = parse_datagram(data)
        self.seen.put_nowait(message)
        if isinstance(message, Request):
            self.send(respond(message, 200, "", "w").write())

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.sendto(data)

    async def next(self) -> Request | Response:
        return await asyncio.wait_for(self.seen.get(), 5.0)


class TestStop:
    async def test_whoever_watches_is_told_before_the_socket_closes(self) -> None:
        clock = ProcessClock()
        endpoint = Endpoint(
            EndpointSettings((LOOPBACK, 0)),
            lambda user: (hash_password(user, "hotline", "secret"),),
            secrets.token_hex,
            lambda: secrets.token_hex(16),
        )
        edge = SipEdge(endpoint, clock, lambda _: None)
        address = await edge.start(LOOPBACK, 0)
        edge.perform(TellLamp("an", "ready"))
        loop = asyncio.get_running_loop()
        transport, watcher = await loop.create_datagram_endpoint(WatchingPhone, remote_addr=address)
        subscribe = partial(
            write_request, "SUBSCRIBE", target="sip:an@hotline", sender="<sip:lan@hotline>;tag=w", to="<sip:an@hotline>"
        )
        event = "Event: dialog"
        watcher.send(subscribe(fields=(event,)))
        challenge = (await watcher.next()).headers.get("www-authenticate")
        line = authorize(challenge, "lan", "secret", "SUBSCRIBE", "sip:an@hotline", "0a4f113b")
        fields = (event, f"Authorization: {line}")
        watcher.send(subscribe(branch="z9hG4bK2", cseq=2, fields=fields))
        states = [(await watcher.next()).headers.get("subscription-state") for _ in range(2)]
        edge.close()
        states.append((await watcher.next()).headers.get("subscription-state"))
        assert states == ["", "active;expires=3600", "terminated;reason=deactivated"]
        transport.close()
