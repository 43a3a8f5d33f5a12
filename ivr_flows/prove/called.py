"""What flows that are called come back with, by exit: what is known, what they ask of the caller, how long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr_flows.check import reached
from ivr_flows.flow import Flow, Return, Step, Subflow, exits
from ivr_flows.flow import Transfer as TransferStep
from ivr_flows.prove.dataflow import Dataflow, Known
from ivr_flows.prove.duration import NEVER, Longest
from ivr_flows.prove.loops import Edge, Loops, is_person
from ivr_flows.prove.numbers import between
from ivr_flows.prove.transfer import Returned, Transfer, Way
from ivr_flows.prove.value import NONE, number
from ivr_flows.prove.world import ASSURANCE, Scope, World


@dataclass
class Library:
    """The flows that a call may come to, each solved once for each assurance at which it begins."""

    flows: Mapping[str, Flow]
    solved: dict[tuple[str, int], Mapping[str, Returned] | None] = field(default_factory=dict)
    times: dict[tuple[str, str], float] = field(default_factory=dict)
    ahead: dict[str, float] = field(default_factory=dict)

    def solve(self, flow: Flow, assurance: int = 0) -> tuple[Known, Transfer]:
        """Return what is known at each step of a flow that begins at an assurance."""
        transfer = Transfer(Scope(flow), self.called)
        return Dataflow(flow, transfer, {flow.start: beginning(transfer, assurance)}).solve(), transfer

    def called(self, step: Subflow, assurance: int) -> Mapping[str, Returned] | None:
        """Return what a subflow comes back with; None where it calls itself, or is not there."""
        key = step.flow, assurance
        if key not in self.solved:
            self.solved[key] = None
            flow = self.flows.get(step.flow)
            if flow is not None:
                self.solved[key] = self._returned(flow, assurance)
        return self.solved[key]

    def _returned(self, flow: Flow, assurance: int) -> Mapping[str, Returned]:
        known, transfer = self.solve(flow, assurance)
        found: dict[str, Returned] = {}
        for name, world in known.worlds.items():
            step = flow.steps[name]
            if isinstance(step, Return):
                back = _returned_by(step, world, transfer)
                before = found.get(step.exit)
                found[step.exit] = back if before is None else _either(before, back)
        return found

    # ------------------------------------------------------------------------------------------------- silence

    def exits_by(self, is_allowed: str) -> dict[str, frozenset[str]]:
        """Return, for each flow, the exits by which it may come back on ways of one sort alone: `silent` or `at_once`.
        What calls itself is taken to come back by none until more is known of it."""
        found: dict[str, frozenset[str]] = dict.fromkeys(self.flows, frozenset())
        while True:
            after = {name: self._exits_by(flow, is_allowed, found) for name, flow in self.flows.items()}
            if after == found:
                return found
            found = after

    def _exits_by(self, flow: Flow, is_allowed: str, so_far: Mapping[str, frozenset[str]]) -> frozenset[str]:
        came = steps_by(flow, is_allowed, so_far)
        return frozenset(step.exit for name in came if isinstance(step := flow.steps.get(name), Return))

    # ---------------------------------------------------------------------------------------------------- time

    def within(self, step: Subflow, exit_name: str) -> float:
        """Return how long a subflow may take until it comes back by an exit."""
        key = step.flow, exit_name
        if key not in self.times:
            self.times[key] = 0.0
            flow = self.flows.get(step.flow)
            if flow is not None:
                known, _ = self.solve(flow)
                longest = Longest(
                    flow,
                    known,
                    lambda each: isinstance(each, Return) and exit_name in (each.exit, "failed"),
                    self.within,
                )
                self.times[key] = max(0.0, longest.bound)
        return self.times[key]

    def beyond(self, step: Step) -> float:
        """Return how long it may take to a person within the flow that a step goes to; `NEVER` where there is none, or
        where a call is given to a flow that answers for its own time."""
        name = step.flow if isinstance(step, Subflow | TransferStep) else ""
        if not name or name not in self.flows:
            return NEVER
        if isinstance(step, TransferStep) and self.flows[name].max_time_to_human_s:
            return NEVER
        if name not in self.ahead:
            self.ahead[name] = NEVER
            flow = self.flows[name]
            self.ahead[name] = Longest(flow, self.solve(flow)[0], is_person, self.within, self.beyond).bound
        return self.ahead[name]


def beginning(transfer: Transfer, assurance: int) -> World:
    """Return what is known where a call comes into a flow."""
    world = transfer.scope.start()
    return world.with_term(ASSURANCE, number(between(assurance, 3))) if assurance else world


def steps_by(flow: Flow, is_allowed: str, so_far: Mapping[str, frozenset[str]]) -> set[str]:
    """Return the steps that a call may come to on ways of one sort alone."""
    loops = Loops(flow, Known(), Transfer(Scope(flow), lambda *_: None), so_far, so_far)
    allows = loops.is_silent if is_allowed == "silent" else loops.is_at_once
    following: dict[str, list[str]] = {}
    for edge in all_edges(flow):
        if allows(edge):
            following.setdefault(edge.step, []).append(edge.to)
    return reached([flow.start], following)


def all_edges(flow: Flow) -> list[Edge]:
    """Return every exit of a flow, whether a call can go there or not."""
    return [
        Edge(name, Way(exit_name, to, None), place)
        for name, step in flow.steps.items()
        for place, (exit_name, to) in enumerate(exits(step))
    ]


def calls(flow: Flow, so_far: Mapping[str, frozenset[str]]) -> list[tuple[str, str, bool, bool]]:
    """Return the flows that a flow goes to: the step, the flow, whether it comes back from there, and whether a call
    may come to that step although the caller does nothing."""
    silent = steps_by(flow, "silent", so_far)
    return [
        (name, step.flow, isinstance(step, Subflow), name in silent)
        for name, step in flow.steps.items()
        if isinstance(step, Subflow | TransferStep) and step.flow
    ]


def _returned_by(step: Return, world: World, transfer: Transfer) -> Returned:
    values = {name: transfer.given(source, world) for name, source in step.values.items()}
    return Returned(world.assurance, values)


def _either(one: Returned, other: Returned) -> Returned:
    names = {*one.values, *other.values}
    values = {name: one.values.get(name, NONE).join(other.values.get(name, NONE)) for name in names}
    return Returned(min(one.assurance, other.assurance), values)
