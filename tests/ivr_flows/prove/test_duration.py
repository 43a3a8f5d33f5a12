"""How long steps take at most."""

from pathlib import Path

import pytest

from ivr_flows.flow import ANSWER_LIMIT_S, VerifyByCode
from ivr_flows.prove.duration import step_s
from tests.ivr_flows.flows import flow_of

FLOW = """
flow: t
languages: [en]
start: prove
steps:
  prove:
    verify: {code: {by: [zalo]}, prompt: {file: none.wav}, keys: {first: 60s, between: 3s}, timeout: 15s}
    verified: tell
    wrong: {retries: 2, next: tell}
    no_input: {retries: 0, next: tell}
    not_sent: tell
    failed: tell
  tell: {notify: Hello., next: bye, failed: bye}
  bye: {hangup: Goodbye.}
"""


@pytest.mark.parametrize(
    ("exit_name", "asked_s", "compared"),
    [("verified", 75.0, 1), ("wrong", 3 * 75.0, 3), ("no_input", 60.0, 0), ("failed", 75.0, 1)],
)
def test_each_code_that_is_keyed_is_compared(tmp_path: Path, exit_name: str, asked_s: float, compared: int) -> None:
    (tmp_path / "none.wav").write_bytes(b"")
    here = flow_of(tmp_path, FLOW).steps["prove"]
    assert isinstance(here, VerifyByCode)
    taken_s = step_s(here, exit_name, ["en"], lambda _step, _exit: 0.0)
    assert taken_s == pytest.approx(15.0 + asked_s + compared * ANSWER_LIMIT_S)
    assert step_s(here, "not_sent", ["en"], lambda _step, _exit: 0.0) == 15.0


def test_a_message_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "none.wav").write_bytes(b"")
    assert step_s(flow_of(tmp_path, FLOW).steps["tell"], "next", ["en"], lambda _step, _exit: 0.0) == ANSWER_LIMIT_S
