"""Outlines: right for any rate and length, quick for an hour, and kept."""

import time
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recordings.peaks import NoOutline, PeaksCache, peaks


def written(path: Path, samples: NDArray[np.int16], rate: int = 8000, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1], width, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(frames=st.integers(0, 30_000), per_second=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_each_peak_is_the_loudest_sample_of_its_window(tmp_path: Path, frames: int, per_second: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-32768, 32768, (frames, 2), np.int16)
    outline = peaks(written(tmp_path / "x.wav", samples), per_second)
    assert outline.seconds == round(frames / 8000, 3)
    for channel, values in enumerate(outline.channels):
        windows = [samples[k * 8000 // per_second : (k + 1) * 8000 // per_second, channel] for k in range(len(values))]
        assert sum(map(len, windows)) == frames
        assert values == [round(np.abs(window.astype(int)).max() / 32768, 3) for window in windows]


def test_an_hour_takes_a_moment_and_the_second_look_none(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", np.tile(np.array([[100, -200]], np.int16), (3600 * 8000, 1)))
    cache = PeaksCache()
    before = time.process_time()
    first = cache.json(path, 20)
    took = time.process_time() - before
    assert took < 1.0
    assert cache.json(path, 20) is first


def test_the_cache_is_bounded_and_sees_a_changed_file(tmp_path: Path) -> None:
    samples = np.zeros((8000, 2), np.int16)
    path = written(tmp_path / "x.wav", samples)
    cache = PeaksCache(octets=500)
    first = cache.json(path, 10)
    assert cache.json(path, 10) is first
    for per_second in range(11, 30):
        cache.json(path, per_second)
    assert len(cache) < 5
    assert cache.json(path, 10) is not first
    written(path, np.full((16000, 2), 32767, np.int16))
    assert cache.json(path, 10) != first
    assert len(PeaksCache(octets=0).json(path, 1)) > 0


def test_a_file_that_is_cut_off_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", np.full((8000, 2), 16384, np.int16))
    path.write_bytes(path.read_bytes()[:-16001])
    outline = peaks(path, 10)
    assert outline.seconds == pytest.approx(0.5, abs=0.001)
    assert outline.channels[0] == [0.5] * 5


def test_what_is_no_recording_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"no sound")
    with pytest.raises(NoOutline, match=r"x\.wav is no WAV file"):
        peaks(tmp_path / "x.wav", 20)
    with pytest.raises(NoOutline, match="32 bit"):
        peaks(written(tmp_path / "y.wav", np.zeros((8, 2), np.int16), width=4), 20)
    with pytest.raises(FileNotFoundError):
        peaks(tmp_path / "none.wav", 20)
