"""Keys sent as tones in the audio, found for all legs at once (Goertzel's sums as one matrix product).

Every 10 ms a block of 20 ms is judged by itself; a key is pressed after `HITS` agreeing blocks in a row, which is
about 40 ms of tone, and is up again after `MISSES` blocks without it, so that a tone broken by one lost packet stays
one press (ITU-T Q.24: 40 ms of tone and 40 ms of pause must do).

What keeps speech and music out ("talk-off"): nearly all of a block's power must lie in the two tones, each tone must
stand out from its neighbours, their levels must be within the twist allowed, and their second harmonics, which voices
have and tone generators do not, must be missing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.rtp.packet import Flags, Integers

ROWS_HZ: Final = (697, 770, 852, 941)
COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
KEYS: Final = "123A456B789C*0#D"
"""Row by row, as on the keypad."""

HOP: Final = SAMPLES_PER_TICK // 2
BLOCK: Final = SAMPLES_PER_TICK
HITS: Final = 3
MISSES: Final = 4
SOFTEST_DBFS: Final = -42.0
"""The softest tone (each of the two) that counts, relative to a full-scale sine."""
SHARE: Final = 0.62
"""Of the block's power, what the two tones must hold. Tones 1.5 % off the mark still hold that much of a block."""
DOMINANCE: Final = 10 ** (6.0 / 10)
TWIST: Final = 10 ** (9.0 / 10)
REVERSE_TWIST: Final = 10 ** (6.0 / 10)
HARMONIC: Final = 0.12
NO_KEY: Final = -1

Floats = npt.NDArray[np.float32]


def _basis(frequencies: tuple[int, ...]) -> Floats:
    """float32[BLOCK, 2 * frequencies]: cosines, then sines, scaled so that a sine of amplitude 1 has power 1."""
    angle = 2 * np.pi * np.outer(np.arange(BLOCK), frequencies) / SAMPLE_RATE_HZ
    return (np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * 2 / BLOCK).astype(np.float32)


_TONES: Final = _basis(ROWS_HZ + COLUMNS_HZ)
_HARMONICS: Final = _basis(tuple(2 * hz for hz in ROWS_HZ + COLUMNS_HZ))
_SOFTEST: Final = (32768 * 10 ** (SOFTEST_DBFS / 20)) ** 2


def _powers(blocks: Floats, basis: Floats) -> Floats:
    """Return the squared amplitude at each frequency: float32[n, frequencies]."""
    sums = blocks @ basis
    half = sums.shape[1] // 2
    return sums[:, :half] ** 2 + sums[:, half:] ** 2


def key_of_blocks(blocks: Floats) -> Integers:
    """Judge float32[n, BLOCK]; return the index into KEYS that each block holds, or NO_KEY."""
    keys = np.full(len(blocks), NO_KEY, np.int64)
    energy = np.einsum("ij,ij->i", blocks, blocks) / BLOCK
    loud = np.flatnonzero(energy >= _SOFTEST)
    if not loud.size:
        return keys
    powers = _powers(blocks[loud], _TONES)
    row, row_power, row_clear = _strongest(powers[:, :4])
    column, column_power, column_clear = _strongest(powers[:, 4:])
    tonal = (row_power + column_power) / 2 >= SHARE * energy[loud]
    heard = np.minimum(row_power, column_power) >= _SOFTEST
    twisted = (column_power > TWIST * row_power) | (row_power > REVERSE_TWIST * column_power)
    found = np.flatnonzero(row_clear & column_clear & tonal & heard & ~twisted)
    if found.size:
        harmonics = _powers(blocks[loud[found]], _HARMONICS)
        each = np.arange(found.size)
        second = harmonics[each, row[found]] + harmonics[each, 4 + column[found]]
        found = found[second < HARMONIC * (row_power + column_power)[found]]
    keys[loud[found]] = 4 * row[found] + column[found]
    return keys


def _strongest(powers: Floats) -> tuple[Integers, Floats, Flags]:
    """Return the strongest of four tones, its power, and whether it dominates the other three."""
    best = powers.argmax(axis=1)
    ordered = np.sort(powers, axis=1)
    return best, ordered[:, -1], ordered[:, -1] > DOMINANCE * ordered[:, -2]


@dataclass(frozen=True, slots=True)
class _Column:
    candidate: Integers
    hits: Integers
    held: Integers
    misses: Integers


class ToneListener:
    """Listens to every leg's received audio."""

    def __init__(self, legs: int) -> None:
        self._tail = np.zeros((legs, BLOCK - HOP), np.int16)
        self._state = _Column(
            np.full(legs, NO_KEY, np.int64),
            np.zeros(legs, np.int64),
            np.full(legs, NO_KEY, np.int64),
            np.zeros(legs, np.int64),
        )

    def reset(self, leg: int) -> None:
        """Forget what a leg has sent."""
        self._tail[leg] = 0
        self._state.candidate[leg] = NO_KEY
        self._state.held[leg] = NO_KEY

    def listen(self, legs: Integers, heard: Samples) -> list[tuple[int, str]]:
        """Take a tick of n distinct legs, int16[n, 160]; return the keys pressed as (leg, digit)."""
        count = len(legs)
        blocks = np.empty((2 * count, BLOCK), np.float32)
        blocks[:count, : BLOCK - HOP] = self._tail[legs]
        blocks[:count, BLOCK - HOP :] = heard[:, :HOP]
        blocks[count:] = heard
        self._tail[legs] = heard[:, HOP:]
        keys = key_of_blocks(blocks)
        idle = (self._state.candidate[legs] == NO_KEY) & (self._state.held[legs] == NO_KEY)
        if (keys == NO_KEY).all() and idle.all():
            return []
        return self._follow(legs, keys[:count]) + self._follow(legs, keys[count:])

    def _follow(self, legs: Integers, keys: Integers) -> list[tuple[int, str]]:
        state = self._state
        again = (keys != NO_KEY) & (keys == state.candidate[legs])
        hits = np.where(again, state.hits[legs] + 1, keys != NO_KEY)
        held = state.held[legs]
        misses = np.where(keys == held, 0, state.misses[legs] + 1)
        held = np.where(misses >= MISSES, NO_KEY, held)
        pressed = (hits >= HITS) & (keys != held)
        state.candidate[legs] = keys
        state.hits[legs] = hits
        state.held[legs] = np.where(pressed, keys, held)
        state.misses[legs] = np.where(pressed, 0, misses)
        return [(int(legs[i]), KEYS[keys[i]]) for i in np.flatnonzero(pressed).tolist()]
