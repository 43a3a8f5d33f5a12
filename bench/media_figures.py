"""From what was heard to figures: delivery, what was lost or late, spacing, delay."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.media_blocks import COUNTED, PROMPT, PROMPTS

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
TICKS_PER_S: Final = 50
TICK_NS: Final = 20_000_000
UNNUMBERED: Final = 0x7F * 101
"""Who "says" the silent digits that the only numbered member of a conference hears."""


@dataclass(frozen=True, slots=True)
class Judged:
    """n packets in the order of their coming: whose they were, when the kernel had them, their RTP sequence numbers,
    what they said, whether every octet of it was right, how old it was (-1: it is not known), and whether it was for
    somebody else."""

    legs: Integers
    at_ns: Integers
    sequence: Integers
    speakers: Integers
    numbers: Integers
    right: Flags
    delay_ns: Integers
    foreign: Flags

    @classmethod
    def together(cls, parts: "Sequence[Judged]") -> "Judged":
        """Return several as one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @classmethod
    def none(cls) -> "Judged":
        """Return what silence is."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, empty, empty, empty, np.zeros(0, np.bool_), empty, np.zeros(0, np.bool_))

    def chosen(self, which: Integers | Flags) -> "Judged":
        """Return some of them."""
        return Judged(*(getattr(self, each.name)[which] for each in fields(self)))


def figures(heard: Judged, expects: Integers, begin_ns: int, seconds: float) -> dict[str, object]:
    """Return the figures of what came since `begin_ns`, for as long as the measurement took.

    `delivery` is the share of blocks due that came, right and in their order. `wrong` are packets that said anything
    else, `foreign` those of them that said, octet by octet, what is for somebody else. `lost` are gaps in the RTP
    sequence numbers, `late` those more than 20 ms behind the earliest of their leg.
    """
    heard = heard.chosen(np.argsort(heard.legs, kind="stable"))
    same = np.concatenate([[False], heard.legs[1:] == heard.legs[:-1]]) if heard.legs.size else np.zeros(0, np.bool_)
    step = np.diff(heard.numbers, prepend=0) % COUNTED
    turned = (np.diff(heard.speakers, prepend=0) != 0) & (heard.numbers == 0) & (heard.speakers > PROMPT - PROMPTS)
    in_order = ~same | (step == 1) | turned | (heard.speakers == UNNUMBERED)
    right = heard.right & in_order
    measured = np.flatnonzero((heard.at_ns >= begin_ns) & (heard.at_ns < begin_ns + int(seconds * 1e9)))
    n = len(expects)
    came = np.bincount(heard.legs[measured], minlength=n)
    good = np.bincount(heard.legs[measured], right[measured], minlength=n)
    due = int(seconds * TICKS_PER_S) - 1  # where in a tick the measurement begins is chance
    delivery = float(np.minimum(1.0, good / np.maximum(due, came)).mean()) if n else 0.0
    between = measured[same[measured]]
    between = between[heard.at_ns[between - 1] >= begin_ns]
    gaps = np.diff(heard.at_ns, prepend=0)[between]
    missing = (np.diff(heard.sequence, prepend=0)[between] - 1) & 0xFFFF
    lost = int(missing[missing < 0x8000].sum()) + int(np.maximum(0, due - came[came == 0]).sum())
    found: dict[str, object] = {
        "delivery": round(delivery, 5),
        "late": _late(heard.chosen(measured)),
        "lost": lost,
        "wrong": int((~right[measured]).sum()),
        "foreign": int(heard.foreign[measured].sum()),
    }
    found |= _percentiles("spacing", gaps, (50, 99, 99.9))
    known = heard.delay_ns[measured]
    known = known[known >= 0]
    return found | (_percentiles("delay", known, (50, 99)) if known.size else {})


def _late(heard: Judged) -> int:
    """How many packets are more than a tick behind where the earliest of their leg says they belong."""
    if not heard.legs.size:
        return 0
    begins = np.flatnonzero(np.concatenate([[True], heard.legs[1:] != heard.legs[:-1]]))
    counts = np.diff(np.append(begins, heard.legs.size))
    ticks = (heard.sequence - np.repeat(heard.sequence[begins], counts) + 0x4000) % 0x10000 - 0x4000
    behind = heard.at_ns - heard.at_ns.min() - ticks * TICK_NS
    behind -= np.repeat(np.minimum.reduceat(behind, begins), counts)
    return int((behind > TICK_NS).sum())


def _percentiles(name: str, values_ns: Integers, which: tuple[float, ...]) -> dict[str, object]:
    if not values_ns.size:
        return {}
    found = np.percentile(values_ns, which) / 1e6
    keys = [f"{name}_p{str(each).replace('.', '')}_ms" for each in which]
    return {key: round(float(value), 2) for key, value in zip(keys, found, strict=True)}
