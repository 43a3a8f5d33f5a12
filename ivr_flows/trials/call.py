"""A call on a virtual clock: the flow for real, the rest of the world as the scenario has it. Pure."""

import math
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from ivr_flows.state import (
    Answered,
    Ask,
    CallTaken,
    EnterQueue,
    FinishMessage,
    FlowAction,
    KeyPressed,
    LeaveQueue,
    PlayPrompts,
    PromptsFinished,
    QueueEntered,
    QueueOutcome,
    SpeechHeard,
    StopPrompts,
    TakeCall,
)
from ivr_flows.trials.played import AWAY
from ivr_flows.trials.scenario import Visit
from ivr_flows.trials.walked import Walked
from ivr_flows.trials.world import NOT_THERE, Answers, Said
from telephony.events import Prompt
from telephony.requests import CallHttp, TakeMessage, kind_of

CHARS_PER_S: Final = 15.0
FILE_S: Final = 3.0
KEY_S: Final = 0.2
TAKEN_S: Final = 0.1


@dataclass(slots=True)
class Due:
    """What will happen by itself, and when: the end of a playback, that of a queue and the talk before it, the world's
    answer to a request, the call taken, its place in a queue given."""

    playback: int = 0
    interruptible: bool = False
    playback_at: float = math.inf
    talk_at: float = math.inf
    queue_at: float = math.inf
    outcome: QueueOutcome = "answered"
    request: int = 0
    said: Said | None = None
    said_at: float = math.inf
    taken_at: float = math.inf
    entered_at: float = math.inf


