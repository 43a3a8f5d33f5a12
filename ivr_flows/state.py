"""What goes into a walk through a flow, what comes out, and what is kept in between: plain and msgpack-able."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from ivr_flows.flow import QUEUE_PRIORITY, Held, RecordDeed, Rejection, SurveyKind
from telephony.events import Prompt, PromptEnding, TimePassed
from telephony.requests import AnyRequest, Values

QueueOutcome = Literal["answered", "full", "closed", "timeout"]
Phase = Literal[
    "walking", "answering", "speaking", "asking", "listening", "pausing", "requesting", "queued", "ending", "ended"
]
"""What a flow waits for: nothing, the call to be taken, the end of a prompt, that or an answer, an answer, time to
pass, the world's answer, the queue, the end of the last words."""


class Input(msgspec.Struct, frozen=True, tag=True):
    """Something that happened to the caller in a flow."""


class KeyPressed(Input, frozen=True):
    """A key. Where it ended an interruptible prompt, it comes before that prompt's `PromptsFinished`."""

    digit: str


class PromptsFinished(Input, frozen=True):
    """The playback of that number is over."""

    playback: int
    ending: PromptEnding


class QueueEntered(Input, frozen=True):
    """The call has its place in the queue: what is heard there begins."""


class QueueLeft(Input, frozen=True):
    """The queue is over for this call. `answered`: the agent's talk is over and the caller is still there."""

    outcome: QueueOutcome


class SpeechHeard(Input, frozen=True):
    """What the caller said to a question, with how sure the recogniser is of it (0 to 1)."""

    text: str
    confidence: float


class VoiceHeard(Input, frozen=True):
    """The caller has begun to say something, which `SpeechHeard` will have; or what began (`began` is false) was not
    worth it: a cough, a door."""

    began: bool


class CallTaken(Input, frozen=True):
    """The call that was to be answered is."""


class Answered(Input, frozen=True):
    """What was asked of the world is answered: by the name of an exit, and what came of it."""

    number: int
    outcome: str
    values: Values = {}


FlowInput = (
    KeyPressed
    | PromptsFinished
    | QueueEntered
    | QueueLeft
    | SpeechHeard
    | VoiceHeard
    | CallTaken
    | Answered
    | TimePassed
)


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

    The words of `wait` are heard once, its music after them, over and over; where there are none, the flow itself says
    what is heard. `skills` are names with the least level; of `priority` 1 is served first, 5 is
    usual.
    """

    queue: str
    limit_s: float
    wait: tuple[Prompt, ...]
    skills: Mapping[str, int] = {}
    priority: int = QUEUE_PRIORITY


class LeaveQueue(Action, frozen=True):
    """Take the call out of its queue: what it heard while waiting led on."""


class EndCall(Action, frozen=True):
    """Hang up. Nothing follows."""

    reason: str


class ChangeLanguage(Action, frozen=True):
    """The call goes on in another language."""

    language: str


class Ask(Action, frozen=True):
    """Ask the world; `Answered` with this number is due. `timeout_s` bounds it, and is 0 where nothing does."""

    number: int
    request: AnyRequest
    timeout_s: float


class FinishMessage(Action, frozen=True):
    """The message that is being taken is complete."""

    number: int


class TakeCall(Action, frozen=True):
    """Answer the call; `CallTaken` is due."""


class RingCaller(Action, frozen=True):
    """Let the caller hear that it rings."""


class RejectCall(Action, frozen=True):
    """Refuse the call. Nothing follows."""

    reason: Rejection


class WriteNote(Action, frozen=True):
    """Write a line into the call's journal, for its agent."""

    text: str


class ControlRecording(Action, frozen=True):
    """Start, pause, resume or stop the recording of the call; with `consent`, the caller gave theirs."""

    deed: RecordDeed
    consent: bool


class SetWhisper(Action, frozen=True):
    """What the agent alone hears when the next talk begins."""

    prompts: tuple[Prompt, ...]


