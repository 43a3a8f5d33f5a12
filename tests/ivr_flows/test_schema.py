"""The JSON Schema of flows takes every good flow, and catches what is misspelt."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from ivr_flows.grammar import VERBS
from ivr_flows.schema import SHAPES, SHORT, schema
from tests.ivr_flows.flows import EXAMPLES, QUESTIONS
from tests.ivr_flows.test_docs import BESIDE

PAGE = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(schema())


def _plain(value: Any) -> Any:
    """What an editor sees: JSON, whose keys are text and which has no dates."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(_plain(YAML(typ="safe", pure=True).load(StringIO(text))))]


def _flows() -> Iterator[str]:
    yield QUESTIONS
    yield from (
        path.read_text(encoding="utf-8")
        for path in sorted(EXAMPLES.glob("*.yaml"))
        if not path.name.endswith((".test.yaml", ".sim.yaml")) and path.name != "prompts.yaml"
    )
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    yield from (text for text in examples if text.startswith("flow:") and not any(word in text for word in BESIDE))
    for example in re.findall(r"```yaml\n(steps:.*?)```", PAGE, re.DOTALL):
        yield f"flow: steps\nlanguages: [vi, en]\nstart: first\n{example}"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_key_and_short_form_has_a_shape() -> None:
    assert {key for verb in VERBS.values() for key in verb.keys} <= SHAPES.keys()
    assert {word for word, verb in VERBS.items() if verb.short != "no"} == SHORT.keys()


@pytest.mark.parametrize("text", list(_flows()))
def test_good_flows_are_taken(text: str) -> None:
    assert _errors(text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gather:", "gahter:"),
        ("menu:", "menue:"),
        ("next: ask", "nxt: ask"),
        ("no_input:", "no_inptu:"),
        ("limit: 30s", "limit: thirty"),
        ("{type: digits", "{type: digit"),
        ("interruptible: no", "interruptable: no"),
        ("start: hello", "begin: hello"),
        ("{1: count_up", "{11: count_up"),
    ],
)
def test_a_misspelt_word_is_caught(old: str, new: str) -> None:
    assert old in QUESTIONS
    assert _errors(QUESTIONS.replace(old, new, 1))


@pytest.mark.parametrize("word", VERBS)
def test_every_misspelt_verb_is_caught(word: str) -> None:
    """In a step that is good as it stands, the verb alone is misspelt."""
    steps = [example for example in _flows() if re.search(rf"^    {word}:", example, re.MULTILINE)]
    assert _errors(re.sub(rf"^    {word}:", f"    {word}x:", steps[0], count=1, flags=re.MULTILINE))