@dataclass(slots=True)
class Call(Walked):
    """A call that goes on. `unanswered` is a request that the scenario has no answer to, `key_s` the time from one key
    to the next."""

    answers: Answers = field(kw_only=True)
    due: Due = field(default_factory=Due)
    unanswered: str = ""
    key_s: float = KEY_S

    # ------------------------------------------------------------------------------------------ what happens

    @property
    def talks(self) -> bool:
        """Whether the caller talks with an agent: the flow waits for the end of that."""
        return self.due.talk_at <= self.now

    def perform(self, action: FlowAction) -> None:
        match action:
            case PlayPrompts():
                self.hear(action.prompts)
                length = math.inf if action.loop else sum(map(seconds_of, action.prompts))
                self.due.playback, self.due.interruptible = action.playback, action.interruptible
                self.due.playback_at = self.now + length
            case StopPrompts():
                self.due.playback_at = math.inf if action.playback == self.due.playback else self.due.playback_at
            case EnterQueue():
                self.enter(action)
            case LeaveQueue():
                self.leave()
            case Ask():
                self.ask(action)
            case FinishMessage():
                self.due.said_at = self.now
            case TakeCall():
                self.due.taken_at = self.now + TAKEN_S
            case _:
                Walked.perform(self, action)

    def enter(self, action: EnterQueue) -> None:
        self.waits_in(action.queue)
        self.visit(action, self.answers.visit(action.queue))

    def visit(self, action: EnterQueue, visit: Visit) -> None:
        """Let come of the queue what does."""
        if action.wait and visit.outcome in ("answered", "timeout"):
            self.hear(action.wait)
        self.due.outcome, self.due.queue_at = visit.outcome, self.now
        if visit.outcome in ("answered", "timeout"):
            self.due.entered_at = self.now
        if visit.outcome == "answered" and visit.after_s < action.limit_s:
            self.due.talk_at = self.now + visit.after_s
            self.due.queue_at = self.due.talk_at + visit.talk_s
        elif visit.outcome in ("answered", "timeout"):
            self.due.outcome, self.due.queue_at = "timeout", self.now + action.limit_s

    def waits_in(self, queue: str) -> None:
        """The caller has a place in a queue, and hears nothing of what was said before."""
        Walked.waits_in(self, queue)
        self.due.playback_at = math.inf

    def leave(self) -> None:
        """What was heard in the queue led out of it."""
        self.due.talk_at = self.due.queue_at = math.inf
        self.note("leaves the queue", "")

    def ask(self, action: Ask) -> None:
        request = action.request
        what = request.url if isinstance(request, CallHttp) else ""
        self.note("asks", f"{kind_of(request)} {what}".strip())
        said = self.answers.reply(request, self.facts)
        if said is None:
            self.not_answered(kind_of(request), what)
        else:
            self.will_be_told(action, said)

    def will_be_told(self, action: Ask, said: Said) -> None:
        """Let the world answer, unless that is too late."""
        after_s = min(said.after_s, action.request.limit_s) if isinstance(action.request, TakeMessage) else said.after_s
        self.due.request, self.due.said = action.number, said
        self.due.said_at = math.inf if said.is_late(action.timeout_s) else self.now + after_s

    def not_answered(self, kind: str, what: str) -> None:
        if kind == "transfer":
            self.end(AWAY)
        else:
            self.unanswered = NOT_THERE.format(what)

    # ------------------------------------------------------------------------------------------ time, and answers

    def press(self, keys: str) -> None:
        """Press keys, one after another. A key ends a prompt that is interruptible, before its end is told."""
        self.note("press", keys)
        for index, key in enumerate(keys):
            if index and self.key_s:
                self.pass_time(self.now + self.key_s)
            if self.scene.ended:
                return
            if self.talks:
                continue
            playback, plays = self.due.playback, self.due.playback_at < math.inf and self.due.interruptible
            if plays:
                self.due.playback_at = math.inf
            self.give(KeyPressed(key))
            if plays and not self.scene.ended:
                self.give(PromptsFinished(playback, "barged_in"))

    def say(self, text: str, confidence: float) -> None:
        """Answer by voice."""
        self.note("says", text)
        self.give(SpeechHeard(text, confidence))

    def next_at(self) -> float:
        """Return when something happens by itself next; infinity for never."""
        due, deadline = self.due, self.state.due
        at = min(due.queue_at, due.said_at, due.taken_at, due.entered_at)
        if self.talks:
            return at
        return min(at, due.talk_at, due.playback_at, math.inf if deadline is None else deadline)

    def pass_time(self, until: float) -> bool:
        """Let time go to the next thing that happens by itself, or to `until`; false where nothing would happen."""
        next_at, talked = self.next_at(), self.talks
        if min(next_at, until) == math.inf:
            return False
        self.now = max(self.now, min(next_at, until))
        if next_at <= self.now:
            self.happen(talked)
        return True

    def happen(self, talked: bool) -> None:
        """What is due now happens, one thing of it. While the caller talks with an agent the flow stands still."""
        due = self.due
        if due.entered_at <= self.now:
            due.entered_at = math.inf
            self.give(QueueEntered())
        elif not talked and due.playback_at <= self.now:
            due.playback_at = math.inf
            self.give(PromptsFinished(due.playback, "finished"))
        elif due.queue_at <= self.now:
            self.leave_queue(due.outcome)
        elif due.said_at <= self.now and due.said is not None:
            self.answer(due.said)
        elif due.taken_at <= self.now:
            due.taken_at = math.inf
            self.give(CallTaken())
        elif not talked and due.talk_at <= self.now:
            self.note("talks", "")
            self.look()
        elif not talked:
            self.time_out()

    def leave_queue(self, outcome: QueueOutcome) -> None:
        """The queue is over for the call."""
        self.due.queue_at = self.due.talk_at = self.due.entered_at = math.inf
        Walked.leave_queue(self, outcome)

    def answer(self, said: Said) -> None:
        self.due.said_at = math.inf
        if said.caller is not None:
            self.facts = replace(self.facts, caller=said.caller)
        self.note("answer", said.outcome)
        self.give(Answered(self.due.request, said.outcome, said.values), said.outcome)


def seconds_of(prompt: Prompt) -> float:
    """Return how long a prompt is taken to last: words at the pace of speech; music goes on."""
    match prompt.kind:
        case "text":
            return max(0.5, len(prompt.value) / CHARS_PER_S)
        case "file":
            return FILE_S
    return math.inf
