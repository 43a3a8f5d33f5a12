"""What of a flow is secret, and that nothing tells it."""

from pathlib import Path

import pytest

from ivr_flows.flow import Gather
from ivr_flows.load import check, load
from ivr_flows.secrecy import NOTHING_SECRET, Secrecy, secrecy_of
from ivr_flows.state import KeyPressed, PromptsFinished
from telephony.events import HIDDEN_DIGIT
from tests.ivr_flows.flows import QUESTIONS, Caller, flow_of

PIN = """\
flow: pin
languages: [en]
start: hello
variables: {pin: {type: digits, length: 4}, order: {type: digits}, right: {type: flag, initial: no}}
steps:
  hello:
    menu:
      prompt: "For your balance press 1."
      choices: {1: words, 2: number, 3: agent}
      no_input: bye
      no_match: bye
  number:
    gather: {into: order, prompt: "Your order?", interruptible: no}
    next: choose
    no_input: bye
    no_match: bye
  choose:
    when:
      - {if: order == "1", next: words}
      - else: bye
  words:
    say: "Nobody hears what you type now."
    next: ask
  ask:
    gather: {into: pin, prompt: "Your PIN?", secret: yes}
    next: compare
    no_input: bye
    no_match: bye
  compare:
    when:
      - {if: pin == "4711", next: yes_it_is}
      - else: agent
  yes_it_is:
    set: {right: true}
    next: agent
  agent:
    queue: care
    answered: ask
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup:
"""


def test_what_is_secret_and_where(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, PIN)
    ask = flow.steps["ask"]
    assert isinstance(ask, Gather)
    assert ask.secret
    secrecy = secrecy_of(flow)
    assert secrecy == Secrecy(
        variables=frozenset({"pin"}),
        # `number` is not interruptible: what is typed over it may be the PIN already.
        steps=frozenset({"number", "choose", "words", "ask"}),
        guarded=frozenset({"hello", "number", "choose", "words", "ask"}),
    )


def test_what_fails_may_lead_to_a_secret_as_well(tmp_path: Path) -> None:
    """A PIN that is typed over words whose next step fails is taken where failures lead."""
    failing = PIN.replace("start: hello\n", "start: hello\nfailed: words\n").replace(", interruptible: no", "")
    secrecy = secrecy_of(flow_of(tmp_path, failing))
    assert secrecy.steps == {"choose", "words", "ask", "compare", "yes_it_is"}
    assert secrecy.guarded - secrecy.steps == {"hello", "number"}


def test_what_fails_in_another_flow_leads_back(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(
        "flow: other\nlanguages: [en]\nexits: [done]\nstart: a\nsteps:\n  a: {say: Hi, next: b}\n  b: {return: done}\n",
        encoding="utf-8",
    )
    calling = PIN.replace(
        'words:\n    say: "Nobody hears what you type now."\n    next: ask',
        "words:\n    subflow: other\n    done: agent\n    failed: ask",
    )
    assert {"words", "other/a", "other/b"} <= secrecy_of(flow_of(tmp_path, calling)).steps


@pytest.mark.parametrize(
    "talk",
    [
        "dial: '0912345678'\n    answered: ask\n    busy: bye\n    no_answer: bye\n    failed: bye",
        "conference: {room: team}\n    next: ask\n    full: bye\n    failed: bye",
    ],
)
def test_no_flow_takes_what_is_typed_in_a_talk_and_its_voice_is_whole(tmp_path: Path, talk: str) -> None:
    talking = PIN.replace("queue: care\n    answered: ask\n    timeout: bye\n    full: bye\n    closed: bye", talk)
    assert talk in talking
    assert "agent" not in secrecy_of(flow_of(tmp_path, talking)).guarded


def test_most_flows_have_nothing_secret(tmp_path: Path) -> None:
    assert secrecy_of(flow_of(tmp_path, QUESTIONS)) is NOTHING_SECRET


@pytest.mark.parametrize(
    ("good", "bad", "errors"),
    [
        (
            '"Your order?"',
            '"Your order? {{ pin | digits }}"',
            ["secret-told: 'pin' is secret, and cannot be spoken; a condition (if:) may compare it"],
        ),
        (
            "right: true",
            "right: pin == '1'",
            ["secret-told: 'pin' is secret, and cannot be copied to 'right'; a condition (if:) may compare it"],
        ),
        ("{into: order,", "{into: pin,", ["secret-told: 'pin' is secret in step 'ask': say 'secret: yes' here too"]),
        ("secret: yes", "secret: perhaps", ["bad-value: 'perhaps' is neither yes nor no"]),
        ('say: "Nobody', 'say: "{{ pin[0] ~ order }} Nobody', ["secret-told: 'pin' is secret, and cannot be spoken"]),
    ],
)
def test_what_tells_a_secret_is_a_fault(tmp_path: Path, good: str, bad: str, errors: list[str]) -> None:
    path = tmp_path / "pin.yaml"
    assert PIN.count(good) == 1
    path.write_text(PIN.replace(good, bad), encoding="utf-8")
    found = [str(error) for error in check(path)]
    assert len(found) == len(errors)
    assert all(error in line for error, line in zip(errors, found, strict=True))


def test_a_journal_with_hidden_digits_replays_up_to_the_first_condition_over_them(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, PIN)
    paths = {}
    for digits in ("1234", "4711", HIDDEN_DIGIT * 4):
        caller = Caller(flow)
        caller.does(KeyPressed("1"))
        assert caller.state.playing is not None
        caller.does(PromptsFinished(caller.state.playing, "finished"))
        for digit in digits:
            caller.does(KeyPressed(digit))
        assert caller.state.variables["pin"] == digits
        paths[digits] = caller.state.path
    assert {path[:4] for path in paths.values()} == {("hello", "words", "ask", "compare")}
    assert [path[4:] for path in paths.values()] == [("agent",), ("yes_it_is", "agent"), ("agent",)]


def test_a_failing_condition_over_a_secret_quotes_nothing(tmp_path: Path) -> None:
    """Jinja2 and queue() name what they did not find."""
    for condition in ("caller.open_cases[pin | int].id == '1'", "queue(pin).open"):
        path = tmp_path / "pin.yaml"
        path.write_text(PIN.replace('{if: pin == "4711", next', f'{{if: "{condition}", next'), encoding="utf-8")
        caller = Caller(load(path))
        for digit in "1":
            caller.does(KeyPressed(digit))
        assert caller.state.playing is not None
        caller.does(PromptsFinished(caller.state.playing, "finished"))
        for digit in "4711":
            caller.does(KeyPressed(digit))
        (failure,) = caller.state.failures
        assert failure.step == "compare"
        assert failure.cause == "an expression over something secret fails"
