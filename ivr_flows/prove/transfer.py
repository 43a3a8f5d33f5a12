"""What is known after a step, for each of its exits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ivr_flows.expression import tree_of_condition
from ivr_flows.flow import (
    MOST_NUMBER,
    REPEAT,
    Assign,
    Case,
    ChooseLanguage,
    Gather,
    Hours,
    Http,
    Lookup,
    ReadQueue,
    Step,
    Subflow,
    Survey,
    Verify,
    VerifyByCode,
    When,
    exits,
    question_of,
    verb_of,
    ways,
)
from ivr_flows.prove.evaluate import Evaluation
from ivr_flows.prove.numbers import between
from ivr_flows.prove.value import DIGITS, NONE, Texts, Value, number, record, words
from ivr_flows.prove.world import ASSURANCE, CHANGING, LANGUAGE, QUEUE_FIELDS, Scope, World, joined, of_kind
from telephony.events import ANSWERED, VERIFIED

AT_ONCE: Final = frozenset(
    {
        "when",
        "set",
        "language",
        "hours",
        "queue_facts",
        "split",
        "note",
        "record",
        "whisper",
        "hold",
        "answer",
    }
)
"""Verbs that do not wait: the clock stands still across them."""
SURVEYED: Final = {"csat": between(1, 5), "nps": between(0, 10)}


@dataclass(frozen=True)
class Way:
    """One exit of a step: its name, the step that follows, and what is known there; None where nobody can go."""

    exit: str
    to: str
    world: World | None


@dataclass(frozen=True)
class Returned:
    """What is known when a subflow comes back by an exit: the least assurance, and the values it gives back."""

    assurance: int
    values: Mapping[str, Value] = field(default_factory=dict)


Called = Callable[[Subflow, int], Mapping[str, Returned] | None]
"""What a subflow comes back with, by exit, when it begins at an assurance; None where that is not known."""


class Transfer:
    """Goes through one step at a time."""

    def __init__(self, scope: Scope, called: Called) -> None:
        self.scope = scope
        self.called = called
        self.quiet = Evaluation(scope)

    def ways(self, name: str, world: World) -> Iterator[Way]:
        """Yield the ways out of a step that is come to in a world, in the order of `flow.ways`."""
        step = self.scope.flow.steps[name]
        after = world if verb_of(step) in AT_ONCE else world.without(CHANGING, self.scope)
        outcomes = iter(OUTCOMES[type(step)](self, step, after)) if type(step) in OUTCOMES else iter(())
        for exit_name, to in ways(self.scope.flow, name):
            yield Way(exit_name, name if to == REPEAT else to, next(outcomes, after))

    # Each of these yields what is known by exit, in the order of `flow.exits`, as far as anything is new.

    def when(self, step: When, world: World) -> Iterator[World | None]:
        """Go by the first condition that holds."""
        left = [world]
        for branch in step.branches:
            tree = tree_of_condition(branch.condition)
            yield joined(self.quiet.assume_all(tree, left, True))
            left = self.quiet.assume_all(tree, left, False)
        yield joined(left)

    def set(self, step: Assign, world: World) -> Iterator[World | None]:
        """Set variables, one after the other."""
        for name, source in step.values.items():
            world = world.with_variable(name, self.assigned(name, source, world), self.scope)
        yield world

    def language(self, step: ChooseLanguage, world: World) -> Iterator[World | None]:
        """Go on in another language."""
        yield world.without({"call"}, self.scope).with_term(LANGUAGE, words(step.to))

    def given(self, source: str, world: World) -> Value:
        """Return what comes of an expression that is given to a variable: of numbers none is greater than it may be."""
        value = self.quiet.value(tree_of_condition(source), world)
        return replace(value, numbers=value.numbers.within(-MOST_NUMBER, MOST_NUMBER))

    def assigned(self, name: str, source: str, world: World) -> Value:
        """Return what a variable holds once it is set: within its kind, whatever the expression gives."""
        given = self.given(source, world)
        kept = replace(given, unset=False).meet(replace(self.scope.declared(name), unset=False))
        return kept if kept.is_defined() else self.scope.declared(name).telling(given.tells)

    def hours(self, step: Hours, world: World) -> Iterator[World | None]:
        """Go by opening hours, which are the same until the call waits."""
        term = f"hours('{step.of}')"
        self.scope.mentions[term] = frozenset({"hours"})
        known = world.terms.get(term)
        for name, _ in exits(step):
            possible = known is None or name in known.texts.words
            yield world.with_term(term, words(name)) if possible else None

    def gather(self, step: Gather, world: World) -> Iterator[World | None]:
        """Take an answer. One that is read back, and that the caller takes back, is still there."""
        answered = self.gathered(step, world)
        yield answered
        if step.confirm:
            yield world.join(answered)
            yield world.join(answered)

    def survey(self, step: Survey, world: World) -> Iterator[World | None]:
        """Take a score."""
        yield self.filled(step.question.into, world, number(SURVEYED[step.kind]))

    def queue_facts(self, step: ReadQueue, world: World) -> Iterator[World | None]:
        """Read how a queue stands."""
        yield self.filled(step.into, world, record(QUEUE_FIELDS))

    def http(self, step: Http, world: World) -> Iterator[World | None]:
        """Take what a web service answers."""
        yield from (self.filled(step.into, world) if name == "next" else world for name, _ in exits(step))

    def customer(self, step: Lookup | Case, world: World) -> Iterator[World | None]:
        """Take what is known of a customer: who the caller is may be another matter afterwards."""
        after = self.anew(world)
        yield from (self.filled(step.into, after) if name in ("found", "next") else after for name, _ in exits(step))

    def verify(self, step: Verify, world: World) -> Iterator[World | None]:
        """Be sure of the caller, or not. Who has proved more as one person may be another by this answer."""
        yield from (self.anew(world, ANSWERED) if name == "verified" else world for name, _ in exits(step))

    def verify_code(self, step: VerifyByCode, world: World) -> Iterator[World | None]:
        """Be sure of the caller by a code, or not."""
        yield from (self.anew(world, VERIFIED) if name == "verified" else world for name, _ in exits(step))

    def gathered(self, step: Gather, world: World) -> World:
        """Return the world after a question was answered."""
        variable = self.scope.flow.variables.get(step.into)
        value = self.scope.declared(step.into)
        if variable is not None and variable.kind in ("digits", "text"):
            length = between(*step.length)
            is_typed = variable.kind == DIGITS or not step.speech
            value = replace(value, texts=Texts(but=True, length=length, form=DIGITS if is_typed else ""))
        elif variable is not None and variable.kind in ("number", "amount") and not variable.remember_s:
            value = number(between(0, min(10 ** step.length[1] - 1, MOST_NUMBER)))
        return world.with_variable(step.into, value, self.scope)

    def filled(self, name: str, world: World, value: Value | None = None) -> World:
        """Return the world after a variable was filled from outside."""
        if not name:
            return world
        return world.with_variable(name, self.scope.declared(name) if value is None else value, self.scope)

    def raised(self, world: World, level: int) -> World:
        """Return the world in which the caller has proved who they are: what was known of a caller is to be asked
        anew."""
        return self.anew(world, max(level, world.assurance))

    def anew(self, world: World, level: int | None = None) -> World:
        """Return the world in which the caller may be known as somebody else: no less sure than before."""
        least = world.assurance if level is None else level
        after = world.without({"caller"}, self.scope)
        return after.with_term(ASSURANCE, number(between(least, 3))) if least else after

    def subflow(self, step: Subflow, world: World) -> Iterator[World | None]:
        """Come back from another flow."""
        returned = self.called(step, world.assurance)
        after = world.without({"call"}, self.scope)
        for name, _ in exits(step):
            if name == "failed":
                yield self.raised(after, world.assurance)
            elif returned is None:
                yield self._came_back(step, Returned(world.assurance, self._anything(step)), after)
            else:
                yield self._came_back(step, returned[name], after) if name in returned else None

    def _anything(self, step: Subflow) -> Mapping[str, Value]:
        """What a flow of which nothing is known may give back."""
        callee = self.scope.flow.flows.get(step.flow)
        return {} if callee is None else {name: of_kind(kind).join(NONE) for name, kind in callee.returns.items()}

    def _came_back(self, step: Subflow, returned: Returned, world: World) -> World:
        """Fill variables with what is given back; what a flow does not give is nothing."""
        world = self.raised(world, returned.assurance)
        for name, given in step.into.items():
            held = self.scope.declared(name).join(NONE)
            met = returned.values.get(given, NONE).meet(held)
            world = world.with_variable(name, met if met.is_defined() else held, self.scope)
        return world


OUTCOMES: Final[Mapping[type[Step], Callable[[Transfer, Any, World], Iterator[World | None]]]] = {
    When: Transfer.when,
    Assign: Transfer.set,
    ChooseLanguage: Transfer.language,
    Hours: Transfer.hours,
    Gather: Transfer.gather,
    Survey: Transfer.survey,
    ReadQueue: Transfer.queue_facts,
    Http: Transfer.http,
    Lookup: Transfer.customer,
    Case: Transfer.customer,
    Verify: Transfer.verify,
    VerifyByCode: Transfer.verify_code,
    Subflow: Transfer.subflow,
}
"""The steps after which something is known that was not before."""


def takes_keys(step: Step) -> bool:
    """Whether a step asks the caller for keys."""
    return question_of(step) is not None
