"""Where everything of a chart is: boxes in rows, labels under the boxes that they belong to, lines in the gaps between.

No line runs through a box or a label, and no two of these lie on each other: a row has a place for each box and each
line that passes, and only in gaps do lines run sideways. All lengths are whole pixels.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ivr_flows.draw.chart import Chart
from ivr_flows.draw.gaps import Run, assign_tracks, nudged
from ivr_flows.draw.place import LANE, SHIFT, Pins, Placing, pins
from ivr_flows.draw.ranks import rows, ways_back
from ivr_flows.draw.weave import Kind, Unit, Weave, weave

LABEL_DROP: Final = 7
GAP_OVER: Final = 12
GAP_UNDER: Final = 20
TRACK: Final = 12
COLUMN: Final = 14
COLUMNS_OFF: Final = 22

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Wire:
    """The lines of one thread: polylines that meet at `joints`, with the head of the arrow at `tip`."""

    target: str
    arrows: tuple[int, ...]
    failure: bool
    back: bool
    lines: tuple[tuple[Point, ...], ...]
    joints: tuple[Point, ...]
    tip: Point


@dataclass(frozen=True, slots=True)
class Layout:
    """A chart's places. `boxes` and `labels` are in the order of the chart; a label may be None. `back` has the numbers
    of the arrows that go back; `row` the row of each box."""

    width: int
    height: int
    boxes: tuple[Rect, ...]
    labels: tuple[Rect | None, ...]
    wires: tuple[Wire, ...]
    back: frozenset[int]
    row: tuple[int, ...]


def layout(chart: Chart) -> Layout:
    """Return where everything of a chart is."""
    number = {box.name: index for index, box in enumerate(chart.boxes)}
    following: dict[str, list[str]] = {box.name: [] for box in chart.boxes}
    for arrow in chart.arrows:
        following[arrow.source].append(arrow.target)
    back = ways_back(chart.roots, following)
    row = rows(chart.roots, following, back)
    for box in chart.boxes:
        if box.above:
            row[box.name] = row[box.above] - 1
    ends = [(number[arrow.source], number[arrow.target]) for arrow in chart.arrows]
    backwards = [(arrow.source, arrow.target) in back for arrow in chart.arrows]
    woven = weave([row[box.name] for box in chart.boxes], chart.arrows, ends, backwards)
    return _Drawing(chart, woven, backwards).done()


class _Drawing:
    def __init__(self, chart: Chart, weave: Weave, back: Sequence[bool]) -> None:
        self.chart, self.weave, self.back = chart, weave, back
        self.sides = {kind: self._side(kind) for kind in weave.threads if kind.far}
        self.pins: Pins = pins(weave, self.sides)
        self.widths = self._widths()
        half = [width / 2 for width in self.widths] + [LANE / 2] * (len(weave.row) - weave.boxes)
        self.at = Placing(weave, self.pins, half).run() if chart.boxes else []
        self.into: dict[Kind, int] = {}
        self.runs: list[dict[Kind, Run]] = [{} for _ in range(len(weave.rows) + 1)]
        self.coming: list[list[tuple[Kind, Unit, int]]] = [[] for _ in self.runs]
        self.going: list[list[tuple[Kind, Unit]]] = [[] for _ in self.runs]
        self.top: list[int] = []
        self.rects: list[Rect] = []
        self.labels: list[Rect | None] = []

    def done(self) -> Layout:
        if not self.chart.boxes:
            return Layout(0, 0, (), (), (), frozenset(), ())
        columns = self._columns()
        self._crossed()
        for gap in range(len(self.runs)):
            self._fill(gap, columns)
        self._heights([assign_tracks([*runs.values()]) for runs in self.runs])
        wires = [self._wire(kind) for kind in self.weave.threads]
        return self._moved(wires)

    def _side(self, kind: Kind) -> int:
        """Return at which side of the picture a thread runs: where its ends are nearer."""
        thread, weave = self.weave.threads[kind], self.weave
        units = [kind.target, *(weave.ends[arrow][0] for arrow in thread.arrows)]
        right = sum(weave.place[unit] * 2 + 1 - len(weave.rows[weave.row[unit]]) for unit in units)
        return -1 if right < 0 else 1

    def _widths(self) -> list[int]:
        """Return how wide each box has to be for its labels and for what enters it."""
        widths = [box.width for box in self.chart.boxes]
        entering = [0] * len(widths)
        for kind in self.weave.threads:
            entering[kind.target] += 1
        for number, (source, _) in enumerate(self.weave.ends):
            reach = abs(self.pins.out[number]) + (max(self.chart.arrows[number].width, LANE // 2) + 1) // 2
            widths[source] = max(widths[source], 2 * reach)
        return [width if count < 2 else max(width, count * LANE) for width, count in zip(widths, entering, strict=True)]

    def _columns(self) -> dict[Kind, int]:
        """Return where each thread runs that runs at the side: the shortest nearest, all apart where they meet."""
        weave, columns = self.weave, {}
        edges = {
            -1: min(self.at[box] - self.widths[box] // 2 for box in range(weave.boxes)) - COLUMNS_OFF,
            1: max(self.at[box] + self.widths[box] // 2 for box in range(weave.boxes)) + COLUMNS_OFF,
        }
        for lane in range(weave.boxes, len(weave.row)):
            edges[-1] = min(edges[-1], self.at[lane] - LANE)
            edges[1] = max(edges[1], self.at[lane] + LANE)
        taken: dict[int, list[list[tuple[int, int]]]] = {-1: [], 1: []}
        spans = {kind: self._gaps_of(kind) for kind in self.sides}
        for kind in sorted(self.sides, key=lambda kind: spans[kind][1] - spans[kind][0]):
            low, high = spans[kind]
            levels = taken[self.sides[kind]]
            meeting = [any(low <= end and start <= high for start, end in level) for level in levels]
            number = meeting.index(False) if False in meeting else len(levels)
            if number == len(levels):
                levels.append([])
            levels[number].append((low, high))
            columns[kind] = edges[self.sides[kind]] + self.sides[kind] * COLUMN * number
        return columns

    def _gaps_of(self, kind: Kind) -> tuple[int, int]:
        gaps = [self.weave.row[self.weave.ends[arrow][0]] + 1 for arrow in self.weave.threads[kind].arrows]
        gaps.append(self.weave.row[kind.target])
        return min(gaps), max(gaps)

    def _crossed(self) -> None:
        """Find what comes down into the gap above each row, and what goes on from there."""
        weave = self.weave
        for kind, thread in weave.threads.items():
            for arrow in thread.arrows:
                self.coming[weave.row[weave.ends[arrow][0]] + 1].append((kind, -1, arrow))
            for row, lane in thread.lanes.items():
                self.coming[row + 1].append((kind, lane, -1))
                self.going[row].append((kind, lane))
            self.going[weave.row[kind.target]].append((kind, -1))

    def _fill(self, gap: int, columns: dict[Kind, int]) -> None:
        """Find what runs in the gap above a row, and move what comes out of it apart from what goes in."""
        runs = self.runs[gap]
        for kind, lane, arrow in self.coming[gap]:
            x = self.at[lane] if arrow < 0 else self.at[self.weave.ends[arrow][0]] + self.pins.out[arrow]
            runs.setdefault(kind, Run(kind)).tops.append((x, arrow))
        tops = sorted((x, kind) for kind, run in runs.items() for x, _ in run.tops)
        for kind, lane in self.going[gap]:
            wished = self.at[kind.target] + self.pins.into[kind] if lane < 0 else self.at[lane]
            near = tops[bisect_left(tops, (wished - 2 * LANE,)) : bisect_left(tops, (wished + 2 * LANE,))]
            own = [x for x, other in near if other == kind]
            x = nudged(wished, own, [x for x, other in near if other != kind], SHIFT)
            if lane < 0:
                self.into[kind] = x
            else:
                self.at[lane] = x
            runs.setdefault(kind, Run(kind)).bottoms.append((x, lane))
        for kind, run in runs.items():
            if kind.far:
                low, high = self._gaps_of(kind)
                run.side, run.side_up, run.side_down = columns[kind], gap > low, gap < high

    def _heights(self, tracks: Sequence[int]) -> None:
        """Give every row its height, and every box and label its place."""
        chart, weave = self.chart, self.weave
        under = [0] * weave.boxes
        for arrow, (source, _) in zip(chart.arrows, weave.ends, strict=True):
            under[source] = max(under[source], arrow.height + LABEL_DROP if arrow.height else 0)
        y = self._gap_height(0, tracks)
        for row, units in enumerate(weave.rows):
            self.top.append(y)
            heights = [chart.boxes[unit].height + under[unit] for unit in units if unit < weave.boxes]
            y += max(heights, default=0) + self._gap_height(row + 1, tracks)
        self.top.append(y)
        for index, box in enumerate(chart.boxes):
            row = weave.row[index]
            gap = self._gap_height(row + 1, tracks)
            top = self.top[row + 1] - gap - box.height - under[index] if box.above else self.top[row]
            width = self.widths[index]
            self.rects.append(Rect(self.at[index] - width // 2, top, width, box.height))
        for number, (arrow, (source, _)) in enumerate(zip(chart.arrows, weave.ends, strict=True)):
            middle, top = self.at[source] + self.pins.out[number], self.rects[source].bottom + LABEL_DROP
            self.labels.append(
                Rect(middle - arrow.width // 2, top, arrow.width, arrow.height) if arrow.height else None
            )
        self.gap_top = [self.top[gap] - self._gap_height(gap, tracks) for gap in range(len(self.top))]

    def _gap_height(self, gap: int, tracks: Sequence[int]) -> int:
        if not self.runs[gap]:
            return 0
        return GAP_OVER + TRACK * tracks[gap] + (GAP_UNDER if gap < len(self.weave.rows) else 0)

    def _wire(self, kind: Kind) -> Wire:
        """Draw the lines of a thread."""
        thread = self.weave.threads[kind]
        lines: list[tuple[Point, ...]] = []
        joints: list[Point] = []
        ends: list[tuple[Point, ...]] = []
        for arrow in thread.arrows:
            label = self.labels[arrow]
            if label is not None:
                source = self.rects[self.weave.ends[arrow][0]]
                middle = self.at[self.weave.ends[arrow][0]] + self.pins.out[arrow]
                lines.append(((middle, source.bottom), (middle, label.y)))
        for gap, runs in enumerate(self.runs):
            run = runs.get(kind)
            if run is not None:
                self._draw(gap, run, lines, joints, ends)
        if ends:
            upper, lower = ends[0], ends[-1]
            lines.append((*upper, *reversed(lower)))
        tip = (self.into[kind], self.rects[kind.target].y)
        return Wire(
            target=self.chart.boxes[kind.target].name,
            arrows=tuple(thread.arrows),
            failure=kind.failure,
            back=kind.back,
            lines=tuple(lines),
            joints=tuple(joints),
            tip=tip,
        )

    def _stubs(self, gap: int, run: Run) -> list[Point]:
        """Return where the lines of a run begin above and end below: the far ends of its upright lines."""
        found = []
        for x, arrow in run.tops:
            if arrow < 0:
                found.append((x, self.top[gap - 1]))
            else:
                label = self.labels[arrow]
                found.append((x, label.bottom if label else self.rects[self.weave.ends[arrow][0]].bottom))
        for x, what in run.bottoms:
            found.append((x, self.rects[run.kind.target].y if what < 0 else self.top[gap]))
        return found

    def _draw(
        self,
        gap: int,
        run: Run,
        lines: list[tuple[Point, ...]],
        joints: list[Point],
        ends: list[tuple[Point, ...]],
    ) -> None:
        stubs = self._stubs(gap, run)
        if run.track < 0:
            ys = [y for _, y in stubs]
            lines.append(((stubs[0][0], min(ys)), (stubs[0][0], max(ys))))
            return
        y = self.gap_top[gap] + GAP_OVER + TRACK * run.track + TRACK // 2
        xs = run.xs()
        low, high = min(xs), max(xs)
        corners: dict[int, tuple[Point, ...]] = {}
        for x in (low, high):
            here = [stub for stub in stubs if stub[0] == x]
            corners[x] = (here[0], (x, y)) if here else ((x, y),)
            lines += [(stub, (x, y)) for stub in here[1:]]
            if len(here) > 1:
                joints.append((x, y))
        for x in sorted({x for x, _ in stubs} - {low, high}):
            lines += [(stub, (x, y)) for stub in stubs if stub[0] == x]
            joints.append((x, y))
        line = (*corners[low], *reversed(corners[high]))
        if run.side is None or (run.side_up and run.side_down):
            lines.append(line)
            if run.side is not None:
                joints.append((run.side, y))
        else:
            ends.append(line if run.side == high else tuple(reversed(line)))

    def _moved(self, wires: Sequence[Wire]) -> Layout:
        """Move everything so that the picture begins at 0."""
        boxes, labels = self.rects, [label for label in self.labels if label]
        points = [point for wire in wires for line in wire.lines for point in line]
        left = min([rect.x for rect in (*boxes, *labels)] + [x for x, _ in points])
        right = max([rect.right for rect in (*boxes, *labels)] + [x for x, _ in points])
        bottom = max([rect.bottom for rect in (*boxes, *labels)] + [y for _, y in points])

        def moved(rect: Rect) -> Rect:
            return Rect(rect.x - left, rect.y, rect.width, rect.height)

        return Layout(
            width=right - left,
            height=bottom,
            boxes=tuple(map(moved, boxes)),
            labels=tuple(label and moved(label) for label in self.labels),
            wires=tuple(
                Wire(
                    wire.target,
                    wire.arrows,
                    wire.failure,
                    wire.back,
                    tuple(tuple((x - left, y) for x, y in line) for line in wire.lines),
                    tuple((x - left, y) for x, y in wire.joints),
                    (wire.tip[0] - left, wire.tip[1]),
                )
                for wire in wires
            ),
            back=frozenset(number for number, back in enumerate(self.back) if back),
            row=tuple(self.weave.row[: self.weave.boxes]),
        )
