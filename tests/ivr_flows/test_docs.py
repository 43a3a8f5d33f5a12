"""`docs/flows.md` names every verb, key, exit, fact and filter, and its examples are good flows."""

import re
from pathlib import Path

import pytest

from ivr_flows.declarations import KINDS
from ivr_flows.expression import FILTERS
from ivr_flows.facts import SPEAK, VIEWS
from ivr_flows.grammar import VERBS
from ivr_flows.load import KEYS, check

PAGE = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")


def test_everything_is_named() -> None:
    words = {key for verb in VERBS.values() for key in (*verb.keys, *verb.exits)}
    facts = {fact for view in VIEWS.values() if view is not None for fact in view.__struct_fields__}
    missing = [
        word
        for word in (*VERBS, *words, *facts, *FILTERS, *SPEAK, *KEYS, *KINDS)
        if not re.search(rf"\b{word}\b", PAGE) and word not in {"flag", "text", "record"}
    ]
    assert missing == []


@pytest.mark.parametrize("number", [0, 1])
def test_examples_are_good_flows(number: int, tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    head = examples[0].partition("steps:\n")[0].replace("start: hello", "start: " + ("hello", "welcome")[number])
    steps = examples[number].partition("steps:\n")[2]
    agent = examples[0][examples[0].index("  agent:\n") :] if number else ""
    path = tmp_path / "example.yaml"
    path.write_text(f"{head}steps:\n{steps}{agent}", encoding="utf-8")
    (tmp_path / "jingle.wav").write_bytes(b"")
    assert [str(error) for error in check(path)] == []
