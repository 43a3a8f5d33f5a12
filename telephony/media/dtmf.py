"""Keys sent as tones in the audio, found for all legs at once (Goertzel's sums as one matrix product).

Every 10 ms a block of 20 ms is judged by itself; a key is pressed after `HITS` agreeing blocks in a row, which is
about 40 ms of tone, and is up again after `MISSES` blocks without it, so that a tone broken by one lost packet stays
one press (ITU-T Q.24: 40 ms of tone and 40 ms of pause must do).

What keeps speech and music out ("talk-off"): nearly all of a block's power must lie in the two tones, each tone must
stand out from its neighbours, their levels must be within the twist allowed, and their second harmonics, which voices
have and tone generators do not, must be missing.

A key that must not be recorded is feared sooner than it is believed (`Suspicion`): there a wrong guess costs a moment
of silence, and a missed one a digit.
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

SHARE_IN_PART: Final = 0.4
"""What a block holds of which half is a key: it is feared to be one."""
TRACE_SOFTEST_DBFS: Final = -48.0
TRACE_SHARE: Final = 0.2
TRACE_DOMINANCE: Final = 10 ** (4.0 / 10)
TRACE_TWIST: Final = 10 ** (14.0 / 10)
"""What is feared to be a key if it lasts, though it is not believed to be one: two tones over speech or noise of four
times their power, from a phone that is louder at one end of the band."""

Floats = npt.NDArray[np.float32]


def _basis(frequencies: tuple[int, ...]) -> Floats:
    """float32[BLOCK, 2 * frequencies]: cosines, then sines, scaled so that a sine of amplitude 1 has power 1."""
    angle = 2 * np.pi * np.outer(np.arange(BLOCK), frequencies) / SAMPLE_RATE_HZ
    return (np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * 2 / BLOCK).astype(np.float32)


_TONES: Final = _basis(ROWS_HZ + COLUMNS_HZ)
_HARMONICS: Final = _basis(tuple(2 * hz for hz in ROWS_HZ + COLUMNS_HZ))
_SOFTEST: Final = (32768 * 10 ** (SOFTEST_DBFS / 20)) ** 2
_TRACE_SOFTEST: Final = (32768 * 10 ** (TRACE_SOFTEST_DBFS / 20)) ** 2


def _powers(blocks: Floats, basis: Floats) -> Floats:
    """Return the squared amplitude at each frequency: float32[n, frequencies]."""
    sums = blocks @ basis
    half = sums.shape[1] // 2
    return sums[:, :half] ** 2 + sums[:, half:] ** 2


def key_of_blocks(blocks: Floats, share: float = SHARE) -> Integers:
    """Judge float32[n, BLOCK]; return the index into KEYS that each block holds, or NO_KEY. `share` is the least part
    of a block's power that counts."""
    keys = np.full(len(blocks), NO_KEY, np.int64)
    energy = np.einsum("ij,ij->i", blocks, blocks) / BLOCK
    loud = np.flatnonzero(energy >= _SOFTEST)
    if not loud.size:
        return keys
    powers = _powers(blocks[loud], _TONES)
    row, row_power, row_clear = _strongest(powers[:, :4])
    column, column_power, column_clear = _strongest(powers[:, 4:])
    tonal = (row_power + column_power) / 2 >= share * energy[loud]
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


def _strongest(powers: Floats, dominance: float = DOMINANCE) -> tuple[Integers, Floats, Flags]:
    """Return the strongest of four tones, its power, and whether it dominates the other three."""
    best = powers.argmax(axis=1)
    ordered = np.sort(powers, axis=1)
    return best, ordered[:, -1], ordered[:, -1] > dominance * ordered[:, -2]


def trace_of_blocks(blocks: Floats) -> Integers:
    """Judge float32[n, BLOCK] as somebody who wants to find keys: return the index into KEYS of the two tones that are
    there besides whatever else is, or NO_KEY."""
    powers = _powers(blocks, _TONES)
    energy = np.einsum("ij,ij->i", blocks, blocks) / BLOCK
    row, row_power, row_clear = _strongest(powers[:, :4], TRACE_DOMINANCE)
    column, column_power, column_clear = _strongest(powers[:, 4:], TRACE_DOMINANCE)
    weaker, stronger = np.minimum(row_power, column_power), np.maximum(row_power, column_power)
    there = row_clear & column_clear & (weaker >= _TRACE_SOFTEST) & (stronger <= TRACE_TWIST * weaker)
    there &= (row_power + column_power) / 2 >= TRACE_SHARE * energy
    return np.where(there, 4 * row + column, NO_KEY)


def _blocks(tail: Samples, legs: Integers, heard: Samples) -> Floats:
    """Return the two blocks that end in a tick of n legs, float32[2 * n, BLOCK]: first those that began in the tick
    before, then the tick itself. Its second half is kept in `tail`."""
    count = len(legs)
    blocks = np.empty((2 * count, BLOCK), np.float32)
    blocks[:count, : BLOCK - HOP] = tail[legs]
    blocks[:count, BLOCK - HOP :] = heard[:, :HOP]
    blocks[count:] = heard
    tail[legs] = heard[:, HOP:]
    return blocks


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
        keys = key_of_blocks(_blocks(self._tail, legs, heard))
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


class Suspicion:
    """Where a key may sound: one block that holds one, be it in half, or three in a row with a trace of the same."""

    def __init__(self, legs: int) -> None:
        self._tail = np.zeros((legs, BLOCK - HOP), np.int16)
        self._trace = np.full(legs, NO_KEY, np.int64)
        self._hits = np.zeros(legs, np.int64)

    def reset(self, leg: int) -> None:
        """Forget what a leg has sent."""
        self._tail[leg] = 0
        self._trace[leg] = NO_KEY

    def of(self, legs: Integers, heard: Samples) -> Flags:
        """Take a tick of n distinct legs, int16[n, 160]; return in which of them a key may sound. It began at most
        60 ms before the end of this tick, or was feared in a tick before."""
        count = len(legs)
        blocks = _blocks(self._tail, legs, heard)
        feared = key_of_blocks(blocks, SHARE_IN_PART) != NO_KEY
        traces = trace_of_blocks(blocks)
        found: Flags = feared[:count] | feared[count:]
        for trace in (traces[:count], traces[count:]):
            again = (trace != NO_KEY) & (trace == self._trace[legs])
            self._hits[legs] = np.where(again, self._hits[legs] + 1, trace != NO_KEY)
            self._trace[legs] = trace
            found |= self._hits[legs] >= HITS
        return found
