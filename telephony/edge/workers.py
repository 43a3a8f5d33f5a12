"""Worker processes: started, spoken to over a Unix socket, watched, and started again when they die."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import msgspec
import structlog

from telephony.edge.wire import Decoder, FrameTooLong, encode, read_messages
from telephony.events import Command, WorkerDied, WorkerKind, WorkerStarted

FIRST_RESTART_S: Final = 0.2
LONGEST_RESTART_S: Final = 30.0
STEADY_S: Final = 60.0
STOP_S: Final = 5.0
QUEUED_MESSAGES: Final = 10_000

log = structlog.get_logger("hotline.workers")
M = TypeVar("M")


class WorkerUnstartable(RuntimeError):
    """A worker died before it said that it had started."""


class Sender(Protocol):
    """What takes messages for a worker."""

    def send(self, message: Command) -> None:
        """Send one message."""


@dataclass(slots=True)
class _Running:
    process: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    started: asyncio.Event = field(default_factory=asyncio.Event)


class Worker(Generic[M]):
    """One worker process. `on_message` gets all it says; `on_died` is told of each death, after which it is restarted.

    The child gets its end of a socket pair as `--fd N`. A child whose socket closes exits by itself, so a control
    process that is killed leaves none behind.
    """

    def __init__(
        self,
        kind: WorkerKind,
        module: str,
        arguments: Sequence[str],
        union: object,
        on_message: Callable[[M], None],
        on_died: Callable[[WorkerDied], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.kind: Final = kind
        # Secrets go this way: every user of the machine may read a process's arguments.
        self._environment = dict(environment or {})
        self._command = (sys.executable, "-m", module, *arguments)
        self._union = union
        self._on_message = on_message
        self._on_died = on_died
        self._running: _Running | None = None
        self._waiting: deque[bytes] = deque(maxlen=QUEUED_MESSAGES)
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def process_id(self) -> int:
        """The worker's process id, 0 while there is none."""
        return self._running.process.pid if self._running is not None else 0

    @property
    def ready(self) -> bool:
        """Whether the worker has said that it started."""
        return self._running is not None and self._running.started.is_set()

    async def start(self, timeout_s: float = 20.0) -> None:
        """Start the process and wait until it answers. Raises `WorkerUnstartable`."""
        running = await self._spawn()
        self._watch = asyncio.create_task(self._watch_over(running), name=f"worker {self.kind}")
        started = asyncio.create_task(running.started.wait())
        gone = asyncio.create_task(running.process.wait())
        try:
            await asyncio.wait({started, gone}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
            gone.cancel()
        if not running.started.is_set():
            await self.stop()
            raise WorkerUnstartable(f"the {self.kind} worker did not start; its messages are above")

    def come_up(self) -> None:
        """Have the process started once the loop is free, and wait for nothing. What keeps it from starting is logged,
        and it is tried again; it gets what is sent meanwhile."""
        self._watch = asyncio.create_task(self._come_up(), name=f"worker {self.kind}")

    def send(self, message: msgspec.Struct) -> None:
        """Send a message; while there is no process, before the first or between two, it waits."""
        if self._running is not None:
            self._running.writer.write(encode(message))
        else:
            self._waiting.append(encode(message))

    def kill(self) -> None:
        """End the process at once: it hangs. Another is started in its place."""
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                self._running.process.kill()

    async def stop(self) -> None:
        """End the process: first by closing its socket, then by SIGKILL."""
        self._stopping = True
        if self._running is not None:
            self._running.writer.close()
            await _end(self._running.process)
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    async def _come_up(self) -> None:
        await self._watch_over(await self._spawn_again(0.0))

    async def _spawn(self) -> _Running:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.ExitStack() as unless_started, theirs:
            unless_started.callback(ours.close)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--fd",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                # A signal to our process group (Ctrl-C) is for the control process, which drains while workers work.
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **self._environment, "PYTHONUNBUFFERED": "1"},
            )
            unless_started.pop_all()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        running = _Running(process, writer)
        self._running = running
        for frame in self._waiting:
            writer.write(frame)
        self._waiting.clear()
        self._reading = asyncio.create_task(self._read(reader, running))
        return running

    async def _read(self, reader: asyncio.StreamReader, running: _Running) -> None:
        decoder: Decoder[M] = Decoder(self._union)
        try:
            while messages := await read_messages(reader, decoder):
                for message in messages:
                    if isinstance(message, WorkerStarted):
                        running.started.set()
                    self._take(message)
        except ConnectionError:
            pass  # its end; the watch knows
        except (FrameTooLong, msgspec.MsgspecError) as error:
            log.error("a worker cannot be understood; it is started again", worker=self.kind, cause=str(error))
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()

    def _take(self, message: M) -> None:
        try:
            self._on_message(message)
        except Exception:
            log.exception("a worker's message was not taken", worker=self.kind, kind=type(message).__name__)

    async def _watch_over(self, running: _Running) -> None:
        pause_s = FIRST_RESTART_S
        while True:
            started_at = asyncio.get_running_loop().time()
            code = await running.process.wait()
            await self._reading
            self._running = None
            running.writer.close()
            if self._stopping:
                return
            self._on_died(WorkerDied(self.kind, running.process.pid, _cause(code)))
            steady = asyncio.get_running_loop().time() - started_at > STEADY_S
            pause_s = FIRST_RESTART_S if steady else min(pause_s * 2, LONGEST_RESTART_S)
            running = await self._spawn_again(pause_s)
            log.info("worker restarted", worker=self.kind, process=running.process.pid)

    async def _spawn_again(self, pause_s: float) -> _Running:
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await self._spawn()
            except OSError as error:  # out of memory, processes or descriptors: perhaps not for long
                log.error("a worker cannot be started; trying again", worker=self.kind, cause=str(error))
                pause_s = min(max(pause_s, FIRST_RESTART_S) * 2, LONGEST_RESTART_S)


def _cause(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
