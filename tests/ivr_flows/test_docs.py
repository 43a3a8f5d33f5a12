"""`docs/flows.md` names every verb, key, exit, fact and filter, and its examples are good flows."""

import re
from pathlib import Path

from ivr_flows.declarations import KINDS
from ivr_flows.expression import FILTERS
from ivr_flows.facts import SPEAK, VIEWS
from ivr_flows.flow_reading import KEYS
from ivr_flows.grammar import VERBS
from ivr_flows.load import check

PAGE = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")


def test_everything_is_named() -> None:
    words = {key for verb in VERBS.values() for key in (*verb.keys, *verb.known_exits)}
    facts = {fact for view in VIEWS.values() if view is not None for fact in view.__struct_fields__}
    missing = [
        word
        for word in (*VERBS, *words, *facts, *FILTERS, *SPEAK, *KEYS, *KINDS)
        if not re.search(rf"\b{word}\b", PAGE) and word not in {"flag", "text", "record"}
    ]
    assert missing == []


BESIDE = ("\nscenarios:", "\narrivals:")
"""What tells the examples of files beside flows, which `tests/ivr_flows/trials/test_docs.py` reads."""


def _examples() -> list[str]:
    found = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return [example for example in found if not any(word in example for word in BESIDE)]


def _whole(number: int, example: str, head: str) -> str:
    """An example that has steps alone gets the head of the first, and an end where it leads elsewhere."""
    if example.startswith("flow:"):
        return example
    before, _, steps = example.partition("steps:\n")
    named = re.findall(r"^  (\w+):", steps, re.MULTILINE)
    text = re.sub(r"flow: main.*\n", f"flow: steps_{number}\n", head).replace("start: hello", f"start: {named[0]}")
    if before:  # it declares its variables itself
        text = re.sub(r"variables:\n(  .*\n)*", before, text)
    ends = (
        target
        for target in ("agent", "sorry", "compare")
        if target not in named and (target == "agent" or target in steps)
    )
    return f"{text}steps:\n{steps}" + "".join(f"  {target}:\n    hangup:\n" for target in ends)


def test_examples_are_good_flows(tmp_path: Path) -> None:
    (tmp_path / "jingle.wav").write_bytes(b"")
    head = _examples()[0].partition("steps:\n")[0]
    paths = []
    for number, example in enumerate(_examples()):
        paths.append(tmp_path / f"example_{number}.yaml")
        paths[-1].write_text(_whole(number, example, head), encoding="utf-8")
    assert [str(error) for path in paths for error in check(path)] == []


def test_every_verb_has_an_example() -> None:
    shown = set(re.findall(r"^    (\w+):", "".join(_examples()), re.MULTILINE))
    assert set(VERBS) <= shown
