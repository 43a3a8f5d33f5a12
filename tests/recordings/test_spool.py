import errno
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.spool import (
    BUFFER_TICKS,
    LONGEST_GAP_TICKS,
    Closed,
    Samples,
    SpoolDamaged,
    SpoolWriter,
    close_to_wav,
    read_spool,
)

HEADER_OCTETS = 27
"""With a recording's name of one letter."""
FIRST = 88_000_000_000
in_one_folder = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def row(tick: int) -> Samples:
    return np.random.default_rng(tick).integers(-30_000, 30_000, (160, 2)).astype(np.int16)


def spooled(path: Path, ticks: list[int]) -> SpoolWriter:
    path.unlink(missing_ok=True)
    writer = SpoolWriter(path, "r", FIRST)
    for tick in ticks:
        writer.write(FIRST + tick, row(tick))
    return writer


@in_one_folder
@given(st.lists(st.integers(0, 60), max_size=40).map(sorted))
def test_rows_lie_at_their_ticks_with_silence_between(tmp_path: Path, ticks: list[int]) -> None:
    path = tmp_path / "a.spool"
    count = spooled(path, ticks).close()
    spool = read_spool(path)
    assert (spool.recording, spool.first_tick, spool.rate) == ("r", FIRST, 8000)
    assert count == spool.ticks == (max(ticks) + 1 if ticks else 0)
    for tick, block in enumerate(spool.samples.reshape(-1, 160, 2)):
        assert (block == (row(tick) if tick in ticks else 0)).all()


def test_a_tick_is_taken_once_and_none_from_another_time(tmp_path: Path) -> None:
    writer = spooled(tmp_path / "a.spool", [0, 1, 2])
    writer.write(FIRST + 1, row(9))
    with pytest.raises(ValueError, match="ahead of the spool"):
        writer.write(FIRST + LONGEST_GAP_TICKS + 100, row(9))
    writer.pad_to(FIRST + 5)
    assert writer.close() == 5
    assert (read_spool(tmp_path / "a.spool").samples[160:320] == row(1)).all()


def test_what_is_on_the_disk_lags_by_the_buffer_at_most(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    writer = spooled(path, [])
    for tick in range(3 * BUFFER_TICKS):
        writer.write(FIRST + tick, row(tick))
        assert read_spool(path).ticks > tick - BUFFER_TICKS
    writer.abandon()


@in_one_folder
@given(st.integers(0, 40 * 640 + 100))
def test_a_torn_spool_is_read_to_its_last_whole_row(tmp_path: Path, left: int) -> None:
    path = tmp_path / "a.spool"
    spooled(path, list(range(30))).close()
    os.truncate(path, min(left, path.stat().st_size))
    if left < HEADER_OCTETS:
        with pytest.raises(SpoolDamaged, match="header"):
            read_spool(path)
        return
    spool = read_spool(path)
    assert spool.ticks == min((left - HEADER_OCTETS) // 640, 30)
    for tick, block in enumerate(spool.samples.reshape(-1, 160, 2)):
        assert (block == row(tick)).all()


@pytest.mark.parametrize("octets", [b"", b"RIFF", b"HLSPOOL\n" + bytes(60), b"x" * 100])
def test_what_is_no_spool(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "a.spool"
    path.write_bytes(octets)
    with pytest.raises(SpoolDamaged, match=str(path)):
        read_spool(path)


def test_a_spool_is_never_written_over(tmp_path: Path) -> None:
    spooled(tmp_path / "deep" / "a.spool", [0]).close()
    with pytest.raises(FileExistsError):
        SpoolWriter(tmp_path / "deep" / "a.spool", "r", FIRST)


@pytest.mark.parametrize("count", [0, 1, 75])
def test_a_wav_file_holds_the_same_samples(tmp_path: Path, count: int) -> None:
    spool_path, wav_path = tmp_path / "a.spool", tmp_path / "day" / "a.wav"
    spooled(spool_path, list(range(count))).close()
    assert close_to_wav(spool_path, wav_path) == Closed(count, FIRST, count * 0.02)
    first = wav_path.read_bytes()
    assert close_to_wav(spool_path, wav_path) == Closed(count, FIRST, count * 0.02)
    assert wav_path.read_bytes() == first
    assert [path.name for path in wav_path.parent.iterdir()] == ["a.wav"]
    with wave.open(str(wav_path)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 8000)
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    assert (samples == read_spool(spool_path).samples).all()


def test_a_full_disk_is_an_error_of_that_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = spooled(tmp_path / "a.spool", list(range(BUFFER_TICKS)))
    real = os.write

    def half_then_full(file: int, octets: bytes) -> int:
        if len(octets) > 1000:
            return real(file, octets[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OSError, match="No space"):
        writer.write(FIRST + 2 * BUFFER_TICKS, row(1))
    writer.abandon()
    writer.abandon()
    monkeypatch.undo()
    assert BUFFER_TICKS <= read_spool(tmp_path / "a.spool").ticks < 3 * BUFFER_TICKS


def test_no_file_is_left_open_when_the_header_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_before = set(os.listdir("/proc/self/fd"))

    def full(file: int, octets: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        SpoolWriter(tmp_path / "a.spool", "r", FIRST)
    assert set(os.listdir("/proc/self/fd")) == open_before
