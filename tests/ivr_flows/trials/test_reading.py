"""`ivr_flows.trials.reading`: what a test file means, and what is wrong with one."""

from pathlib import Path

import pytest

from ivr_flows.source import FlowErrors
from ivr_flows.trials.reading import read_scenario, read_trials
from ivr_flows.trials.scenario import (
    Expected,
    HangsUp,
    Hears,
    HearsNot,
    Interrupts,
    Presses,
    Says,
    Silent,
    Visit,
    Waits,
)
from tests.ivr_flows.flows import NOW
from tests.ivr_flows.trials.scenarios import beside, faults

WHOLE = """\
  one:
    about: everything that there is
    caller:
      phone: "0912 345 678"
      known_as:
        name: Lan
        language: en
        assurance: 2
        tags: [vip, old]
        open_cases:
          - refund
          - {id: K2, topic: delivery, subject: Re, channel: zalo, opened: 2026-03-01 10:00}
        last_interaction: {channel: chat, subject: Hello, occurred: 2026-03-01 10:00}
        fields: {order: "1234"}
    dials: 1900 1234
    at: 2026-03-02 10:00
    queues: {care: {waiting: 3, estimated_wait: 90s, outcome: [full, {outcome: answered, after: 5s, talk: 2m}]}}
    call:
      - hears: Xin chào
      - hears_not: Lỗi
      - press: 1 2#
      - interrupts: 0
      - silent
      - silent: 2
      - waits: 1m30s
      - hangs_up
    expect:
      steps: [hello, ..., wrong]
      variables: {order: 1234, count: 2}
      exit: [ask.next, no_input]
      queue: []
      language: en
      notified: [Chào]
      ends: silent
"""


def test_everything_is_read(tmp_path: Path) -> None:
    (scenario,) = beside(tmp_path, WHOLE).trials.scenarios
    world, facts = scenario.world, scenario.world.facts
    caller = facts.caller
    assert (scenario.name, scenario.line, world.at, facts.started_at) == ("one", 3, NOW, NOW)
    assert (facts.ani, facts.dnis) == ("0912345678", "19001234")
    assert (caller.known, caller.name, caller.language, caller.assurance) == (True, "Lan", "en", 2)
    assert caller.tags == ("vip", "old")
    assert [(case.topic, case.channel) for case in caller.open_cases] == [("refund", "email"), ("delivery", "zalo")]
    assert caller.open_cases[1].opened_at == NOW - 86400
    assert (caller.last_interactions[0].subject, caller.fields[0].value) == ("Hello", "1234")
    assert (facts.queues["care"].waiting, facts.queues["care"].estimated_wait_s) == (3, 90.0)
    assert world.visits["care"] == (Visit("full"), Visit("answered", 5.0, 120.0))
    assert scenario.deeds == (
        Hears(21, "Xin chào"),
        HearsNot(22, "Lỗi"),
        Presses(23, "12#"),
        Interrupts(24, "0"),
        Silent(25),
        Silent(26, 2),
        Waits(27, 90.0),
        HangsUp(28),
    )
    assert scenario.expected[0] == Expected("steps", 30, ("hello", "...", "wrong"))
    assert scenario.expected[1].values == {"order": "1234", "count": "2"}


def test_words_may_interrupt(tmp_path: Path) -> None:
    (scenario,) = beside(tmp_path, "  one: {call: [interrupts: {says: nhân viên}]}\n").trials.scenarios
    assert scenario.deeds == (Says(3, "nhân viên", interrupts=True),)


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("withheld", ("", False, 0)),
        ('"0912 345 678"', ("0912345678", False, 1)),
        ("{known_as: {name: Lan}}", ("+84900000000", True, 1)),
        ("{withheld: yes, known_as: {name: Lan}}", ("", True, 0)),
    ],
)
def test_callers_in_short(caller: str, expected: tuple[str, bool, int], tmp_path: Path) -> None:
    (scenario,) = beside(tmp_path, f"  a: {{caller: {caller}, call: []}}\n").trials.scenarios
    facts = scenario.world.facts
    assert (facts.ani, facts.caller.known, facts.caller.assurance) == expected


