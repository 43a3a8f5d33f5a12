"""A chart becomes Mermaid: a `flowchart TD` that pages of many systems show, laid out by whoever shows it."""

import json
import re
from collections.abc import Iterator
from typing import Final

from ivr_flows.draw.chart import Arrow, Box, Chart

# In a label Mermaid reads HTML, Markdown (lists too, in older versions), formulas ($$), icons (fa:…), and letters by
# their numbers (#35;).
SPECIAL: Final = re.compile(r"[^\w .,:?!='/()‹›…·♪→%@€-]|\b_|_\b|(?<!\w)_|:(?=\w)|^[-=]")
LISTED: Final = re.compile(r"^(\d+)([.)])(?=\s|$)")
SHAPES: Final = {
    "box": ("[", "]"),
    "fork": ("{{", "}}"),
    "stop": ("([", "])"),
    "mark": ("([", "])"),
    "end": ("(((", ")))"),
}


def mermaid(chart: Chart) -> str:
    """Return the picture as the text of a diagram."""
    lines = ["---", f"title: {_yaml(chart.title)}", "---", "flowchart TD"]
    lines += [f"  {line}" for box in chart.boxes for line in _box(box)]
    lines += [f"  {_arrow(arrow)}" for arrow in chart.arrows]
    failing = [str(number) for number, arrow in enumerate(chart.arrows) if arrow.failure]
    if failing:
        lines.append(f"  linkStyle {','.join(failing)} stroke:#b91c1c")
    lines.append("  classDef stop stroke-width:3px")
    return "\n".join(lines) + "\n"


def _box(box: Box) -> Iterator[str]:
    before, after = ("[[", "]]") if box.doubled else SHAPES[box.look.shape]
    text = "<br>".join(_escaped(line) for line in (box.title, box.caption, " ".join(box.text)) if line)
    yield f'{_id(box.name)}{before}"{text or "#32;"}"{after}'
    if box.look.shape == "stop":
        yield f"class {_id(box.name)} stop"


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.failure else "-->"
    label = "<br>".join(_escaped(each.text) for each in arrow.lines)
    return f"{_id(arrow.source)} {line}" + (f'|"{label}"| ' if label else " ") + _id(arrow.target)


def _id(name: str) -> str:
    """Return a name that means nothing to Mermaid (`end` does, and `o` and `x` after a line)."""
    words = [word.replace("*", "star").replace("#", "hash") for word in name.split()]
    return "_".join(["mark" if name.startswith(" ") else "step", *words])


def _escaped(text: str) -> str:
    escaped = SPECIAL.sub(lambda found: _number(found[0]), text)
    return LISTED.sub(lambda found: found[1] + _number(found[2]), escaped)


def _number(letters: str) -> str:
    return "".join(f"#{ord(letter)};" for letter in letters)


def _yaml(text: str) -> str:
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
