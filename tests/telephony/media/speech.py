"""Speech, noise and lines for the tests of voice activity.

espeak-ng speaks, in a process of its own: a process can have but one, and other tests have theirs.
"""

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telephony.edge.trained_voice import TrainedVoice
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.voice_activity import VoiceActivity
from telephony.rtp.packet import Flags

Sound = npt.NDArray[np.float64]
BEFORE_S = 2.0
WHITE, PINK, CAR = 0.0, 1.0, 3.0
"""Slopes of noise; a car's is steep."""
FIRST_TICK = 1_000_000
SHORTEST_TICKS = 6

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


def after_s(found: Flags, begins: Sequence[int]) -> list[float]:
    """How long after its beginning (in samples) each voice was found; infinite for one that was not. No voice may be
    found before it begins."""
    delays = []
    for ticks, begin in zip(found, begins, strict=True):
        hits = np.flatnonzero(ticks)
        delays.append(np.inf if not hits.size else (hits[0] + 1) * 0.02 - begin / 8000)
    assert min(delays) > 0, "voice is found where there is none yet"
    return delays


def within(delays: Sequence[float], seconds: float) -> float:
    """The share of voices that were found so soon."""
    return float(np.mean(np.array(delays) <= seconds))


def listen(lines: Sequence[Samples], sent: Sequence[Samples] = (), trained: TrainedVoice | None = None) -> Flags:
    """Say of each line and tick whether there was voice: bool[lines, ticks]. All lines are legs of one plane; a trained
    detector is asked of all or of none."""
    ticks, count = max(map(len, lines)), len(lines)
    heard, told = np.zeros((2, ticks, count, 160), np.int16)
    for row, line in enumerate(lines):
        heard[: len(line), row] = line
    for row, line in enumerate(sent):
        told[: min(ticks, len(line)), row] = line[:ticks]
    activity, rows = VoiceActivity(count, SHORTEST_TICKS), np.arange(count)
    found = []
    for tick in range(ticks):
        for of, likely in trained.verdicts() if trained is not None else ():
            activity.judge(of, likely, FIRST_TICK + tick)
        if trained is not None:
            trained.hear(rows, heard[tick])
        found.append(activity.listen(rows, heard[tick], FIRST_TICK + tick).voice)
        activity.send(rows, told[tick], FIRST_TICK + tick)
        if trained is not None:
            trained.work(1e6, lambda: 0.0)
    return np.array(found).T


def speech(slope: float, snr_db: float, level: float = -22.0, payload_type: int = 8) -> tuple[list[Samples], list[int]]:
    """Every sentence after a while of noise, and where it begins."""
    lines, begins = [], []
    for number, sentence in enumerate(sentences()):
        said = at_level(sentence, level)
        at = round(BEFORE_S * 8000) + 37 * number
        sound = noise(len(said) / 8000 + BEFORE_S + 1, level - snr_db, slope, seed=number)
        sound[at : at + len(said)] += said
        lines.append(over_a_line(sound, payload_type))
        begins.append(at + beginning(said))
    return lines, begins


def steps(slope: float, db: float) -> list[Samples]:
    """Noise that grows for a while by so many dB, abruptly."""
    lines = []
    for seed in range(8):
        sound = noise(14, -50.0, slope, seed)
        sound[40_000 + 37 * seed : 80_000] *= 10 ** (db / 20)
        lines.append(over_a_line(sound))
    return lines


def bursts(seed: int) -> Samples:
    """Breath, knocks and rustling: bursts of noise of every length and colour."""
    random = np.random.default_rng(seed)
    sound = noise(14, -60.0, PINK, seed)
    for begin in range(16_000, 110_000, 7_000):
        count = int(random.integers(400, 5_000))
        sound[begin : begin + count] += noise(1, -25.0, random.uniform(0, 2), seed + begin)[:count]
    return over_a_line(sound)


def after_a_quiet_line(sound: Samples | Sound) -> Samples:
    whole = np.concatenate((np.zeros(16_000 + 77), sound.astype(np.float64)))
    return over_a_line(whole + noise(len(whole) / 8000, -62.0)[: len(whole)])


def echoes(db: float, line_noise: float = -62.0) -> tuple[list[Samples], list[Samples]]:
    """What comes back of prompts, so much softer and after any delay, and the prompts."""
    back, sent = [], []
    for prompt in prompts():
        played = np.concatenate([at_level(prompt, -18.0)] * 2)
        for delay in (0, 160, 1_000, 2_100, 3_999):
            sound = noise(len(played) / 8000, line_noise)[: len(played)]
            sound[delay:] += played[: len(played) - delay] * 10 ** (db / 20)
            back.append(over_a_line(sound))
            sent.append(over_a_line(played))
    return back, sent
