"""A code is sent and asked back: what the caller meets, what is secret in it, and what is wrong in a flow."""

from pathlib import Path

import msgspec
import pytest

from ivr_flows.load import check
from ivr_flows.prove import check_file
from ivr_flows.secrecy import secrecy_of
from ivr_flows.state import Answered, Ask, KeyPressed, PlayPrompts, PromptsFinished
from ivr_flows.step import TimePassed
from telephony.requests import CheckCode, SendCode
from tests.ivr_flows.flows import Caller, flow_of

FLOW = """\
flow: code
languages: [en]
start: hello
speak: {balance: 3}
variables: {balance: {type: text, initial: "5"}}
steps:
  hello:
    say: "Hello."
    next: prove
  prove:
    verify:
      code: {by: [zalo, email], valid: 2m}
      prompt: "Your code?"
    verified: sure
    wrong: {retries: 1, prompt: "Wrong.", next: unsure}
    no_input: {retries: 0, next: silent}
    not_sent: elsewhere
    failed: broken
  sure:
    hangup: "Verified. {{ balance }}"
  unsure:
    hangup: "Unsure."
  silent:
    hangup: "Silent."
  elsewhere:
    hangup: "Not sent."
  broken:
    hangup: "Broken."
"""


class Asked(Caller):
    """A caller who is at the code."""

    def answered(self, outcome: str) -> None:
        asked = next(action for action in reversed(self.actions) if isinstance(action, Ask))
        self.does(Answered(asked.number, outcome))

    def types(self, keys: str) -> None:
        for key in keys:
            self.does(KeyPressed(key))

    @property
    def requests(self) -> list[object]:
        return [action.request for action in self.actions if isinstance(action, Ask)]

    @property
    def heard(self) -> list[str]:
        return [each.value for action in self.actions if isinstance(action, PlayPrompts) for each in action.prompts]


def asked(folder: Path, text: str = FLOW) -> Asked:
    caller = Asked(flow_of(folder, text))
    caller.does(PromptsFinished(1, "finished"))
    return caller


def test_a_right_code_is_asked_about_once_and_is_nowhere_afterwards(tmp_path: Path) -> None:
    caller = asked(tmp_path)
    assert caller.requests == [SendCode(("zalo", "email"), 120.0)]
    caller.types("99")  # typed ahead of a code that nobody has
    caller.answered("sent")
    assert caller.heard == ["Hello.", "Your code?"]
    caller.types("482913#")
    assert caller.requests[1:] == [CheckCode("482913")]
    assert b"482913" not in msgspec.msgpack.encode(caller.state)
    caller.answered("verified")
    assert caller.state.step == "sure"


def test_a_wrong_code_is_asked_again_as_often_as_the_flow_says(tmp_path: Path) -> None:
    caller = asked(tmp_path)
    caller.answered("sent")
    caller.types("111111")
    caller.answered("wrong")
    assert caller.heard[-2:] == ["Wrong.", "Your code?"]
    caller.types("222222")
    caller.answered("wrong")
    assert caller.requests[1:] == [CheckCode("111111"), CheckCode("222222")]
    assert caller.state.step == "unsure"


@pytest.mark.parametrize(
    ("sent", "keyed", "step"),
    [
        ("not_sent", "", "elsewhere"),
        ("failed", "", "broken"),
        ("nonsense", "", "broken"),
        ("sent", "refused", "unsure"),
        ("sent", "failed", "broken"),
        ("sent", "", "silent"),
    ],
)
def test_every_other_outcome_has_its_exit(tmp_path: Path, sent: str, keyed: str, step: str) -> None:
    caller = asked(tmp_path)
    caller.answered(sent)
    if keyed:
        caller.types("123456")
        caller.answered(keyed)
    elif sent == "sent":
        caller.does(PromptsFinished(2, "finished"))
        caller.does(TimePassed(), after=60.0)
    assert caller.state.step == step


def test_a_code_that_takes_too_long_to_be_sent_has_failed(tmp_path: Path) -> None:
    caller = asked(tmp_path)
    assert caller.state.deadline is not None
    caller.does(TimePassed(), after=caller.state.deadline - caller.now)
    assert caller.state.step == "broken"


def test_the_keys_of_a_code_are_secret_and_so_are_those_that_lead_to_it(tmp_path: Path) -> None:
    secrecy = secrecy_of(flow_of(tmp_path, FLOW))
    assert secrecy.steps == {"hello", "prove"}
    assert not secrecy.variables


def test_what_needs_the_surest_caller_is_told_after_the_code_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "code.yaml").write_text(FLOW, encoding="utf-8")
    assert check_file(tmp_path / "code.yaml") == []
    (tmp_path / "code.yaml").write_text(FLOW.replace("Unsure.", "{{ balance }}"), encoding="utf-8")
    (error,) = check_file(tmp_path / "code.yaml")
    assert error.code == "told-too-early"
    assert "prove: wrong" in str(error)


@pytest.mark.parametrize(
    ("verify", "codes"),
    [
        ("verify: {code: zalo, prompt: Hi}", []),
        ("verify: {code: {}, prompt: Hi, keys: {first: 30s}, filler: {music: waiting}}", []),
        ("verify: {code: auto}", ["missing-key"]),
        ("verify: {code: {by: []}, prompt: Hi}", ["bad-value"]),
        ("verify: {code: {valid: 1h}, prompt: Hi}", ["bad-value"]),
        ("verify: {code: {to: zalo}, prompt: Hi}", ["unknown-key"]),
        ("verify: {code: zalo, prompt: Hi, field: birthday}", ["unknown-key"]),
        ("verify: {field: birthday, value: '1'}", ["missing-exit", *["unknown-key"] * 3]),
    ],
)
def test_a_code_is_written_like_this(tmp_path: Path, verify: str, codes: list[str]) -> None:
    given = FLOW[FLOW.index("    verify:\n") : FLOW.index("    verified: sure")]
    (tmp_path / "code.yaml").write_text(FLOW.replace(given, f"    {verify}\n"), encoding="utf-8")
    assert sorted(error.code for error in check(tmp_path / "code.yaml")) == codes
