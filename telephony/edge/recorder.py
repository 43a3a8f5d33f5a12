"""Recordings on their way to the disk: one thread writes all spools, so that no disk can delay a tick."""

import errno
import logging
import threading
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from recordings.spool import CHANNELS, SpoolWriter
from telephony.clock import TICKS_PER_S
from telephony.events import RecordingStopped
from telephony.media.tap import Tap

WAITING_TICKS: Final = 5 * TICKS_PER_S
"""Ticks of audio that may wait for a slow disk. Beyond that they become silence, and are counted."""
STOP_S: Final = 4.0
MEND: Final[dict[int | None, str]] = {
    errno.ENOSPC: "make room on the disk of recordings.store; calls go on, unrecorded, and the next one is recorded",
    errno.EDQUOT: "raise the quota of the user that hotline runs as, or make room",
    errno.EROFS: "the disk of recordings.store went read-only: look at the system's log, then mount it again",
}
OTHER_MEND: Final = "see that recordings.store can be written; `hotline doctor` looks at it"

log = logging.getLogger("hotline.media")


@dataclass(frozen=True, slots=True)
class _Begin:
    recording: str
    path: Path
    first_tick: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Rows:
    tick: int
    tap: Tap


@dataclass(frozen=True, slots=True)
class _End:
    recording: str
    ticks: int
    silenced: int


class Recorder:
    """`begin`, `put` and `end` return at once; what became of each recording is told by `ended`, once."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Begin | _Rows | _End | None] = SimpleQueue()
        self._ended: SimpleQueue[RecordingStopped] = SimpleQueue()
        self._silenced: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, recording: str, path: Path, first_tick: int, channels: int = CHANNELS) -> None:
        """Begin a spool. If that fails, the recording ends."""
        self._silenced[recording] = 0
        self._queue.put(_Begin(recording, path, first_tick, channels))

    def put(self, tick: int, tap: Tap) -> None:
        """Hand over the rows of a tick."""
        if not (tap.recordings or tap.per_leg):
            return
        if self._queue.qsize() < WAITING_TICKS:
            self._queue.put(_Rows(tick, tap))
            return
        for recording in [*tap.recordings, *(name for name, _ in tap.per_leg)]:
            self._silenced[recording] = self._silenced.get(recording, 0) + 1

    def end(self, recording: str, ticks: int) -> None:
        """Close a spool that is to have so many rows."""
        self._queue.put(_End(recording, ticks, self._silenced.pop(recording, 0)))

    def ended(self) -> list[RecordingStopped]:
        """Return the recordings that are complete, or failed, since the last call."""
        return [self._ended.get() for _ in range(self._ended.qsize())]

    def close(self) -> None:
        """Write everything handed over, and stop."""
        self._queue.put(None)
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.error("recorder_stuck waiting=%d", self._queue.qsize())

    def _run(self) -> None:
        spools: dict[str, SpoolWriter] = {}
        while (work := self._queue.get()) is not None:
            match work:
                case _Begin():
                    self._begin(spools, work)
                case _Rows():
                    self._write(spools, work)
                case _End():
                    self._finish(spools, work)
        for recording, spool in spools.items():
            self._finish({recording: spool}, _End(recording, spool.ticks, 0))

    def _begin(self, spools: dict[str, SpoolWriter], work: _Begin) -> None:
        try:
            spools[work.recording] = SpoolWriter(work.path, work.recording, work.first_tick, work.channels)
        except (OSError, ValueError) as error:
            self._fail(work.recording, 0, error)

    def _write(self, spools: dict[str, SpoolWriter], work: _Rows) -> None:
        stereo = zip(work.tap.recordings, work.tap.samples, strict=True)
        for recording, row in chain(stereo, work.tap.per_leg):
            spool = spools.get(recording)
            if spool is None:
                continue
            try:
                spool.write(work.tick, row)
            except (OSError, ValueError) as error:
                spool.abandon()
                del spools[recording]
                self._fail(recording, spool.ticks, error)

    def _finish(self, spools: dict[str, SpoolWriter], work: _End) -> None:
        spool = spools.pop(work.recording, None)
        if spool is None:
            return
        try:
            spool.pad_to(spool.first_tick + work.ticks)
            ticks = spool.close()
        except OSError as error:
            self._fail(work.recording, spool.ticks, error)
            return
        cause = f"the disk was too slow: {work.silenced} ticks are silence" if work.silenced else ""
        self._ended.put(RecordingStopped(work.recording, ticks, cause))

    def _fail(self, recording: str, ticks: int, error: Exception) -> None:
        mend = MEND.get(error.errno, OTHER_MEND) if isinstance(error, OSError) else OTHER_MEND
        log.error("recording_failed recording=%s ticks=%d cause=%r mend=%r", recording, ticks, str(error), mend)
        self._ended.put(RecordingStopped(recording, ticks, f"the recording could not be written: {error}"))
