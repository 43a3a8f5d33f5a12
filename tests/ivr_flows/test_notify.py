"""The step that sends the caller a message."""

from pathlib import Path

import pytest

from ivr_flows.flow import Notify
from ivr_flows.load import FlowErrors, load
from ivr_flows.state import EndCall
from telephony.events import CallerContext
from telephony.requests import SendMessage
from tests.ivr_flows.flows import Caller, facts, flow_of

FLOW = """
flow: t
languages: [vi, en]
start: send
variables: {order: {type: digits, initial: "7"}}
steps:
  send:
    notify:
      channel: zalo
      text: {vi: "Chào {{ caller.name }}, đơn {{ order }}", en: "Order {{ order }}"}
      subject: {vi: Đơn, en: Order}
    next: again
    failed: again
  again:
    notify: {vi: "{{ caller.name }}", en: "{{ caller.name }}"}
    next: bye
    failed: sorry
  sorry:
    hangup: {vi: "Chưa gửi được.", en: "It could not be sent."}
  bye:
    hangup:
"""


def test_a_message_is_sent_in_the_language_of_the_call_and_the_call_goes_on(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, FLOW)
    known = CallerContext(customer="c", known=True, name="An", language="vi", assurance=1)
    caller = Caller(flow, facts(known))
    assert caller.asks() == (1, SendMessage("zalo", "Chào An, đơn 7", "Đơn"))
    caller.answer("next")
    assert caller.asks() == (2, SendMessage("auto", "An"))
    caller.answer("next")
    assert caller.actions[-1] == EndCall("completed")


def test_what_cannot_be_sent_is_an_exit_of_its_own(tmp_path: Path) -> None:
    caller = Caller(
        flow_of(tmp_path, FLOW), facts(CallerContext(customer="c", known=True, name="An", language="vi", assurance=1))
    )
    caller.answer("failed")
    caller.answer("failed")
    assert caller.state.step == "sorry"


def test_what_may_not_be_heard_may_not_be_read_and_nothing_is_not_sent(tmp_path: Path) -> None:
    stranger = Caller(flow_of(tmp_path, FLOW), facts(CallerContext(language="en")))
    assert stranger.asks() == (1, SendMessage("zalo", "Order 7", "Order"))
    stranger.answer("failed")
    assert stranger.actions[-1] == EndCall("completed")


def test_the_words_alone_are_the_short_form(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, FLOW)
    assert flow.steps["again"] == Notify(
        {"vi": "{{ caller.name }}", "en": "{{ caller.name }}"}, {"next": "bye", "failed": "sorry"}
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("notify: {text: {vi: a, en: b}}", "missing-exit"),
        ("notify: {channel: zalo}\n    next: bye\n    failed: bye", "notify needs 'text:'"),
        ("notify: {text: {vi: a}}\n    next: bye", "en"),
        ("notify: {text: {vi: a, en: b}, chanel: zalo}\n    next: bye", "did you mean 'channel'"),
        ("notify: {text: {vi: a, en: b}, channel: 'Za lo'}\n    next: bye", "not the name of a channel"),
        ("notify: {vi: '{{ nothing }}', en: b}\n    next: bye", "neither a variable"),
        ("notify: {vi: '{{ pin }}', en: b}\n    next: bye", "'pin' is secret, and cannot be sent"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, step: str, said: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "flow: t\nlanguages: [vi, en]\nstart: ask\nvariables: {pin: {type: digits}}\nsteps:\n"
        "  ask:\n    gather: {into: pin, prompt: {vi: a, en: b}, secret: yes}\n    next: send\n"
        f"    no_input: bye\n    no_match: bye\n  send:\n    {step}\n  bye:\n    hangup:\n",
        "utf-8",
    )
    with pytest.raises(FlowErrors) as errors:
        load(path)
    assert said in str(errors.value)