def test_what_all_scenarios_share_stands_once(tmp_path: Path) -> None:
    text = (
        "  a: {call: []}\n  b: {at: 2026-03-02 10:00, call: []}\nworld: {at: 2026-03-02 11:00, queues: {care: full}}\n"
    )
    first, second = beside(tmp_path, text).trials.scenarios
    assert (first.world.at, second.world.at) == (NOW + 3600, NOW)
    assert first.world.visits == second.world.visits == {"care": (Visit("full"),)}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("caler: withheld, call: []", "3:7: unknown-key: a scenario has no 'caler'; did you mean 'caller'?"),
        ("call: [pres: 1]", "3:14: unknown-key: a caller does not 'pres'; did you mean 'press'?"),
        ("call: [hang_up]", "3:14: unknown-key: a caller does not 'hang_up'; did you mean 'hangs_up'?"),
        ("call: [press]", "3:14: missing-key: 'press' needs its value: 'press: …'"),
        ("call: [press: a1]", "3:21: bad-key: 'a' is not a key of a telephone: 0 to 9, * or #"),
        ("call: [hangs_up: 1]", "3:24: bad-value: 'hangs_up' has no value"),
        ("call: [{press: 1, hears: a}]", "3:14: bad-value: a line of a call is one thing"),
        ("call: {press: 1}", "3:13: bad-value: call is a list of what the caller does and hears"),
        (
            "call: [waits: 5]",
            "3:21: bad-duration: '5' is not a duration such as 5s, 1m30s or 500ms; did you mean '5s'?",
        ),
        ("at: noon, call: []", "3:11: bad-value: 'noon' is not a time such as 2026-03-02 10:00"),
        ("timezone: Hanoi, call: []", "3:17: bad-value: 'Hanoi' is not a time zone"),
        ("queues: {care: busy}, call: []", "3:22: bad-value: 'busy' is not what comes of a queue"),
        ("queues: {care: {outcom: full}}, call: []", "unknown-key: a queue has no 'outcom'; did you mean 'outcome'?"),
        ("caller: {known_as: {nam: Lan}}, call: []", "unknown-key: a known caller has no 'nam'; did you mean 'name'?"),
        ("expect: {steps: [helo]}", "3:24: unknown-step: there is no step 'helo'; did you mean 'hello'?"),
        ("expect: {variables: {ordr: 1}}", "undefined-variable: 'ordr' is not among the flow's variables"),
        ("expect: {stps: [hello]}", "3:16: unknown-key: what is expected has no 'stps'; did you mean 'steps'?"),
        ("expect: {language: fr}", "unknown-language: there is no language 'fr'"),
        ("about: nothing", "3:3: missing-key: scenario 'a' needs 'call:' or 'expect:'"),
    ],
)
def test_faults_have_their_place_and_their_mend(line: str, fault: str, tmp_path: Path) -> None:
    (found,) = faults(tmp_path, f"  a: {{{line}}}\n")
    assert fault in found


def test_another_flows_scenarios_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "flow.test.yaml"
    flow = beside(tmp_path, "  a: {call: []}\n").flow
    file.write_text("flow: other\nscenarios: {a: {call: []}}\n")
    with pytest.raises(FlowErrors, match=r"1:7: unknown-flow: the flow beside this file is 'questions', not 'other'"):
        read_trials(file, flow)


def test_plain_values_are_read_as_a_file_would_be(tmp_path: Path) -> None:
    read = beside(tmp_path, "  a: {call: [press: 1, silent: 2], expect: {ends: silent}}\n")
    plain = {"call": [{"press": 1}, {"silent": 2}], "expect": {"ends": "silent"}}
    again = read_scenario(read.flow, "a", plain)
    assert again is not None
    assert [type(deed) for deed in again.deeds] == [type(deed) for deed in read.trials.scenarios[0].deeds]
    assert read_scenario(read.flow, "a", {"call": ["presses"]}) is None
