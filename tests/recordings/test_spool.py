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
    SpoolNotBegun,
    SpoolReader,
    SpoolWriter,
    close_to_wav,
    part_path,
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


@in_one_folder
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(1, 40)), max_size=8))
def test_a_reader_beside_the_writer_reads_every_row_once(tmp_path: Path, steps: list[tuple[int, int]]) -> None:
    path = tmp_path / "a.spool"
    writer = spooled(path, [])
    reader = SpoolReader(path)
    read: list[Samples] = []
    tick = 0
    for count, most in steps:
        for _ in range(count):
            writer.write(FIRST + tick, row(tick))
            tick += 1
        rows = reader.rows
        read.append(reader.read(most))
        assert read[-1].shape == (min(most, rows - reader.position + len(read[-1])), 160, 2)
    writer.close()
    path.unlink()  # what is open stays readable
    read.append(reader.read(1000))
    assert reader.position == reader.rows == tick
    assert len(reader.read(10)) == 0
    np.testing.assert_array_equal(
        np.concatenate(read), np.array([row(each) for each in range(tick)]).reshape(-1, 160, 2)
    )
    reader.close()


def test_a_reader_reads_on_from_where_it_is_put_and_no_torn_row(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    spooled(path, list(range(10))).close()
    os.truncate(path, path.stat().st_size - 1)
    reader = SpoolReader(path)
    reader.position = 7
    assert (reader.rows, reader.read(10).shape) == (9, (2, 160, 2))
    reader.close()


@pytest.mark.parametrize("octets", [0, 3, HEADER_OCTETS - 1])
def test_a_reader_that_is_too_early_says_so(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "a.spool"
    spooled(path, []).close()
    os.truncate(path, octets)
    with pytest.raises(SpoolNotBegun, match=r"a\.spool"):
        SpoolReader(path)
    path.write_bytes(b"RIFF" * 20)
    with pytest.raises(SpoolDamaged, match="no spool of version"):
        SpoolReader(path)


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


# ------------------------------------------------------------------------------------------------ several parts

runs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=5)
"""Of each part: how many ticks after the end of the one before it begins, and how many rows it has."""


def in_parts(path: Path, runs: list[tuple[int, int]]) -> tuple[list[int], list[tuple[int, int]]]:
    """Spool a recording in parts; return the ticks that there are, and those that are missing, from and until."""
    ticks: list[int] = []
    gaps: list[tuple[int, int]] = []
    at = 0
    for number, (gap, rows) in enumerate(runs):
        part = part_path(path, number)
        part.unlink(missing_ok=True)
        gap = gap if number else 0  # noqa: PLW2901 - a recording begins where it begins
        if gap:
            gaps.append((at, at + gap))
        at += gap
        writer = SpoolWriter(part, "r", FIRST + at)
        for tick in range(at, at + rows):
            writer.write(FIRST + tick, row(tick))
            ticks.append(tick)
        writer.close()
        at += rows
    return ticks, gaps


@in_one_folder
@given(runs)
def test_parts_are_laid_one_after_the_other_by_their_ticks(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("parts") / "a.spool"
    ticks, gaps = in_parts(path, runs)
    closed = close_to_wav(path, path.with_suffix(".wav"))
    there = {frame: row(frame) for frame in ticks}
    with wave.open(str(path.with_suffix(".wav")), "rb") as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 160, 2)
    assert closed.ticks == len(heard)
    for tick, block in enumerate(heard):
        assert (block == there.get(tick, 0)).all()
    assert {tick for since, until in closed.gaps for tick in range(since, until)} == {
        tick for since, until in gaps for tick in range(since, until)
    }


@in_one_folder
@given(runs, st.integers(1, 60))
def test_a_reader_goes_over_to_the_next_part(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]], most: int
) -> None:
    path = tmp_path_factory.mktemp("parts") / "a.spool"
    ticks, _ = in_parts(path, runs)
    reader = SpoolReader(path)
    read: list[Samples] = []
    while len(block := reader.read(most)):
        read.append(block)
    assert reader.rows == reader.position
    heard = np.concatenate(read) if read else np.zeros((0, 160, 2), np.int16)
    there = set(ticks)
    assert there <= set(range(len(heard)))
    for tick, block in enumerate(heard):
        assert (block == (row(tick) if tick in there else 0)).all()
    reader.close()


def test_a_part_that_overlaps_says_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    spooled(path, list(range(10))).close()
    second = SpoolWriter(part_path(path, 1), "r", FIRST + 7)
    for tick in range(7, 15):
        second.write(FIRST + tick, row(tick))
    second.close()
    closed = close_to_wav(path, tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav"), "rb") as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 160, 2)
    assert (closed.ticks, closed.gaps) == (15, ())
    assert all((block == row(tick)).all() for tick, block in enumerate(heard))


def test_parts_whose_writers_died_at_once_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    path.write_bytes(b"HLSP")
    second = SpoolWriter(part_path(path, 2), "r", FIRST)
    second.write(FIRST, row(0))
    second.close()
    assert close_to_wav(path, tmp_path / "a.wav").ticks == 1
    part_path(path, 2).write_bytes(b"")
    with pytest.raises(SpoolDamaged, match="1 further parts"):
        close_to_wav(path, tmp_path / "a.wav")


def test_a_reader_begins_with_the_first_part_that_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    with pytest.raises(FileNotFoundError):
        SpoolReader(path)
    path.write_bytes(b"HLSP")
    with pytest.raises(SpoolNotBegun):
        SpoolReader(path)
    second = SpoolWriter(part_path(path, 2), "r", FIRST)
    second.write(FIRST, row(0))
    second.close()
    reader = SpoolReader(path)
    assert (reader.read(9)[0] == row(0)).all()
    reader.close()


def test_a_part_of_another_time_or_shape_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    spooled(path, [0]).close()
    SpoolWriter(part_path(path, 1), "r", FIRST - 10).close()
    with pytest.raises(SpoolDamaged, match="no part of this recording"):
        close_to_wav(path, tmp_path / "a.wav")
    part_path(path, 1).unlink()
    SpoolWriter(part_path(path, 1), "r", FIRST + 10, 8).close()
    with pytest.raises(SpoolDamaged, match="channels"):
        close_to_wav(path, tmp_path / "a.wav")
