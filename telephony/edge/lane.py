"""The ordered lane: rows are written, and what may only be told afterwards is told, in exactly the order asked for."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

WRITE_TIMEOUT_S: Final = 5.0

log = structlog.get_logger("hotline.lane")
Work = Callable[[], Awaitable[None]]


class Lane:
    """Work is done one piece after another by one task. A piece that fails is logged and does not hold up the rest:
    a call goes on while the database is away, and its journal keeps what the row lacks."""

    def __init__(self) -> None:
        self._work: deque[tuple[str, Work]] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin working."""
        self._task = asyncio.create_task(self._run(), name="ordered lane")

    def put(self, name: str, work: Work) -> None:
        """Add a piece of work; `name` is what the log calls it."""
        self._work.append((name, work))
        self._idle.clear()
        self._arrived.set()

    async def drained(self) -> None:
        """Wait until everything put so far is done."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Finish what is there, then stop."""
        if self._task is None:
            return
        await self.drained()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            while self._work:
                name, work = self._work.popleft()
                await _attempt(name, work)
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()


async def _attempt(name: str, work: Work) -> None:
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await work()
    except Exception:
        log.exception("a row was not written; the call's journal has it", work=name)
