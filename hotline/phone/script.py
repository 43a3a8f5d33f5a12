"""What the command-line phone sends once it is connected: keys as tones, pauses, speech. Pure.

The whole script is laid out as samples before the phone dials, so that nothing but the clock decides when a key comes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.media.dtmf import KEYS
from telephony.media.g711 import Samples
from telephony.media.tones import dtmf

FIRST_KEY_AFTER_S: Final = 1.0
SPEECH_AFTER_S: Final = 0.5
COMMA_S: Final = 1.0
TONE_MS: Final = 160
TONE_PAUSE_MS: Final = 140
_PAUSE: Final = re.compile(r"(\d+(?:\.\d+)?)s", re.ASCII)

MarkKind = Literal["pressed", "speech_begins", "speech_ends"]


class ScriptError(ValueError):
    """A `--press` that cannot be read; the text says what is wrong and what may stand there."""


class Mark(NamedTuple):
    """Something begins or ends at a sample of the script; `key` is empty but for `pressed`."""

    at: int
    kind: MarkKind
    key: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """Samples (int16, 8 kHz) from the answer on, and what lies where in them. After it the phone sends silence."""

    samples: Samples
    marks: tuple[Mark, ...]

    def ticks(self) -> Iterator[tuple[bytes, list[Mark]]]:
        """Yield 20 ms of native 16-bit samples and the marks in them, for ever."""
        silence = bytes(2 * SAMPLES_PER_TICK)
        marks = list(self.marks)
        for begin in range(0, max(len(self.samples), 1), SAMPLES_PER_TICK):
            end = begin + SAMPLES_PER_TICK
            now = [mark for mark in marks if mark.at < end]
            marks = marks[len(now) :]
            yield self.samples[begin:end].tobytes().ljust(len(silence), b"\0"), now
        yield silence, marks
        while True:
            yield silence, []


def parse_press(text: str) -> list[float | str]:
    """Return keys (str) and pauses in seconds (float) of `1 2# 2.5s ,,9`. Raises `ScriptError`."""
    steps: list[float | str] = []
    for word in text.split():
        pause = _PAUSE.fullmatch(word)
        if pause is not None:
            steps.append(float(pause.group(1)))
            continue
        for character in word.upper():
            if character == ",":
                steps.append(COMMA_S)
            elif character in KEYS:
                steps.append(character)
            else:
                raise ScriptError(
                    f"--press {text!r}: {character!r} is no key; write {' '.join(sorted(KEYS))}, "
                    "a pause such as 2s, or a comma for one second"
                )
    return steps


def write_script(press: str, speech: Samples | None, speech_after_s: float | None = None) -> Script:
    """Return the script: the keys, the first a second after the answer unless a pause comes first, then the speech.

    `speech_after_s` counts from the last key (from the answer when there are none). Raises `ScriptError`.
    """
    steps = parse_press(press)
    if steps and isinstance(steps[0], str):
        steps.insert(0, FIRST_KEY_AFTER_S)
    parts: list[Samples] = []
    marks: list[Mark] = []
    length = 0

    def append(samples: Samples) -> None:
        nonlocal length
        parts.append(samples)
        length += len(samples)

    for step in steps:
        if isinstance(step, str):
            marks.append(Mark(length, "pressed", step))
            append(dtmf(step, TONE_MS, TONE_PAUSE_MS))
        else:
            append(_silence(step))
    if speech is not None:
        append(_silence(SPEECH_AFTER_S if speech_after_s is None else speech_after_s))
        marks.append(Mark(length, "speech_begins"))
        append(speech)
        marks.append(Mark(length, "speech_ends"))
    return Script(np.concatenate(parts) if parts else np.zeros(0, np.int16), tuple(marks))


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16)
