"""What goes into a walk through a flow, what comes out, and what is kept in between: plain and msgpack-able."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from ivr_flows.flow import Plain
from telephony.events import Prompt, PromptEnding, TimePassed

QueueOutcome = Literal["answered", "full", "closed", "timeout"]
Phase = Literal["walking", "speaking", "asking", "listening", "queued", "ending", "ended"]
"""What a flow waits for: nothing, the end of a prompt, that or a key, a key, the queue, the end of the last words."""


class Input(msgspec.Struct, frozen=True, tag=True):
    """Something that happened to the caller in a flow."""


class KeyPressed(Input, frozen=True):
    """A key. Where it ended an interruptible prompt, it comes before that prompt's `PromptsFinished`."""

    digit: str


class PromptsFinished(Input, frozen=True):
    """The playback of that number is over."""

    playback: int
    ending: PromptEnding


class QueueLeft(Input, frozen=True):
    """The queue is over for this call. `answered`: the agent's talk is over and the caller is still there."""

    outcome: QueueOutcome


FlowInput = KeyPressed | PromptsFinished | QueueLeft | TimePassed


class Action(msgspec.Struct, frozen=True, tag=True):
    """Something a flow wants done."""


class PlayPrompts(Action, frozen=True):
    """Play, in place of whatever plays; `PromptsFinished` with this number is due. `interruptible`: by a key."""

    playback: int
    prompts: tuple[Prompt, ...]
    interruptible: bool
    loop: bool
    by_voice: bool = False


class StopPrompts(Action, frozen=True):
    """Stop that playback, should it still run."""

    playback: int


class EnterQueue(Action, frozen=True):
    """Put the call into a queue for at most `limit_s` seconds; `QueueLeft` is due.

    The words of `wait` are heard once, its music after them, over and over.
    """

    queue: str
    limit_s: float
    wait: tuple[Prompt, ...]


class EndCall(Action, frozen=True):
    """Hang up. Nothing follows."""

    reason: str


class ChangeLanguage(Action, frozen=True):
    """The call goes on in another language."""

    language: str


class SendMessage(Action, frozen=True):
    """Send the caller a message by another channel. `number` tells it from the others of the call."""

    number: int
    channel: str
    language: str
    text: str
    subject: str = ""


FlowAction = PlayPrompts | StopPrompts | EnterQueue | EndCall | ChangeLanguage | SendMessage


class Failure(msgspec.Struct, frozen=True):
    """What failed in which step, for the journal; without a fact about the caller."""

    step: str
    cause: str


class FlowState(msgspec.Struct, frozen=True):
    """A call's place in a flow.

    `path` are the steps it came through, `keys` what was typed ahead, `collected` the keys of a `gather` so far.
    `no_inputs` and `no_matches` count in the present step. `playing` is the playback whose end is awaited, `playbacks`
    the last number given. `deadline` is when `TimePassed` is due (seconds since the epoch). `swallow` is a finishing
    key that may still come after digits that were complete without it, dropped until `swallow_until`. `reason` is why
    the last words are spoken. `told` is what was gathered that is to be remembered, `reused` what was not asked since
    it was known, `asked_again` what was asked all the same.
    """

    step: str
    language: str
    path: tuple[str, ...] = ()
    phase: Phase = "walking"
    variables: Mapping[str, Plain] = {}
    deadline: float | None = None
    keys: str = ""
    collected: str = ""
    no_inputs: int = 0
    no_matches: int = 0
    playing: int | None = None
    playbacks: int = 0
    swallow: str = ""
    swallow_until: float = 0.0
    reason: str = ""
    told: Mapping[str, str] = {}
    reused: tuple[str, ...] = ()
    asked_again: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    ended: bool = False
