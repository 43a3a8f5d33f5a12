"""How late the loop is."""

import asyncio
import socket

from telephony.edge.lag import EVERY_S, LoopLag, unread
from telephony.edge.process_clock import ProcessClock


class TestLag:
    async def test_it_tells_how_long_others_kept_the_loop(self) -> None:
        clock, told = ProcessClock(), asyncio.Queue[float]()
        lag = LoopLag(clock, told.put_nowait)
        lag.look()
        lag.look()
        begin = clock.now()
        while clock.now() < begin + EVERY_S + 0.05:
            pass
        assert 0.04 < await asyncio.wait_for(told.get(), 5) < 5
        assert told.empty()

    async def test_nothing_after_close(self) -> None:
        told: list[float] = []
        lag = LoopLag(ProcessClock(), told.append)
        lag.look()
        lag.close()
        await asyncio.sleep(2 * EVERY_S)
        assert not told


class TestUnread:
    async def test_what_lies_in_the_kernel(self) -> None:
        ours, theirs = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        transport.pause_reading()
        assert unread(transport) == 0
        theirs.sendall(b"x" * 1000)
        assert unread(transport) == 1000
        transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert unread(transport) == 0
        theirs.close()
