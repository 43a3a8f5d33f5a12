"""Flows that call each other: what is found only where one is held against another."""

from pathlib import Path

import pytest

from ivr_flows.load import check

ROOM = """\
flow: room
for: waiting
languages: [vi]
start: ask
steps:
  ask:
    subflow: asked
    next: tune
    failed: tune
  tune:
    play: {music: waiting, for: 40s}
    next: ask
"""
CALLED = """\
flow: {name}
languages: [vi]
start: a
steps:
  a:
    {verb}
  b:
    return:
"""


@pytest.mark.parametrize(
    ("verb", "found"),
    [
        ("say: Chào.\n    next: b", []),
        (
            "record: pause\n    next: b",
            ["7:14: not-while-waiting: record ('a' of flow '{of}') cannot be done while waiting in a queue"],
        ),
    ],
)
@pytest.mark.parametrize("depth", [1, 2])
def test_what_is_called_while_waiting_leaves_the_queue_alone(
    tmp_path: Path, depth: int, verb: str, found: list[str]
) -> None:
    (tmp_path / "room.yaml").write_text(ROOM, encoding="utf-8")
    names = ["asked", "deeper"][:depth]
    for name, other in zip(names, [*names[1:], ""], strict=True):
        calls = f"subflow: {other}\n    next: b\n    failed: b"
        text = CALLED.format(name=name, verb=calls if other else verb)
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    path = tmp_path / "room.yaml"
    assert [str(error) for error in check(path)] == [f"{path}:{each}".format(of=names[-1]) for each in found]
