"""What a leg hears in place of lost packets of G.711: its last pitch periods again, fading out (after ITU-T G.711
appendix I). After `REPEATS` lost packets in a row there is silence until audio comes again, into which it is faded.

The recommendation delays all audio by 3.75 ms, to fade into the first repetition; here nothing is delayed, and the step
at the joint is taken off the first quarter of the repetition instead.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Flags, Integers

REPEATS: Final = 3
"""60 ms: "the reconstructed signal is muted after 60 ms" (section I.2.7)."""
KEPT_TICKS: Final = 3
KEPT: Final = KEPT_TICKS * SAMPLES_PER_TICK
SHORTEST, LONGEST = 40, 120
"""Pitch periods that are looked for: 5 to 15 ms, 200 to 66 Hz (section I.2.2)."""
FULL: Final = 80
"""So many samples are repeated at full level: 10 ms (section I.2.7)."""
RETURN: Final = 40
"""Over so many samples the first packet after a loss is faded in."""

Floats = npt.NDArray[np.float32]

_EACH: Final = np.arange(SAMPLES_PER_TICK)
_GAIN: Final = np.clip(
    1 - (np.arange((REPEATS + 1) * SAMPLES_PER_TICK) - FULL) / (REPEATS * SAMPLES_PER_TICK - FULL), 0, 1
).astype(np.float32)
_RETURN: Final = ((np.arange(RETURN) + 0.5) / RETURN).astype(np.float32)


def periods(past: Floats) -> Integers:
    """Return the pitch period of each of n legs in samples, by normalised cross-correlation of the last 20 ms of
    float32[n, KEPT] with what was before them."""
    latest = past[:, -SAMPLES_PER_TICK:]
    begin = KEPT - SAMPLES_PER_TICK - LONGEST
    windows = np.lib.stride_tricks.sliding_window_view(past[:, begin : KEPT - SHORTEST], SAMPLES_PER_TICK, axis=1)
    products = np.einsum("nls,ns->nl", windows, latest, optimize=True)
    energies = np.einsum("nls,nls->nl", windows, windows)
    alike = products / np.sqrt(energies + 1)
    found: Integers = LONGEST - alike.argmax(axis=1)
    return found


class Concealment:
    """The last audio of each leg, and how many losses in a row it has covered since."""

    def __init__(self, legs: int) -> None:
        self._past = np.zeros((legs, KEPT_TICKS, SAMPLES_PER_TICK), np.int16)
        self._next = np.zeros(legs, np.int64)
        """Where in its past a leg's next tick goes."""
        self._period = np.full(legs, LONGEST, np.int64)
        self._covered = np.full(legs, REPEATS, np.int64)
        self._sounding = np.zeros(legs, np.bool_)
        """Whose last tick was a repetition."""

    def reset(self, leg: int) -> None:
        """Forget a leg."""
        self._covered[leg] = REPEATS
        self._sounding[leg] = False
        self._past[leg] = 0

    def hush(self, legs: Integers) -> None:
        """Repeat nothing until audio comes again."""
        self._covered[legs] = REPEATS
        self._sounding[legs] = False

    def remember(self, legs: Integers, heard: Samples) -> Flags | None:
        """Keep int16[n, 160] that did arrive. What follows a repetition is faded in, in place; return which ones were,
        None for none."""
        sounding = self._sounding[legs]
        back = sounding if sounding.any() else None
        if back is not None:
            rows = legs[back]
            repeated = self._repeat(rows, self._covered[rows])[:, :RETURN]
            began = heard[back]
            began[:, :RETURN] = np.rint(repeated + (began[:, :RETURN] - repeated) * _RETURN)
            heard[back] = began
            self._sounding[rows] = False
        at = self._next[legs]
        self._past[legs, at] = heard
        self._next[legs] = np.where(at == KEPT_TICKS - 1, 0, at + 1)
        self._covered[legs] = 0
        return back

    def fill(self, legs: Integers) -> tuple[Samples, Flags]:
        """Return int16[n, 160] for legs whose packet is missing, and which of them are more than silence."""
        covered = self._covered[legs]
        begins = legs[covered == 0]
        if begins.size:
            self._period[begins] = periods(self._ordered(begins))
        concealed = covered < REPEATS
        filled = np.zeros((len(legs), SAMPLES_PER_TICK), np.int16)
        if concealed.any():
            filled[concealed] = np.rint(self._repeat(legs[concealed], covered[concealed]))
        self._covered[legs] = np.minimum(covered + 1, REPEATS)
        self._sounding[legs] = concealed
        return filled, concealed

    def _ordered(self, legs: Integers) -> Floats:
        turns = (self._next[legs, None] + np.arange(KEPT_TICKS)) % KEPT_TICKS
        past: Floats = self._past[legs[:, None], turns].reshape(len(legs), KEPT).astype(np.float32)
        return past

    def _repeat(self, legs: Integers, covered: Integers) -> Floats:
        """Return what comes after so many repeated ticks: float32[n, 160]. One more period is used for each, so that
        it does not buzz (section I.2.6)."""
        past, period = self._ordered(legs), self._period[legs, None]
        quarter = period // 4
        at = covered[:, None] * SAMPLES_PER_TICK
        tick = _looped(past, period * np.minimum(covered[:, None] + 1, REPEATS), quarter, at)
        # From one number of periods to the next, and from what was heard last to the first of them, without a step.
        before = _looped(past, period * np.maximum(covered[:, None], 1), quarter, at)
        within = np.clip((_EACH + 1) / (quarter + 1), 0, 1).astype(np.float32)
        step = past[:, -1:] - np.take_along_axis(past, KEPT - 1 - period, axis=1)
        first = covered[:, None] == 0
        tick = np.where(first, tick + step * (1 - within), before + (tick - before) * within)
        faded: Floats = (tick * _GAIN[np.minimum(at + _EACH, len(_GAIN) - 1)]).astype(np.float32)
        limited: Floats = np.clip(faded, -32768, 32767)
        return limited


def _looped(past: Floats, length: Integers, quarter: Integers, at: Integers) -> Floats:
    """Return 160 samples, from the `at`-th on, of the last `length` samples over and over. The last quarter of a period
    is faded into what was before the first, so that the end goes on as the beginning (section I.2.5)."""
    within = (at + _EACH) % length
    plain = np.take_along_axis(past, KEPT - length + within, axis=1)
    closing = within - (length - quarter)
    ahead = np.take_along_axis(past, np.maximum(KEPT - 2 * length + within, 0), axis=1)
    weight = np.clip((closing + 1) / (quarter + 1), 0, 1).astype(np.float32)
    looped: Floats = plain + (ahead - plain) * weight
    return looped
