"""Connections of people who have shown no token: how many, and for how long."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from hotline import connections

SLOW = b"GET / HTTP/1.1\r\nHost: hotline\r\n"
WHOLE = SLOW + b"\r\n"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server that takes three connections, each of which has 0.2 s to ask."""
    monkeypatch.setattr(connections, "REQUEST_S", 0.2)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    config = uvicorn.Config(PlainTextResponse("hello"), http=connections.Connection, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await running


async def opened(port: int, request: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    return reader, writer


async def is_dropped(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(2):
            await reader.read()
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize("begun", [b"", SLOW, WHOLE, WHOLE + SLOW])
async def test_who_asks_for_nothing_or_never_ends_asking_is_dropped(port: int, begun: bytes) -> None:
    reader, writer = await opened(port, begun)
    assert await is_dropped(reader)
    writer.close()


async def test_who_asks_again_and_again_stays(port: int) -> None:
    reader, writer = await opened(port)
    for _ in range(8):
        writer.write(WHOLE)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.1)
    writer.close()


async def test_there_are_only_so_many(port: int) -> None:
    kept = [await opened(port) for _ in range(3)]
    reader, writer = await opened(port, WHOLE)
    assert await is_dropped(reader)
    for _, each in [*kept, (reader, writer)]:
        each.close()
    await asyncio.sleep(0.1)
    reader, writer = await opened(port, WHOLE)
    assert await reader.readuntil(b"hello")
    writer.close()
