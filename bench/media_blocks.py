"""What is said in the benchmark of media: 20 ms of µ-law that tell who says them, and which they are.

The first four octets are digits; the rest is the speaker's own pattern, the same in every block. All of it comes back
bit for bit from decoding and encoding. In a conference the first four octets are one member's, and the others' patterns
are summed: what each member has to hear of it is known as well.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.media import g711

Octets = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

OCTETS: Final = 160
BASE: Final = 100
COUNTED: Final = BASE * BASE
DIGITS: Final = 4
SILENCE: Final = 0xFF
PROMPT: Final = BASE * BASE - 1
"""The number of the "leg" that says the prompt; the next lower ones say further prompts."""
PROMPTS: Final = 8


def bodies(speakers: Integers) -> Octets:
    """Return the patterns of speakers, uint8[n, 156]: middling levels of both signs, told apart by every octet."""
    mixed = np.multiply.outer(speakers + 1, 2654435761 * np.arange(1, OCTETS - DIGITS + 1)) >> 7
    codes = 0xB0 + (mixed % 0x40)  # never 0x7F, which has two spellings
    return np.asarray(codes & ~(0x80 * (mixed >> 9 & 1)), np.uint8)


def heads(speakers: Integers, number: Integers | int) -> Octets:
    """Return the digits of one block of each speaker, uint8[n, 4]."""
    digits = np.empty((len(speakers), DIGITS), np.uint8)
    digits[:, 0], digits[:, 1] = np.divmod(speakers, BASE)
    digits[:, 2], digits[:, 3] = np.divmod(np.asarray(number) % COUNTED, BASE)
    return digits + np.uint8(0x80)


def blocks(speaker: int) -> Octets:
    """Return all blocks of a speaker, uint8[COUNTED, 160]."""
    said = np.empty((COUNTED, OCTETS), np.uint8)
    speakers = np.full(COUNTED, speaker)
    said[:, :DIGITS] = heads(speakers, np.arange(COUNTED))
    said[:, DIGITS:] = bodies(speakers[:1])
    return said


def read_heads(payloads: Octets) -> tuple[Integers, Integers]:
    """Return who says n payloads uint8[n, 160], and the numbers of the blocks; nonsense for what is no block."""
    digits = payloads[:, :DIGITS].astype(np.int64) - 0x80
    return digits[:, 0] * BASE + digits[:, 1], digits[:, 2] * BASE + digits[:, 3]


def summed(said: Octets) -> Octets:
    """Return what each of n members hears of patterns uint8[n, 156] that are said at once: the sum of the others'."""
    samples = g711.decode(said, np.zeros(len(said), np.uint8)).astype(np.int64)
    others = np.clip(samples.sum(axis=0) - samples, -32768, 32767).astype(np.int16)
    return g711.encode(others, np.zeros(len(said), np.uint8))
