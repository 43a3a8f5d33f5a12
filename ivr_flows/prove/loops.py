"""Loops that a call may go round for ever.

Rule 1: a way round that no step of waits on is `spin`.

Rule 2: a way round that needs nothing of the caller (who is silent, or wrong, or hears of systems that are broken) is
`endless-loop`. What a caller does right, and what a person answers or may answer (a queue that runs out of time),
breaks it. A flow for waiting may go round: the queue ends it.

Rule 3: a counter bounds a way round which passes a `set` that always moves it the same way (`n: n + 1`), and a `when`
whose way on bounds it (`n < 3`, or else of `n >= limit`), provided nothing on the loop moves it otherwise.

Rule 4: a loop without bound that callers can go round by what they press, from which no way leads to a person, is
`no-way-to-person`; unless people are behind it already (after `answered`) or nobody is there (`closed`).
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

from jinja2 import nodes

from ivr_flows.check import reached
from ivr_flows.expression import tree_of_condition
from ivr_flows.flow import (
    MOST_NUMBER,
    Assign,
    Callback,
    Dial,
    Flow,
    Queue,
    Return,
    Step,
    Subflow,
    Voicemail,
    When,
    question_of,
    verb_of,
)
from ivr_flows.flow import (
    Transfer as TransferStep,
)
from ivr_flows.prove.assume import OPPOSITE, SWAPPED
from ivr_flows.prove.dataflow import Known
from ivr_flows.prove.graph import components
from ivr_flows.prove.numbers import ANY_NUMBER
from ivr_flows.prove.transfer import AT_ONCE, Transfer, Way
from ivr_flows.prove.uses import filled_from_outside
from ivr_flows.prove.value import number
from ivr_flows.prove.world import CHANGING

AT_ONCE_EXITS: Final = {"queue": ("full", "closed")}
"""Exits that are taken without waiting, of verbs that do wait otherwise."""
OF_PEOPLE: Final = {
    "queue": ("answered", "timeout"), "dial": ("answered",), "conference": ("next",), "voicemail": ("next",),
}  # fmt: skip
"""Exits that come of somebody's being there, or of having been waited for."""
NOBODY_THERE: Final = {
    "queue": ("answered", "closed"), "hours": ("closed", "holiday", "emergency"), "dial": ("answered",),
    "conference": ("next",),
}  # fmt: skip
"""Exits after which a person is behind the caller, or nobody is there at all."""
UNANSWERED: Final = ("no_input", "no_match", "wrong", "not_sent", "failed")
"""Exits of questions by which callers leave who do nothing right."""
PERSONS: Final = Queue | Dial | TransferStep | Callback | Voicemail
DEEP: Final = 6


@dataclass(frozen=True)
class Edge:
    """A way from one step to another; `number` is its place among the ways of its step."""

    step: str
    way: Way
    number: int

    @property
    def to(self) -> str:
        return self.way.to


def is_person(step: Step) -> bool:
    """Whether a caller has come to a person here."""
    return isinstance(step, PERSONS) and not (isinstance(step, TransferStep) and step.flow)


def edges_of(known: Known) -> list[Edge]:
    """Return every way that a call may go; a question that is put again by a key apart."""
    return [
        Edge(name, way, place)
        for name, ways in known.ways.items()
        if name in known.worlds
        for place, way in enumerate(ways)
        if way.world is not None and way.to in known.worlds and not (way.exit.startswith("key ") and way.to == name)
    ]


