"""What the command-line phone hears, and what it is given to say."""

import math
import wave
from pathlib import Path
from typing import Final

import numpy as np

from ivr_flows.audio import read_wav, to_samples
from ivr_flows.prompts import VoiceSettings
from telephony.clock import SAMPLE_RATE_HZ
from telephony.media.g711 import Samples

MAX_RECORDED_S: Final = 4 * 3600
MAX_JUMP_S: Final = 30
SILENCE_DBFS: Final = -96.0
_OCTETS: Final = 2


class Ear:
    """Lays what comes in out by its RTP timestamps, from the answer on: what is lost is silence, what is late finds
    its place. One thread calls `hear`; others may read."""

    def __init__(self, answered_at: float) -> None:
        self.packets = 0
        self.level_dbfs = SILENCE_DBFS
        self._answered_at = answered_at
        self._pcm = bytearray()
        self._timestamp = 0
        self._position = 0

    @property
    def seconds(self) -> float:
        """How much has been laid out."""
        return len(self._pcm) / _OCTETS / SAMPLE_RATE_HZ

    def hear(self, timestamp: int, pcm: bytes, now: float) -> None:
        """Take one packet's samples (native, 16 bit). `timestamp` counts samples modulo 2**32 (RFC 3550)."""
        ahead = (timestamp - self._timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        if self.packets == 0 or abs(ahead) > MAX_JUMP_S * SAMPLE_RATE_HZ:
            # The first packet, or a sender that has begun to count anew: it is placed by when it came.
            position = max(round((now - self._answered_at) * SAMPLE_RATE_HZ), len(self._pcm) // _OCTETS, 0)
        else:
            position = self._position + ahead
        self.packets += 1
        self._timestamp, self._position = timestamp, position
        self.level_dbfs = level_of(pcm)
        begin = position * _OCTETS
        end = begin + len(pcm)
        if begin < 0 or end > MAX_RECORDED_S * SAMPLE_RATE_HZ * _OCTETS:
            return
        if end > len(self._pcm):
            self._pcm.extend(bytes(end - len(self._pcm)))
        self._pcm[begin:end] = pcm

    def save(self, path: Path) -> None:
        """Write what was heard as a WAV file. Raises `OSError`."""
        save_wav(path, np.frombuffer(bytes(self._pcm), np.int16))


def save_wav(path: Path, samples: Samples) -> None:
    """Write samples, int16[n] at 8 kHz, as a WAV file. Raises `OSError`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_OCTETS)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())


def level_of(pcm: bytes) -> float:
    """Return the level of 16-bit samples in dB below full scale, `SILENCE_DBFS` for none."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return max(SILENCE_DBFS, 10 * math.log10(power / 32768**2)) if power else SILENCE_DBFS


def speech(say: str, play: Path | None, language: str = "", model: Path | None = None) -> Samples | None:
    """Return what is to be said: a `.wav` file, or a text in the voice of its language; `None` for neither.

    `model` is an `.onnx` voice for piper; without it espeak-ng speaks. Raises `ivr_flows.prompts.PromptError`.
    """
    if play is not None:
        return to_samples(read_wav(play))
    if not say:
        return None
    # GPL-3.0 programs stand behind the voices: they are loaded in the phone's own process, and only when it speaks.
    from ivr_flows.rendering import Renderer  # noqa: PLC0415

    language = language or language_of(say)
    voices = {} if model is None else {language: VoiceSettings(engine="piper", model=str(model))}
    return Renderer(voices).samples("text", say, language)


def language_of(text: str) -> str:
    """Guess `vi` for a text with letters beyond ASCII, else `en`."""
    return "en" if text.isascii() or not any(letter.isalpha() and not letter.isascii() for letter in text) else "vi"
