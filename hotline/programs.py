"""The programs that a story starts, such as a phone or a server, each a process of its own, and what they say."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import Any


class ProgramFailed(RuntimeError):
    """A program did not do its part of a story; the text says what it said last."""


@dataclass(slots=True)
class Process:
    """A program of the story, its JSON lines of progress, and what it complained of."""

    name: str
    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def until(self, event: str, timeout_s: float) -> dict[str, Any]:
        """Wait for a line with this `event`. Raises `ProgramFailed`."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for line in self.lines:
                        if line.get("event") == event:
                            return line
                    if all(task.done() for task in self.tasks):
                        raise ProgramFailed(f"{self.name} ended before `{event}`:\n{self.said()}")
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise ProgramFailed(f"{self.name}: no `{event}` within {timeout_s:g} s:\n{self.said()}") from None

    def tell(self, line: str) -> None:
        """Write a line to a program that was started with `told`; one that has ended hears nothing."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(f"{line}\n".encode())

    async def end(self, timeout_s: float) -> int:
        """Wait for the process's end, and make it end after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await asyncio.gather(*self.tasks)
        return self.process.returncode or 0

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        await self.end(10)

    def said(self) -> str:
        """Return the last lines of what it said."""
        return "".join([*(f"{json.dumps(line)}\n" for line in self.lines[-5:]), *self.errors[-15:]]).rstrip()


async def spawn(name: str, *command: str, told: bool = False) -> Process:
    """Start `python -m COMMAND`; with `told` it reads what it is told (`Process.tell`)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        stdin=asyncio.subprocess.PIPE if told else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(name, process)
    running.tasks = [asyncio.create_task(work(running)) for work in (_read_lines, _read_errors, _end)]
    for task in running.tasks:
        task.add_done_callback(lambda _: running.changed.set())
    return running


async def _end(running: Process) -> None:
    await running.process.wait()


async def _read_lines(running: Process) -> None:
    stream = running.process.stdout
    while stream is not None and (line := await stream.readline()):
        with contextlib.suppress(json.JSONDecodeError):
            parsed = json.loads(line)
            if isinstance(parsed, dict):
                running.lines.append(parsed)
        running.changed.set()


async def _read_errors(running: Process) -> None:
    stream = running.process.stderr
    while stream is not None and (line := await stream.readline()):
        running.errors.append(line.decode(errors="replace"))
        if line.strip() == b"ready":
            running.lines.append({"event": "ready"})
        running.changed.set()
