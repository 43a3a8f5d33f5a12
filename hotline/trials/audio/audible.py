"""Whether what a caller was to hear was heard: as long as it is, and as loud. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICK_S, TICKS_PER_S
from telephony.events import Play, PromptFinished
from telephony.media.g711 import Samples

SILENT: Final = 50.0
"""The root mean square of 16-bit samples below which nothing is heard; G.711's idle noise is below 20."""
SOFTER: Final = 0.7
"""So much of a prompt's loudness (-3 dB) must arrive."""
NO_SAMPLES: Final[Samples] = np.zeros(0, np.int16)
TOLERANCE_TICKS: Final = 3
SHORTEST_TICKS: Final = TICKS_PER_S // 2
"""What ends sooner, by a key or a step, is not judged: it may end within its first breath."""


class Begun(NamedTuple):
    """A playback that is heard, since a row of what is heard; `due` are its samples, one clip after another."""

    play: Play
    words: str
    row: int
    due: Samples


class Audible:
    """What one caller hears, and what of it was `wrong`, in words."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.seconds = 0.0
        self._begun: dict[str, Begun] = {}

    def begin(self, play: Play, words: str, clips: Sequence[Samples], row: int) -> None:
        """A playback begins with a row; `words` are what is said."""
        self._begun[play.playback] = Begun(play, words, row, np.concatenate([NO_SAMPLES, *clips]))

    def end(self, event: PromptFinished, heard: Sequence[Samples]) -> None:
        """A playback is over: all that was heard so far is `heard`, int16[160] each."""
        begun = self._begun.pop(event.playback, None)
        if event.ending == "failed":
            words = "a prompt" if begun is None else f"“{begun.words}”"
            self.wrong.append(f"{words} cannot be heard: {event.cause}")
        elif begun is not None:
            self.seconds += (len(heard) - begun.row) * TICK_S
            self.wrong += filter(None, [_wrong(begun, event, heard[begun.row :])])


def _wrong(begun: Begun, event: PromptFinished, rows: Sequence[Samples]) -> str:
    due = begun.due[begun.play.offset_ms * SAMPLES_PER_TICK * TICKS_PER_S // 1000 :]
    ticks = -(-len(due) // SAMPLES_PER_TICK)
    if loudness(due) < SILENT:
        return f"“{begun.words}” is silence: of its {len(due) / SAMPLES_PER_TICK * TICK_S:.1f} s nothing can be heard"
    if event.ending == "finished" and abs(len(rows) - ticks) > TOLERANCE_TICKS:
        return f"“{begun.words}” lasts {ticks * TICK_S:.1f} s, and was over after {len(rows) * TICK_S:.1f} s"
    if len(rows) < SHORTEST_TICKS and event.ending != "finished":
        return ""
    heard = np.concatenate([NO_SAMPLES, *rows])
    expected = np.resize(due, len(heard)) if begun.play.loop else due[: len(heard)]
    if loudness(heard) < SOFTER * 10 ** (begun.play.level_db / 20) * loudness(expected):
        return f"“{begun.words}” is not heard: {loudness(heard):.0f} of a loudness of {loudness(expected):.0f} arrives"
    return ""


def loudness(samples: Samples) -> float:
    """Return the root mean square of samples, 0 of none."""
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0
