"""The outline of a recording: how loud each channel is, a few times a second, for a waveform to be drawn from."""

import threading
import wave
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

FULL_SCALE: Final = 32768
KEPT_OCTETS: Final = 16 * 1024 * 1024
BLOCK_PEAKS: Final = 1000


class Peaks(msgspec.Struct, frozen=True):
    """`channels` are the caller's and everyone else's peaks, 0 to 1, each of 1 / `per_second` s."""

    seconds: float
    per_second: int
    channels: list[list[float]]


class NoOutline(ValueError):
    """A file that is no 16 bit WAV file; the text says which."""


def peaks(path: Path, per_second: int) -> Peaks:
    """Return the outline of a WAV file, which is mapped, not loaded. Raises `NoOutline` or `OSError`."""
    try:
        with path.open("rb") as file, wave.open(file, "rb") as sound:
            rate, count, frames = sound.getframerate(), sound.getnchannels(), sound.getnframes()
            width, begin = sound.getsampwidth(), file.tell()
    except (EOFError, wave.Error) as error:
        raise NoOutline(f"{path.name} is no WAV file: {error}") from error
    frames = min(frames, (path.stat().st_size - begin) // (2 * count)) if width == 2 else 0
    if width != 2:
        raise NoOutline(f"{path.name} has {8 * width} bit samples; recordings have 16.")
    samples = np.memmap(path, "<i2", "r", begin, (frames, count)) if frames else np.zeros((0, count), "<i2")
    found = np.zeros((-(-frames * per_second // rate), count), np.float64)
    for first in range(0, len(found), BLOCK_PEAKS):
        # Of a rate that is no multiple, some windows are a sample longer than others.
        edges = np.arange(first, min(first + BLOCK_PEAKS, len(found)) + 1) * rate // per_second
        block = np.ascontiguousarray(samples[edges[0] : edges[-1]].T)
        starts = edges[:-1] - edges[0]
        highest, lowest = np.maximum.reduceat(block, starts, axis=1), np.minimum.reduceat(block, starts, axis=1)
        loudest = np.maximum(highest.astype(np.int32), -lowest.astype(np.int32))
        found[first : first + BLOCK_PEAKS] = loudest.T / FULL_SCALE
    return Peaks(round(frames / rate, 3), per_second, [channel.tolist() for channel in found.round(3).T])


@dataclass(frozen=True, slots=True)
class _Key:
    path: Path
    size: int
    changed_ns: int
    per_second: int


class PeaksCache:
    """The last outlines as JSON, in a bounded number of octets. Safe for several threads."""

    def __init__(self, octets: int = KEPT_OCTETS) -> None:
        self._bound = octets
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._octets = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def json(self, path: Path, per_second: int) -> bytes:
        """Return the outline of a file, computed only if it is not known. Raises what `peaks` raises."""
        found = path.stat()
        key = _Key(path, found.st_size, found.st_mtime_ns, per_second)
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        made = msgspec.json.encode(peaks(path, per_second))
        with self._lock:
            self._octets += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._octets > self._bound:
                self._octets -= len(self._kept.popitem(last=False)[1])
        return made
