"""Sound of any kind made ready for the telephone: 8 kHz, mono, one level, no silence around it.

Within this module sound is `float32[n]` from -1 to 1; files hold `int16`.
"""

import io
import os
import struct
import tempfile
import warnings
from functools import lru_cache
from math import gcd, pi
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr_flows.prompts import PromptError
from telephony.clock import SAMPLE_RATE_HZ

Sound = NDArray[np.float32]

LEVEL_DB: Final = -18.0
"""Root mean square of the talking part, below full scale: what callers are used to hear from people."""
PEAK_DB: Final = -1.5
EDGE_SILENCE_S: Final = 0.05
SILENCE_BELOW_DB: Final = -45.0
"""Quieter than the loudest 20 ms by this is silence."""
TALKING_BELOW_DB: Final = -25.0

PASS_HZ: Final = 0.45
STOP_HZ: Final = 0.5
"""The filter's edges as a share of the lower rate: at 8 kHz all of the telephone band passes, and nothing folds."""
STOP_DB: Final = 70.0
OUTPUTS_AT_ONCE: Final = 8192
MAX_SECONDS: Final = 900


def resample(sound: Sound, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> Sound:
    """Return the sound at another rate, through a Kaiser-windowed low-pass filter taken apart into phases."""
    if rate_hz == to_hz or not len(sound):
        return sound.astype(np.float32)
    common = gcd(rate_hz, to_hz)
    up, down = to_hz // common, rate_hz // common
    taps = _phases(rate_hz, to_hz)
    half = taps.shape[1] // 2
    padded = np.pad(sound.astype(np.float32), (half, half + 1))
    total = -(-len(sound) * up // down)
    made = np.empty(total, np.float32)
    offsets = np.arange(taps.shape[1])
    for begin in range(0, total, OUTPUTS_AT_ONCE):
        moments = np.arange(begin, min(begin + OUTPUTS_AT_ONCE, total), dtype=np.int64) * down
        windows = padded[(moments // up)[:, None] + offsets]
        made[begin : begin + len(moments)] = np.einsum("ij,ij->i", windows, taps[moments % up])
    return made


@lru_cache(maxsize=8)
def _phases(rate_hz: int, to_hz: int) -> Sound:
    """Return the filter as (phase, tap), its gain 1; times count in samples of the rate that comes in."""
    common = gcd(rate_hz, to_hz)
    up = to_hz // common
    lower = min(rate_hz, to_hz)
    width = 2 * pi * (STOP_HZ - PASS_HZ) * lower / rate_hz
    half = int(np.ceil((STOP_DB - 7.95) / (2.285 * width) / 2))
    cutoff = (PASS_HZ + STOP_HZ) / 2 * lower / rate_hz
    beta = 0.1102 * (STOP_DB - 8.7)
    # The tap j of phase p weighs the sample that stands j - half - p/up samples from the moment asked for.
    distance = np.arange(2 * half + 1)[None, :] - half - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance / (half + 1)) ** 2, 0, None)
    taps = 2 * cutoff * np.sinc(2 * cutoff * distance) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    taps /= taps.sum(axis=1, keepdims=True)
    return taps.astype(np.float32)


def _row_levels(sound: Sound) -> Sound:
    rows = -(-len(sound) // _ROW)
    padded = np.pad(sound, (0, rows * _ROW - len(sound))).reshape(rows, _ROW)
    return np.asarray(np.sqrt(np.mean(padded.astype(np.float64) ** 2, axis=1)), np.float32)


_ROW: Final = SAMPLE_RATE_HZ // 50


def trim(sound: Sound) -> Sound:
    """Return sound at 8 kHz without the silence around it, but for `EDGE_SILENCE_S`. Raises `PromptError` if silent."""
    loudest = float(np.abs(sound).max(initial=0.0))
    if loudest < 10 ** (-60 / 20):
        raise PromptError("there is nothing to be heard")
    # A short window, so that the edges of words are found to the millisecond.
    envelope = np.convolve(np.abs(sound), np.ones(40, np.float32) / 40, mode="same")
    heard = np.flatnonzero(envelope > envelope.max() * 10 ** (SILENCE_BELOW_DB / 20))
    edge = int(EDGE_SILENCE_S * SAMPLE_RATE_HZ)
    first, last = int(heard[0]), int(heard[-1]) + 1
    before, after = max(0, edge - first), max(0, edge - (len(sound) - last))
    return np.pad(sound[max(0, first - edge) : last + edge], (before, after))


def level(sound: Sound, level_db: float = LEVEL_DB) -> Sound:
    """Return the sound with its talking part at a level (dBFS) and no peak above `PEAK_DB`."""
    rows = _row_levels(sound)
    talking = rows[rows > rows.max(initial=0.0) * 10 ** (TALKING_BELOW_DB / 20)]
    if not len(talking):
        return sound
    present = float(np.sqrt(np.mean(talking.astype(np.float64) ** 2)))
    return limit(sound * np.float32(10 ** (level_db / 20) / present))


def limit(sound: Sound) -> Sound:
    """Return the sound with its peaks held under `PEAK_DB`, by turning it down smoothly around them."""
    ceiling = 10 ** (PEAK_DB / 20)
    gain = np.minimum(1.0, ceiling / np.maximum(np.abs(sound), 1e-9))
    if gain.min(initial=1.0) >= 1.0:
        return sound
    reach = SAMPLE_RATE_HZ // 200  # 5 ms before and after
    wide = np.pad(gain, 2 * reach, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1).min(axis=1)
    smooth = np.convolve(lowest, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")
    return (sound * smooth).astype(np.float32)


def read_wav(path: Path) -> Sound:
    """Return a `.wav` file of any rate, width and number of channels as sound at 8 kHz. Raises `PromptError`."""
    with warnings.catch_warnings():
        # pydub looks for ffmpeg when it is imported and complains; a WAV file needs none.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment  # noqa: PLC0415 - see above

    try:
        octets = path.read_bytes()
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror or error}") from error
    _check_pcm(path, octets)
    try:
        segment = AudioSegment.from_wav(io.BytesIO(octets))
    except Exception as error:  # pydub lets struct's, wave's and its own errors through
        raise PromptError(f"{path} is a broken WAV file ({type(error).__name__}); export it as PCM, 16 bit") from error
    if segment.duration_seconds > MAX_SECONDS:
        raise PromptError(f"{path} lasts {segment.duration_seconds:.0f} s; a prompt lasts at most {MAX_SECONDS} s")
    samples = np.array(segment.get_array_of_samples(), np.float64).reshape(-1, segment.channels)
    mono = (samples.mean(axis=1) / float(1 << (8 * segment.sample_width - 1))).astype(np.float32)
    if not len(mono):
        raise PromptError(f"{path} holds no samples")
    return resample(mono, segment.frame_rate)


def _check_pcm(path: Path, octets: bytes) -> None:
    """Refuse what pydub would take for whole numbers: floating point and companded samples."""
    head = octets[:4096]
    at = head.find(b"fmt ")
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE" or at < 0 or len(head) < at + 34:
        raise PromptError(f"{path} is not a WAV file; export it as WAV, PCM, 16 bit")
    (kind,) = struct.unpack_from("<H", head, at + 8)
    if kind == 0xFFFE:  # WAVE_FORMAT_EXTENSIBLE: the kind stands at the head of its GUID
        (kind,) = struct.unpack_from("<H", head, at + 32)
    if kind != 1:
        raise PromptError(f"{path} holds samples of kind {kind}, not PCM; export it as WAV, PCM, 16 bit")


def to_samples(sound: Sound) -> NDArray[np.int16]:
    """Return the sound as signed 16 bit samples."""
    return np.asarray(np.clip(np.rint(sound * 32767.0), -32768, 32767), np.int16)


def write_samples(path: Path, samples: NDArray[np.int16]) -> None:
    """Write samples so that nobody ever sees half a file. Raises `PromptError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
            file.write(samples.tobytes())
    except OSError as error:
        raise PromptError(f"{path.parent} cannot be written: {error.strerror}") from error
    try:
        os.replace(file.name, path)
    except OSError as error:
        Path(file.name).unlink(missing_ok=True)
        raise PromptError(f"{path} cannot be written: {error.strerror}") from error
