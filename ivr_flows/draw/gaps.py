"""The gaps between rows, where lines run sideways: each line on a track of its own, in the order that crosses least."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ivr_flows.draw.weave import Kind

APART: Final = 8
"""How far lines of different threads are from each other at least."""


@dataclass(slots=True)
class Run:
    """What a thread does in one gap: it comes from above at `tops`, goes on below at `bottoms`, each (x, y), and leaves
    for the side of the picture at `side`, above, below, or both. `track` is -1 for a line that is straight."""

    kind: Kind
    tops: list[tuple[int, int]] = field(default_factory=list)
    bottoms: list[tuple[int, int]] = field(default_factory=list)
    side: int | None = None
    side_up: bool = False
    side_down: bool = False
    track: int = -1

    def xs(self) -> list[int]:
        side = [] if self.side is None else [self.side]
        return [x for x, _ in self.tops] + [x for x, _ in self.bottoms] + side

    def upward(self) -> list[int]:
        return [x for x, _ in self.tops] + ([self.side] if self.side is not None and self.side_up else [])

    def downward(self) -> list[int]:
        return [x for x, _ in self.bottoms] + ([self.side] if self.side is not None and self.side_down else [])


def assign_tracks(runs: Sequence[Run]) -> int:
    """Give each run of a gap its track, 0 uppermost; return how many tracks there are."""
    spans = [(min(run.xs()), max(run.xs())) for run in runs]
    bent = [index for index, (low, high) in enumerate(spans) if low < high]
    order = _ordered(runs, spans, bent)
    count = 0
    for place, index in enumerate(order):
        above = [runs[other].track for other in order[:place] if _overlap(spans[other], spans[index])]
        runs[index].track = max(above, default=-1) + 1
        count = max(count, runs[index].track + 1)
    return count


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] + APART and other[0] < one[1] + APART


def _ordered(runs: Sequence[Run], spans: Sequence[tuple[int, int]], bent: Sequence[int]) -> list[int]:
    """Return the runs from above to below: each is put among the others where it crosses the fewest."""
    ups = [sorted(run.upward()) for run in runs]
    downs = [sorted(run.downward()) for run in runs]

    def crossed(upper: int, lower: int) -> int:
        """Count crossings where one runs above the other: lines down to the lower, and down from the upper."""
        return _within(ups[lower], spans[upper]) + _within(downs[upper], spans[lower])

    order: list[int] = []
    for index in bent:
        costs = [0]
        for other in order:
            apart = not _overlap(spans[index], spans[other])
            costs.append(costs[-1] + (0 if apart else crossed(other, index) - crossed(index, other)))
        order.insert(min(range(len(costs)), key=costs.__getitem__), index)
    return order


def _within(xs: Sequence[int], span: tuple[int, int]) -> int:
    return sum(span[0] < x < span[1] for x in xs)


def nudged(wished: int, own: Sequence[int], others: Sequence[int], room: int) -> int:
    """Return where a line goes down that is wished at `wished` and may move by `room`: straight on from one of its own
    thread if it can, and apart from all lines of `others`."""
    low, high = wished - room, wished + room
    straight = [x for x in own if low <= x <= high]
    sides = [x + step for x in others for step in (-APART, APART)]
    near = sorted({wished, *sides}, key=lambda x: (abs(x - wished), x))
    for x in (*sorted(straight, key=lambda x: (abs(x - wished), x)), *near):
        if low <= x <= high and all(abs(x - other) >= APART for other in others):
            return x
    raise ValueError(f"no room for a line at {wished}")  # lines from above are two APART from each other at least
