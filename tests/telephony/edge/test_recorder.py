import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from recordings.spool import read_spool
from telephony.edge import recorder as recorder_module
from telephony.edge.recorder import Recorder
from telephony.events import RecordingStopped
from telephony.media.tap import Tap

FIRST = 1000


def tap(level: int, *recordings: str) -> Tap:
    return Tap(list(recordings), np.full((len(recordings), 160, 2), level, np.int16))


def ended(recorder: Recorder, count: int = 1) -> list[RecordingStopped]:
    found: list[RecordingStopped] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        found += recorder.ended()
        time.sleep(0.001)
    return found


def test_recordings_go_to_their_spools(tmp_path: Path) -> None:
    recorder = Recorder()
    for name in ("r1", "r2"):
        recorder.begin(name, tmp_path / name, FIRST)
    for tick in range(5):
        recorder.put(FIRST + tick, tap(tick, "r1", "r2"))
    recorder.put(FIRST + 5, tap(0))
    recorder.end("r1", 7)  # two ticks were skipped at the end
    assert ended(recorder) == [RecordingStopped("r1", 7)]
    recorder.close()
    assert recorder.ended() == [RecordingStopped("r2", 5)]
    levels = [read_spool(tmp_path / name).samples[::160, 0].tolist() for name in ("r1", "r2")]
    assert levels == [[0, 1, 2, 3, 4, 0, 0], [0, 1, 2, 3, 4]]


def test_a_disk_that_fails_ends_that_recording_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    (tmp_path / "file").write_text("in the way")
    recorder.begin("r1", tmp_path / "file" / "x", FIRST)
    (failed,) = ended(recorder)
    assert (failed.recording, failed.ticks) == ("r1", 0)
    assert "could not be written" in failed.cause
    recorder.begin("r2", tmp_path / "r2", FIRST)
    recorder.put(FIRST, tap(1, "r2"))

    def full(file: int, octets: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    while not (tmp_path / "r2").exists() or not (tmp_path / "r2").stat().st_size:
        time.sleep(0.001)
    monkeypatch.setattr(os, "write", full)
    recorder.end("r2", 1)
    (failed,) = ended(recorder)
    assert (failed.recording, failed.ticks) == ("r2", 1)
    assert "No space left" in failed.cause
    recorder.end("r2", 1)
    recorder.close()
    assert recorder.ended() == []


def test_a_slow_disk_delays_nobody_and_what_it_cost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "WAITING_TICKS", 10)
    recorder = Recorder()
    gate = threading.Event()
    real = os.write

    def stuck(file: int, octets: bytes) -> int:
        gate.wait(10)
        return real(file, octets)

    monkeypatch.setattr(os, "write", stuck)
    recorder.begin("r", tmp_path / "r", FIRST)
    for tick in range(30):
        recorder.put(FIRST + tick, tap(9, "r"))
    recorder.end("r", 30)
    gate.set()
    (stopped,) = ended(recorder)
    recorder.close()
    silent = int((read_spool(tmp_path / "r").samples[::160, 0] == 0).sum())
    assert 19 <= silent <= 21
    assert stopped == RecordingStopped("r", 30, f"the disk was too slow: {silent} ticks are silence")