class Loops:
    """The loops of one flow. `silent` and `at_once` are the exits by which subflows may come back without anything of
    the caller, and without waiting, by flow."""

    def __init__(
        self,
        flow: Flow,
        known: Known,
        transfer: Transfer,
        silent: Mapping[str, frozenset[str]],
        at_once: Mapping[str, frozenset[str]],
    ) -> None:
        self.flow, self.known, self.transfer = flow, known, transfer
        self.silent, self.at_once = silent, at_once
        self.edges = edges_of(known)

    def spinning(self) -> list[list[Edge]]:
        """Return ways round that nothing waits on, one of each knot of loops."""
        return self.unbounded([edge for edge in self.edges if self.is_at_once(edge)])

    def endless(self) -> list[list[Edge]]:
        """Return ways round that need nothing of the caller; those that spin apart."""
        spun = {edge.step for loop in self.spinning() for edge in loop}
        loops = self.unbounded([edge for edge in self.edges if self.is_silent(edge)])
        return [loop for loop in loops if not any(edge.step in spun for edge in loop)]

    def without_person(self) -> list[list[Edge]]:
        """Return loops from which no way leads to a person, of those that callers come to who met none."""
        following: dict[str, list[str]] = {}
        for edge in self.edges:
            if edge.way.exit not in NOBODY_THERE.get(verb_of(self.flow.steps[edge.step]), ()):
                following.setdefault(edge.step, []).append(edge.to)
        met_none = reached([self.flow.start], following)
        backwards: dict[str, list[str]] = {}
        for edge in self.edges:
            backwards.setdefault(edge.to, []).append(edge.step)
        offered = reached(
            [name for name in self.known.worlds if self.leads_to_person(self.flow.steps[name])], backwards
        )
        inner = [edge for edge in self.edges if edge.step not in offered and edge.step in met_none]
        return self.unbounded(inner)

    def leads_to_person(self, step: Step) -> bool:
        """Whether a step leads to a person, or back to a flow that may."""
        if isinstance(step, Subflow | TransferStep) and step.flow:
            other = self.flow.flows.get(step.flow)
            return other is not None and any(
                is_person(each) or (isinstance(each, TransferStep | Subflow) and each.flow != self.flow.name)
                for each in other.steps.values()
            )
        return is_person(step) or isinstance(step, Return)

    def has_person(self) -> bool:
        return any(self.leads_to_person(step) and not isinstance(step, Return) for step in self.flow.steps.values())

    # -------------------------------------------------------------------------------------------------- exits

    def is_at_once(self, edge: Edge) -> bool:
        step = self.flow.steps[edge.step]
        if isinstance(step, Subflow):
            return edge.way.exit in self.at_once.get(step.flow, frozenset())
        return verb_of(step) in (*AT_ONCE, "ring") or edge.way.exit in AT_ONCE_EXITS.get(verb_of(step), ())

    def is_silent(self, edge: Edge) -> bool:
        """Whether a call may go this way although the caller does nothing right and nobody is there."""
        step = self.flow.steps[edge.step]
        if isinstance(step, Subflow):
            return edge.way.exit in self.silent.get(step.flow, frozenset())
        if question_of(step) is not None:
            return edge.way.exit in UNANSWERED
        if isinstance(step, Queue) and edge.way.exit in step.exits:
            return False
        return edge.way.exit not in OF_PEOPLE.get(verb_of(step), ())

    # ------------------------------------------------------------------------------------------------- bounds

    def unbounded(self, edges: Iterable[Edge], depth: int = 0) -> list[list[Edge]]:
        """Return a way round of each knot of loops that no counter bounds."""
        found = (self._unbounded_in(knot, depth) for knot in knots(edges))
        return [loop for loop in found if loop]

    def _unbounded_in(self, knot: list[Edge], depth: int) -> list[Edge]:
        """Return a way round of a knot that no counter bounds; empty where every one is bounded."""
        left: list[list[Edge]] = []
        for name, upwards in self._counters(knot) if depth < DEEP else ():
            moving = {edge.step for edge in knot if name in _moved(self.flow.steps[edge.step])}
            changed = {each for edge in knot for each in filled_by(self.flow.steps[edge.step])}
            guards = [edge for edge in knot if self._guards(edge, name, upwards, changed)]
            if guards:
                unmoved = self.unbounded([edge for edge in knot if edge.step not in moving], depth + 1)
                unguarded = self.unbounded([edge for edge in knot if edge not in guards], depth + 1)
                if not unmoved and not unguarded:
                    return []
                left += [*unmoved, *unguarded]
        return min(left, key=len) if left else _shortest_round(knot)

    def _counters(self, knot: list[Edge]) -> Iterator[tuple[str, bool]]:
        """Yield the variables that only ever move one way on a knot: the name, and whether upwards."""
        steps = {edge.step: self.flow.steps[edge.step] for edge in knot}
        moves: dict[str, set[int]] = {}
        for step in steps.values():
            for name, way in _moved(step).items():
                moves.setdefault(name, set()).add(way)
        for name, ways in sorted(moves.items()):
            if ways in ({1}, {-1}) and not any(name in filled_from_outside(step) for step in steps.values()):
                yield name, ways == {1}

    def _guards(self, edge: Edge, name: str, upwards: bool, changed: Set[str]) -> bool:
        """Whether going this way bounds a counter: by a number, or by what does not change on the loop."""
        if not isinstance(self.flow.steps[edge.step], When):
            return False
        world = self.known.worlds[edge.step]
        if not world.variables[name].numbers:
            return False
        anyhow = world.without((name,), self.transfer.scope).refined(name, number(ANY_NUMBER))
        way = tuple(self.transfer.ways(edge.step, anyhow))[edge.number]
        if way.world is None:
            return True
        bounded = way.world.variables[name].numbers
        if bounded.high < MOST_NUMBER if upwards else bounded.low > -MOST_NUMBER:
            return True
        operators = ("lt", "lteq", "eq") if upwards else ("gt", "gteq", "eq")
        return any(
            self._compares(term, value.flags, name, operators, changed) for term, value in way.world.terms.items()
        )

    def _compares(self, term: str, truths: Set[bool], name: str, operators: tuple[str, ...], changed: Set[str]) -> bool:
        """Whether a condition that was decided holds a counter below (or above) something that does not change."""
        node = self.transfer.scope.read.get(term)
        if not isinstance(node, nodes.Compare) or len(node.ops) != 1 or len(truths) != 1:
            return False
        operator, other = node.ops[0].op, node.ops[0].expr
        if isinstance(other, nodes.Name) and other.name == name:
            operator, other = SWAPPED.get(operator, ""), node.expr
        elif not (isinstance(node.expr, nodes.Name) and node.expr.name == name):
            return False
        if truths == {False}:
            operator = OPPOSITE.get(operator, "")
        names = self.transfer.scope.names_of(self.transfer.scope.term(other))
        return operator in operators and not names & changed and not names & CHANGING


