"""The trained detector of voice of a media worker: what legs say, collected in the tick, judged after it.

Rule 1: `hear` and `verdicts` belong to the tick and only move samples. The model runs in `work`, which the media loop
calls when a tick's packets are out, and for as many legs as there is time for before the next tick.

Rule 2: all legs share one grid of windows of 32 ms, so that one run judges all of them. What has waited for longer than
`WAITING_WINDOWS` is dropped: a verdict that late is of no use.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.edge.silero import CONTEXT, MEMORY, WINDOW, NoModel, Silero
from telephony.media.g711 import Samples
from telephony.media.resampling import EVEN_TAPS
from telephony.media.voice_activity import Floats
from telephony.rtp.packet import Integers

WAITING_WINDOWS: Final = 4
HOP: Final = WINDOW // 2
"""Samples at 8 kHz that are new in each window."""
REACH: Final = len(EVEN_TAPS) - 1
SEEN: Final = REACH + (CONTEXT + WINDOW) // 2
"""Samples at 8 kHz that a window is made of."""
FIRST_GUESS_S, LEAST_S = 0.0002, 0.000001
"""What judging a leg takes, as long as it has not been measured, and by a clock that stood still."""
WEIGHT: Final = 0.1

log = logging.getLogger("hotline.media")


def doubling() -> Floats:
    """Return float32[SEEN, CONTEXT + WINDOW], by which samples at 8 kHz become such at 16 kHz: the filter of
    `telephony.media.resampling` as one product, for many legs at once."""
    matrix = np.zeros((SEEN, CONTEXT + WINDOW), np.float32)
    for at in range((CONTEXT + WINDOW) // 2):
        matrix[at : at + REACH + 1, 2 * at] = 2 * EVEN_TAPS[::-1]
        matrix[at + REACH // 2 + 1, 2 * at + 1] = 1
    return matrix / np.float32(32768)


class Model(Protocol):
    """What judges sound."""

    def run(self, sound: Floats, memory: Floats) -> tuple[Floats, Floats]:
        """Return how likely each of n legs has voice, and its memory afterwards; see `Silero.run`."""
        ...


class TrainedVoice:
    """Legs by their table rows."""

    def __init__(self, model: Model, rows: int) -> None:
        self._model = model
        self._doubling = doubling()
        self._recent = np.zeros((rows, SEEN + SAMPLES_PER_TICK), np.int16)
        self._memory = np.zeros((2, rows, MEMORY), np.float32)
        self._samples = 0
        self._waiting: deque[tuple[Integers, Samples]] = deque()
        self._verdicts: list[tuple[Integers, Floats]] = []
        self._cost_s = FIRST_GUESS_S
        """Of a leg in a run."""
        self.dropped = 0
        """Windows of a leg that nobody had time for."""

    def begin(self, row: int) -> None:
        """Listen to a table row from now on; what was heard on it before was another's."""
        self._recent[row] = 0
        self._memory[:, row] = 0
        self._waiting = deque((rows[rows != row], seen[rows != row]) for rows, seen in self._waiting)
        self._verdicts = [(rows[rows != row], verdicts[rows != row]) for rows, verdicts in self._verdicts]

    def hear(self, rows: Integers, heard: Samples) -> None:
        """Take a tick of n distinct rows, int16[n, 160]."""
        recent = np.concatenate((self._recent[rows, SAMPLES_PER_TICK:], heard), axis=1)
        self._recent[rows] = recent
        self._samples = (self._samples + SAMPLES_PER_TICK) % HOP
        if self._samples < SAMPLES_PER_TICK:  # a window has ended, so many samples ago
            end = SEEN + SAMPLES_PER_TICK - self._samples
            self._waiting.append((rows, recent[:, end - SEEN : end]))
        if len(self._waiting) > WAITING_WINDOWS:
            self._drop()

    def verdicts(self) -> list[tuple[Integers, Floats]]:
        """Return on which rows voice was how likely, 0 to 1, since the last call, in order."""
        verdicts, self._verdicts = self._verdicts, []
        return verdicts

    def work(self, until: float, now: Callable[[], float]) -> None:
        """Judge what waits, as long as it can be done before the instant `until`."""
        while self._waiting:
            began = now()
            fits = int((until - began) / self._cost_s)
            if fits < 1:
                return
            rows, seen = self._waiting.popleft()
            if len(rows) > fits:
                self._waiting.appendleft((rows[fits:], seen[fits:]))
                rows, seen = rows[:fits], seen[:fits]
            if len(rows):
                self._judge(rows, seen)
                cost_s = max(LEAST_S, (now() - began) / len(rows))
                self._cost_s += WEIGHT * (cost_s - self._cost_s)

    def _judge(self, rows: Integers, seen: Samples) -> None:
        sound = seen.astype(np.float32) @ self._doubling
        likely, self._memory[:, rows] = self._model.run(sound, self._memory[:, rows])
        self._verdicts.append((rows, likely))

    def _drop(self) -> None:
        rows, _ = self._waiting.popleft()
        if not self.dropped:
            log.warning(
                "trained_voice_slow legs=%d cause='there is no time to judge them all' "
                "mend='set media.voice_detector to plain, or give the media worker a core of its own'",
                len(rows),
            )
        self.dropped += len(rows)


def find(rows: int) -> TrainedVoice | None:
    """Return the detector; None, and a line in the log, where it is not installed: then the plain one is used."""
    try:
        return TrainedVoice(Silero(), rows)
    except NoModel as error:
        log.warning("trained_voice_missing cause=%r mend='the plain detector is used'", str(error))
        return None
