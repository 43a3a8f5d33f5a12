"""Rows of boxes and lanes, and the order in which they stand from left to right.

All arrows to one box that are of one kind share a thread: in every row between their ends and that box it has one lane,
a place for its line to run through. A thread that goes back has its lanes beside the boxes, from the row of its target
down to the row of its lowest source; one that goes far runs at the side of the whole picture, outside of all rows.

Boxes come in the order of the file. Each is put where its lines cross the fewest that are there, and then those that it
is tied to are put anew. Nothing else moves. So a step added at the end of a file changes no order among the others but
those it is tied to: the picture of a flow that grew is the picture that people know, with one box more.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ivr_flows.draw.chart import Arrow

FAR_DOWN: Final = 24
FAR_BACK: Final = 2
CROSSING: Final = 8
"""What a crossing costs, where exits of one box out of their order cost 1."""

Unit = int
"""A box by its number, or a lane by a number after those of all boxes."""


class Kind(NamedTuple):
    """What arrows of one thread have in common."""

    target: Unit
    failure: bool
    back: bool
    far: bool


@dataclass(slots=True)
class Thread:
    """All arrows of one kind: their numbers, and the lanes by row."""

    kind: Kind
    arrows: list[int] = field(default_factory=list)
    lanes: dict[int, Unit] = field(default_factory=dict)


class Weave:
    """Boxes and lanes in rows.

    `up` and `down` are a unit's ties to the rows before and after, as (unit, rank of the exit among those of its box);
    `over` and `under` are its ties within its row, by a line that turns before or after the row.
    """

    def __init__(self, row: Sequence[int], arrows: Sequence[Arrow], ends: Sequence[tuple[Unit, Unit]]) -> None:
        self.row = list(row)
        self.boxes = len(row)
        self.arrows, self.ends = arrows, ends
        self.rows: list[list[Unit]] = [[] for _ in range(max(row, default=0) + 1)]
        self.place: dict[Unit, int] = {}
        self.threads: dict[Kind, Thread] = {}
        self.exit_rank: list[int] = _exit_ranks(ends)
        self.up: defaultdict[Unit, list[tuple[Unit, int]]] = defaultdict(list)
        self.down: defaultdict[Unit, list[tuple[Unit, int]]] = defaultdict(list)
        self.over: defaultdict[Unit, list[Unit]] = defaultdict(list)
        self.under: defaultdict[Unit, list[Unit]] = defaultdict(list)

    def kind(self, arrow: int, back: bool) -> Kind:
        source, target = self.ends[arrow]
        span = self.row[source] - self.row[target]
        return Kind(target, self.arrows[arrow].failure, back, span > FAR_BACK if back else -span > FAR_DOWN)

    def tie(self, arrow: int, back: bool) -> list[Unit]:
        """Add an arrow whose ends both stand; return its lanes, new or not."""
        kind = self.kind(arrow, back)
        thread = self.threads.setdefault(kind, Thread(kind))
        thread.arrows.append(arrow)
        if kind.far:
            return []
        return self._tie_back(arrow, thread) if back else self._tie_down(arrow, thread)

    def _tie_down(self, arrow: int, thread: Thread) -> list[Unit]:
        source, target = self.ends[arrow]
        last, passed = target, []
        for row in range(self.row[target] - 1, self.row[source], -1):
            lane = thread.lanes.get(row)
            if lane is None:
                lane = thread.lanes[row] = self._lane(row)
                self._link(lane, last)
                self.put(lane)
            passed.append(lane)
            last = lane
        self._link(source, last, self.exit_rank[arrow])
        return passed

    def _tie_back(self, arrow: int, thread: Thread) -> list[Unit]:
        source, target = self.ends[arrow]
        for row in range(self.row[target], self.row[source] + 1):
            if row in thread.lanes:
                continue
            lane = thread.lanes[row] = self._lane(row)
            if row == self.row[target]:
                _both(self.over, target, lane)
            else:
                self._link(thread.lanes[row - 1], lane)
            self.put(lane)
        _both(self.under, source, thread.lanes[self.row[source]])
        return [thread.lanes[row] for row in range(self.row[source], self.row[target] - 1, -1)]

    def _lane(self, row: int) -> Unit:
        self.row.append(row)
        return len(self.row) - 1

    def _link(self, upper: Unit, lower: Unit, exit_rank: int = 0) -> None:
        self.down[upper].append((lower, exit_rank))
        self.up[lower].append((upper, exit_rank))

    def put(self, unit: Unit) -> None:
        """Put a unit where it costs the least: where it stood, if that is as good; else as far right as may be."""
        row = self.rows[self.row[unit]]
        stood = self.place.get(unit)
        if stood is not None:
            del row[stood]
            self._number(row)
        costs = self._costs(unit, row)
        least = min(costs)
        if stood is None or costs[stood] > least:
            stood = max(index for index, cost in enumerate(costs) if cost == least)
        row.insert(stood, unit)
        self._number(row)

    def _number(self, row: list[Unit]) -> None:
        for index, unit in enumerate(row):
            self.place[unit] = index

    def _costs(self, unit: Unit, row: Sequence[Unit]) -> list[int]:
        """Return what it costs to put a unit before each of the others, and after the last."""
        up, down = self._seen(self.up[unit]), self._seen(self.down[unit])
        before, after = [0], [0]
        for other in row:
            left, right = _crossings(up, self._seen(self.up[other])) if up else (0, 0)
            if down:
                more_left, more_right = _crossings(down, self._seen(self.down[other]))
                left, right = left + more_left, right + more_right
            before.append(left)
            after.append(right)
        total = sum(before)
        costs = []
        for index in range(len(row) + 1):
            total += after[index] - before[index]
            costs.append(total)
        for turns, ties in ((self.over, self.up), (self.under, self.down)):
            self._add_turns(costs, unit, row, turns, ties)
        return costs

    def _add_turns(
        self,
        costs: list[int],
        unit: Unit,
        row: Sequence[Unit],
        turns: dict[Unit, list[Unit]],
        ties: dict[Unit, list[tuple[Unit, int]]],
    ) -> None:
        """Add what lines cost that turn beside the row: each crosses whatever comes between its ends."""
        standing = [other for other in turns.get(unit, ()) if other in self.place and other != unit]
        crossed = [0]
        for other in row:
            crossed.append(crossed[-1] + CROSSING * (len(ties[other]) + len(turns.get(other, ()))))
        for other in standing:
            for index in range(len(costs)):
                near = self.place[other] + (index > self.place[other])
                costs[index] += abs(crossed[index] - crossed[near]) + abs(index - near)
        own = CROSSING * len(ties[unit])
        for other in row:
            for end in turns.get(other, ()):
                if end != unit and end in self.place and self.place[other] < self.place[end]:
                    for index in range(self.place[other] + 1, self.place[end] + 1):
                        costs[index] += own

    def _seen(self, ties: Iterable[tuple[Unit, int]]) -> list[tuple[int, int]]:
        return [(self.place[unit], rank) for unit, rank in ties if unit in self.place]


def _crossings(ours: list[tuple[int, int]], others: list[tuple[int, int]]) -> tuple[int, int]:
    """Return what it costs to stand before the other, and after it."""
    before = after = 0
    for place, rank in ours:
        for other_place, other_rank in others:
            if place > other_place:
                before += CROSSING
            elif place < other_place:
                after += CROSSING
            elif rank > other_rank:
                before += 1
            elif rank < other_rank:
                after += 1
    return before, after


def _both(ties: dict[Unit, list[Unit]], one: Unit, other: Unit) -> None:
    ties[one].append(other)
    ties[other].append(one)


def _exit_ranks(ends: Sequence[tuple[Unit, Unit]]) -> list[int]:
    seen: defaultdict[Unit, int] = defaultdict(int)
    ranks = []
    for source, _ in ends:
        ranks.append(seen[source])
        seen[source] += 1
    return ranks


def weave(
    row: Sequence[int], arrows: Sequence[Arrow], ends: Sequence[tuple[Unit, Unit]], back: Sequence[bool]
) -> Weave:
    """Order boxes, whose rows are given, and the lanes of the arrows between them, some of which go `back`."""
    woven = Weave(row, arrows, ends)
    by_last: defaultdict[Unit, list[int]] = defaultdict(list)
    for number, (source, target) in enumerate(ends):
        by_last[max(source, target)].append(number)
    for box in range(len(row)):
        woven.put(box)
        moved: dict[Unit, None] = {}
        for number in by_last[box]:
            lanes = woven.tie(number, back[number])
            moved.update(dict.fromkeys((*ends[number], *lanes)))
        for unit in moved:
            woven.put(unit)
    return woven
