"""Small edits of a flow move little in its picture."""

from itertools import combinations

import hypothesis.strategies as st
from hypothesis import Phase, assume, given, settings

from ivr_flows.draw.chart import Chart
from ivr_flows.draw.layout import Layout, layout
from tests.ivr_flows.draw.charts import Way, chart_of

ANY = settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))


@st.composite
def grown(draw: st.DrawFn) -> tuple[int, list[Way], list[Way]]:
    """Return how many boxes there are, their ways, and the ways of one more box at the end."""
    boxes = draw(st.integers(2, 30))
    number = st.integers(0, boxes - 1)
    ways = [
        (max(0, box - 1 - back), box, False)
        for box, back in enumerate(draw(st.lists(st.integers(0, 5), min_size=boxes, max_size=boxes)))
    ][1:]
    ways += draw(st.lists(st.tuples(number, number, st.booleans()), max_size=boxes // 2))
    new = [(draw(number), boxes, draw(st.booleans()))]
    return boxes, ways, new + [(boxes, target, False) for target in draw(st.lists(number, max_size=2))]


def from_left(drawn: Layout, boxes: int) -> dict[int, list[int]]:
    """Return the boxes of each row from left to right."""
    rows: dict[int, list[int]] = {}
    for box in sorted(range(boxes), key=lambda box: drawn.boxes[box].x):
        rows.setdefault(drawn.row[box], []).append(box)
    return rows


@given(grown())
@ANY
def test_a_step_at_the_end_changes_no_order_but_of_its_neighbours(edit: tuple[int, list[Way], list[Way]]) -> None:
    """Where every old step keeps its row and no old way turns round: what stood left of another still does, in every
    row, for all steps that the new one is not tied to."""
    boxes, ways, new = edit
    before, after = layout(chart_of(boxes, ways)), layout(chart_of(boxes + 1, [*ways, *new]))
    assume(before.row == after.row[:boxes])
    assume(turned(chart_of(boxes, ways), before) == turned(chart_of(boxes + 1, [*ways, *new]), after, boxes))
    neighbours = {end for source, target, _ in new for end in (source, target)}
    rows = from_left(after, boxes)
    for row, standing in from_left(before, boxes).items():
        for left, right in combinations(standing, 2):
            if not {left, right} & neighbours:
                assert rows[row].index(left) < rows[row].index(right)


def turned(chart: Chart, drawn: Layout, boxes: int = 1000) -> set[tuple[str, str]]:
    """Return the ways that go back, of the first boxes alone."""
    old = {box.name for box in chart.boxes[:boxes]}
    ways = [(chart.arrows[number].source, chart.arrows[number].target) for number in drawn.back]
    return {way for way in ways if old.issuperset(way)}


@given(grown())
@ANY
def test_a_name_moves_nothing(edit: tuple[int, list[Way], list[Way]]) -> None:
    boxes, ways, new = edit
    one, other = (layout(chart_of(boxes + 1, [*ways, *new], names=names)) for names in ("step", "renamed_"))
    assert (one.boxes, one.labels, one.row) == (other.boxes, other.labels, other.row)
    assert [wire.lines for wire in one.wires] == [wire.lines for wire in other.wires]
