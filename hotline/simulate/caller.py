"""One call of a simulation: the flow for real, what the caller and other systems do by chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hotline.simulate.behaviour import HANGS_UP, RIGHT, SILENT, WRONG, Behaviour, Shares
from hotline.simulate.draws import Draws
from ivr_flows.facts import QueueFacts
from ivr_flows.flow import Gather, Menu, Request, Step, Transfer
from ivr_flows.state import Ask, EnterQueue
from ivr_flows.trials.answering import Answering, replies_to
from ivr_flows.trials.call import Call
from ivr_flows.trials.played import BY_CALLER
from ivr_flows.trials.world import UNLESS_SAID, UNSENT
from telephony.requests import AnyRequest, CheckCode, SendCode, kind_of

THINKS_AT_MOST: Final = 0.9
"""Of the time that a question waits for its first key: who answers does so in time."""
SHARES_OF_A_QUESTION: Final[Shares] = {RIGHT: 0.9, WRONG: 0.03, SILENT: 0.05, HANGS_UP: 0.02}
"""Where nothing is said of a question. What is right is shared evenly by the choices of a menu."""
GOES_WELL: Final = 0.9
"""Where nothing is said of a request: so often its first outcome comes, and each of the others evenly."""


@dataclass(slots=True)
class Simulated(Call):
    """A call whose caller and world act by chance. `asked_at` is which question is being thought about, `acts_at` when
    it is answered, `leaves_at` when the caller's patience in a queue is over. `queued` is the queue that the call has
    come to, `in_queue` whether the queues know of it."""

    draws: Draws = field(default_factory=lambda: Draws(0, ""))
    behaviour: Behaviour = field(default_factory=lambda: Behaviour((), ()))
    queued: EnterQueue | None = None
    asked_at: tuple[str, int, float] | None = None
    acts_at: float = math.inf
    answer_by: str = ""
    leaves_at: float = math.inf
    waited_since: float = 0.0
    in_queue: bool = False

    # ----------------------------------------------------------------------------- what the call waits for next

    def next_at(self) -> float:
        """Return when something happens next: by itself, by the caller, or never."""
        return min(Call.next_at(self), self.acts_at, self.leaves_at)

    def go_on(self, now: float) -> None:
        """Let happen what is due at `now`, one thing of it."""
        self.now = max(self.now, now)
        if self.leaves_at <= self.now or (self.acts_at <= self.now and self.answer_by == HANGS_UP):
            self.hang_up()
        elif self.acts_at <= self.now:
            self.acts_at = math.inf
            self.answer_question()
        else:
            self.pass_time(self.now)
        self.think()

    def hang_up(self) -> None:
        self.acts_at = self.leaves_at = math.inf
        self.end(BY_CALLER)

    # ------------------------------------------------------------------------------------------ queues and requests

    def enter(self, action: EnterQueue) -> None:
        """The real queues decide what comes of it."""
        self.waits_in(action.queue)
        self.queued, self.waited_since = action, self.now
        self.leaves_at = self.now + self.draws.time_s(self.behaviour.patience)

    def talk_from(self, now: float) -> None:
        """An agent is there; the queues say when the talk is over."""
        self.now = max(self.now, now)
        self.leaves_at = self.acts_at = math.inf
        self.due.talk_at = self.now
        self.look()

    def leave(self) -> None:
        Call.leave(self)
        self.queued, self.leaves_at = None, math.inf

    def ask(self, action: Ask) -> None:
        """What other systems answer is drawn from the shares of the step."""
        here = self.step_here()
        named = self.behaviour.steps.get(self.place)
        if not isinstance(here, Request) or (named is None and isinstance(here, Transfer)):
            self.not_answered("transfer", "")
            return
        outcome = self.draws.one_of(_of_a_code(action.request, named) or named or _usual_outcomes(list(here.exits)))
        said = next(
            (said for said, _ in replies_to(self, action, {}) if said is not None and said.outcome == outcome), None
        )
        if said is None:
            self.not_answered("transfer", "")
        else:
            usual = UNLESS_SAID.get(kind_of(action.request))
            lasts = usual is not None and usual.outcome == outcome
            self.will_be_told(action, said._replace(after_s=usual.after_s) if usual is not None and lasts else said)

    def see_queues(self, queues: Mapping[str, QueueFacts], position: int) -> None:
        """Know how queues stand now, and which place the caller has."""
        waiting = self.facts.waiting
        if waiting is not None and position:
            known = queues.get(waiting.queue, QueueFacts())
            waiting = replace(waiting, position=position, estimated_wait_s=known.estimated_wait_s)
        self.facts = replace(self.facts, queues=queues, waiting=waiting)

    # ---------------------------------------------------------------------------------------------- questions

    @property
    def place(self) -> str:
        """Where the call is, as `expect: steps` writes it."""
        return self.inner.place

    def step_here(self) -> Step:
        return self.marked.flow.part(self.inner.flow).steps[self.inner.step]

    def think(self) -> None:
        """Where a question waits that was not thought about yet, decide what to do and when."""
        if not self.scene.asking or self.scene.ended:
            self.acts_at = math.inf
            return
        question = (self.place, self.scene.silences, self.state.due or 0.0)
        if question == self.asked_at:
            return
        self.asked_at = question
        self.answer_by = self.draws.one_of(self.shares())
        if self.answer_by == SILENT:
            self.acts_at = math.inf
            return
        waits_s = (self.state.due or self.now) - self.now
        self.acts_at = self.now + min(self.draws.time_s(self.behaviour.thinking), THINKS_AT_MOST * waits_s)

    def shares(self) -> Shares:
        """Return the shares of what callers do here; those of a question that is read back have `right` for yes."""
        named = self.behaviour.steps.get(self.place)
        question = Answering(self).question
        if named is None or (isinstance(question, Gather) and self.inner.confirming):
            return _usual_answers(question)
        answers = {name: share for name, share in named.items() if name not in UNSENT}
        return named if len(answers) == len(named) else _scaled(answers)

    def answer_question(self) -> None:
        answering = Answering(self)
        match self.answer_by:
            case "right":
                self.press(answering.right())
            case "wrong":
                self.press(answering.wrong())
            case keys:
                self.press(answering.finished(keys))


def _of_a_code(request: AnyRequest, named: Shares | None) -> Shares:
    """Return the shares of what becomes of a code's sending, or of its digits, which are right: who is wrong presses
    none. Empty for any other request."""
    if isinstance(request, CheckCode):
        return {"verified": 1.0}
    if not isinstance(request, SendCode):
        return {}
    if named is None:
        return _usual_outcomes(["sent", *sorted(UNSENT)])
    unsent = {name: named.get(name, 0.0) for name in sorted(UNSENT)}
    return {**unsent, "sent": 1.0 - sum(unsent.values())}


def _scaled(shares: Shares) -> Shares:
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def _usual_answers(question: Menu | Gather | None) -> Shares:
    if not isinstance(question, Menu):
        return SHARES_OF_A_QUESTION
    share = SHARES_OF_A_QUESTION[RIGHT] / len(question.choices)
    others = {name: value for name, value in SHARES_OF_A_QUESTION.items() if name != RIGHT}
    return {**dict.fromkeys(question.choices, share), **others}


def _usual_outcomes(names: list[str]) -> Shares:
    first, *others = names
    if not others:
        return {first: 1.0}
    return {first: GOES_WELL, **dict.fromkeys(others, (1 - GOES_WELL) / len(others))}
