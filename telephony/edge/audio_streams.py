"""Live audio on its way through the control process: from media workers to whoever listens, and never in anybody's way.

Rule 1: a listener that is slow loses the oldest audio, two seconds behind, and is told how much. No queue grows.

Rule 2: a stream ends with its call. It goes on from another worker when its own is gone, some ticks later.
"""

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.edge.live_audio import LiveRow, LiveRows
from telephony.events import StartStream, StopStream, StreamStopped
from telephony.media.g711 import Samples
from telephony.media.resampling import Doubling

MOST_STREAMS: Final = 16
BACKLOG_ROWS: Final = 2 * TICKS_PER_S
READ_OCTETS: Final = 65536


class TooManyStreams(RuntimeError):
    """As many listen already as this process can serve beside its calls."""


@dataclass(slots=True)
class AudioStream:
    """One listener's rows."""

    name: str
    dropped: int = 0
    """Rows that never reached the listener since it was told last."""
    ended: bool = False
    cause: str = ""
    _next_tick: int = 0
    _rows: deque[LiveRow] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, row: LiveRow) -> None:
        """Add a row; where the listener is two seconds behind, the oldest goes."""
        # A tick that the worker skipped, or that was nobody's because the worker was gone, is missing like any other.
        self.dropped += max(row.dropped, row.tick - self._next_tick if self._next_tick else 0)
        self._next_tick = row.tick + 1
        if len(self._rows) >= BACKLOG_ROWS:
            self._rows.popleft()
            self.dropped += 1
        self._rows.append(row)
        self._arrived.set()

    def end(self, cause: str = "") -> None:
        """Say that no more will come."""
        self.ended, self.cause = True, cause
        self._arrived.set()

    async def block(self, ticks: int) -> list[LiveRow]:
        """Wait for so many rows and return them, fewer at the end, none after it."""
        while len(self._rows) < ticks and not self.ended:
            self._arrived.clear()
            await self._arrived.wait()
        return [self._rows.popleft() for _ in range(min(ticks, len(self._rows)))]


class AudioStreams:
    """The running streams, and the socket that media workers send them to."""

    def __init__(self, to_media: Callable[[StartStream | StopStream], None]) -> None:
        self._folder = ""
        self._to_media = to_media
        self._streams: dict[str, AudioStream] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError`."""
        # A folder that nobody else may read; one of ours could have a path too long for a socket (108 octets).
        self._folder = tempfile.mkdtemp(prefix="hotline-")
        self._server = await asyncio.start_unix_server(self._connected, self._path)

    @property
    def folder(self) -> Path:
        """Where sockets for audio may be, once it has started; it goes with the streams."""
        return Path(self._folder)

    @property
    def _path(self) -> Path:
        return self.folder / "audio"

    async def stop(self) -> None:
        """End every stream."""
        for stream in self._streams.values():
            stream.end("the server stops")
        if self._server is not None:
            self._server.close()
        for reader in list(self._readers):
            reader.cancel()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def listen(self, leg: str) -> AudioStream:
        """Have a leg's talk streamed. Raises `TooManyStreams`."""
        if len(self._streams) >= MOST_STREAMS:
            raise TooManyStreams
        stream = AudioStream(uuid.uuid4().hex)
        self._streams[stream.name] = stream
        self._to_media(StartStream(stream.name, leg, str(self._path)))
        return stream

    def leave(self, stream: AudioStream) -> None:
        """End it from the listener's side."""
        if self._streams.pop(stream.name, None) is not None and not stream.ended:
            self._to_media(StopStream(stream.name))

    def stopped(self, event: StreamStopped) -> None:
        """The worker says that a stream is over. Its last rows may still be on their way; they are a quarter of a
        second at most, of a call that has ended."""
        stream = self._streams.get(event.stream)
        if stream is not None:
            stream.end(event.cause)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._readers.add(task)
            task.add_done_callback(self._readers.discard)
        rows = LiveRows()
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(READ_OCTETS):
                for row in rows.feed(octets):
                    stream = self._streams.get(row.stream)
                    if stream is not None:
                        stream.put(row)
        writer.close()


class Shaper:
    """Rows as the listener wants them: stereo, 16 bit little endian, at 8 or 16 kHz."""

    def __init__(self, rate: int) -> None:
        self._doubling = (Doubling(), Doubling()) if rate == 2 * SAMPLES_PER_TICK * TICKS_PER_S else None

    def octets(self, rows: list[LiveRow]) -> bytes:
        """Return the octets of rows that follow one another."""
        samples: Samples = np.concatenate([row.samples for row in rows])
        if self._doubling is not None:
            channels = [each.take(np.ascontiguousarray(samples[:, i])) for i, each in enumerate(self._doubling)]
            samples = np.stack(channels, axis=-1)
        return samples.astype("<i2").tobytes()