def _moved(step: Step) -> dict[str, int]:
    """Return the variables that a step moves by a constant: 1 for upwards, -1 for downwards, 0 for neither."""
    if not isinstance(step, Assign):
        return {}
    found = {}
    for name, source in step.values.items():
        match tree_of_condition(source):
            case nodes.Add(left=nodes.Name(name=of), right=nodes.Const(value=by)) if of == name:
                found[name] = _way(by)
            case nodes.Add(left=nodes.Const(value=by), right=nodes.Name(name=of)) if of == name:
                found[name] = _way(by)
            case nodes.Sub(left=nodes.Name(name=of), right=nodes.Const(value=by)) if of == name:
                found[name] = -_way(by)
            case _:
                found[name] = 0
    return found


def _way(by: object) -> int:
    return (by > 0) - (by < 0) if isinstance(by, int | float) else 0


def filled_by(step: Step) -> set[str]:
    """Return the variables that a step may give a value."""
    return {*_moved(step), *filled_from_outside(step)}


# --------------------------------------------------------------------------------------------------------- graphs


def knots(edges: Iterable[Edge]) -> Iterator[list[Edge]]:
    """Yield the edges of each set of steps that lead to each other."""
    every = list(edges)
    following: dict[str, list[str]] = {}
    for edge in every:
        following.setdefault(edge.step, []).append(edge.to)
    member_of = components(following)
    inner: dict[str, list[Edge]] = {}
    for edge in every:
        if member_of[edge.step] == member_of[edge.to]:
            inner.setdefault(member_of[edge.step], []).append(edge)
    yield from inner.values()


def _shortest_round(knot: list[Edge]) -> list[Edge]:
    """Return the shortest way round that begins at the first step of a knot that lies on one."""
    following: dict[str, list[Edge]] = {}
    for edge in knot:
        following.setdefault(edge.step, []).append(edge)
    for start in following:
        came: dict[str, Edge] = {}
        waiting = [start]
        while waiting:
            name = waiting.pop(0)
            for edge in following.get(name, ()):
                if edge.to == start:
                    loop = [edge]
                    while loop[0].step != start:
                        loop.insert(0, came[loop[0].step])
                    return loop
                if edge.to not in came:
                    came[edge.to] = edge
                    waiting.append(edge.to)
    return []
