"""Which scenarios a depth can play, and why not the others."""

from pathlib import Path

import pytest

from hotline.trials.suitable import LONGEST_S, Depth, shortened, unsuitable
from ivr_flows.trials.examining import read_beside
from ivr_flows.trials.marks import marked
from ivr_flows.trials.verdict import judge

FLOW = """\
flow: line
title: {en: Line}
languages: [en]
variables: {found: {type: record, fields: {day: text}}}
start: ask
steps:
  ask:
    menu:
      prompt: {en: {text: Press one.}}
      choices:
        1: {phrases: {en: [one]}, next: look}
        2: {next: agent}
        3: {next: leave}
        4: {next: give}
        5: {next: call}
        6: {next: first}
        7: {next: room}
        8: {next: is_long}
        9: {next: else_leave}
        "#": {next: write}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 0, next: bye}
  look:
    http: {get: "{{ settings.shop }}/orders", into: found}
    next: bye
    failed: bye
  agent: {queue: {to: care, limit: 10m, wait: {en: Hold.}}, answered: end, timeout: bye, full: bye, closed: bye}
  leave: {voicemail: {to: care}, next: bye, no_message: bye, failed: bye}
  give: {transfer: {agent: chi}, failed: bye, no_answer: bye}
  call: {dial: {number: "+842839000000", timeout: 20s}, answered: bye, busy: call, no_answer: bye, failed: bye}
  first: {queue: {to: care, limit: 9s, wait: {en: Hold.}}, answered: end, timeout: sorry, full: sorry, closed: bye}
  sorry: {say: {en: We are sorry and try again.}, next: again}
  again: {queue: {to: care, limit: 9s, wait: {en: Hold.}}, answered: end, timeout: last, full: last, closed: bye}
  last: {queue: {to: care, limit: 9s, wait: {en: Hold.}}, answered: end, timeout: bye, full: bye, closed: bye}
  write: {notify: {en: Hello.}, next: bye, failed: bye}
  else_leave: {queue: {to: care}, answered: end, timeout: leave, full: leave, closed: leave}
  room: {conference: {room: sales, limit: 30m}, next: bye, full: bye, failed: bye}
  is_long:
    when:
      - {if: 'queue("care").estimated_wait > 60 or not queue("care").open', next: bye}
      - {else: agent}
  bye: {hangup: {en: Goodbye.}}
"""


def reason(folder: Path, scenario: str, depth: Depth = "sip", *, slow: bool = False) -> str:
    """Why a scenario of the flow is not for a depth."""
    (folder / "line.yaml").write_text(FLOW, "utf-8")
    (folder / "line.test.yaml").write_text(f"flow: line\nscenarios:\n  one: {scenario}\n", "utf-8")
    beside = read_beside(folder / "line.yaml")
    given = shortened(beside.trials.scenarios[0])
    prepared = marked(beside.flow)
    verdict = judge(prepared, given)
    assert verdict.passed, verdict.disappointments
    return unsuitable(depth, prepared, given, verdict.played, slow=slow)


@pytest.mark.parametrize(
    "scenario",
    [
        "{call: [silent]}",
        "{call: [{press: 2}]}",
        "{call: [{press: 2}], queues: {care: full}}",
        "{call: [{press: 1}], http: {shop/orders: {day: today}}}",
        "{call: [{press: 1}], http: {shop/orders: failed}}",
        "{call: [silent], caller: {phone: '0912 345 678', known_as: {name: Lan, open_cases: [refund]}}}",
        "{call: [silent], caller: withheld}",
        "{call: [{says: one}], http: {shop/orders: {day: today}}}",
        "{call: [{press: 3}]}",
        "{call: [{press: 3}], voicemail: no_message}",
        "{call: [{press: 3}], voicemail: failed}",
        "{call: [{press: 4}]}",
        "{call: [{press: 2}], queues: {care: closed}}",
        "{call: [{press: 2}], queues: {care: {waiting: 3}}}",
        "{call: [{press: 5}], dial: [busy, no_answer]}",
        "{call: [{press: 6}], queues: {care: {outcome: [full, timeout]}}}",
        "{call: [{press: 7}]}",
        "{call: [{press: '#'}], notify: failed}",
    ],
)
def test_a_real_call_plays(tmp_path: Path, scenario: str) -> None:
    assert reason(tmp_path, scenario) == ""


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("{call: [{says: {text: one, confidence: 0.1}}]}", "with a confidence of 0.1"),
        ("{call: [{press: 3}], voicemail: [next, failed]}", "a message for queue 'care' is to fail"),
        ("{call: [{press: 9}], queues: {care: closed}}", "queue 'care' is closed and takes messages"),
        ("{call: [{press: '#'}]}", "'notify' is to come to 'next'"),
        ("{call: [{press: 7}], conference: full}", "'conference' is to come to 'full'"),
        ("{call: [silent], at: 2026-03-03 10:00}", "it has a time of its own"),
        (
            "{call: [{press: 6}], queues: {care: {outcome: [full, closed]}}}",
            "queue 'care' is closed, and then it is not",
        ),
        ("{call: [{press: 6}], queues: {care: {outcome: [full, timeout, full]}}}", "to be full after it was not"),
        ("{call: [{press: 6}], queues: {care: {outcome: [full, full, timeout]}}}", "is full, and then at once is not"),
        ("{call: [{press: 2}], queues: {care: {waiting: 6}}}", "in queue 'care' 6 wait"),
        ("{call: [{press: 8}], queues: {care: {estimated_wait: 3m}}}", "would be open, with 0 who wait and no wait"),
        ("{call: [{press: 8}], queues: {care: {outcome: closed}}}", "what is known of queue 'care' is asked for"),
        ("{call: [{press: 8}], queues: {care: {open: no}}}", "queue 'care' is as no server shows it"),
        ("{call: [{press: 2}], queues: {care: timeout}}", f"more than {LONGEST_S['sip']:.0f} s need --slow"),
        ("{call: [silent], caller: {known_as: {name: Lan, assurance: 2}}}", "the caller has assurance 2"),
        ("{call: [silent], caller: '12345'}", "12345 is no telephone number"),
        ("{call: [silent], caller: {withheld: yes, known_as: {name: Lan}}}", "who hides the number is known"),
    ],
)
def test_a_real_call_does_not_play(tmp_path: Path, scenario: str, why: str) -> None:
    assert why in reason(tmp_path, scenario)


def test_what_lasts_is_for_who_has_time(tmp_path: Path) -> None:
    waits = "{call: [{press: 2}], queues: {care: timeout}}"
    assert reason(tmp_path, waits, slow=True) == ""
    assert reason(tmp_path, waits, "audio") == ""


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("{call: [{says: one}], http: {shop/orders: {day: today}}}", ""),
        ("{call: [{says: {text: one, confidence: 0.8}}], http: {shop/orders: {day: today}}}", ""),
        ("{call: [{says: {text: one, confidence: 0.1}}]}", "with a confidence of 0.1"),
        ("{call: [silent], at: 2026-03-03 10:00, caller: {known_as: {name: Lan, assurance: 2}}}", ""),
        ("{call: [{press: 2}], queues: {care: [closed]}}", ""),
        ("{call: [{press: 2}], queues: {care: {waiting: 3}}}", ""),
        ("{call: [{press: 3}]}", ""),
        ("{call: [{press: 4}]}", "it comes to 'transfer'"),
    ],
)
def test_what_is_for_ears(tmp_path: Path, scenario: str, why: str) -> None:
    found = reason(tmp_path, scenario, "audio")
    assert found == why if not why else why in found
