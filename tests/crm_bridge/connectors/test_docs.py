"""The page of connectors names everything that the language knows, and its example is a sound file."""

import re
from pathlib import Path

import pytest

from crm_bridge.connectors import load
from crm_bridge.connectors.language import FIELDS, INPUTS, OPERATIONS, OperationName
from crm_bridge.connectors.template import FILTERS

PAGE = (Path(__file__).parents[3] / "docs" / "connectors.md").read_text("utf-8")
SAME_GAPS = ("update_person",)
SAME_FIELDS = ("find_by_email",)


def test_the_example_is_sound() -> None:
    example = next(each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if each.startswith("title:"))
    connector = load.parse(example, "docs/connectors.md")
    assert connector.options == {"version": "v1", "region": None}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_there_with_its_gaps_and_fields(name: OperationName) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    _, _, gaps, fields, _ = row.split("|")
    if name not in SAME_GAPS:
        assert set(re.findall(r"`([a-z_]+)`", gaps)) - {"inbound", "outbound"} == INPUTS[name]
    if name not in SAME_FIELDS:
        assert set(re.findall(r"`([a-z_]+)`", fields)) == set(FIELDS[name])


def test_every_filter_is_there() -> None:
    table = PAGE.partition("| filter | for |")[2].partition("\n\n")[0]
    first = " ".join(line.split("|")[1] for line in table.splitlines() if line.count("|") > 2)
    assert set(re.findall(r"`([a-z_]+)`", first)) == set(FILTERS)


@pytest.mark.parametrize("kind", load.shipped())
def test_every_shipped_connector_has_its_remarks(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE
