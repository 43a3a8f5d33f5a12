"""`ivr_flows.audio`: measured, not listened to."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr_flows.audio import (
    EDGE_SILENCE_S,
    LEVEL_DB,
    PEAK_DB,
    Sound,
    level,
    limit,
    read_wav,
    resample,
    to_samples,
    trim,
    write_samples,
)
from ivr_flows.prompts import PromptError


def _tone(hz: float, rate_hz: int, seconds: float = 0.5, loudness: float = 0.5) -> Sound:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (loudness * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def _db(sound: Sound | NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(np.asarray(sound, np.float64) ** 2) + 1e-20))


def _middle(sound: Sound) -> Sound:
    return sound[len(sound) // 4 : -(len(sound) // 4)]


@pytest.mark.parametrize("rate_hz", [6000, 8000, 11025, 16000, 22050, 24000, 44100, 48000])
def test_resample_keeps_the_telephone_band(rate_hz: int) -> None:
    for hz in (100.0, 1000.0, 0.44 * min(rate_hz, 8000)):
        made = resample(_tone(hz, rate_hz), rate_hz)
        assert len(made) == pytest.approx(4000, abs=1)
        assert _db(_middle(made)) == pytest.approx(_db(_tone(hz, 8000)), abs=0.1)
        # The very tone, in phase: nothing but the filter's ripple is left of the difference.
        assert _db(_middle(made - _tone(hz, 8000)[: len(made)])) < -55


@pytest.mark.parametrize("hz", [4100.0, 5000.0, 7000.0, 10000.0])
def test_resample_folds_nothing_back(hz: float) -> None:
    for rate_hz in (22050, 44100, 48000):
        assert _db(_middle(resample(_tone(hz, rate_hz), rate_hz))) < -70


def test_resample_of_nothing_and_of_a_sample() -> None:
    assert len(resample(np.zeros(0, np.float32), 22050)) == 0
    assert len(resample(np.ones(1, np.float32), 22050)) == 1


def test_level_is_that_of_the_talking_part() -> None:
    pause = np.zeros(8000, np.float32)
    for loudness in (0.001, 0.05, 0.9):
        made = level(np.concatenate([_tone(500, 8000, loudness=loudness), pause, _tone(500, 8000, loudness=loudness)]))
        assert _db(made[:4000]) == pytest.approx(LEVEL_DB, abs=0.2)
        assert not made[5000:11000].any()
    assert not level(pause).any()


def test_limit_holds_peaks_and_leaves_the_rest() -> None:
    sound = _tone(300, 8000, 1.0, 0.3)
    sound[4000:4010] = 3.0
    made = limit(sound)
    assert np.abs(made).max() <= 10 ** (PEAK_DB / 20) + 1e-6
    assert np.array_equal(made[:3900], sound[:3900])
    quiet = _tone(300, 8000)
    assert limit(quiet) is quiet


def test_trim_leaves_the_same_edge_everywhere() -> None:
    edge = int(EDGE_SILENCE_S * 8000)
    for before, after in ((0, 0), (100, 4000), (8000, 8000)):
        sound = np.concatenate([np.zeros(before), _tone(400, 8000), np.zeros(after)]).astype(np.float32)
        made = trim(sound)
        assert len(made) == pytest.approx(4000 + 2 * edge, abs=60)
        assert not made[: edge - 30].any()
    with pytest.raises(PromptError):
        trim(np.zeros(8000, np.float32))


def _write_wav(path: Path, sound: Sound, rate_hz: int, width: int, channels: int) -> None:
    full = 1 << (8 * width - 1)
    whole = np.rint(sound.astype(np.float64) * (full - 1)).astype(np.int64)
    if width == 1:
        octets = (whole + 128).astype(np.uint8).tobytes()
    else:
        octets = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    one = np.frombuffer(octets, np.uint8).reshape(-1, width)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(np.tile(one, (1, channels)).tobytes())


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_pcm_wav(tmp_path: Path, rate_hz: int, width: int, channels: int) -> None:
    path = tmp_path / "x.wav"
    _write_wav(path, _tone(440, rate_hz), rate_hz, width, channels)
    made = read_wav(path)
    assert len(made) == 4000
    assert _db(_middle(made - _tone(440, 8000))) < (-38 if width == 1 else -55)


def test_what_is_no_pcm_wav(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 44, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32)
    bad = {"not a WAV": b"ID3 and so on", "kind 3": head + b"data" + bytes(12), "empty": b""}
    for octets in bad.values():
        path.write_bytes(octets)
        with pytest.raises(PromptError, match="PCM, 16 bit"):
            read_wav(path)
    with pytest.raises(PromptError, match="No such file"):
        read_wav(tmp_path / "none.wav")


def test_samples_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.s16"
    samples = to_samples(np.array([0.0, 1.0, -1.0, 2.0], np.float32))
    assert samples.tolist() == [0, 32767, -32767, 32767]
    write_samples(path, samples)
    assert path.read_bytes() == samples.tobytes()
    assert [found.name for found in path.parent.iterdir()] == ["x.s16"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PromptError, match="cannot be written"):
        write_samples(tmp_path / "file" / "x.s16", samples)
