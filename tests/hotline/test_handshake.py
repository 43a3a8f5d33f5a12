"""TLS for real: the self-made certificate is trusted by whoever is given it, and silence holds nothing for long."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from hotline import connections, handshake, tls


async def scheme(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.scheme} {len(await request.body())}")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"{websocket.url.scheme} {await websocket.receive_text()}")


class Served(NamedTuple):
    port: int
    trusted: ssl.SSLContext
    server: uvicorn.Server


@contextlib.asynccontextmanager
async def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """Run a server over TLS that takes two handshakes at once, each for 0.3 s at most."""
    monkeypatch.setattr(handshake, "HANDSHAKE_S", 0.3)
    monkeypatch.setattr(handshake, "GOODBYE_S", 0.3)
    monkeypatch.setattr(handshake, "MAX_HANDSHAKES", 2)
    made = tls.ensure(folder, ["localhost", "127.0.0.1"], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    app = Starlette(routes=[Route("/", scheme, methods=["GET", "POST"]), WebSocketRoute("/echo", echo)])
    config = uvicorn.Config(
        app,
        http=handshake.over_tls(connections.Connection, context),
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Served(listener.getsockname()[1], ssl.create_default_context(cafile=made.certificate), server)
        finally:
            server.should_exit = True
            await running


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    async with serving(tmp_path, monkeypatch) as made:
        yield made


async def ends(reader: asyncio.StreamReader, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            while await reader.read(1 << 16):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


async def test_who_is_given_the_certificate_trusts_it(served: Served) -> None:
    async with httpx.AsyncClient(verify=served.trusted) as client:
        for host in ("localhost", "127.0.0.1"):
            answer = await client.get(f"https://{host}:{served.port}/")
            assert answer.text == "https 0"
        longer = await client.post(f"https://localhost:{served.port}/", content=b"x" * 300_000)
        assert longer.text == "https 300000"


async def test_a_strict_reading_of_the_standard_trusts_it_too(served: Served) -> None:
    served.trusted.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    async with httpx.AsyncClient(verify=served.trusted) as client:
        assert (await client.get(f"https://localhost:{served.port}/")).status_code == 200


async def test_others_and_other_names_do_not(served: Served) -> None:
    async with httpx.AsyncClient() as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get(f"https://localhost:{served.port}/")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await asyncio.open_connection("127.0.0.1", served.port, ssl=served.trusted, server_hostname="elsewhere")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_request_right_behind_the_handshake_is_answered(served: Served, version: ssl.TLSVersion) -> None:
    served.trusted.minimum_version = served.trusted.maximum_version = version
    for _ in range(20):
        reader, writer = await asyncio.open_connection("localhost", served.port, ssl=served.trusted)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"https 0")
        writer.close()


async def test_a_request_in_one_segment_with_the_end_of_the_handshake_is_answered(served: Served) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = served.trusted.wrap_bio(incoming, outgoing, server_hostname="localhost")
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def more() -> None:
        arrived = await reader.read(1 << 16)
        assert arrived, "the server hung up"
        incoming.write(arrived)

    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    writer.write(outgoing.read())
    await more()
    client.do_handshake()
    client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    writer.write(outgoing.read())
    answer = b""
    while not answer.endswith(b"https 0"):
        try:
            answer += client.read(1 << 16)  # one record of many
        except ssl.SSLWantReadError:
            await more()
    assert answer.startswith(b"HTTP/1.1 200")
    writer.close()


async def test_websockets_go_over_it(served: Served) -> None:
    async with connect(f"wss://localhost:{served.port}/echo", ssl=served.trusted) as websocket:
        await websocket.send("hello")
        assert await websocket.recv() == "wss hello"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\xff" * 5000])
async def test_who_shakes_no_hands_is_dropped(served: Served, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(said)
    assert await ends(reader, 2)
    assert not served.server.server_state.connections
    writer.close()


async def test_too_many_silent_ones_keep_nobody_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_S", 30.0)
    silent = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(4)]
    async with httpx.AsyncClient(verify=served.trusted) as client:
        assert (await client.get(f"https://localhost:{served.port}/")).status_code == 200
    assert [await ends(reader, 0.3) for reader, _ in silent[:3]] == [True] * 3  # the oldest gave way
    assert not await ends(silent[3][0], 0.1)
    for _, writer in silent:
        writer.close()


async def test_who_is_private_and_says_nothing_is_dropped_as_in_the_clear(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.2)
    reader, writer = await asyncio.open_connection("localhost", served.port, ssl=served.trusted)
    assert await ends(reader, 2)
    writer.close()


async def _silence_ends(served: Served) -> None:
    await test_who_shakes_no_hands_is_dropped(served, b"")


@pytest.mark.parametrize(
    "behaviour",
    [
        test_who_is_given_the_certificate_trusts_it,
        test_a_request_in_one_segment_with_the_end_of_the_handshake_is_answered,
        test_websockets_go_over_it,
        _silence_ends,
    ],
)
def test_it_is_the_same_on_uvloop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: Callable[[Served], Awaitable[None]]
) -> None:
    """The program runs on uvloop, whose TLS is another than asyncio's."""

    async def run() -> None:
        async with serving(tmp_path, monkeypatch) as served:
            await behaviour(served)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_without_a_file_descriptor_the_connection_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", refuse)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    assert await ends(reader, 1.0)
    writer.close()
