"""What the edge tells the overload control: how long messages waited, by each way in."""

import asyncio
import socket

import pytest

from telephony.sip.overload import OverloadControl
from tests.telephony.edge.streams import LOOPBACK, Server
from tests.telephony.sip.messages import write_request


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[tuple[str, float]]":
    """The way and the wait of each measurement."""
    waits: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    def measured(_: OverloadControl, waited_s: float, worked_s: float, now: float, way: str = "") -> None:
        assert worked_s > 0
        assert now > 1e9
        waits.put_nowait((way, waited_s))

    monkeypatch.setattr(OverloadControl, "measured", measured)
    return waits


def keep_busy(seconds: float) -> None:
    """Keep the loop from everything else."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while loop.time() - begin < seconds:
        pass


async def test_a_datagram_by_its_time_of_arrival(told: "asyncio.Queue[tuple[str, float]]") -> None:
    server = Server()
    address = await server.edge.start(LOOPBACK, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.sendto(write_request("OPTIONS"), address)
        keep_busy(0.05)
        way, waited_s = await asyncio.wait_for(told.get(), 5)
    server.edge.close()
    assert way == ""
    assert 0.05 <= waited_s < 5


async def test_a_connection_by_what_it_has_left_and_by_the_loop(told: "asyncio.Queue[tuple[str, float]]") -> None:
    server = Server()
    port = await server.listen()
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(write_request("OPTIONS", via=f"SIP/2.0/TCP {LOOPBACK}:5060"))
    await reader.readuntil(b"\r\n\r\n")
    connection, left_s = await asyncio.wait_for(told.get(), 5)
    loop, _ = await asyncio.wait_for(told.get(), 5)
    server.edge._lag.look()
    keep_busy(0.1)
    _, late_s = await asyncio.wait_for(told.get(), 5)
    writer.close()
    await server.streams.close()
    server.edge.close()
    assert len(connection) == 32
    assert left_s == 0
    assert loop == "loop"
    assert 0.05 < late_s < 5
