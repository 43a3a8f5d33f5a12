"""What is known and fresh is not asked; what is asked all the same is counted."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.source import FlowErrors
from ivr_flows.step import KeyPressed
from telephony.events import CallerContext, KnownField
from tests.ivr_flows.flows import NOW, Caller, facts, flow_of

DAY_S = 86_400.0
FLOW = """\
flow: orders
languages: [en]
start: ask
variables: {order: {type: digits, length: 3..4, remember: 30d}}
steps:
  ask:
    gather: {into: order, prompt: "Order?"}
    next: look
    no_input: {retries: 0, next: over}
    no_match: {retries: 0, next: over}
  look:
    menu:
      prompt: "Is {{ order }} right? Press 1. For another, press 2."
      choices: {1: over, 2: ask}
      no_input: {retries: 0, next: over}
      no_match: {retries: 0, next: over}
  over:
    hangup: "Bye."
"""


def knowing(value: str = "4561", days_ago: float = 1.0, assurance: int = 1, name: str = "order") -> CallerContext:
    field = KnownField(name, value, "zalo", NOW - days_ago * DAY_S)
    return CallerContext("c1", known=True, assurance=assurance, fields=(field,))


def comes(flow: Flow, context: CallerContext) -> Caller:
    return Caller(flow, facts(context))


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return flow_of(tmp_path, FLOW)


def test_what_is_known_and_fresh_is_not_asked(flow: Flow) -> None:
    caller = comes(flow, knowing())
    assert (caller.state.step, caller.state.variables["order"]) == ("look", "4561")
    assert (caller.state.reused, caller.state.asked_again, caller.state.told) == (("order",), (), {})


@pytest.mark.parametrize(
    "context",
    [
        CallerContext(),
        knowing(days_ago=30.1),
        knowing(assurance=0),
        knowing(name="invoice"),
        knowing("45617"),
        knowing("abc"),
    ],
    ids=["nothing known", "stale", "only claimed", "another field", "too long", "no digits"],
)
def test_what_does_not_answer_the_question_is_asked_and_not_counted(flow: Flow, context: CallerContext) -> None:
    caller = comes(flow, context)
    assert (caller.state.step, caller.state.asked_again) == ("ask", ())
    for key in "789#":
        caller.does(KeyPressed(key))
    assert (caller.state.step, caller.state.told) == ("look", {"order": "789"})


def test_a_step_that_is_come_to_again_asks_and_that_is_counted(flow: Flow) -> None:
    caller = comes(flow, knowing())
    caller.does(KeyPressed("2"))
    assert (caller.state.step, caller.state.asked_again) == ("ask", ("order",))
    for key in "789#2":
        caller.does(KeyPressed(key))
    assert caller.state.told == {"order": "789"}
    assert caller.state.asked_again == ("order",)


def test_a_flow_that_insists_asks_and_that_is_counted(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, FLOW.replace("into: order,", "into: order, insist: yes,"))
    caller = comes(flow, knowing())
    assert (caller.state.step, caller.state.asked_again) == ("ask", ("order",))


def test_a_flow_may_want_more_assurance(flow: Flow) -> None:
    strict = replace(flow, speak={"order": 2})
    assert comes(strict, knowing()).state.step == "ask"
    assert comes(strict, knowing(assurance=2)).state.step == "look"


def test_what_is_not_to_be_remembered_is_always_asked(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, FLOW.replace(", remember: 30d", ""))
    for days_ago in (1.0, -1.0):
        caller = comes(flow, knowing(days_ago=days_ago))
        for key in "789#":
            caller.does(KeyPressed(key))
        assert (caller.state.step, caller.state.told, caller.state.asked_again) == ("look", {}, ())
        assert caller.state.variables["order"] == "789"


def test_a_secret_cannot_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text(FLOW.replace("into: order,", "into: order, secret: yes,").replace("{{ order }}", "it"), "utf-8")
    with pytest.raises(FlowErrors, match="is secret, and cannot be remembered: take 'remember:' away"):
        load(path)


@pytest.mark.parametrize("word", ["0d", "3651d", "30"])
def test_a_time_that_is_none_is_a_fault(tmp_path: Path, word: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(FLOW.replace("30d", word), "utf-8")
    with pytest.raises(FlowErrors, match="bad-duration"):
        load(path)
