"""Between the funnel and the speech workers: prompts resolved to sample files, finished recordings transcribed.

A prompt is rendered once and kept by its content; `Play` waits for what is not there yet, for a bounded time. One
recording is transcribed at a time, in the order in which they ended; a worker that dies over one is given it once more.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from telephony.edge.clips import TONE
from telephony.events import (
    FileTranscribed,
    Play,
    PlaySamples,
    Prompt,
    PromptFinished,
    PromptRendered,
    RenderPrompt,
    SeekPlaying,
    TranscribeFile,
)

RENDER_TIMEOUT_S: Final = 10.0
ATTEMPTS: Final = 2

Send = Callable[[RenderPrompt], None]


@dataclass(slots=True)
class _Waiting:
    play: Play
    paths: tuple[str, ...]
    missing: set[str]


@dataclass(slots=True)
class _Rendering:
    command: RenderPrompt
    attempts: int
    expiry: asyncio.TimerHandle


class Prompts:
    """Resolves `Play` into `PlaySamples`; `path_of(prompt)` names the cached file of a prompt by its content. Tones
    have none: the media worker makes them."""

    def __init__(
        self,
        path_of: Callable[[Prompt], Path],
        render: Callable[[RenderPrompt], None],
        ready: Callable[[PlaySamples], None],
        failed: Callable[[PromptFinished], None],
    ) -> None:
        self._path_of = path_of
        self._render = render
        self._ready = ready
        self._failed = failed
        self._waiting: dict[str, _Waiting] = {}
        self._rendering: dict[str, _Rendering] = {}

    def play(self, play: Play) -> None:
        """Play at once if every prompt is there, else when the last one is."""
        paths = tuple(self._path(prompt) for prompt in play.prompts)
        missing = {path for path in paths if not (path.startswith(TONE) or Path(path).exists())}
        before = self._waiting.pop(play.leg, None)  # a new playback takes the place of the last
        if before is not None:
            self._failed(PromptFinished(play.leg, before.play.playback, "stopped", 0))
        if not missing:
            self._start(play, paths)
            return
        self._waiting[play.leg] = _Waiting(play, paths, missing)
        self.prepare(tuple(prompt for prompt, path in zip(play.prompts, paths, strict=True) if path in missing))

    def prepare(self, prompts: tuple[Prompt, ...]) -> None:
        """Have prompts rendered before anyone needs them."""
        for prompt in prompts:
            path = self._path(prompt)
            if prompt.kind != "tone" and path not in self._rendering and not Path(path).exists():
                command = RenderPrompt(path, prompt.kind, prompt.value, prompt.language, path)
                expiry = asyncio.get_running_loop().call_later(
                    RENDER_TIMEOUT_S, self.rendered, PromptRendered(path, f"not rendered in {RENDER_TIMEOUT_S:.0f} s")
                )
                self._rendering[path] = _Rendering(command, 1, expiry)
                self._render(command)

    def cancel(self, leg: str, playback: str | None = None, tick: int = 0) -> bool:
        """Forget what a leg waits to hear, saying that it was stopped; true if there was such a thing."""
        waiting = self._waiting.get(leg)
        if waiting is None or (playback is not None and waiting.play.playback != playback):
            return False
        del self._waiting[leg]
        self._failed(PromptFinished(leg, waiting.play.playback, "stopped", tick))
        return True

    def seek(self, seek: SeekPlaying) -> bool:
        """Let what a leg waits to hear begin elsewhere; true if there was such a thing."""
        waiting = self._waiting.get(seek.leg)
        if waiting is None or waiting.play.playback != seek.playback:
            return False
        begins_ms = max(0, seek.to_ms + (waiting.play.offset_ms if seek.relative else 0))
        waiting.play = msgspec.structs.replace(waiting.play, offset_ms=begins_ms)
        return True

    def rendered(self, event: PromptRendered) -> None:
        """Take the renderer's answer and start, or fail, every playback that waited for it."""
        rendering = self._rendering.pop(event.key, None)
        if rendering is not None:
            rendering.expiry.cancel()
        for leg, waiting in list(self._waiting.items()):
            if event.key not in waiting.missing:
                continue
            waiting.missing.discard(event.key)
            if event.cause:
                del self._waiting[leg]
                self._failed(PromptFinished(leg, waiting.play.playback, "failed", 0, event.cause))
            elif not waiting.missing:
                del self._waiting[leg]
                self._start(waiting.play, waiting.paths)

    def renderer_died(self) -> None:
        """Ask the next renderer for what the last one owed; what two of them died over is given up."""
        for key, rendering in list(self._rendering.items()):
            if rendering.attempts >= ATTEMPTS:
                self.rendered(PromptRendered(key, "the rendering worker died over it"))
            else:
                rendering.attempts += 1
                self._render(rendering.command)

    def _path(self, prompt: Prompt) -> str:
        return TONE + prompt.value if prompt.kind == "tone" else str(self._path_of(prompt))

    def _start(self, play: Play, paths: tuple[str, ...]) -> None:
        self._ready(
            PlaySamples(
                play.leg,
                play.playback,
                paths,
                play.barge_in,
                play.loop,
                play.level_db,
                play.offset_ms,
                play.barge_in_by_voice,
            )
        )


class Transcriptions:
    """The line of recordings before the one transcribing worker."""

    def __init__(self, send: Callable[[TranscribeFile], None], done: Callable[[FileTranscribed], None]) -> None:
        self._send = send
        self._done = done
        self._line: deque[TranscribeFile] = deque()
        self._current: TranscribeFile | None = None
        self._attempts = 0

    def __len__(self) -> int:
        return len(self._line) + (self._current is not None)

    def add(self, command: TranscribeFile) -> None:
        """Put a recording at the end of the line."""
        self._line.append(command)
        self._next()

    def transcribed(self, event: FileTranscribed) -> None:
        """Take the worker's answer, and give it the next recording."""
        if self._current is not None and self._current.recording == event.recording:
            self._current = None
            self._done(event)
            self._next()

    def transcriber_died(self) -> None:
        """Give the recording in hand to the next worker, once."""
        if self._current is None:
            return
        if self._attempts >= ATTEMPTS:
            self.transcribed(
                FileTranscribed(self._current.recording, "failed", cause="the transcribing worker died over it")
            )
        else:
            self._attempts += 1
            self._send(self._current)

    def _next(self) -> None:
        if self._current is None and self._line:
            self._current = self._line.popleft()
            self._attempts = 1
            self._send(self._current)
