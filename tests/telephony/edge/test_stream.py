"""SIP over TCP and TLS with real sockets on loopback, on the tests' event loop and on the server's."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from hotline import handshake
from telephony.edge.stream import StreamLimits
from telephony.events import (
    Answer,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogRinging,
    DialogUnreachable,
    Hangup,
    MessageRejected,
)
from telephony.sip.message import Request, Response, respond
from telephony.sip.stream import PING, PONG
from tests.telephony.edge.streams import (
    LOOPBACK,
    Certificates,
    Client,
    Run,
    Server,
    connected,
    listening,
    remote,
    serving,
)
from tests.telephony.sip.messages import OFFER, write_request


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a story on one loop, and fails with what the loop would only have logged."""

    def run_it(story: Coroutine[Any, Any, None]) -> None:
        problems: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.get_loop().set_exception_handler(lambda _loop, context: problems.append(context))
            runner.run(story)
        assert problems == []

    return run_it


def options(number: int = 1, size: int = 0) -> bytes:
    """An OPTIONS that is told apart by its number."""
    fields = (f"X-Fill: {'x' * size}",) if size else ()
    via = f"SIP/2.0/TCP {LOOPBACK}:5060"
    return write_request("OPTIONS", via=via, branch=f"z9hG4bKo{number}", call_id=f"o{number}", fields=fields)


def invite(port: int = 5060, call_id: str = "c1", contact: str = "") -> bytes:
    """An INVITE over TCP of a caller at loopback."""
    data = write_request(via=f"SIP/2.0/TCP {LOOPBACK}:{port}", call_id=call_id, branch=f"z9hG4bK{call_id}", body=OFFER)
    ours = contact or f"<sip:0912345678@{LOOPBACK}:{port};transport=tcp>"
    return data.replace(b"<sip:0912345678@192.0.2.2:5060>", ours.encode())


def inside(ok: Response, method: str, cseq: int, port: int = 5060) -> bytes:
    """A request of the caller's in the dialog of our 200."""
    return write_request(
        method,
        via=f"SIP/2.0/TCP {LOOPBACK}:{port}",
        branch=f"z9hG4bK{method}{cseq}{ok.call_id}",
        to=ok.headers.get("to"),
        call_id=ok.call_id,
        cseq=cseq,
    )


async def establish(
    client: Client, server: Server, port: int = 5060, call_id: str = "c1", contact: str = ""
) -> Response:
    """Call, and acknowledge the answer."""
    await client.send(invite(port, call_id, contact))
    await client.response(100)
    ok = await client.response(200)
    await client.send(inside(ok, "ACK", 1, port))
    await server.next(DialogConfirmed)
    return ok


