"""Where units stand from left to right: as near as may be to straight under what leads to them, in their order."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final

from ivr_flows.draw.weave import Kind, Thread, Unit, Weave

LANE: Final = 32
"""The room of a lane, and between two ways into a box; a line may move by `SHIFT` in it."""
SHIFT: Final = 8
BOX_GAP: Final = 36
LANE_GAP: Final = 12
LABEL_GAP: Final = 12
ROUNDS: Final = 12
STRAIGHTENED: Final = 3
FAR_OFF: Final = 1 << 24

Wish = tuple[float, float]
"""A place, and how much it is wished."""


@dataclass(slots=True)
class Pins:
    """Where lines leave and enter boxes, from the middle of the box: by arrow, and by thread."""

    out: dict[int, int]
    into: dict[Kind, int]


def pins(weave: Weave, sides: Mapping[Kind, int]) -> Pins:
    """Give every arrow its place under its box, and every thread its place over its target, so that lines cross as
    little as may be. `sides` says of threads that run beside the picture where: -1 left, 1 right."""
    leaving: defaultdict[Unit, list[tuple[tuple[int, float], int]]] = defaultdict(list)
    entering: defaultdict[Unit, list[tuple[tuple[int, float], Kind]]] = defaultdict(list)
    for kind, thread in weave.threads.items():
        entering[kind.target].append((_from(weave, thread, sides), kind))
        for arrow in thread.arrows:
            source = weave.ends[arrow][0]
            leaving[source].append((_to(weave, thread, source, sides), arrow))
    found = Pins({}, {})
    for ways in leaving.values():
        arrows = [arrow for _, arrow in sorted(ways)]
        wide = [max(weave.arrows[arrow].width, LANE - LABEL_GAP) for arrow in arrows]
        at = -(sum(wide) + LABEL_GAP * (len(wide) - 1)) / 2
        for arrow, width in zip(arrows, wide, strict=True):
            found.out[arrow] = round(at + width / 2)
            at += width + LABEL_GAP
    for comings in entering.values():
        kinds = [kind for _, kind in sorted(comings, key=lambda coming: coming[0])]
        for index, kind in enumerate(kinds):
            found.into[kind] = round((index - (len(kinds) - 1) / 2) * LANE)
    return found


def _turn(weave: Weave, unit: Unit, lane: Unit) -> tuple[int, float]:
    """Sort lines that turn beside a box: those to the near lane outside, so that they nest."""
    here, there = weave.place[unit], weave.place[lane]
    return (-2, -there) if there < here else (2, -there)


def _far(side: int) -> tuple[int, float]:
    return side, 0.0


def _to(weave: Weave, thread: Thread, source: Unit, sides: Mapping[Kind, int]) -> tuple[int, float]:
    row = weave.row[source]
    if thread.kind.far:
        return _far(sides[thread.kind])
    if thread.kind.back:
        return _turn(weave, source, thread.lanes[row])
    return 0, weave.place[thread.lanes.get(row + 1, thread.kind.target)]


def _from(weave: Weave, thread: Thread, sides: Mapping[Kind, int]) -> tuple[int, float]:
    target = thread.kind.target
    row = weave.row[target]
    if thread.kind.far:
        return _far(sides[thread.kind])
    if thread.kind.back:
        return _turn(weave, target, thread.lanes[row])
    over = [weave.place[weave.ends[arrow][0]] for arrow in thread.arrows if weave.row[weave.ends[arrow][0]] == row - 1]
    if row - 1 in thread.lanes:
        over.append(weave.place[thread.lanes[row - 1]])
    return 0, sum(over) / len(over)


class Placing:
    """Finds the middles of all units. `half` has half of the width of each."""

    def __init__(self, weave: Weave, pins: Pins, half: Sequence[float]) -> None:
        self.weave, self.pins, self.half = weave, pins, half
        self.at: list[float] = [0.0] * len(weave.row)
        self.above: defaultdict[Unit, list[tuple[Unit, float, float]]] = defaultdict(list)
        self.below: defaultdict[Unit, list[tuple[Unit, float, float]]] = defaultdict(list)
        self.beside: defaultdict[Unit, list[tuple[Unit, float, float]]] = defaultdict(list)
        self._tie(pins)
        self.offsets = [self._offsets(row) for row in weave.rows]
        for row, offsets in zip(weave.rows, self.offsets, strict=True):
            for unit, offset in zip(row, offsets, strict=True):
                self.at[unit] = offset - offsets[-1] / 2

    def run(self) -> list[int]:
        """Return the middle of each unit, in whole pixels."""
        rows = range(len(self.weave.rows))
        for _ in range(ROUNDS):
            for row in rows:
                self._fit(row, _mean, self.above)
            for row in reversed(rows):
                self._fit(row, _mean, self.below)
        for _ in range(ROUNDS // 2):
            for row in rows:
                self._fit(row, _mean, self.above, self.below)
        for _ in range(ROUNDS // 3):
            for row in reversed(rows):
                self._fit(row, _median, self.above, self.below, self.beside)
            for row in rows:
                self._fit(row, _median, self.above, self.below, self.beside)
        places = self._rounded()
        for _ in range(STRAIGHTENED):
            for kind, thread in sorted(self.weave.threads.items(), key=lambda each: -len(each[1].lanes)):
                self._straighten(places, places[kind.target] + self.pins.into[kind], thread)
        return places

    def _straighten(self, places: list[int], wished: int, thread: Thread) -> None:
        """Make the way of a thread upright for as many rows as may be, from its target on; nothing else moves."""
        way = sorted(thread.lanes.items(), reverse=not thread.kind.back)
        run: list[Unit] = []
        low, high = -FAR_OFF, FAR_OFF
        for row, lane in way:
            left, right = self._room(places, self.weave.rows[row], self.weave.place[lane])
            if run and (right < low or left > high):
                wished = min(max(wished, low), high)
                run, low, high = [], -FAR_OFF, FAR_OFF
            run.append(lane)
            low, high = max(low, left), min(high, right)
            x = min(max(wished, low), high)
            for each in run:
                places[each] = x

    def _room(self, places: Sequence[int], row: Sequence[Unit], index: int) -> tuple[int, int]:
        """Return how far a unit may go to the left and to the right."""
        offsets = self.offsets[self.weave.row[row[0]]]
        low, high = -FAR_OFF, FAR_OFF
        if index:
            low = places[row[index - 1]] + ceil(offsets[index] - offsets[index - 1])
        if index + 1 < len(row):
            high = places[row[index + 1]] - ceil(offsets[index + 1] - offsets[index])
        return low, high

    def _tie(self, pins: Pins) -> None:
        weave = self.weave
        ways_in: defaultdict[Unit, int] = defaultdict(int)
        ways_out: defaultdict[Unit, int] = defaultdict(int)
        for source, target in weave.ends:
            ways_out[source] += 1
            ways_in[target] += 1
        for kind, thread in weave.threads.items():
            lanes = sorted(thread.lanes.items())
            for (_, upper), (_, lower) in pairwise(lanes):
                self._link(upper, lower, 0, 8)
            if kind.far:
                continue
            if kind.back:
                self._turn(kind.target, lanes[0][1], pins.into[kind])
            elif lanes:
                self._link(lanes[-1][1], kind.target, pins.into[kind], 2)
            for arrow in thread.arrows:
                source, target = weave.ends[arrow]
                lane = thread.lanes.get(weave.row[source] + (not kind.back))
                if kind.back:
                    self._turn(source, thread.lanes[weave.row[source]], pins.out[arrow])
                elif lane is not None:
                    self._link(source, lane, -pins.out[arrow], 2)
                else:
                    only = ways_out[source] == 1 and ways_in[target] == 1
                    self._link(source, target, pins.into[kind] - pins.out[arrow], 6 if only else 1)

    def _link(self, upper: Unit, lower: Unit, shift: float, weight: float) -> None:
        """Wish that `lower` plus `shift` is straight under `upper`."""
        self.above[lower].append((upper, -shift, weight))
        self.below[upper].append((lower, shift, weight))

    def _turn(self, box: Unit, lane: Unit, pin: int) -> None:
        self.beside[lane].append((box, pin, 0.5))

    def _offsets(self, row: Sequence[Unit]) -> list[float]:
        """Return how far each unit of a row is at least from the first."""
        offsets = [0.0]
        for left, right in pairwise(row):
            boxes = (left < self.weave.boxes) + (right < self.weave.boxes)
            gap = (0, LANE_GAP, BOX_GAP)[boxes]
            offsets.append(offsets[-1] + self.half[left] + gap + self.half[right])
        return offsets[: len(row)]

    def _fit(
        self,
        number: int,
        middle: Callable[[list[Wish], float], float],
        *ties: Mapping[Unit, Sequence[tuple[Unit, float, float]]],
    ) -> None:
        """Move a row's units to where they are wished, as far as their order allows: isotonic regression by pooling
        neighbours that would pass each other."""
        blocks: list[tuple[float, list[Wish], int]] = []
        row, offsets, at = self.weave.rows[number], self.offsets[number], self.at
        for unit, offset in zip(row, offsets, strict=True):
            here = at[unit] - offset
            wishes = [
                (at[other] + shift - offset, weight)
                for each in ties
                if unit in each
                for other, shift, weight in each[unit]
            ] or [(here, 0.1)]
            block = (middle(wishes, here), wishes, 1)
            while blocks and blocks[-1][0] > block[0]:
                value, others, count = blocks.pop()
                joined = others + block[1]
                block = (middle(joined, (value + block[0]) / 2), joined, count + block[2])
            blocks.append(block)
        places = [value for value, _, count in blocks for _ in range(count)]
        for unit, offset, place in zip(row, offsets, places, strict=True):
            self.at[unit] = place + offset

    def _rounded(self) -> list[int]:
        places = [0] * len(self.at)
        for row, offsets in zip(self.weave.rows, self.offsets, strict=True):
            last: tuple[int, float] | None = None
            for unit, offset in zip(row, offsets, strict=True):
                place = round(self.at[unit])
                if last is not None:
                    place = max(place, last[0] + ceil(offset - last[1]))
                places[unit] = place
                last = (place, offset)
        return places


def _mean(wishes: list[Wish], _here: float) -> float:
    total = weights = 0.0
    for place, weight in wishes:
        total += place * weight
        weights += weight
    return total / weights


def _median(wishes: list[Wish], here: float) -> float:
    """Return the weighted median; where it is a span, what of it is nearest to `here`."""
    half = sum(weight for _, weight in wishes) / 2
    ordered = sorted(wishes)
    low = high = ordered[-1][0]
    passed = 0.0
    for index, (place, weight) in enumerate(ordered):
        passed += weight
        if passed >= half:
            low = place
            high = ordered[index + 1][0] if passed == half and index + 1 < len(ordered) else place
            break
    return min(max(here, low), high)
