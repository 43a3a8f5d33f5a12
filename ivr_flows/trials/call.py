"""One call of a scenario on a virtual clock: the flow for real, the rest of the world as the scenario has it. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from ivr_flows.facts import Facts, WaitingFacts
from ivr_flows.flow import Held
from ivr_flows.state import (
    Answered,
    Ask,
    CallTaken,
    ChangeLanguage,
    ControlRecording,
    EndCall,
    EnterQueue,
    Failure,
    FinishMessage,
    FlowAction,
    FlowInput,
    FlowState,
    KeepScore,
    KeyPressed,
    LeaveQueue,
    PlayPrompts,
    PromptsFinished,
    QueueEntered,
    QueueLeft,
    QueueOutcome,
    RejectCall,
    RingCaller,
    SendMessage,
    SetHold,
    SetWhisper,
    SpeechHeard,
    StopPrompts,
    TakeCall,
    WriteNote,
)
from ivr_flows.step import hearing_language, start, step
from ivr_flows.trials.conduct import Act, Conduct, Scene
from ivr_flows.trials.marks import Exit, Marked, ending, taken
from ivr_flows.trials.scenario import Scenario, Visit
from ivr_flows.trials.world import Answers, Said
from telephony.events import Prompt, TimePassed
from telephony.requests import CallHttp, TakeMessage, kind_of

CHARS_PER_S: Final = 15.0
FILE_S: Final = 3.0
KEY_S: Final = 0.2
TAKEN_S: Final = 0.1
MAX_CALL_S: Final = 6 * 3600.0
MAX_EVENTS: Final = 20_000
BY_CALLER: Final = "caller"
"""Why a call ends that the caller ends."""
AWAY: Final = "transferred"
"""Why a call ends that is given away."""


class Moment(NamedTuple):
    """Something on the way of a call, for people: seconds from its begin, what, and the words of it."""

    at_s: float
    what: str
    text: str


class Disappointment(msgspec.Struct, frozen=True):
    """A line of the scenario that did not come true, and what was there instead."""

    line: int
    text: str
    instead: tuple[str, ...] = ()


class Played(msgspec.Struct, frozen=True):
    """A call that is over. `steps` is its way, `exits` those that it took, in order, `left` the one by which its flow
    returned; `queues` those it waited in."""

    steps: tuple[str, ...]
    exits: tuple[Exit, ...]
    left: str
    variables: Mapping[str, Held]
    case: str
    language: str
    ended: str
    heard: tuple[str, ...]
    queues: tuple[str, ...]
    messages: tuple[SendMessage, ...]
    notes: tuple[str, ...]
    scores: tuple[int, ...]
    failures: tuple[Failure, ...]
    way: tuple[Moment, ...]
    lasted_s: float
    disappointment: Disappointment | None = None


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
class Told:
    """What the flow had done besides: queues entered, messages, notes and scores."""

    queues: list[str] = field(default_factory=list)
    messages: list[SendMessage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scores: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """A call that goes on. `unanswered` is a request that the scenario has no answer to, `key_s` the time from one key
    to the next."""

    marked: Marked
    scenario: Scenario
    facts: Facts
    now: float
    state: FlowState
    answers: Answers
    scene: Scene = field(default_factory=Scene)
    due: Due = field(default_factory=Due)
    way: list[Moment] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    noted: int = 0
    unanswered: str = ""
    key_s: float = KEY_S

    # ------------------------------------------------------------------------------------------ what happens

    def give(self, happened: FlowInput, outcome: str = "") -> None:
        """Give the flow an input; `outcome` is the exit that it may lead out by."""
        place = self.state.place
        self.state, actions = step(self.marked.flow, self.state, self.facts, happened, self.now)
        arrived = self.noted < len(self.state.path)
        self.take(actions)
        if outcome and self.state.ended and not arrived:
            end = ending(self.marked, place, outcome)
            self.exits += [end] if end else []

    def take(self, actions: Iterable[FlowAction]) -> None:
        """Note where the call went, and do what the flow wants done."""
        path = self.state.path
        if self.noted < len(path):
            for entry in path[self.noted :]:
                exit_ = taken(entry)
                if exit_ is not None:
                    self.exits.append(exit_)
                self.note("step", entry)
            self.noted = len(path)
        for action in actions:
            self.perform(action)
        self.look()

    def look(self) -> None:
        """See what the caller sees of it."""
        scene, inner = self.scene, self.inner
        scene.asking = inner.phase == "listening" and not self.talks
        scene.listening = scene.asking and bool(hearing_language(self.marked.flow, self.state))
        scene.where = inner.place

    @property
    def inner(self) -> FlowState:
        """The place that the caller hears: in a queue, that in the flow for waiting."""
        return self.state if self.state.waiting is None else self.state.waiting

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
            case EndCall() | RejectCall():
                self.end(action.reason)
            case _:
                self.keep(action)

    def keep(self, action: FlowAction) -> None:
        """Keep what a scenario may ask for afterwards, or what is worth a line of the call's way."""
        match action:
            case ChangeLanguage():
                self.note("language", action.language)
            case SendMessage():
                self.told.messages.append(action)
                self.note("message", f"{action.channel}: {action.text}")
            case WriteNote():
                self.told.notes.append(action.text)
                self.note("note", action.text)
            case KeepScore():
                self.told.scores.append(action.score)
                self.note("score", f"{action.survey} {action.score}")
            case ControlRecording():
                self.note("recording", action.deed)
            case SetWhisper() | SetHold():
                self.note("later", " ".join(map(words_of, action.prompts)))
            case RingCaller():
                self.note("rings", "")

    def hear(self, prompts: Iterable[Prompt]) -> None:
        """One playback is one thing heard, whatever its parts."""
        words = " ".join(words_of(prompt) for prompt in prompts)
        self.scene.heard.append(words)
        self.note("hears", words)

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
        self.told.queues.append(queue)
        self.note("queue", queue)
        self.due.playback_at = math.inf
        known = self.facts.queues.get(queue)
        if known is not None:
            waiting = WaitingFacts(queue, known.waiting + 1, self.now, known.estimated_wait_s)
            self.facts = replace(self.facts, waiting=waiting)

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
        late = action.timeout_s and said.after_s > action.timeout_s
        after_s = min(said.after_s, action.request.limit_s) if isinstance(action.request, TakeMessage) else said.after_s
        self.due.request, self.due.said = action.number, said
        self.due.said_at = math.inf if late else self.now + after_s

    def not_answered(self, kind: str, what: str) -> None:
        if kind == "transfer":
            self.end(AWAY)
        else:
            self.unanswered = f"the flow asks for {what}, and nothing under the scenario's `http:` answers that"

    def end(self, reason: str) -> None:
        self.scene.ended, self.scene.asking = reason, False
        self.note("ends", reason)

    def note(self, what: str, text: str) -> None:
        self.way.append(Moment(self.now - self.scenario.world.at, what, text))

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
        self.note("queue over", outcome)
        self.give(QueueLeft(outcome), outcome)

    def answer(self, said: Said) -> None:
        self.due.said_at = math.inf
        if said.caller is not None:
            self.facts = replace(self.facts, caller=said.caller)
        self.note("answer", said.outcome)
        self.give(Answered(self.due.request, said.outcome, said.values), said.outcome)

    def time_out(self) -> None:
        """The flow's own deadline: a question that nobody answered, or that nobody answered to the end."""
        if self.scene.asking:
            self.scene.silences += 1
            self.note("silent", "")
        self.give(TimePassed())

    def over(self, disappointment: Disappointment | None = None) -> Played:
        """Return the call as it was."""
        state = self.state
        return Played(
            steps=state.path,
            exits=tuple(self.exits),
            left=state.left,
            variables=state.variables,
            case=state.case,
            language=state.language,
            ended=self.scene.ended,
            heard=tuple(self.scene.heard),
            queues=tuple(self.told.queues),
            messages=tuple(self.told.messages),
            notes=tuple(self.told.notes),
            scores=tuple(self.told.scores),
            failures=state.failures,
            way=tuple(self.way),
            lasted_s=self.now - self.scenario.world.at,
            disappointment=disappointment,
        )