class TestListening:
    def test_a_call_over_tcp(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                ok = await establish(client, server)
                assert ok.headers.get("contact") == f"<sip:{LOOPBACK}:{server.ports['TCP']};transport=tcp>"
                await client.send(inside(ok, "BYE", 2))
                await client.response(200)
                assert (await server.next(DialogEnded)).ending == "bye"

        run(story())

    def test_a_call_over_tls(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(context=made.server) as server, connected(server.ports["TLS"], made.client) as client:
                ok = await establish(client, server)
                assert ok.headers.get("contact") == f"<sip:{LOOPBACK}:{server.ports['TLS']};transport=tls>"
                server.perform(Hangup(server.dialogs[0]))
                bye = await client.next()
                assert isinstance(bye, Request)
                assert (bye.method, bye.via.transport) == ("BYE", "TLS")

        run(story())

    def test_octet_by_octet_with_a_ping_between(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(options(1) + PING + options(2), size=1)
                assert (await client.response(200)).call_id == "o1"
                assert (await client.response(200)).call_id == "o2"
                assert client.pongs == 1

        run(story())

    def test_pipelined_messages_are_answered_in_order(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(b"".join(options(number) for number in range(200)))
                for number in range(200):
                    assert (await client.response(200)).call_id == f"o{number}"

        run(story())

    def test_what_cannot_be_read_on_is_answered_and_closed_after_what_could(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(options(1) + options(2).replace(b"Content-Length: 0", b"Content-Length: 99999"))
                assert (await client.response(200)).call_id == "o1"
                assert (await client.response(513)).call_id == "o2"
                assert await client.ends() == b""
                assert (await server.next(MessageRejected)).status == 513
                await server.until("the connection is forgotten", lambda: len(server.streams) == 0)

        run(story())

    @pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 9000])
    def test_garbage_is_closed_at_once_without_a_word(self, run: Run, data: bytes) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(data)
                assert await client.ends() == b""

        run(story())

    def test_ipv6(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server:
                _, port = await server.streams.listen("TCP", "::1", 0)
                async with connected(port, host="::1") as client:
                    await client.send(invite(contact="<sip:l@[::1]:5060;transport=tcp>"))
                    await client.response(100)
                    ok = await client.response(200)
                    assert ok.headers.get("contact") == f"<sip:[::1]:{port};transport=tcp>"

        run(story())


class TestLimits:
    def test_a_flood_from_one_address_leaves_room(self, run: Run) -> None:
        async def story() -> None:
            async with serving(StreamLimits(from_one_address=3)) as server, contextlib.AsyncExitStack() as stack:
                port = server.ports["TCP"]
                kept = [await stack.enter_async_context(connected(port)) for _ in range(3)]
                await server.until("three are there", lambda: len(server.streams) == 3)
                for _ in range(20):
                    async with connected(port) as one_more:
                        assert await one_more.ends() == b""
                assert len(server.streams) == 3
                for number, client in enumerate(kept):
                    await client.send(options(number))
                    await client.response(200)
                await kept[0].close()
                await server.until("two are there", lambda: len(server.streams) == 2)
                async with connected(port) as again:
                    await again.send(options(9))
                    await again.response(200)

        run(story())

    def test_strangers_leave_room_for_those_who_talk(self, run: Run) -> None:
        """Whoever has a call, or is registered, is none; so a phone finds its place after strangers took theirs."""

        async def story() -> None:
            async with serving(StreamLimits(strangers=2)) as server, contextlib.AsyncExitStack() as stack:
                port = server.ports["TCP"]
                caller = await stack.enter_async_context(connected(port))
                await establish(caller, server)
                server.streams._see_who_is_used(server.clock.now())
                for _ in range(2):
                    await stack.enter_async_context(connected(port))
                await server.until("two strangers", lambda: len(server.streams) == 3)
                async with connected(port) as one_more:
                    assert await one_more.ends() == b""
                assert len(server.streams) == 3

        run(story())

    def test_who_says_nothing_is_closed(self, run: Run) -> None:
        async def story() -> None:
            limits = StreamLimits(first_message_s=0.1, look_every_s=0.05)
            async with serving(limits) as server, connected(server.ports["TCP"]) as client:
                await client.send(PING)  # keeping alive is nothing said
                assert await client.ends() == PONG

        run(story())

    def test_a_stalled_message_is_closed_whatever_was_said_before(self, run: Run) -> None:
        async def story() -> None:
            limits = StreamLimits(message_s=0.2, look_every_s=0.05)
            async with serving(limits) as server, connected(server.ports["TCP"]) as client:
                ok = await establish(client, server)
                with contextlib.suppress(ConnectionError):
                    for sign in inside(ok, "BYE", 2)[:-1]:  # slowly, but never silent for long
                        await client.send(bytes([sign]))
                        await asyncio.sleep(0.01)
                assert await client.ends() == b""

        run(story())

    def test_idle_strangers_are_closed_and_talkers_stay(self, run: Run) -> None:
        async def story() -> None:
            limits = StreamLimits(idle_s=0.2, look_every_s=0.05)
            async with serving(limits) as server, connected(server.ports["TCP"]) as talker:
                ok = await establish(talker, server)
                async with connected(server.ports["TCP"]) as stranger:
                    await stranger.send(options(1))
                    await stranger.response(200)
                    assert await stranger.ends() == b""
                await talker.send(inside(ok, "BYE", 2))
                await talker.response(200)

        run(story())

    def test_a_slow_reader_is_closed_rather_than_buffered(self, run: Run) -> None:
        async def story() -> None:
            async with serving(StreamLimits(unsent_octets=20_000)) as server:
                reader, writer = await asyncio.open_connection(LOOPBACK, server.ports["TCP"], limit=1)
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                with contextlib.suppress(ConnectionError):
                    for number in range(20_000):
                        writer.write(options(number, size=900))
                        await writer.drain()
                        if not len(server.streams) and number > 100:
                            break
                await server.until("it is closed", lambda: len(server.streams) == 0)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                del reader

        run(story())

    def test_keep_alives_and_no_delay_are_asked_of_the_system(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(options())
                await client.response(200)
                connection = next(iter(server.streams._connections.values()))
                assert connection._writer is not None
                own = connection._writer.get_extra_info("socket")
                assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60

        run(story())


class TestTls:
    def test_silence_in_the_handshake_holds_nothing_for_long(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handshake, "HANDSHAKE_S", 0.2)
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(context=made.server) as server, connected(server.ports["TLS"]) as silent:
                assert await silent.ends() == b""
                assert len(server.streams) == 0

        run(story())

    def test_plain_sip_where_tls_is_spoken_is_closed(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(context=made.server) as server:
                async with connected(server.ports["TLS"]) as plain:
                    await plain.send(options())
                    await plain.ends()
                async with connected(server.ports["TLS"], made.client) as private:
                    await private.send(options(), size=1)
                    await private.response(200)

        run(story())

    def test_a_fault_is_answered_over_tls_too(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(context=made.server) as server, connected(server.ports["TLS"], made.client) as client:
                await client.send(options().replace(b"Content-Length: 0", b"Content-Length: x"))
                await client.response(400)
                assert await client.ends() == b""

        run(story())


class TestRemotes:
    def test_a_call_opens_a_connection_and_lives_on_it(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as ours, serving() as theirs:
                ours.call(remote(theirs.ports["TCP"]))
                await ours.next(DialogAnswered)
                await theirs.next(DialogConfirmed)
                assert len(ours.streams) == 1
                ours.call(remote(theirs.ports["TCP"]), dialog="second")
                await ours.next(DialogAnswered)
                assert len(ours.streams) == 1  # the same connection
                theirs.perform(Hangup(theirs.dialogs[0]))
                assert (await ours.next(DialogEnded)).ending == "bye"

        run(story())

    def test_over_tls_whose_certificate_is_good(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(trusted=made.client) as ours, serving(context=made.server) as theirs:
                ours.call(remote(theirs.ports["TLS"], "TLS", "localhost"))
                await ours.next(DialogAnswered)
                ours.perform(Hangup("out"))
                assert (await theirs.next(DialogEnded)).ending == "bye"

        run(story())

    @pytest.mark.parametrize("name", ["sip.example.com", "192.0.2.1"])
    def test_a_certificate_for_somebody_else_is_a_transport_error(self, run: Run, tmp_path: Path, name: str) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(trusted=made.client) as ours, serving(context=made.server) as theirs:
                ours.call(remote(theirs.ports["TLS"], "TLS", name))
                ended = await ours.next(DialogEnded)
                assert (ended.ending, ended.status) == ("failed", 503)
                assert theirs.dialogs == []

        run(story())

    def test_a_certificate_that_nobody_vouches_for_goes_on_to_the_next_target(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            system = ssl.create_default_context()
            async with serving(trusted=system) as ours, serving(context=made.server) as bad, serving() as good:
                ours.call(remote(bad.ports["TLS"], "TLS"), remote(good.ports["TCP"]))
                await ours.next(DialogAnswered)
                assert (bad.dialogs, len(good.dialogs)) == ([], 1)

        run(story())

    def test_without_authorities_nothing_is_sent_over_tls(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving() as ours, serving(context=made.server) as theirs:
                ours.call(remote(theirs.ports["TLS"], "TLS"))
                assert (await ours.next(DialogEnded)).status == 503

        run(story())

    def test_a_refusal_goes_on_to_the_next_target(self, run: Run) -> None:
        async def story() -> None:
            with socket.create_server((LOOPBACK, 0)) as closed:
                port = closed.getsockname()[1]
            async with serving() as ours, serving() as theirs:
                ours.call(remote(port), remote(theirs.ports["TCP"]))
                await ours.next(DialogAnswered)

        run(story())

    @pytest.mark.parametrize("name", [".example.com", "x" * 64 + ".example.com"])
    def test_a_name_that_is_none_is_a_transport_error(self, run: Run, tmp_path: Path, name: str) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            async with serving(trusted=made.client) as ours, serving(context=made.server) as theirs:
                ours.call(remote(theirs.ports["TLS"], "TLS", name))
                assert (await ours.next(DialogEnded)).status == 503
                assert ours.streams._opening == {}

        run(story())

    def test_a_far_end_that_stalls_in_a_message_is_left_without_any_listener_of_ours(self, run: Run) -> None:
        async def story() -> None:
            limits = StreamLimits(message_s=0.2, look_every_s=0.05)
            async with serving(limits, listens=False) as ours, listening() as (port, clients):
                ours.call(remote(port))
                client = await asyncio.wait_for(clients.get(), 5.0)
                await client.next()
                await client.send(b"SIP/2.0 200 OK\r\nVia: ")
                assert (await ours.next(DialogEnded)).ending == "failed"
                assert await client.ends() == b""
                await client.close()

        run(story())

    def test_silence_in_the_handshake_of_a_far_end_is_a_transport_error(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            with socket.create_server((LOOPBACK, 0)) as silent:
                async with serving(StreamLimits(connect_s=0.2), trusted=made.client) as ours:
                    ours.call(remote(silent.getsockname()[1], "TLS"))
                    assert (await ours.next(DialogEnded)).status == 503

        run(story())

    def test_messages_wait_for_a_connection_in_order_up_to_a_bound(self, run: Run) -> None:
        async def story() -> None:
            limits = StreamLimits(waiting=5)
            async with serving(limits) as ours, listening() as (port, clients):
                for number in range(9):
                    ours.streams.send(options(number), remote(port))
                client = await asyncio.wait_for(clients.get(), 5.0)
                for number in range(5):
                    assert (await client.next()).call_id == f"o{number}"
                ours.streams.send(options(10), remote(port))
                assert (await client.next()).call_id == "o10"
                await client.close()

        run(story())

    def test_a_connection_lost_in_mid_call_is_opened_again_for_our_bye(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as ours, serving() as theirs:
                ours.call(remote(theirs.ports["TCP"]))
                await ours.next(DialogAnswered)
                await theirs.next(DialogConfirmed)
                for connection in list(ours.streams._connections.values()):
                    connection.drop()
                await theirs.until("it is lost there, too", lambda: len(theirs.streams) == 0)
                ours.perform(Hangup("out"))
                assert (await theirs.next(DialogEnded)).ending == "bye"
                await ours.until("nothing is left", lambda: len(ours.endpoint._dialogs) == 0)

        run(story())

    def test_a_caller_who_connects_anew_goes_on_with_the_call(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server:
                nat = "<sip:lan@10.0.0.7:5060;transport=tcp>"
                async with connected(server.ports["TCP"]) as client:
                    ok = await establish(client, server, contact=nat)
                await server.next(DialogUnreachable)
                async with connected(server.ports["TCP"]) as client:
                    await client.send(inside(ok, "INFO", 2))
                    await client.response(200)
                    await server.next(DialogReachable)
                    server.perform(Hangup(server.dialogs[0]))
                    bye = await client.next()
                    assert isinstance(bye, Request)
                    assert bye.method == "BYE"

        run(story())

    def test_a_response_whose_connection_is_gone_goes_to_the_source_by_a_new_one(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, listening() as (port, clients):
                server.answers = False
                async with connected(server.ports["TCP"]) as client:
                    await client.send(invite(port))
                    await client.response(100)
                await server.until("it is gone", lambda: len(server.streams) == 0)
                server.perform(Answer(server.dialogs[0], OFFER))
                again = await asyncio.wait_for(clients.get(), 5.0)
                ok = await again.response(200)
                await again.send(inside(ok, "ACK", 1, port))
                await server.next(DialogConfirmed)
                await again.close()

        run(story())

    def test_far_ends_that_are_being_connected_to_are_bounded(self, run: Run, tmp_path: Path) -> None:
        made = Certificates(tmp_path)

        async def story() -> None:
            with socket.create_server((LOOPBACK, 0)) as silent:
                port = silent.getsockname()[1]
                async with serving(StreamLimits(opening=2), trusted=made.client) as ours, serving() as theirs:
                    for name in ("one", "two"):
                        ours.call(remote(port, "TLS", name), dialog=name)
                    ours.call(remote(port, "TLS", "three"), dialog="three")
                    assert (await ours.next(DialogEnded)).dialog == "three"
                    ours.call(remote(port, "TLS", "one"), dialog="four")  # that is being connected to already
                    assert len(ours.endpoint._dialogs) == 3
                    assert len(theirs.streams) == 0

        run(story())

    def test_of_those_opened_that_nobody_uses_any_more_the_longest_silent_gives_way(self, run: Run) -> None:
        """A caller who names another port in each call could have us hold one connection for each."""

        async def story() -> None:
            async with contextlib.AsyncExitStack() as stack:
                ours = await stack.enter_async_context(serving(StreamLimits(opened=2), listens=False))
                far = [await stack.enter_async_context(listening()) for _ in range(4)]
                for number, (port, clients) in enumerate(far):
                    name = f"call {number}"
                    ours.call(remote(port), dialog=name)
                    client = await asyncio.wait_for(clients.get(), 5.0)
                    stack.push_async_callback(client.close)
                    request = await client.next()
                    assert isinstance(request, Request)
                    if number == 0:  # this call goes on ringing: its connection stays
                        await client.send(respond(request, 180, to_tag="rings").write())
                        await ours.next(DialogRinging)
                        continue
                    await client.send(respond(request, 486, to_tag="busy").write())
                    assert (await ours.next(DialogEnded)).dialog == name
                    await client.next()  # the ACK
                    await ours.until("two at most", lambda: len(ours.streams) <= 2)
                assert [each.port for each in ours.streams._opened] == [far[0][0], far[3][0]]

        run(story())

    def test_what_comes_for_a_connection_that_ends_is_lost_at_once_not_later(self, run: Run) -> None:
        """The endpoint knows as soon as nothing goes over a connection, and takes the other way there is."""

        async def story() -> None:
            async with serving() as server, listening() as (port, clients):
                server.answers = False
                async with connected(server.ports["TCP"]) as client:
                    await client.send(invite(port))
                    await client.response(100)
                    await client.send(b"GET / HTTP/1.1\r\n")
                    assert await client.ends() == b""
                    server.perform(Answer(server.dialogs[0], OFFER))
                    again = await asyncio.wait_for(clients.get(), 5.0)
                    await again.response(200)
                    await again.close()

        run(story())


class TestEnding:
    def test_what_was_said_is_sent_before_the_end(self, run: Run) -> None:
        async def story() -> None:
            async with serving() as server, connected(server.ports["TCP"]) as client:
                await client.send(options())
                await server.until("it is there", lambda: len(server.streams) == 1)
                await client.response(200)
                await server.close()
                assert await client.ends() == b""
                assert len(server.streams) == 0
                with pytest.raises(OSError):  # noqa: PT011  # refused; how it is said differs
                    await asyncio.open_connection(LOOPBACK, server.ports["TCP"])

        run(story())

    def test_connections_and_listeners_leave_no_files_open(self, run: Run) -> None:
        def open_files() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        async def talk() -> None:
            async with serving() as ours, serving() as theirs, connected(ours.ports["TCP"]) as client:
                await client.send(options())
                await client.response(200)
                ours.call(remote(theirs.ports["TCP"]))
                await ours.next(DialogAnswered)

        async def story() -> None:
            await talk()  # a loop opens files of its own the first time
            await asyncio.sleep(0.1)
            before = open_files()
            for _ in range(3):
                await talk()
            await Server().until("they are closed", lambda: open_files() <= before)

        run(story())
