"""What proves who calls is asked of the caller, and never taken from what the customer told before."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from crm_bridge.telling_apart import fits
from ivr_flows.proving import proves
from ivr_flows.step import Ask, KeyPressed
from telephony.requests import VerifyCaller
from tests.ivr_flows.flows import Caller, facts, flow_of
from tests.ivr_flows.test_remembered import knowing

FLOW = """\
flow: proof
languages: [en]
start: ask
variables:
  born: {type: digits, length: 4, remember: 365d}
  said: text
  order: {type: digits, length: 4, remember: 365d}
steps:
  ask:
    gather: {into: born, prompt: "Birthday?"}
    next: keep
    no_input: {retries: 0, next: over}
    no_match: {retries: 0, next: over}
  keep:
    set: {said: "born"}
    next: prove
  prove:
    verify: {field: birthday, value: VALUE}
    verified: order
    refused: over
    failed: over
  order:
    gather: {into: order, prompt: "Order?"}
    next: over
    no_input: {retries: 0, next: over}
    no_match: {retries: 0, next: over}
  over:
    hangup: "Bye."
"""


@pytest.mark.parametrize("value", ["born", "said"])
def test_what_is_known_is_asked_all_the_same_and_not_kept_where_it_proves(tmp_path: Path, value: str) -> None:
    flow = flow_of(tmp_path, FLOW.replace("VALUE", value))
    assert proves(flow, "born")
    assert not proves(flow, "order")
    caller = Caller(flow, facts(knowing("1705", name="born")))
    assert caller.state.step == "ask"
    for key in "0211":
        caller.does(KeyPressed(key))
    assert caller.state.told == {}


def test_a_flow_that_proves_nothing_has_nothing_that_does(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, FLOW.replace("VALUE", "born"))
    assert not proves(replace(flow, steps={"over": flow.steps["over"]}), "born")


@pytest.mark.parametrize(("keys", "asked"), [("1705", "--05-17"), ("2902", "--02-29"), ("17051990", "1990-05-17")])
def test_a_birthday_that_is_keyed_without_its_year_is_compared_without_one(
    tmp_path: Path, keys: str, asked: str
) -> None:
    """NOW is in 2026, which is no leap year, and in which nobody who calls was born."""
    text = FLOW.replace("VALUE", "born").replace("{type: digits, length: 4, remember: 365d}", "date", 1)
    text = text.replace("{into: born, ", '{into: born, confirm: "{{ born | day }}?", ')
    caller = Caller(flow_of(tmp_path, text))
    for key in f"{keys}#1":
        caller.does(KeyPressed(key))
    request = caller.actions[-1]
    assert isinstance(request, Ask)
    assert request.request == VerifyCaller("birthday", asked)
    assert fits("birthday", asked, [f"1988-{asked[-5:]}"]) is asked.startswith("--")
