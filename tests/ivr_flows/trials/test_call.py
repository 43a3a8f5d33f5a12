"""`ivr_flows.trials.call`: a call on a virtual clock, with the flow for real."""

from pathlib import Path

from ivr_flows.trials.played import BY_CALLER, Played
from ivr_flows.trials.playing import MAX_CALL_S
from tests.ivr_flows.trials.scenarios import only, played

NOTIFYING = """\
flow: notifying
languages: [vi, en]
variables: {count: {type: number, initial: 0}}
start: tell
steps:
  tell:
    notify: {text: {vi: "Chào bạn", en: "Hi"}, channel: zalo}
    next: wait
    failed: over
  wait:
    queue: {to: care, limit: 30s}
    answered: tell
    timeout: over
    full: over
    closed: over
  over:
    hangup: {vi: "Hết giờ", en: "Over"}
"""


def written(call: Played) -> list[str]:
    return [f"{exit_.step}.{exit_.name}" for exit_ in call.exits]


def test_the_whole_way_is_told(tmp_path: Path) -> None:
    verdict = only(played(tmp_path, "  a: {call: [press: '123#', press: 2, hears: Choose, hangs_up]}\n"))
    call = verdict.played
    assert verdict.passed
    assert call.steps == ("hello", "ask", "pick", "english", "pick")
    assert written(call) == ["hello.next", "ask.next", "pick.2", "english.next"]
    assert (call.variables, call.language, call.ended) == ({"count": 0, "order": "123"}, "en", BY_CALLER)
    assert [moment.what for moment in call.way][:4] == ["step", "hears", "step", "hears"]
    assert call.heard == ("Chào", "Mã?", "Chọn", "Choose")


def test_silence_takes_as_long_as_the_flow_says(tmp_path: Path) -> None:
    call = only(played(tmp_path, "  a: {call: [silent: 2]}\n")).played
    assert written(call)[-1] == "ask.no_input"
    assert call.ended == "silent"
    assert 10.0 <= call.lasted_s <= 12.0  # two times five seconds, and what is said


def test_keys_typed_ahead_skip_what_is_said(tmp_path: Path) -> None:
    call = only(
        played(tmp_path, "  a: {call: [interrupts: '1234', waits: 100ms, press: 2, hears: Choose, hangs_up]}\n")
    )
    assert call.passed
    assert "Mã?" not in call.played.heard


def test_an_interrupted_question_is_over_at_once(tmp_path: Path) -> None:
    verdict = only(played(tmp_path, "  a: {call: [hears: Mã, interrupts: '12', silent, hears: Sai, hangs_up]}\n"))
    assert verdict.passed
    assert 3.0 <= verdict.played.lasted_s <= 5.0  # the pause after the last key, from the first moment of the question


def test_queues_end_as_the_world_says(tmp_path: Path) -> None:
    scenarios = """\
  answered_then_full:
    queues: {care: [answered, full]}
    expect: {steps: [tell, wait, tell, wait, over], queue: [care, care], notified: [Chào, Chào], ends: completed}
  times_out:
    queues: {care: {outcome: answered, after: 5m}}
    expect: {exit: wait.timeout, hears: hết giờ}
  leaves:
    call: [waits: 10s, hangs_up]
    expect: {steps: [tell, wait], ends: caller}
"""
    examined = played(tmp_path, scenarios, NOTIFYING)
    assert [verdict.passed for verdict in examined.verdicts] == [True, True, True]
    assert examined.verdicts[0].played.lasted_s > 80.0  # twenty seconds until somebody answers, a minute of talk


def test_a_call_that_does_not_end_is_told(tmp_path: Path) -> None:
    verdict = only(played(tmp_path, "  a: {call: []}\n", NOTIFYING))
    assert not verdict.passed
    assert "the call does not end" in verdict.disappointments[0].text
    assert verdict.played.lasted_s >= MAX_CALL_S
