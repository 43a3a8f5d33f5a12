"""The ordered lane: rows are written, and what may only be told afterwards is told, in exactly the order asked for.

Rule 1: the database may be away; a call never waits for it. A row that takes longer than `HOLD_UP_S` lets the lane go
on; it and every row after it are owed. What is not a row (a phone rings, a listener is told) is done in its turn.

Rule 2: nothing is cancelled half done, and no row is lost: what is owed is written, in order, once the database is
there again. Of two rows with the same key only the later is: each is its row as a whole.

Rule 3: a row that cannot be written for its own sake (a broken constraint) is logged, and holds nothing up.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

HOLD_UP_S: Final = 1.0
RETRY_S: Final = 1.0
LAST_CHANCE_S: Final = 15.0
AWAY: Final = (OperationalError, InterfaceError, DisconnectionError, NoConnection, OSError)
"""By these a database that is locked, full, or gone makes itself known; what was to be written is not to blame."""

log = structlog.get_logger("hotline.lane")
Work = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Lane:
    """Work is done one piece after another by one task."""

    hold_up_s: float = HOLD_UP_S
    retry_s: float = RETRY_S
    _work: deque[tuple[str, str, Work]] = field(default_factory=deque)
    _owed: dict[str, Work] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _payment: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._idle.set()

    @property
    def away(self) -> bool:
        """Whether the database is away, and rows are owed."""
        return self._payment is not None

    def __len__(self) -> int:
        """How much waits: pieces in the lane, and rows that are owed."""
        return len(self._work) + len(self._owed)

    def start(self) -> None:
        """Begin working."""
        self._task = asyncio.create_task(self._run(), name="ordered lane")

    def put(self, name: str, work: Work) -> None:
        """Add a piece of work that is no row; `name` is what the log calls it."""
        self._add(name, "", work)

    def put_row(self, name: str, key: str, work: Work) -> None:
        """Add a row. `name` and `key` together say which: a later one takes the place of one that is still owed."""
        self._add(name, f"{name} {key}", work)

    async def drained(self) -> None:
        """Wait until everything put so far has had its turn (rows may still be owed)."""
        if self._idle.is_set() or self._task is None:
            return
        reached = asyncio.Event()

        async def reach() -> None:
            reached.set()

        self.put("mark", reach)
        await reached.wait()

    async def stop(self) -> None:
        """Finish what is there, then stop. Rows that the database does not take even now are counted in the log."""
        if self._task is None:
            return
        await self._idle.wait()
        if self._payment is not None:
            await asyncio.wait({self._payment}, timeout=LAST_CHANCE_S)
        if self._owed:
            log.error("rows are lost that the database did not take; journals have them", rows=len(self._owed))
        for task in (self._task, self._payment):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _add(self, name: str, key: str, work: Work) -> None:
        self._work.append((name, key, work))
        self._idle.clear()
        self._arrived.set()

    async def _run(self) -> None:
        while True:
            while self._work:
                await self._attempt(*self._work.popleft())
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()

    async def _attempt(self, name: str, key: str, work: Work) -> None:
        if not key:
            await _contained(name, work)
        elif self.away:
            self._owed[key] = work
        else:
            writing = asyncio.ensure_future(work())
            await asyncio.wait({writing}, timeout=self.hold_up_s)
            if not writing.done() or isinstance(writing.exception(), AWAY):
                self._owed[key] = work
                log.error("the database is away; calls go on, rows wait", row=name, cause=_cause(writing))
                self._payment = asyncio.create_task(self._pay(key, work, writing), name="owed rows")
            elif (error := writing.exception()) is not None:
                log.error("a row was not written; the call's journal has it", row=name, exc_info=error)

    async def _pay(self, key: str, work: Work, writing: asyncio.Future[None]) -> None:
        """Write what is owed, the first of it being written already."""
        while True:
            await asyncio.wait({writing})
            error = writing.exception()
            if isinstance(error, AWAY):
                await asyncio.sleep(self.retry_s)
            else:
                if error is not None:
                    log.error("a row was not written; the call's journal has it", row=key, exc_info=error)
                if self._owed[key] is work:
                    del self._owed[key]
            if not self._owed:
                break
            key, work = next(iter(self._owed.items()))
            writing = asyncio.ensure_future(work())
        self._payment = None
        log.info("the database is there again; every row is written")


async def _contained(name: str, work: Work) -> None:
    try:
        await work()
    except Exception:
        log.exception("a piece of work failed; those after it go on", work=name)


def _cause(writing: asyncio.Future[None]) -> str:
    return str(writing.exception()) if writing.done() else "it takes too long"
