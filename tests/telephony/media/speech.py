"""Speech, noise and lines for the tests of voice activity.

espeak-ng speaks, in a process of its own: a process can have but one, and other tests have theirs.
"""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telephony.media import g711
from telephony.media.g711 import Samples

Sound = npt.NDArray[np.float64]

SENTENCES = {
    "vi": ("Cho tôi gặp nhân viên.", "Tôi muốn hỏi về đơn hàng.", "Xin chào, có ai ở đó không?", "Không, cảm ơn."),
    "en": ("I would like to speak to an agent, please.", "Customer service.", "Yes, I have a question.", "Operator."),
    "en-GB": ("Hello? Is anybody there?", "Four, seven, two, nine.", "Stop. I want to talk to somebody."),
    "ko": ("여보세요, 상담원 연결해 주세요.", "예약 확인"),
    "de": ("Ich möchte bitte mit jemandem sprechen.",),
}
PROMPTS = {
    "vi": "Kính chào quý khách. Để gặp nhân viên, bấm phím một. Để tra cứu đơn hàng, bấm phím hai.",
    "en": "Welcome to customer care. For orders, press one. For invoices, press two. To hear this again, press star.",
}
VOICES = {"vi": "vi", "en": "en", "en-GB": "en-us+f3", "ko": "ko", "de": "de"}
RENDER = """
import json, sys
from pathlib import Path
from ivr_flows.prompts import VoiceSettings
from ivr_flows.rendering import Renderer
folder, voices, lines = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
renderer = Renderer({language: VoiceSettings("espeak", voice=voice) for language, voice in voices.items()})
for number, (language, text) in enumerate(lines):
    renderer.render("text", text, language, folder / str(number))
"""


@functools.cache
def spoken() -> dict[str, Samples]:
    """Every sentence and prompt by its text, at the level of prompts: -18 dBFS where somebody talks."""
    pytest.importorskip("espeakng_loader")
    lines = [(language, text) for language, texts in SENTENCES.items() for text in texts]
    lines += list(PROMPTS.items())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", RENDER, folder, json.dumps(VOICES), json.dumps(lines)]
        subprocess.run(command, check=True, timeout=60)
        return {text: np.fromfile(Path(folder) / str(number), np.int16) for number, (_, text) in enumerate(lines)}


def sentences() -> list[Samples]:
    """What callers say."""
    return [spoken()[text] for texts in SENTENCES.values() for text in texts]


def prompts() -> list[Samples]:
    """What we say."""
    return [spoken()[text] for text in PROMPTS.values()]


def at_level(sound: npt.NDArray[np.generic], dbfs: float) -> Sound:
    """The sound at a level, its pauses not counting."""
    whole = sound.astype(np.float64)
    power = (whole[: len(whole) // 160 * 160].reshape(-1, 160) ** 2).mean(axis=1)
    talked = power[power > power.max() / 1000].mean()
    louder: Sound = whole * np.sqrt(32768.0**2 * 10 ** (dbfs / 10) / talked)
    return louder


def beginning(sound: npt.NDArray[np.generic]) -> int:
    """The sample at which somebody begins to speak: 25 dB below the loudest."""
    power = (sound[: len(sound) // 80 * 80].astype(np.float64).reshape(-1, 80) ** 2).mean(axis=1)
    return int(np.argmax(power > power.max() * 10**-2.5)) * 80


def noise(seconds: float, dbfs: float, slope: float = 0.0, seed: int = 1) -> Sound:
    """Noise whose power falls by `slope` times 3 dB an octave: 0 white, 1 pink, 2 brown."""
    count = round(seconds * 8000)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / 8000)
    spectrum *= np.where(hertz < 50, 0, np.maximum(hertz, 50) ** (-slope / 2))
    sound: Sound = np.fft.irfft(spectrum, count)
    return at_level(sound, dbfs)


def hum(seconds: float, dbfs: float, hertz: float = 50.0) -> Sound:
    """Mains hum with eight harmonics."""
    at = np.arange(round(seconds * 8000)) / 8000
    harmonics = np.arange(1, 9)[:, None]
    sound: Sound = (np.sin(2 * np.pi * hertz * harmonics * at + harmonics) / harmonics).sum(axis=0)
    return at_level(sound, dbfs)


def over_a_line(sound: npt.NDArray[np.generic], payload_type: int = 8) -> Samples:
    """The sound through G.711, in whole ticks: int16[n, 160]."""
    count = len(sound) // 160
    ticks = np.clip(np.rint(sound[: count * 160]), -32768, 32767).astype(np.int16).reshape(count, 160)
    law = np.full(count, payload_type, np.uint8)
    return g711.decode(g711.encode(ticks, law), law)
