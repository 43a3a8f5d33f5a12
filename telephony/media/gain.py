"""Automatic gain: legs that speak quietly are raised, slowly, and only as far as speech needs it.

The long-term level of active speech (in the spirit of ITU-T P.56: pauses do not count) is to be about -20 dBFS. A leg
below -30 dBFS is raised to it, by 12 dB at most; from -25 dBFS on nothing is done, and between the two the rule bends
without a step. The gain moves only while there is voice (3 dB a second up, 12 down), so noise in a pause is not pumped
up. Voice is what stands 9 dB above the lowest level of late.

A leg is measured in every fourth tick: a quarter of them in each.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.media.g711 import Samples
from telephony.media.limiter import LOUDEST, SOFTEST
from telephony.rtp.packet import Integers

WANTED_DB: Final = -20.0
QUIET_DB: Final = -30.0
FINE_DB: Final = -25.0
MOST_DB: Final = 12.0
MEASURED_EVERY: Final = 4
UP_DB: Final = 3.0 * MEASURED_EVERY / TICKS_PER_S
DOWN_DB: Final = 12.0 * MEASURED_EVERY / TICKS_PER_S
VOICE_ABOVE_NOISE: Final = np.float32(8.0)
"""9 dB, as a ratio of powers."""
NOISE_RISES: Final = np.float32(1.05)
"""In a measurement: 2.6 dB a second, so that a line which grows noisier is noticed, and a sentence is not."""
FAINTEST: Final = np.float32(32768.0**2 * 1e-5)
"""-50 dBFS: nothing below is voice."""
WEIGHT: Final = np.float32(0.05)
"""Of a measurement in the level: 1.6 s of speech."""
KNOWN: Final = 10
"""Measurements of voice, 0.8 s of it, before the level is believed."""

_COURSE: Final = np.arange(1, SAMPLES_PER_TICK + 1, dtype=np.float32) / SAMPLES_PER_TICK


class AutomaticGain:
    """Levels and gains of table rows."""

    def __init__(self, rows: int) -> None:
        self._level = np.zeros(rows, np.float32)
        self._noise = np.full(rows, np.inf, np.float32)
        self._voiced = np.zeros(rows, np.int64)
        self._gain_db = np.zeros(rows, np.float32)
        self._applied = np.ones(rows, np.float32)

    def reset(self, row: int) -> None:
        """Forget a row's past."""
        self._level[row], self._noise[row], self._voiced[row] = 0.0, np.inf, 0
        self._gain_db[row], self._applied[row] = 0.0, 1.0

    def gain_db(self, row: int) -> float:
        """Return by how much a row is raised at present."""
        return float(self._gain_db[row])

    def raise_quiet(self, heard: Samples, places: Integers, rows: Integers, tick: int) -> Samples:
        """Return int16[n, 160] with the quiet ones of `places` raised; `heard` itself where none is. `rows` are the
        table rows of all places."""
        looked_after = rows[places]
        due = (looked_after + tick) % MEASURED_EVERY == 0
        if due.any():
            self._measure(heard[places[due]], looked_after[due])
        before = self._applied[looked_after]
        after = 10 ** (self._gain_db[looked_after] / 20)
        changed = np.flatnonzero((before != 1) | (after != 1))
        if not changed.size:
            return heard
        gain = before[changed, None] + (after - before)[changed, None] * _COURSE
        louder = heard.copy()
        raised = np.rint(heard[places[changed]] * gain)
        louder[places[changed]] = np.clip(raised, SOFTEST, LOUDEST).astype(np.int16)
        self._applied[looked_after[changed]] = after[changed]
        return louder

    def _measure(self, said: Samples, rows: Integers) -> None:
        samples = said.astype(np.float32)
        power = np.einsum("ij,ij->i", samples, samples) / SAMPLES_PER_TICK
        noise = np.minimum(np.maximum(self._noise[rows], 1) * NOISE_RISES, power)
        self._noise[rows] = noise
        voiced = (power > VOICE_ABOVE_NOISE * noise) & (power > FAINTEST)
        if not voiced.any():
            return
        rows, power = rows[voiced], power[voiced]
        level = np.where(self._voiced[rows] == 0, power, self._level[rows] + WEIGHT * (power - self._level[rows]))
        self._level[rows] = level
        self._voiced[rows] += 1
        wanted = np.where(self._voiced[rows] >= KNOWN, wanted_db(10 * np.log10(level / 32768.0**2)), 0)
        step = np.clip(wanted - self._gain_db[rows], -DOWN_DB, UP_DB)
        self._gain_db[rows] += step.astype(np.float32)


def wanted_db(level_db: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the gain that a level of speech asks for; both in dB."""
    whole = WANTED_DB - level_db
    bend = (FINE_DB - level_db) * (WANTED_DB - QUIET_DB) / (FINE_DB - QUIET_DB)
    wanted: npt.NDArray[np.float32] = np.clip(np.minimum(whole, bend), 0, MOST_DB).astype(np.float32)
    return wanted
