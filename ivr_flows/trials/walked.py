"""A flow that is walked, and what is remembered of the way. Pure.

It is the part of a call that is the same whoever brings about what happens: a virtual clock (`ivr_flows.trials.call`),
or a real call that is followed by its journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from ivr_flows.facts import Facts, WaitingFacts
from ivr_flows.state import (
    Answered,
    Ask,
    ChangeLanguage,
    ControlRecording,
    EndCall,
    FlowAction,
    FlowInput,
    FlowState,
    KeepScore,
    QueueLeft,
    QueueOutcome,
    RejectCall,
    RingCaller,
    SetHold,
    SetWhisper,
    WriteNote,
)
from ivr_flows.step import hearing_language, step
from ivr_flows.trials.conduct import Scene
from ivr_flows.trials.marks import Exit, Marked, ending, taken
from ivr_flows.trials.played import Disappointment, Moment, Played, words_of
from ivr_flows.trials.scenario import Scenario
from telephony.events import Prompt, TimePassed
from telephony.requests import SendMessage


@dataclass(slots=True)
class Told:
    """What the flow had done besides: queues entered, messages, notes and scores."""

    queues: list[str] = field(default_factory=list)
    messages: list[SendMessage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scores: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Walked:
    """A call that goes on."""

    marked: Marked
    scenario: Scenario
    facts: Facts
    now: float
    state: FlowState
    scene: Scene = field(default_factory=Scene)
    way: list[Moment] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    noted: int = 0
    sending: tuple[int, SendMessage] | None = None
    """A message whose sending the flow waits for, by the number of its request."""

    def give(self, happened: FlowInput, outcome: str = "") -> None:
        """Give the flow an input; `outcome` is the exit that it may lead out by."""
        before = self.state
        if isinstance(happened, Answered):
            self.sent(happened)
        self.state, actions = step(self.marked.flow, self.state, self.facts, happened, self.now)
        arrived = self.noted < len(self.state.path)
        self.take(actions)
        if outcome and self.state.ended and not arrived:
            end = ending(self.marked, before.place, outcome)
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
            if isinstance(action, Ask) and isinstance(action.request, SendMessage):
                self.sending = action.number, action.request
            self.perform(action)
        self.look()

    def sent(self, answer: Answered) -> None:
        """Note the message that is on its way now."""
        number, message = self.sending or (0, None)
        if message is not None and (answer.number, answer.outcome) == (number, "next"):
            self.told.messages.append(message)
            self.note("message", f"{message.channel}: {message.text}")
            self.sending = None

    def look(self) -> None:
        """See what the caller sees of it."""
        scene, state = self.scene, self.state
        inner = state.heard
        scene.asking = inner.phase == "listening" and not self.talks
        scene.listening = not self.talks and bool(hearing_language(self.marked.flow, state))
        scene.where = inner.place

    @property
    def inner(self) -> FlowState:
        """The place that the caller hears: in a queue, that in the flow for waiting."""
        return self.state.heard

    @property
    def talks(self) -> bool:
        """Whether the caller talks with an agent: the flow waits for the end of that."""
        return False

    def perform(self, action: FlowAction) -> None:
        """Do what the flow wants; what is done is not known here, but for the end."""
        match action:
            case EndCall() | RejectCall():
                self.end(action.reason)
            case _:
                self.keep(action)

    def keep(self, action: FlowAction) -> None:
        """Keep what a scenario may ask for afterwards, or what is worth a line of the call's way."""
        match action:
            case ChangeLanguage():
                self.note("language", action.language)
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

    def waits_in(self, queue: str) -> None:
        """The caller has a place in a queue, and hears nothing of what was said before."""
        self.told.queues.append(queue)
        self.note("queue", queue)
        known = self.facts.queues.get(queue)
        if known is not None:
            waiting = WaitingFacts(queue, known.waiting + 1, self.now, known.estimated_wait_s)
            self.facts = replace(self.facts, waiting=waiting)

    def leave_queue(self, outcome: QueueOutcome) -> None:
        """The queue is over for the call."""
        self.note("queue over", outcome)
        self.give(QueueLeft(outcome), outcome)

    def time_out(self) -> None:
        """The flow's own deadline: a question that nobody answered, or that nobody answered to the end."""
        if self.scene.asking:
            self.scene.silences += 1
            self.note("silent", "")
        self.give(TimePassed())

    def end(self, reason: str) -> None:
        self.scene.ended, self.scene.asking = reason, False
        self.note("ends", reason)

    def note(self, what: str, text: str) -> None:
        self.way.append(Moment(self.now - self.scenario.world.at, what, text))

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
