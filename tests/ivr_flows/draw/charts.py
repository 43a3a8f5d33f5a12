"""Charts of any shape, for the tests of pictures."""

from collections.abc import Sequence

import hypothesis.strategies as st

from ivr_flows.draw.chart import Arrow, Box, Chart
from ivr_flows.draw.looks import PLAIN

Way = tuple[int, int, bool]
"""An arrow by the numbers of its boxes, and whether it is for a failure."""


def chart_of(boxes: int, ways: Sequence[Way], sizes: Sequence[int] = (208,), names: str = "step") -> Chart:
    """Make a chart of so many boxes, the first being the root; labels and boxes have several sizes in turn."""
    made = [
        Box(f"{names}{index}", PLAIN, sizes[index % len(sizes)], 44 + 16 * (index % 4), f"{names}{index}")
        for index in range(boxes)
    ]
    joined = {(source, target): failure for source, target, failure in ways}
    arrows = [
        Arrow(made[source].name, made[target].name, (), *label(source, target), failure)
        for (source, target), failure in sorted(joined.items())
    ]
    return Chart("any", "any", "en", made, arrows, [made[0].name] if made else [])


def label(source: int, target: int) -> tuple[int, int]:
    """Return the size of an arrow's label: some have none."""
    return (0, 0) if (source + target) % 3 == 0 else (20 + 9 * (target % 8), 18 + 14 * (source % 3))


@st.composite
def charts(draw: st.DrawFn, most: int = 14) -> Chart:
    """Any chart: loops, ways back, boxes that nothing reaches."""
    boxes = draw(st.integers(1, most))
    number = st.integers(0, boxes - 1)
    ways = draw(st.lists(st.tuples(number, number, st.booleans()), max_size=3 * boxes))
    return chart_of(boxes, ways, draw(st.sampled_from([(208,), (24, 208, 400), (60,)])))
