"""Live audio on its way out of a media worker: a Unix stream socket of its own, so that no listener can delay a tick.

Rule 1: a row is written whole or not at all. What the socket does not take at once waits, a quarter of a second of it
at most; rows that come after that are dropped, and the next row that is written says how many.

Rule 2: it is not the link to the control process. What is lost here is lost; commands and events never are.

A frame, little endian: the stream's name in 32 octets (padded with NUL), the tick, how many rows of this stream were
dropped before this one, then 160 samples of the leg and of everybody else in turn, 16 bit each.
"""

import contextlib
import logging
import socket
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples

NAME_OCTETS: Final = 32
HEAD: Final = struct.Struct(f"<{NAME_OCTETS}sqI")
FRAME_OCTETS: Final = HEAD.size + SAMPLES_PER_TICK * 2 * 2
WAITING_FRAMES: Final = 12

log = logging.getLogger("hotline.media")


@dataclass(frozen=True, slots=True)
class LiveRow:
    """20 ms of a stream: `samples` are int16[160, 2], the leg and everybody else."""

    stream: str
    tick: int
    dropped: int
    samples: Samples


class LiveAudio:
    """A worker's half: one connection to each path that streams were asked for by."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._waiting: dict[str, bytearray] = {}
        self._path_of: dict[str, str] = {}
        self._dropped: dict[str, int] = {}

    def begin(self, stream: str, path: str) -> None:
        """Connect, unless there is a connection. Raises `OSError` where nobody listens, or would have to be waited
        for."""
        if len(stream.encode()) > NAME_OCTETS:
            raise OSError(f"the stream's name {stream!r} has more than {NAME_OCTETS} octets")
        if path not in self._sockets:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            try:
                connection.connect(path)
            except OSError:
                connection.close()
                raise
            self._sockets[path], self._waiting[path] = connection, bytearray()
        self._path_of[stream], self._dropped[stream] = path, 0

    def put(self, tick: int, live: list[tuple[str, Samples]]) -> list[tuple[str, str]]:
        """Send the rows of a tick. Return the streams that nobody takes any more, and why."""
        for stream, samples in live:
            path = self._path_of.get(stream, "")
            if path not in self._sockets:
                continue
            waiting = self._waiting[path]
            if len(waiting) + FRAME_OCTETS > WAITING_FRAMES * len(self._path_of) * FRAME_OCTETS:
                self._dropped[stream] += 1
                continue
            waiting += HEAD.pack(stream.encode(), tick, self._dropped[stream]) + samples.astype("<i2").tobytes()
            self._dropped[stream] = 0
        return [lost for path in list(self._sockets) for lost in self._flush(path)]

    def end(self, stream: str) -> None:
        """Forget a stream; what it still has to say is said."""
        path = self._path_of.pop(stream, None)
        dropped = self._dropped.pop(stream, 0)
        if dropped:
            log.info("live_audio_dropped stream=%s rows=%d", stream, dropped)
        if path in self._sockets and path not in self._path_of.values():
            self._flush(path)
            self._close(path)

    def close(self) -> None:
        """Close every connection."""
        for path in list(self._sockets):
            self._close(path)

    def _flush(self, path: str) -> list[tuple[str, str]]:
        waiting = self._waiting[path]
        try:
            while waiting:
                del waiting[: self._sockets[path].send(waiting)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._close(path)
            streams = [stream for stream, of in self._path_of.items() if of == path]
            return [(stream, f"nobody takes live audio any more: {error}") for stream in streams]
        return []

    def _close(self, path: str) -> None:
        connection = self._sockets.pop(path, None)
        self._waiting.pop(path, None)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


class LiveRows:
    """The other half: octets in, rows out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[LiveRow]:
        """Return the rows that are whole by now."""
        self._buffer += octets
        rows = [self._row(begin) for begin in range(0, len(self._buffer) - FRAME_OCTETS + 1, FRAME_OCTETS)]
        del self._buffer[: len(rows) * FRAME_OCTETS]
        return rows

    def _row(self, begin: int) -> LiveRow:
        name, tick, dropped = HEAD.unpack_from(self._buffer, begin)
        octets = bytes(self._buffer[begin + HEAD.size : begin + FRAME_OCTETS])
        samples = np.frombuffer(octets, "<i2").astype(np.int16, copy=False).reshape(SAMPLES_PER_TICK, 2)
        return LiveRow(name.rstrip(b"\0").decode(errors="replace"), tick, dropped, samples)
