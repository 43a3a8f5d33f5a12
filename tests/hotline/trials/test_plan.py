"""What a real call of a scenario comes to: who else waits, and when a queue is full, open or not there."""

from pathlib import Path

import pytest

from hotline.trials.plan import ROOM, Called, Plan, plan_of
from ivr_flows.facts import QueueFacts
from ivr_flows.trials.examining import read_beside
from ivr_flows.trials.marks import marked
from ivr_flows.trials.playing import play

FLOW = """\
flow: line
title: {en: Line}
languages: [en]
start: first
steps:
  first: {queue: {to: care, limit: 1m, wait: {en: Hold.}}, answered: end, timeout: call, full: second, closed: call}
  second: {queue: {to: care, limit: 1m, wait: {en: Hold.}}, answered: end, timeout: call, full: call, closed: call}
  call: {dial: {number: "+842839000000"}, answered: leave, busy: give, no_answer: give, failed: give}
  give: {transfer: {number: "+842839000000"}, failed: leave}
  leave: {voicemail: {to: care}, next: bye, no_message: bye, failed: bye}
  bye: {hangup: {en: Goodbye.}}
"""


def plan(folder: Path, scenario: str, flow: str = FLOW) -> Plan:
    """What a scenario of the flow comes to."""
    (folder / "line.yaml").write_text(flow, "utf-8")
    (folder / "line.test.yaml").write_text(f"flow: line\nscenarios:\n  one: {scenario}\n", "utf-8")
    beside = read_beside(folder / "line.yaml")
    (one,) = beside.trials.scenarios
    return plan_of(beside.flow, one, play(marked(beside.flow), one))


@pytest.mark.parametrize(
    ("queue", "room", "waiting", "is_open"),
    [
        ("{waiting: 2, outcome: answered}", ROOM, [2, 2], [True, True]),
        ("{outcome: full}", 0, [0, 0], [False, False]),
        ("{waiting: 2, outcome: full}", 2, [2, 2], [False, False]),
        ("{outcome: [full, answered]}", 1, [1, 0], [False, True]),
        ("{waiting: 2, outcome: [full, answered]}", 3, [3, 2], [False, True]),
        ("{waiting: 2, outcome: closed}", ROOM, [0, 0], [False, False]),
    ],
)
def test_a_queue_is_full_where_as_many_wait_as_may(
    tmp_path: Path, queue: str, room: int, waiting: list[int], is_open: list[bool]
) -> None:
    found = plan(tmp_path, f"{{call: [], queues: {{care: {queue}}}}}")
    shown = [found.queues(over).get("care", QueueFacts(open=False)) for over in (0, 1)]
    assert found.room_in("care") == room
    assert [each.waiting for each in shown] == waiting
    assert [each.open for each in shown] == is_open
    assert found.crowds == ({"care": waiting[0]} if waiting[0] else {})


def test_no_queue_takes_a_message_that_fails(tmp_path: Path) -> None:
    call = "call: [], queues: {care: full, sales: full}, dial: busy, transfer: failed"
    assert not plan(tmp_path, f"{{{call}, voicemail: failed}}").is_missing("care")  # the call comes to it
    found = plan(tmp_path, f"{{{call}, voicemail: failed}}", FLOW.replace("to: care, limit", "to: sales, limit"))
    assert (found.is_missing("care"), found.is_missing("sales")) == (True, False)


def test_whom_a_call_calls_and_that_it_leaves_a_message(tmp_path: Path) -> None:
    found = plan(tmp_path, "{call: [], queues: {care: closed}, dial: busy, transfer: failed}")
    assert [each.outcome for each in found.called] == ["busy", "failed"]
    assert found.messages == {"care"}
    assert [each.outcome for each in plan(tmp_path, "{call: [], queues: {care: closed}, dial: busy}").called] == [
        "busy",
        "answered",
    ]


@pytest.mark.parametrize(("transfer", "agents"), [("no_answer", {"lan"}), ("failed", set())])
def test_a_server_knows_the_agents_who_are_not_to_fail(tmp_path: Path, transfer: str, agents: set[str]) -> None:
    flow = FLOW.replace('transfer: {number: "+842839000000"}', "transfer: {agent: lan}, no_answer: leave")
    found = plan(tmp_path, f"{{call: [], queues: {{care: closed}}, dial: busy, transfer: {transfer}}}", flow)
    assert found.called == (Called("busy"), Called(transfer, "lan"))
    assert found.agents == agents
