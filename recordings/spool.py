"""The spool of a recording: an append-only file of interleaved samples, written while the call lasts.

Rule 1: what is in the file stays as it is. A process that is killed leaves a spool that lacks at most the last
`BUFFER_TICKS` and may end in a torn row; both are read as they are.

Rule 2: row n is tick `first_tick` + n. A tick that was not written in time is a row of silence, so that rows and ticks
cannot drift apart.

Rule 3: a spool says itself what it is: how many channels, which tick its first row is, whose recording. So a process
that goes on with the recording of another writes a part of its own (`part_path`), and the parts are laid one after the
other by their ticks; what nobody recorded between them is silence, and a gap.

Layout, little endian: magic, version, channels, rate, first tick, length of the recording's name, the name in UTF-8;
then frames of one signed 16-bit sample per channel.
"""

import contextlib
import glob
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, TICK_S, TICKS_PER_S

MAGIC: Final = b"HLSPOOL\n"
VERSION: Final = 1
CHANNELS: Final = 2
"""The caller, and everybody else."""
MOST_CHANNELS: Final = 8
"""Of a recording with a channel per leg."""
BUFFER_TICKS: Final = TICKS_PER_S // 5
MISSING_PARTS: Final = 3
"""So many parts in a row are looked for by who reads a spool while it grows."""
LONGEST_GAP_TICKS: Final = 24 * 3600 * TICKS_PER_S
"""A tick further ahead than this is not a gap, it is a mistake; the disk is not filled with silence for it."""

_HEAD: Final = struct.Struct("<8sHHIqH")
_CHANNEL_OCTETS: Final = SAMPLES_PER_TICK * 2
"""Of a row, for each channel."""
_WAV_HEAD: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_COPY_ROWS: Final = 60 * TICKS_PER_S

Samples = npt.NDArray[np.int16]


class SpoolDamaged(ValueError):
    """A file that is no spool, or one whose header cannot be trusted."""


class SpoolNotBegun(SpoolDamaged):
    """A spool whose header is not whole: its writer has only just made the file, or died that very moment."""


@dataclass(frozen=True, slots=True)
class Spool:
    """A spool as read: samples int16[ticks * 160, channels], mapped from the file, without half a row at the end."""

    recording: str
    first_tick: int
    rate: int
    samples: Samples

    @property
    def ticks(self) -> int:
        """Whole rows of 20 ms."""
        return len(self.samples) // SAMPLES_PER_TICK


@dataclass(frozen=True, slots=True)
class Closed:
    """A spool turned into a WAV file. `gaps` are the rows, from and until, of which no part has anything."""

    ticks: int
    first_tick: int
    seconds: float
    gaps: tuple[tuple[int, int], ...] = ()


def part_path(path: str | Path, part: int) -> Path:
    """Return where part number `part` of the recording that is spooled at `path` is; the first, 0, is the spool."""
    return Path(f"{path}.{part}") if part else Path(path)


def parts_of(path: Path) -> list[Path]:
    """Return the parts that there are of a recording, in their order, none where it was never begun. Some may be
    missing: their writers died too soon."""
    numbers = (each.suffix[1:] for each in path.parent.glob(f"{glob.escape(path.name)}.*"))
    after = [part_path(path, number) for number in sorted(int(each) for each in numbers if each.isdecimal())]
    return [*([path] if path.is_file() else []), *after]


class SpoolWriter:
    """Writes one recording. Every method may raise `OSError`: the disk is full or gone, and the recording over."""

    def __init__(self, path: Path, recording: str, first_tick: int, channels: int = CHANNELS) -> None:
        """Begin a new file. Raises `FileExistsError` rather than touch one that is there."""
        name = recording.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.first_tick = first_tick
        self._row_octets = channels * _CHANNEL_OCTETS
        self._next_tick = first_tick
        self._buffer = bytearray()
        # Spools that began together are not written together.
        self._phase = crc32(name) % BUFFER_TICKS
        try:
            self._append(_HEAD.pack(MAGIC, VERSION, channels, SAMPLE_RATE_HZ, first_tick, len(name)) + name)
        except OSError:
            os.close(self._file)
            raise

    @property
    def ticks(self) -> int:
        """Rows taken so far, those that are still buffered among them."""
        return self._next_tick - self.first_tick

    def write(self, tick: int, row: Samples) -> None:
        """Take the row of `tick`, int16[160, channels]. Ticks left out become silence; one taken before is not again.

        Raises `ValueError` for a tick that cannot be this recording's.
        """
        if tick - self._next_tick > LONGEST_GAP_TICKS:
            raise ValueError(f"tick {tick} lies {tick - self._next_tick} ticks ahead of the spool")
        if tick < self._next_tick:
            return
        self.pad_to(tick)
        self._buffer += np.ascontiguousarray(row, "<i2").tobytes()
        self._next_tick = tick + 1
        if tick % BUFFER_TICKS == self._phase:
            self._flush()

    def pad_to(self, tick: int) -> None:
        """Fill up with silence as far as `tick`, which is not written."""
        while self._next_tick < tick:
            rows = min(tick - self._next_tick, BUFFER_TICKS)
            self._buffer += bytes(rows * self._row_octets)
            self._next_tick += rows
            if len(self._buffer) >= BUFFER_TICKS * self._row_octets:
                self._flush()

    def close(self) -> int:
        """Write what is buffered, wait until the disk has it, and return the number of rows."""
        try:
            self._flush()
            os.fsync(self._file)
        finally:
            self.abandon()
        return self.ticks

    def abandon(self) -> None:
        """Close the file as it is, after an error."""
        # The number may be another file's by the next time.
        file, self._file = self._file, -1
        with contextlib.suppress(OSError):
            os.close(file)

    def _flush(self) -> None:
        if self._buffer:
            self._append(bytes(self._buffer))
            self._buffer.clear()

    def _append(self, octets: bytes) -> None:
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self._file, rest) :]


