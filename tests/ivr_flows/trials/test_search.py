"""`ivr_flows.trials.search`, `hints` and `writing`: scenarios for what none takes yet, and their YAML."""

from pathlib import Path

import pytest

from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.trials import writing
from ivr_flows.trials.examining import examine, read_beside
from ivr_flows.trials.hints import compared, worlds
from ivr_flows.trials.marks import Exit, marked
from ivr_flows.trials.search import find, with_gap
from tests.ivr_flows.flows import EXAMPLES, QUESTIONS, flow_of

WORLDLY = """\
flow: worldly
languages: [vi]
variables: {pin: {type: digits, length: 4}, tries: {type: number, initial: 0}}
start: early
steps:
  early:
    when:
      - {if: now.hour < 8, next: closed}
      - {if: 'queue("care").estimated_wait > 120 and queue("care").open', next: closed}
      - {if: caller.assurance >= 2 and caller.last_interaction, next: known}
      - {if: '"vip" in caller.tags', next: known}
      - {if: caller.known and not caller.known, next: closed}
      - else: ask
  ask:
    gather: {into: pin, prompt: "Mã PIN?", keys: {finish: none}}
    next: right
    no_input: closed
    no_match: closed
  right:
    when:
      - {if: pin == "4711", next: known}
      - {if: tries >= 2, next: closed}
      - else: again
  again:
    set: {tries: tries + 1}
    next: ask
  known:
    hangup: Chào
  closed:
    hangup: Hết giờ
"""


def _covered(folder: Path, flow: Flow, text: str) -> list[str]:
    """Find scenarios for everything, write them, read them again, and return the exits that they do not take."""
    (folder / "flow.yaml").write_text(text, encoding="utf-8")
    prepared = marked(flow)
    found = find(prepared, tuple(prepared.exits))
    (folder / "flow.test.yaml").write_text(writing.new_file(flow.name, found), encoding="utf-8")
    (examined,) = examine([read_beside(folder / "flow.yaml")])
    assert examined.passed
    assert [verdict.scenario.name for verdict in examined.verdicts] == [each.scenario.name for each in found]
    return [exit_.written(flow.name) for exit_ in examined.coverage.missed]


def test_all_of_a_flow_is_found(tmp_path: Path) -> None:
    assert _covered(tmp_path, flow_of(tmp_path, QUESTIONS), QUESTIONS) == []


def test_all_of_the_shipped_flow_is_found(tmp_path: Path) -> None:
    path = EXAMPLES / "main.yaml"
    assert _covered(tmp_path, load(path), path.read_text(encoding="utf-8")) == []


def test_what_depends_on_the_world_is_found_and_what_cannot_be_is_not(tmp_path: Path) -> None:
    missed = _covered(tmp_path, flow_of(tmp_path, WORLDLY), WORLDLY)
    assert missed == ["early.caller.known and not caller.known"]


def test_the_simplest_world_comes_first(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, WORLDLY)
    tried = worlds(flow)
    assert tried[0] == {}
    assert {"at": "2026-03-02 07:00"} in tried
    assert {"queues": {"care": {"estimated_wait": "121s"}}} in tried
    known = compared(flow)
    assert known["pin"] == {"4711"}
    assert known["now.hour"] == {8}


def test_a_flow_that_asks_nothing_of_the_world_has_one(tmp_path: Path) -> None:
    assert worlds(flow_of(tmp_path, QUESTIONS)) == [{}]


def test_the_same_flow_gives_the_same_scenarios(tmp_path: Path) -> None:
    flow = marked(flow_of(tmp_path, WORLDLY))
    first, second = (find(flow, tuple(flow.exits)) for _ in range(2))
    assert first == second


class TestWriting:
    def test_scenarios_go_to_the_end_of_a_file(self, tmp_path: Path) -> None:
        flow = marked(flow_of(tmp_path, QUESTIONS))
        found = find(flow, [Exit("questions", "pick", "1")])
        old = "# kept\nflow: questions\nscenarios: # these\n    first:\n        call: []\n"
        new = writing.appended(old, found)
        assert new.startswith(old)
        assert f"\n    {found[0].scenario.name}: # takes pick.1\n" in new

    def test_scenarios_that_are_not_last_are_left_alone(self) -> None:
        with pytest.raises(writing.NotAppendable, match="paste them by hand"):
            writing.appended("scenarios:\n  a: {call: []}\nflow: questions\n", [])

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("care", "care"),
            ("đơn hàng", '"đơn hàng"'),
            ("12#", '"12#"'),
            ("...", "..."),
            ("", '""'),
            (True, "yes"),
            ([1, {"a": "b"}], "[1, {a: b}]"),
        ],
    )
    def test_plain_values(self, value: object, written: str) -> None:
        assert writing.flowing(value) == written


def test_the_rounds_of_a_flow_for_waiting_stand_once() -> None:
    flow, lap = load(EXAMPLES / "delivery_status.yaml"), ["waiting_room/place", "waiting_room/music"]
    assert with_gap(flow, ["agent", "agent", "agent", *lap, *lap]) == ["agent", "agent", "agent", *lap, *lap]
    assert with_gap(flow, ["agent", *lap, *lap, *lap, "busy"]) == ["agent", *lap, "...", "busy"]
