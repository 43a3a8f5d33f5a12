"""`ivr_flows.draw.layout`: no line through a box, no box on a box, every label in a place of its own; fast."""

import time
from itertools import combinations, pairwise

from hypothesis import Phase, example, given, settings

from ivr_flows.draw.chart import Chart
from ivr_flows.draw.layout import Point, Rect, Wire, layout
from tests.ivr_flows.draw.charts import chart_of, charts

Segment = tuple[Point, Point]
TANGLE = chart_of(40, [(step * 7 % 40, step * step * 3 % 40, step % 3 == 0) for step in range(100)])
ANY = settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))


def overlap(one: Rect, other: Rect) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def runs_through(segment: Segment, rect: Rect) -> bool:
    """Say whether an upright or level line has a point inside a rectangle; its edge is not inside."""
    (x, y), (other_x, other_y) = segment
    if x == other_x:
        return rect.x < x < rect.right and max(min(y, other_y), rect.y) < min(max(y, other_y), rect.bottom)
    return rect.y < y < rect.bottom and max(min(x, other_x), rect.x) < min(max(x, other_x), rect.right)


def segments(wire: Wire) -> list[Segment]:
    return [ends for line in wire.lines for ends in pairwise(line) if ends[0] != ends[1]]


@given(charts())
@example(TANGLE)
@ANY
def test_nothing_lies_on_anything(chart: Chart) -> None:
    drawn = layout(chart)
    solid = [*drawn.boxes, *(label for label in drawn.labels if label)]
    assert not [pair for pair in combinations(solid, 2) if overlap(*pair)]
    for start, end in (segment for wire in drawn.wires for segment in segments(wire)):
        assert start[0] == end[0] or start[1] == end[1]
        assert not [rect for rect in solid if runs_through((start, end), rect)]
    assert all(rect.x >= 0 and rect.right <= drawn.width and rect.bottom <= drawn.height for rect in solid)


@given(charts())
@example(TANGLE)
@ANY
def test_lines_of_different_threads_cross_and_never_run_along_each_other(chart: Chart) -> None:
    """Two lines on each other would look like one."""
    drawn = layout(chart)
    along: dict[tuple[bool, int], list[tuple[int, int, int]]] = {}
    for number, wire in enumerate(drawn.wires):
        for (x, y), (other_x, other_y) in segments(wire):
            upright = x == other_x
            span = sorted((y, other_y) if upright else (x, other_x))
            along.setdefault((upright, x if upright else y), []).append((number, span[0], span[1]))
    for lines in along.values():
        for (one, start, end), (other, other_start, other_end) in combinations(lines, 2):
            assert one == other or end <= other_start or other_end <= start


@given(charts())
@example(TANGLE)
@ANY
def test_every_arrow_leads_from_its_label_to_its_target(chart: Chart) -> None:
    drawn = layout(chart)
    place = dict(zip((box.name for box in chart.boxes), drawn.boxes, strict=True))
    led: list[int] = []
    for wire in drawn.wires:
        target = place[wire.target]
        assert target.x < wire.tip[0] < target.right
        assert wire.tip[1] == target.y
        points = hanging_together(wire)
        for number in wire.arrows:
            arrow, label = chart.arrows[number], drawn.labels[number]
            assert (arrow.target, arrow.failure) == (wire.target, wire.failure)
            assert (label is None) == (arrow.height == 0)
            start = label or place[arrow.source]
            assert any(start.x < x < start.right and y == start.bottom for x, y in points)
            if label:
                assert place[arrow.source].x <= label.x
                assert label.right <= place[arrow.source].right
                assert 0 < label.y - place[arrow.source].bottom < 10
        led += wire.arrows
    assert sorted(led) == list(range(len(chart.arrows)))


def hanging_together(wire: Wire) -> set[Point]:
    """Return all corners of the lines that hang together with the tip."""
    reached, left = {wire.tip}, list(wire.lines)
    while True:
        near = [line for line in left if touch(reached, line)]
        if not near:
            return reached
        for line in near:
            left.remove(line)
            reached |= set(line) | {end for end in ends_of(left) if touch({end}, line)}


def ends_of(lines: list[tuple[Point, ...]]) -> list[Point]:
    return [end for line in lines for end in (line[0], line[-1])]


def touch(points: set[Point], line: tuple[Point, ...]) -> bool:
    return any(
        min(a[0], b[0]) <= x <= max(a[0], b[0]) and min(a[1], b[1]) <= y <= max(a[1], b[1])
        for a, b in pairwise(line)
        for x, y in points
    )


@given(charts())
@ANY
def test_what_does_not_go_back_goes_down(chart: Chart) -> None:
    drawn = layout(chart)
    row = dict(zip((box.name for box in chart.boxes), drawn.row, strict=True))
    for number, arrow in enumerate(chart.arrows):
        assert (row[arrow.source] < row[arrow.target]) != (number in drawn.back)


def test_nothing_and_one_box() -> None:
    assert layout(chart_of(0, [])).boxes == ()
    assert layout(chart_of(1, [])).boxes == (Rect(0, 0, 208, 44),)
    assert layout(chart_of(1, [(0, 0, True)])).back == {0}


def test_long_chains_are_straight() -> None:
    drawn = layout(chart_of(300, [(number, number + 1, False) for number in range(299)]))
    assert len({rect.x + rect.width // 2 for rect in drawn.boxes}) == 1


def test_three_hundred_steps_are_laid_out_within_a_second() -> None:
    """A large flow: menus, failures that all go to one agent, ways back to menus before."""
    ways = [(max(0, step - 1 - step % 5), step, False) for step in range(1, 300)]
    ways += [(step, 299, True) for step in range(0, 298, 4)]
    ways += [(step, step - 7, False) for step in range(20, 298, 9)]
    chart = chart_of(300, ways)
    began = time.process_time()
    layout(chart)
    assert time.process_time() - began < 1.0