def read_spool(path: Path) -> Spool:
    """Read a spool, closed or not. Raises `SpoolDamaged` or `OSError`."""
    with path.open("rb") as file:
        head = _read_head(file, path)
    if head is None:
        raise SpoolDamaged(f"{path} ends within its header; there is no audio in it")
    ticks = (path.stat().st_size - head.octets) // (head.channels * _CHANNEL_OCTETS)
    shape = (ticks * SAMPLES_PER_TICK, head.channels)
    # An empty file part cannot be mapped.
    samples = np.memmap(path, "<i2", "r", head.octets, shape) if ticks else np.zeros(shape, "<i2")
    return Spool(head.recording, head.first_tick, SAMPLE_RATE_HZ, samples)


class SpoolReader:
    """Reads a spool while it grows, row by row, and then the part that goes on with it; a gap between the two is read
    as silence. What was read stays as it is (rule 1), and so does the file when its name is removed. Methods may raise
    `OSError` and `SpoolDamaged`."""

    def __init__(self, path: Path) -> None:
        """Open a spool. Raises `SpoolNotBegun` before its header is there, `SpoolDamaged` or `OSError`."""
        self._path = path
        self._part, self._file, head = _first_part(path)
        self._begin = head.octets
        self._first_tick = head.first_tick
        self._part_tick = head.first_tick
        self.channels = head.channels
        self._row_octets = head.channels * _CHANNEL_OCTETS
        self.position = 0
        """Rows that lie behind the reader."""

    @property
    def rows(self) -> int:
        """Whole rows of 20 ms that the spool has by now."""
        self._go_on()
        return self._part_tick - self._first_tick + self._rows_of_part()

    def read(self, most: int) -> Samples:
        """Return the next rows as int16[n, 160, channels], at most so many, none when there is nothing new."""
        self._go_on()
        missing = min(most, self._part_tick - self._first_tick - self.position)
        if missing > 0:
            self.position += missing
            return np.zeros((missing, SAMPLES_PER_TICK, self.channels), np.int16)
        at = self._begin + (self.position + self._first_tick - self._part_tick) * self._row_octets
        octets = os.pread(self._file.fileno(), most * self._row_octets, at)
        rows = len(octets) // self._row_octets
        self.position += rows
        samples = np.frombuffer(octets, "<i2", rows * SAMPLES_PER_TICK * self.channels)
        return samples.astype(np.int16, copy=False).reshape(rows, SAMPLES_PER_TICK, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rows_of_part(self) -> int:
        return (os.fstat(self._file.fileno()).st_size - self._begin) // self._row_octets

    def _go_on(self) -> None:
        """Go over to the next part once it is there and this one is read to its end."""
        if self.position + self._first_tick < self._part_tick + self._rows_of_part():
            return
        for number in range(self._part + 1, self._part + 1 + MISSING_PARTS):
            try:
                file, head = _open_spool(part_path(self._path, number))
            except (FileNotFoundError, SpoolNotBegun):
                continue
            self._file.close()
            self._file, self._begin, self._part_tick = file, head.octets, head.first_tick
            self._part = number
            return


def close_to_wav(spool_path: Path, wav_path: Path) -> Closed:
    """Write a spool and its further parts as a PCM WAV file (16 bit, 8 kHz), whole or not at all; the parts stay.
    Channels that no leg ever had are left out, but for the first two.

    May be repeated: the same parts give the same file. Raises `SpoolDamaged` or `OSError`.
    """
    parts = _in_order(spool_path)
    first_tick = parts[0].first_tick
    frames, gaps = 0, []
    for part in parts:
        begin = (part.first_tick - first_tick) * SAMPLES_PER_TICK
        if begin > frames:
            gaps.append((frames // SAMPLES_PER_TICK, part.first_tick - first_tick))
        frames = max(frames, begin + len(part.samples))
    channels = max(_channels_used(part.samples) for part in parts)
    unfinished = wav_path.with_name(f".{wav_path.name}.part")
    wav_path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        file.write(_wav_head(frames, channels))
        for block in _blocks(parts, channels):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(wav_path)
    sync_folder(wav_path.parent)
    ticks = frames // SAMPLES_PER_TICK
    return Closed(ticks, first_tick, ticks * TICK_S, tuple(gaps))


def _in_order(spool_path: Path) -> list[Spool]:
    """Read the parts of a recording; one that has no whole header has no audio, and is left out where others have.
    Raises `SpoolDamaged` or `OSError`."""
    paths = parts_of(spool_path) or [spool_path]
    parts = []
    for path in paths:
        with path.open("rb") as file:
            begun = _read_head(file, path) is not None
        if begun or len(paths) == 1:
            parts.append(read_spool(path))
    if not parts:
        raise SpoolDamaged(f"{spool_path} and its {len(paths) - 1} further parts end within their headers")
    for part in parts:
        if not 0 <= part.first_tick - parts[0].first_tick <= LONGEST_GAP_TICKS:
            raise SpoolDamaged(f"a part of {spool_path} begins at tick {part.first_tick}: no part of this recording")
        if part.samples.shape[1] != parts[0].samples.shape[1]:
            raise SpoolDamaged(f"the parts of {spool_path} differ in their channels")
    return parts


def _blocks(parts: list[Spool], channels: int) -> Iterator[bytes]:
    """Give the frames of the parts one after the other: silence for a gap, and nothing twice."""
    step = _COPY_ROWS * SAMPLES_PER_TICK
    frames = 0
    for part in parts:
        begin = (part.first_tick - parts[0].first_tick) * SAMPLES_PER_TICK
        while frames < begin:
            silent = min(begin - frames, step)
            yield bytes(silent * channels * 2)
            frames += silent
        for at in range(frames - begin, len(part.samples), step):
            yield part.samples[at : at + step, :channels].tobytes()
        frames = max(frames, begin + len(part.samples))


@dataclass(frozen=True, slots=True)
class _Head:
    recording: str
    first_tick: int
    channels: int
    octets: int


def _first_part(path: Path) -> tuple[int, BinaryIO, _Head]:
    """Open the first part that there is: writers may have died too soon. Raises as `_open_spool` does for a spool."""
    for number in range(1, 1 + MISSING_PARTS):
        with contextlib.suppress(FileNotFoundError, SpoolNotBegun):
            return 0, *_open_spool(path)
        with contextlib.suppress(FileNotFoundError, SpoolNotBegun):
            return number, *_open_spool(part_path(path, number))
    return 0, *_open_spool(path)


def _open_spool(path: Path) -> tuple[BinaryIO, _Head]:
    """Open a spool to be read. Raises `SpoolNotBegun` before its header is there, `SpoolDamaged` or `OSError`."""
    file = path.open("rb", buffering=0)
    try:
        head = _read_head(file, path)
        if head is None:
            raise SpoolNotBegun(f"{path} has no whole header yet")
    except BaseException:
        file.close()
        raise
    return file, head


def _read_head(file: BinaryIO, path: Path) -> _Head | None:
    """Return the header at the beginning of a spool, None for one that is not whole. Raises `SpoolDamaged`."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, version, channels, rate, first_tick, name_octets = _HEAD.unpack(head)
    if magic != MAGIC or version != VERSION or rate != SAMPLE_RATE_HZ or not CHANNELS <= channels <= MOST_CHANNELS:
        wanted = f"version {VERSION} with {CHANNELS} to {MOST_CHANNELS} channels at {SAMPLE_RATE_HZ} Hz"
        raise SpoolDamaged(f"{path} is no spool of {wanted}")
    name = file.read(name_octets)
    if len(name) < name_octets:
        return None
    return _Head(name.decode(errors="replace"), first_tick, channels, _HEAD.size + name_octets)


def _channels_used(samples: Samples) -> int:
    """Return how many channels there are up to the last one in which anybody was ever heard, two at least."""
    used = int(samples.shape[1])
    while used > CHANNELS and not _is_heard(samples[:, used - 1]):
        used -= 1
    return used


def _is_heard(channel: Samples) -> bool:
    step = _COPY_ROWS * SAMPLES_PER_TICK
    return any(bool(channel[begin : begin + step].any()) for begin in range(0, len(channel), step))


def _wav_head(frames: int, channels: int) -> bytes:
    frame_octets = channels * 2
    octets = frames * frame_octets
    form = (16, 1, channels, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * frame_octets, frame_octets, 16)
    return _WAV_HEAD.pack(b"RIFF", octets + _WAV_HEAD.size - 8, b"WAVE", b"fmt ", *form, b"data", octets)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or deleted in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
