"""Music for those who wait, made of sums of sines: nobody's rights, nothing to install, and a loop without a seam."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr_flows.audio import Sound, level
from ivr_flows.prompts import PromptError
from telephony.clock import SAMPLE_RATE_HZ

LEVEL_DB: Final = -24.0
"""Below speech: people put the receiver down to it."""
BEAT_S: Final = 60 / 76
BEATS_PER_BAR: Final = 4

CHORDS: Final = (
    (48, 55, 64, 67, 71),  # C major seventh
    (45, 52, 60, 64, 67),  # A minor seventh
    (41, 53, 57, 60, 64),  # F major seventh
    (43, 50, 59, 62, 65),  # G seventh
    (40, 52, 55, 59, 62),  # E minor seventh
    (45, 52, 60, 64, 67),  # A minor seventh
    (38, 50, 57, 60, 65),  # D minor seventh
    (43, 50, 57, 60, 65),  # G suspended
)
PATTERN: Final = (1, 2, 3, 4, 3, 2, 3, 2)
"""Notes of a chord, one each half beat, over its lowest."""
MELODY: Final = (
    (0, 76, 2.0), (3, 74, 1.0), (4, 72, 3.0), (8, 72, 1.5), (10, 69, 1.5), (12, 71, 3.0),
    (16, 74, 2.0), (19, 71, 1.0), (20, 72, 3.0), (24, 69, 1.5), (26, 72, 1.5), (28, 74, 3.0),
)  # fmt: skip
"""(beat, note, length in beats)."""


def _waiting() -> Sound:
    """A slow arpeggio over eight bars, about 25 seconds."""
    total = round(len(CHORDS) * BEATS_PER_BAR * BEAT_S * SAMPLE_RATE_HZ)
    tune = np.zeros(total)
    for bar, chord in enumerate(CHORDS):
        beat = float(bar * BEATS_PER_BAR)
        _strike(tune, beat, chord[0], 0.5, 2.5)
        for number, note in enumerate(PATTERN):
            _strike(tune, beat + number / 2, chord[note], 0.22, 1.2)
    for beat, note, length in MELODY:
        _strike(tune, float(beat), note, 0.3, length)
    return tune.astype(np.float32)


def _strike(tune: NDArray[np.float64], beat: float, note: int, loudness: float, beats: float) -> None:
    """Add a soft bell to the tune; what rings beyond the end rings on at the beginning."""
    count = int(beats * BEAT_S * SAMPLE_RATE_HZ * 1.6)
    seconds = np.arange(count) / SAMPLE_RATE_HZ
    pitch_hz = 440.0 * 2 ** ((note - 69) / 12)
    tone = sum(
        (share * np.sin(2 * np.pi * overtone * pitch_hz * seconds) * np.exp(-seconds * overtone * 1.4))
        for overtone, share in ((1, 1.0), (2, 0.35), (3, 0.12), (4, 0.05))
        if overtone * pitch_hz < 3400
    )
    fade = np.minimum(1.0, np.arange(count) / 64) * np.minimum(1.0, np.arange(count)[::-1] / 800)
    places = (round(beat * BEAT_S * SAMPLE_RATE_HZ) + np.arange(count)) % len(tune)
    np.add.at(tune, places, loudness * tone * fade)


def _hold() -> Sound:
    """The chords alone, slower: about 25 seconds in which nothing asks for attention."""
    total = round(len(CHORDS) * BEATS_PER_BAR * BEAT_S * SAMPLE_RATE_HZ)
    tune = np.zeros(total)
    for bar, chord in enumerate(CHORDS):
        for number, note in enumerate(chord):
            _strike(tune, bar * BEATS_PER_BAR + number / 4, note, 0.3, 3.5)
    return tune.astype(np.float32)


def _comfort() -> Sound:
    """Two soft notes and a pause, three seconds in all: somebody is there, wait a moment."""
    tune = np.zeros(3 * SAMPLE_RATE_HZ)
    for beat, note in ((0.0, 72), (0.3, 76)):
        _strike(tune, beat, note, 0.3, 0.8)
    return tune.astype(np.float32)


TUNES: Final[Mapping[str, Callable[[], Sound]]] = {"waiting": _waiting, "hold": _hold, "comfort": _comfort}


def music(name: str) -> Sound:
    """Return the music of that name, to be looped. Raises `PromptError` for a name that is not there."""
    if name not in TUNES:
        raise PromptError(f"there is no music called '{name}'; there is {', '.join(TUNES)}, or a .wav file (file: …)")
    return level(TUNES[name](), LEVEL_DB)