class SetHold(Action, frozen=True):
    """What the caller hears on hold in later talks."""

    prompts: tuple[Prompt, ...]


class KeepScore(Action, frozen=True):
    """Put the answer to a survey on the customer's timeline. `number` tells it from the others of the call."""

    number: int
    survey: SurveyKind
    score: int


FlowAction = (
    PlayPrompts
    | StopPrompts
    | EnterQueue
    | LeaveQueue
    | EndCall
    | ChangeLanguage
    | Ask
    | FinishMessage
    | TakeCall
    | RingCaller
    | RejectCall
    | WriteNote
    | ControlRecording
    | SetWhisper
    | SetHold
    | KeepScore
)


class Failure(msgspec.Struct, frozen=True):
    """What failed in which step, for the journal; without a fact about the caller."""

    step: str
    cause: str


class Frame(msgspec.Struct, frozen=True):
    """Where a subflow was called from: the flow (empty for the call's own), the step, and its variables."""

    flow: str
    step: str
    variables: Mapping[str, Held]


class FlowState(msgspec.Struct, frozen=True):
    """A call's place in a flow.

    `flow` is the flow it is in, empty for the call's own; `stack` are the flows that called it, the outermost first.
    `waiting` is its place in the flow that it hears in a queue. `taken` says that the call is answered. `path` are the
    places it came through (`step`, or `flow/step`), `keys` what was typed ahead, `collected` the keys of a `gather` so
    far; `confirming` while the answer is read back. `no_inputs` and `no_matches` count in the present step. `playing`
    is the playback whose end is awaited, `playbacks` the last number given; `requests` is the last number given to a
    request. `deadline` is when `TimePassed` is due (seconds since the epoch). `swallow` is a finishing key that may
    still come after digits that were complete without it, dropped until `swallow_until`. `talking` while the caller
    says something to a question, whose time is up at `patience` all the same. `reason` is why the last words
    are spoken, `left` the exit by which a flow ended. `told` is what was gathered that is to be remembered, `reused`
    what was not asked since it was known, `asked_again` what was asked all the same. `case` is the case that the call
    goes on with, `chosen` what the variable `case` was in the flow that led to this one.
    """

    step: str
    language: str
    flow: str = ""
    stack: tuple[Frame, ...] = ()
    waiting: "FlowState | None" = None
    taken: bool = True
    path: tuple[str, ...] = ()
    phase: Phase = "walking"
    variables: Mapping[str, Held] = {}
    deadline: float | None = None
    keys: str = ""
    collected: str = ""
    confirming: bool = False
    no_inputs: int = 0
    no_matches: int = 0
    playing: int | None = None
    playbacks: int = 0
    requests: int = 0
    swallow: str = ""
    swallow_until: float = 0.0
    talking: bool = False
    patience: float = 0.0
    reason: str = ""
    left: str = ""
    told: Mapping[str, str] = {}
    reused: tuple[str, ...] = ()
    asked_again: tuple[str, ...] = ()
    case: str = ""
    chosen: Held = ""
    failures: tuple[Failure, ...] = ()
    ended: bool = False

    @property
    def place(self) -> str:
        """Where the call is: `step`, or `flow/step` in a flow that is not its own."""
        return place_of(self.flow, self.step)

    @property
    def heard(self) -> "FlowState":
        """The flow that takes what the caller does: the one that is heard while waiting, or else this."""
        return self if self.waiting is None else self.waiting

    @property
    def due(self) -> float | None:
        """When `TimePassed` is due here or in the flow that is heard while waiting."""
        found = [self.deadline, None if self.waiting is None else self.waiting.deadline]
        return min((deadline for deadline in found if deadline is not None), default=None)


def place_of(flow: str, step: str) -> str:
    """Name a step of a call: by itself in the call's own flow (empty), with its flow's name elsewhere."""
    return flow + "/" + step if flow else step  # not an f-string: a marked name stays one (`ivr_flows.trials.marks`)
