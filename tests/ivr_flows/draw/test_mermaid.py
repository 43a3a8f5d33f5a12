"""`ivr_flows.draw.mermaid`, read back by a strict reader of the part of its language that is written."""

import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ivr_flows.draw.chart import Arrow, Box, Chart, Line
from ivr_flows.draw.compose import chart
from ivr_flows.draw.looks import PLAIN
from ivr_flows.draw.mermaid import mermaid
from ivr_flows.load import load

FLOWS = Path(__file__).parent / "flows"
NODE = re.compile(r'  (\w+)(\[\[|\(\[|\(\(\(|\{\{|\[)"([^"]+)"(\]\]|\]\)|\)\)\)|\}\}|\])')
EDGE = re.compile(r'  (\w+) (-->|-\.->)(?:\|"([^"]+)"\|)? (\w+)')
CLASS = re.compile(r"  class \w+ stop|  classDef stop stroke-width:3px|  linkStyle \d+(,\d+)* stroke:#b91c1c")
PAIRS = {"[[": "]]", "([": "])", "(((": ")))", "{{": "}}", "[": "]"}
PLAIN_LABEL = re.compile(r"(?:[^\"#<>&`*~\\|\[\]{}$^+;]|#\d+;|<br>)+")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
Edge = tuple[str, str, str, str]


def parsed(text: str) -> tuple[dict[str, str], list[Edge]]:
    """Return the nodes with their labels, and the edges. Anything that is not of the language fails."""
    head, title, foot, kind, *lines = text.removesuffix("\n").split("\n")
    assert (head, foot, kind) == ("---", "---", "flowchart TD")
    assert re.fullmatch(r'title: "(?:[^"\\]|\\.)*"', title)
    nodes: dict[str, str] = {}
    edges: list[Edge] = []
    for line in lines:
        if node := NODE.fullmatch(line):
            assert PAIRS[node[2]] == node[4]
            assert node[1] not in nodes
            nodes[node[1]] = unescaped(node[3])
        elif edge := EDGE.fullmatch(line):
            edges.append((edge[1], edge[2], unescaped(edge[3] or ""), edge[4]))
        else:
            assert CLASS.fullmatch(line), line
    assert all({source, target} <= nodes.keys() for source, _, _, target in edges)
    return nodes, edges


def unescaped(label: str) -> str:
    assert not label or PLAIN_LABEL.fullmatch(label), label
    for line in label.split("<br>"):
        assert not re.match(r"\d+[.)](\s|$)|[-+*=]", line), label  # Markdown would make a list of it
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label.replace("<br>", "\n"))


@pytest.mark.parametrize("name", ["bank", "every"])
def test_it_has_every_box_and_every_arrow(name: str) -> None:
    drawn = chart(load(FLOWS / f"{name}.yaml"), "vi")
    nodes, edges = parsed(mermaid(drawn))
    assert len(nodes) == len(drawn.boxes)
    assert [label for _, _, label, _ in edges] == ["\n".join(line.text for line in each.lines) for each in drawn.arrows]
    assert [line == "-.->" for _, line, _, _ in edges] == [arrow.failure for arrow in drawn.arrows]
    steps = {f"step_{box.name}": box for box in drawn.boxes if not box.name.startswith(" ")}
    assert all(nodes[key].split("\n")[0] == box.title for key, box in steps.items())


@given(TEXT.filter(bool), TEXT)
@settings(deadline=None)
def test_no_text_breaks_out_of_its_label(text: str, title: str) -> None:
    boxes = [Box("end", PLAIN, 208, 80, text), Box("graph", PLAIN, 208, 80, "b")]
    arrows = [Arrow("end", "graph", (Line(text, "x"), Line(text, "y"))), Arrow("graph", "end", failure=True)]
    nodes, edges = parsed(mermaid(Chart("x", title, "vi", boxes, arrows, ["end"])))
    assert nodes == {"step_end": text, "step_graph": "b"}
    assert edges[0][2] == f"{text}\n{text}"


def test_what_mermaid_would_take_for_its_own() -> None:
    boxes = [Box("end", PLAIN, 208, 80, '1. "a" `b` _c_ $$d$$ fa:fa-car #35; <b> *e*')]
    text = mermaid(Chart("x", "x", "vi", boxes, [], ["end"]))
    label = "1#46; #34;a#34; #96;b#96; #95;c#95; #36;#36;d#36;#36; fa#58;fa-car #35;35#59; #60;b#62; #42;e#42;"
    assert f'step_end["{label}"]' in text
