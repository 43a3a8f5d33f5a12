"""Flows and callers for the tests of flows."""

from pathlib import Path

from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.state import Answered, Ask
from ivr_flows.step import Facts, FlowAction, FlowInput, FlowState, QueueFacts, start, step
from telephony.events import CallerContext, OpenCase, PastInteraction
from telephony.requests import AnyRequest

EXAMPLES = Path(__file__).parents[2] / "ivr_flows" / "examples"
NOW = 1_772_420_400.0  # 2026-03-02 10:00 in Hà Nội


QUESTIONS = """\
flow: questions
languages: [vi, en]
start: hello
variables: {order: {type: digits, length: 3..4}, count: {type: number, initial: 0}}
steps:
  hello:
    say: {text: {vi: "Chào", en: "Hi"}, interruptible: no}
    next: ask
  ask:
    gather:
      into: order
      prompt: {vi: "Mã?", en: "Order?"}
    next: pick
    no_input: {retries: 1, next: silent}
    no_match: {retries: 1, prompt: {vi: "Sai", en: "Wrong"}, next: wrong}
  pick:
    menu:
      prompt: {vi: "Chọn", en: "Choose"}
      interruptible: no
      choices: {1: count_up, 2: english, "#": wrong}
      no_input: {retries: 0, next: silent}
      no_match: {retries: 0, next: wrong}
  count_up:
    set: {count: count + 1}
    next: enough
  enough:
    when:
      - {if: count >= 3, next: wait}
      - else: pick
  english:
    language: en
    next: pick
  wait:
    queue: {to: care, limit: 30s, wait: {music: waiting}}
    answered: pick
    timeout: silent
    full: wrong
    closed: wrong
  silent:
    hangup: {reason: silent}
  wrong:
    hangup: {vi: "Mã {{ order | default('') }} sai", en: "Wrong"}
"""


def lan(assurance: int = 1, language: str = "vi", topic: str = "đơn hàng giao trễ") -> CallerContext:
    """A customer with one open case, which came by e-mail."""
    return CallerContext(
        customer="c" * 32,
        known=True,
        name="Nguyễn Thị Lan",
        language=language,
        assurance=assurance,
        open_cases=(OpenCase("k" * 32, "Re: giao hàng", topic, "email", NOW - 86400),),
        last_interactions=(PastInteraction("i" * 32, "email", "inbound", NOW - 86400, "Re: giao hàng", "..."),),
    )


def facts(caller: CallerContext | None = None) -> Facts:
    """The facts of a call to the examples' queue."""
    return Facts(
        caller=lan() if caller is None else caller,
        ani="+84912345678",
        dnis="19001234",
        started_at=NOW,
        queues={"care": QueueFacts(open=True, waiting=2, estimated_wait_s=90.0)},
    )


def flow_of(folder: Path, text: str) -> Flow:
    """Load a flow from its text."""
    path = folder / "flow.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


class Caller:
    """Walks through a flow: each call gives the actions, and `state` and `actions` keep the rest."""

    def __init__(self, flow: Flow, known: Facts | None = None, now: float = NOW) -> None:
        self.flow, self.facts, self.now = flow, facts() if known is None else known, now
        self.state: FlowState
        self.state, begun = start(flow, self.facts, now)
        self.actions: list[FlowAction] = list(begun)

    def does(self, happened: FlowInput, after: float = 0.0) -> tuple[FlowAction, ...]:
        """Give the flow an input, `after` seconds later."""
        self.now += after
        self.state, actions = step(self.flow, self.state, self.facts, happened, self.now)
        self.actions += actions
        return actions

    def asks(self) -> tuple[int, AnyRequest]:
        """Return what the flow asks of the world, which it has done last, and the number of that."""
        asked = self.actions[-1]
        assert isinstance(asked, Ask)
        return asked.number, asked.request

    def answer(self, outcome: str) -> None:
        """Have the world answer what the flow asks."""
        self.does(Answered(self.asks()[0], outcome))