AnyCall = TypeVar("AnyCall", bound=Call)
Kind = Callable[[Marked, Scenario, Facts, float, FlowState, Answers], AnyCall]


def begin(prepared: Marked, scenario: Scenario, kind: Kind[AnyCall]) -> AnyCall:
    """Answer the call: the flow begins. Where it is one with parameters, the scenario gives them."""
    world = scenario.world
    if world.parameters:
        prepared = with_parameters(prepared, world.parameters)
    state, actions = start(prepared.flow, world.facts, world.at)
    call = kind(prepared, scenario, world.facts, world.at, state, Answers(world))
    call.take(actions)
    return call


def with_parameters(prepared: Marked, given: Mapping[str, Held]) -> Marked:
    """Return a flow whose parameters have these values."""
    variables = {
        name: replace(variable, initial=given.get(name, variable.initial))
        for name, variable in prepared.flow.variables.items()
    }
    return Marked(replace(prepared.flow, variables=variables), prepared.exits)


def play(prepared: Marked, scenario: Scenario) -> Played:
    """Play a scenario to its end. Nothing raises: a call that does not end is a disappointment of the scenario."""
    call, conduct = begin(prepared, scenario, Call), Conduct(scenario.deeds)
    for _ in range(MAX_EVENTS):
        if call.unanswered:
            return call.over(Disappointment(scenario.line, call.unanswered))
        act = conduct.act(call.scene, call.now)
        match act.kind:
            case "fails":
                return call.over(Disappointment(act.line, act.text, act.instead))
            case "keys":
                call.press(act.keys)
            case "says":
                call.say(act.text, act.confidence)
            case "hangs_up":
                call.note("hangs up", "")
                call.end(BY_CALLER)
            case "done" if call.scene.ended:
                return call.over(_unwelcome(conduct.banned(call.scene)))
            case _:
                until = math.inf if act.until is None else act.until
                if call.now - scenario.world.at > MAX_CALL_S or (not call.scene.ended and not call.pass_time(until)):
                    break
    text = f"the call does not end: it is in step '{call.scene.where}' after {call.now - scenario.world.at:.0f} s"
    return call.over(Disappointment(scenario.line, text, tuple(call.scene.heard[-3:])))


def _unwelcome(act: Act | None) -> Disappointment | None:
    return None if act is None else Disappointment(act.line, act.text, act.instead)


def seconds_of(prompt: Prompt) -> float:
    """Return how long a prompt is taken to last: words at the pace of speech; music goes on."""
    match prompt.kind:
        case "text":
            return max(0.5, len(prompt.value) / CHARS_PER_S)
        case "file":
            return FILE_S
    return math.inf


def words_of(prompt: Prompt) -> str:
    """Return a prompt as a scenario speaks of it: its words, or the name of its file or music."""
    return prompt.value.rpartition("/")[2] if prompt.kind == "file" else prompt.value
