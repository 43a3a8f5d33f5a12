"""Scenarios beside flows, played by real calls: `hotline flow test --depth sip`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

EXAMPLES = Path(__file__).parents[2] / "ivr_flows" / "examples"
LINE = """\
flow: line
title: {en: Line}
languages: [en]
speak: {name: 1}
variables: {order: {type: record, fields: {day: text}}, pin: {type: digits, length: 4}}
start: hello
steps:
  hello: {say: {en: "Hello {{ caller.name }}."}, next: ask}
  ask:
    gather: {into: pin, secret: yes, prompt: {en: Pin.}}
    next: look
    no_input: {retries: 0, next: bye}
    no_match: {retries: 0, next: bye}
  look:
    http: {get: "{{ settings.shop }}/orders/7", into: order}
    next: told
    failed: bye
  told: {say: {en: "{{ order.day }}."}, next: agent}
  agent: {queue: {to: care, limit: 1m, wait: {en: Hold.}}, answered: end, timeout: bye, full: bye, closed: bye}
  bye: {hangup: {en: Goodbye.}}
"""
SCENARIOS = """\
flow: line
scenarios:
  lan_talks_with_an_agent:
    caller: {phone: "0912 345 678", known_as: {name: Lan}}
    http: {shop/orders/7: {day: Friday}}
    queues: {care: {outcome: answered, after: 1s}}
    call: [{hears: Hello Lan}, {press: "4711"}, {hears: Friday}, {hears: Hold}]
    expect: {variables: {pin: "4711", order: {day: Friday}}, queue: care, exit: agent.answered, ends: talk_over}
  a_call_that_is_not_for_a_telephone:
    at: 2026-05-05 05:05
    call: [hangs_up]
"""


def played(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "hotline", "flow", "test", "--depth", "sip", "--json", *arguments],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_shipped_scenarios_come_true_in_real_calls() -> None:
    code, told = played(
        str(EXAMPLES / "after_call.yaml"), str(EXAMPLES / "after_hours.yaml"),
        "--only", "somebody_is_not", "--only", "which_day_closed",
        "--only", "message_no_message",
    )  # fmt: skip
    survey, closed = told["flows"]
    assert code == 0, told
    assert [each["name"] for each in survey["scenarios"]] == ["somebody_is_not"]
    assert [each["steps"][-1] for each in closed["scenarios"]] == ["bye"]
    assert {"csat.next", "nps.next", "open_case.next"}.isdisjoint(survey["coverage"]["missed"])
    assert "nps.no_match" in survey["coverage"]["missed"]
    assert [each["name"] for each in told["not_for_this_depth"]] == ["message_no_message"]


def test_a_known_caller_a_web_service_secret_keys_and_an_agent(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(LINE, "utf-8")
    (tmp_path / "line.test.yaml").write_text(SCENARIOS, "utf-8")
    code, told = played(str(tmp_path))
    assert code == 0, told
    (flow,) = told["flows"]
    (scenario,) = flow["scenarios"]
    assert scenario["exits"] == ["hello.next", "ask.next", "look.next", "told.next", "agent.answered"]
    (left_out,) = told["not_for_this_depth"]
    assert (left_out["name"], left_out["reason"]) == ("a_call_that_is_not_for_a_telephone", "it has a time of its own")


def test_a_scenario_that_fails_by_its_logic_fails_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(LINE, "utf-8")
    wrong = SCENARIOS.partition("  a_call_that")[0].replace("hears: Friday", "hears: Monday")
    (tmp_path / "line.test.yaml").write_text(wrong, "utf-8")
    code, told = played(str(tmp_path))
    (scenario,) = told["flows"][0]["scenarios"]
    assert code == 1
    assert scenario["failures"][0]["text"].startswith("hears: Monday")
