"""The spool of a recording: an append-only file of interleaved samples, written while the call lasts.

Rule 1: what is in the file stays as it is. A process that is killed leaves a spool that lacks at most the last
`BUFFER_TICKS` and may end in a torn row; both are read as they are.

Rule 2: row n is tick `first_tick` + n. A tick that was not written in time is a row of silence, so that rows and ticks
cannot drift apart.

Rule 3: a spool says itself what it is: how many channels, which tick its first row is, whose recording. So whoever goes
on with a recording elsewhere writes another spool, and the two are laid one after the other by their ticks.

Layout, little endian: magic, version, channels, rate, first tick, length of the recording's name, the name in UTF-8;
then frames of one signed 16-bit sample per channel.
"""

import contextlib
import os
import struct
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
    """A spool turned into a WAV file."""

    ticks: int
    first_tick: int
    seconds: float


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
    """Reads a spool while it grows, row by row; what was read stays as it is (rule 1), and so does the file when its
    name is removed. Methods may raise `OSError`."""

    def __init__(self, path: Path) -> None:
        """Open a spool. Raises `SpoolNotBegun` before its header is there, `SpoolDamaged` or `OSError`."""
        self._file = path.open("rb", buffering=0)
        try:
            head = _read_head(self._file, path)
            if head is None:
                raise SpoolNotBegun(f"{path} has no whole header yet")
        except BaseException:
            self._file.close()
            raise
        self._begin = head.octets
        self.channels = head.channels
        self._row_octets = head.channels * _CHANNEL_OCTETS
        self.position = 0
        """Rows that lie behind the reader."""

    @property
    def rows(self) -> int:
        """Whole rows of 20 ms that the spool has by now."""
        return (os.fstat(self._file.fileno()).st_size - self._begin) // self._row_octets

    def read(self, most: int) -> Samples:
        """Return the next rows as int16[n, 160, channels], at most so many, none when there is nothing new."""
        octets = os.pread(self._file.fileno(), most * self._row_octets, self._begin + self.position * self._row_octets)
        rows = len(octets) // self._row_octets
        self.position += rows
        samples = np.frombuffer(octets, "<i2", rows * SAMPLES_PER_TICK * self.channels)
        return samples.astype(np.int16, copy=False).reshape(rows, SAMPLES_PER_TICK, self.channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def close_to_wav(spool_path: Path, wav_path: Path) -> Closed:
    """Write a spool as a PCM WAV file (16 bit, 8 kHz), whole or not at all; the spool stays. Channels that no leg ever
    had are left out, but for the first two.

    May be repeated: the same spool gives the same file. Raises `SpoolDamaged` or `OSError`.
    """
    spool = read_spool(spool_path)
    channels = _channels_used(spool.samples)
    unfinished = wav_path.with_name(f".{wav_path.name}.part")
    wav_path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        file.write(_wav_head(len(spool.samples), channels))
        for begin in range(0, len(spool.samples), _COPY_ROWS * SAMPLES_PER_TICK):
            file.write(spool.samples[begin : begin + _COPY_ROWS * SAMPLES_PER_TICK, :channels].tobytes())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(wav_path)
    _sync_folder(wav_path.parent)
    return Closed(spool.ticks, spool.first_tick, spool.ticks * TICK_S)


@dataclass(frozen=True, slots=True)
class _Head:
    recording: str
    first_tick: int
    channels: int
    octets: int


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


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
