"""Where a speaker's phrases begin and end, by loudness alone: what is not in a phrase costs no recognition. Pure.

A phrase begins when three of five rows of 20 ms are loud, and ends after 0.6 s without one. Loud is a row three times
above the line's own noise, which is followed slowly, so that a hum, or music that goes on and on, is noise after a
while. Talk without a pause is cut at the first short dip after 10 s, and anywhere at 12 s.

Each phrase carries the 800 ms before it (silence where there was none, or where the phrase before has them): engines
miss the first word of what begins too suddenly.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recordings.transcribe.engine import Samples
from telephony.clock import SAMPLES_PER_TICK, TICK_S, TICKS_PER_S

Rows = NDArray[np.int16]
"""int16[n, 160]: one row a tick."""

LEAST_LOUD: Final = 120.0  # root mean square; G.711's idle noise is below 20, a quiet talker above 180
ABOVE_NOISE: Final = 3.0
NOISE_LEAST: Final = 20.0
NOISE_AT_FIRST: Final = 60.0
NOISE_GROWTH: Final = 1.003  # a row: sixteen per cent a second
SMOOTHING: Final = 0.15  # of a row: a lost packet is not a quiet line
WINDOW_ROWS: Final = 5
LOUD_IN_WINDOW: Final = 3
LEAST_LOUD_ROWS: Final = 5
"""Less sound than 100 ms is a click."""
PAUSE_ROWS: Final = int(0.6 * TICKS_PER_S)
LONG_ROWS: Final = 10 * TICKS_PER_S
LONGEST_ROWS: Final = 12 * TICKS_PER_S
DIP_ROWS: Final = 4
PAD_ROWS: Final = int(0.8 * TICKS_PER_S)


@dataclass(slots=True)
class Phrase:
    """A phrase that is spoken, or was. Rows count from the beginning of the recording; `end_row` lies after its last
    loud one. `audio` is what nobody has taken yet; it begins before `start_row`."""

    channel: int
    start_row: int
    end_row: int
    loud_rows: int
    audio: list[Samples] = field(default_factory=list)
    closed: bool = False

    @property
    def start(self) -> float:
        """Seconds."""
        return round(self.start_row * TICK_S, 2)

    @property
    def end(self) -> float:
        """Seconds."""
        return round(self.end_row * TICK_S, 2)

    @property
    def is_speech(self) -> bool:
        """Whether there is enough sound for a word."""
        return self.loud_rows >= LEAST_LOUD_ROWS

    def take(self) -> Samples:
        """Return the audio that nobody has taken yet."""
        taken = np.concatenate(self.audio) if self.audio else np.zeros(0, np.int16)
        self.audio = []
        return taken


class PhraseCutter:
    """One speaker's rows in, phrases out; a phrase that is told goes on growing until it is `closed`."""

    def __init__(self, channel: int, first_row: int = 0) -> None:
        self._channel = channel
        self._next_row = first_row
        self._noise = self._level = NOISE_AT_FIRST
        self._before: deque[tuple[Samples, bool]] = deque(maxlen=PAD_ROWS + WINDOW_ROWS)
        self._open: Phrase | None = None

    def take(self, rows: Rows) -> list[Phrase]:
        """Take the next rows; return the phrases that began in them."""
        levels = np.sqrt(np.square(rows.astype(np.float32)).mean(axis=1))
        begun: list[Phrase] = []
        for row, level in zip(rows, levels.tolist(), strict=True):
            loud = self._is_loud(level)
            if self._open is not None:
                self._grow(self._open, row, loud)
            else:
                self._before.append((row, loud))
                if loud and (phrase := self._begun()) is not None:
                    begun.append(phrase)
            self._next_row += 1
        return begun

    def close(self) -> None:
        """End the phrase that is spoken: nothing follows."""
        if self._open is not None:
            self._open.closed, self._open = True, None

    def skip_to(self, row: int) -> None:
        """Go on at a later row; what lies between is not heard."""
        self.close()
        self._before.clear()
        self._next_row = row

    def _is_loud(self, level: float) -> bool:
        self._level += SMOOTHING * (level - self._level)
        self._noise = max(NOISE_LEAST, min(self._level, self._noise * NOISE_GROWTH))
        return level > max(LEAST_LOUD, ABOVE_NOISE * self._noise)

    def _begun(self) -> Phrase | None:
        """Return a new phrase if the last rows are one's beginning; the present row is the last of `_before`."""
        window = list(self._before)[-WINDOW_ROWS:]
        loud_rows = sum(loud for _, loud in window)
        if loud_rows < LOUD_IN_WINDOW:
            return None
        since = len(window) - next(index for index, (_, loud) in enumerate(window) if loud)
        kept = [row for row, _ in self._before][-(PAD_ROWS + since) :]
        silence = np.zeros((PAD_ROWS + since - len(kept)) * SAMPLES_PER_TICK, np.int16)
        start_row = self._next_row - since + 1
        self._open = Phrase(self._channel, start_row, self._next_row + 1, loud_rows, [silence, *kept])
        self._before.clear()
        return self._open

    def _grow(self, phrase: Phrase, row: Samples, loud: bool) -> None:
        phrase.audio.append(row)
        if loud:
            phrase.end_row = self._next_row + 1
            phrase.loud_rows += 1
            self._before.clear()
        else:
            self._before.append((row, loud))  # of the pause, for the next phrase
        quiet, length = self._next_row + 1 - phrase.end_row, self._next_row + 1 - phrase.start_row
        if quiet >= PAUSE_ROWS:
            self.close()
        elif length >= LONGEST_ROWS or (length >= LONG_ROWS and quiet >= DIP_ROWS):
            self.close()
            self._before.clear()
