"""What is known at each step of a flow, on every way there: the least solution, found by going round until nothing
changes.

A value that grows each time round a loop is widened to the next number that a condition compares it with, then to any.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jinja2 import nodes

from ivr_flows.expression import tree_of_condition
from ivr_flows.flow import Assign, Flow, Step, When, ways
from ivr_flows.prove.graph import finished
from ivr_flows.prove.numbers import ends, only
from ivr_flows.prove.transfer import Transfer, Way
from ivr_flows.prove.uses import filled_from_outside, names_read
from ivr_flows.prove.world import World

PATIENCE: Final = 3
"""How often a loop is gone round before what grows in it is widened."""
ENOUGH: Final = 40
"""How often a step is looked at before what still grows may be anything."""


@dataclass
class Known:
    """What is known at each step that can be come to, and on each way out of it."""

    worlds: dict[str, World] = field(default_factory=dict)
    ways: dict[str, tuple[Way, ...]] = field(default_factory=dict)


def order_of(flow: Flow, roots: Iterable[str]) -> dict[str, int]:
    """Return the place of each step in reverse postorder: a step comes after those that lead to it, loops apart."""
    following = {name: [to for _, to in ways(flow, name) if to in flow.steps] for name in flow.steps}
    done = finished(following, [root for root in roots if root in flow.steps])
    return {name: place for place, name in enumerate(reversed(done))}


class Dataflow:
    """Solves one flow, from one or more beginnings."""

    def __init__(self, flow: Flow, transfer: Transfer, beginnings: Mapping[str, World]) -> None:
        self.flow, self.transfer = flow, transfer
        self.order = order_of(flow, beginnings)
        self.beginnings = {name: world for name, world in beginnings.items() if name in self.order}
        self.heads = {
            to
            for name in self.order
            for _, to in ways(flow, name)
            if self.order.get(to, len(self.order)) <= self.order[name]
        }
        self.stops = _stops(flow) if self.heads else {}
        self.live = _live(flow, self.order)
        self.visits: dict[str, int] = dict.fromkeys(self.order, 0)
        self.is_widened = False

    def solve(self) -> Known:
        known = Known()
        waiting = [(self.order[name], name) for name in self.beginnings]
        known.worlds.update(self.beginnings)
        queued = set(self.beginnings)
        heapq.heapify(waiting)
        while waiting:
            _, name = heapq.heappop(waiting)
            queued.discard(name)
            self.visits[name] += 1
            known.ways[name] = tuple(self.transfer.ways(name, known.worlds[name]))
            for way in known.ways[name]:
                if way.world is None or way.to not in self.order:
                    continue
                if self._arrive(known, way.to, way.world) and way.to not in queued:
                    queued.add(way.to)
                    heapq.heappush(waiting, (self.order[way.to], way.to))
        if self.is_widened:
            self._narrow(known)
        return known

    def _arrive(self, known: Known, name: str, world: World) -> bool:
        """Add what is known on one more way to a step; false for nothing new."""
        before = known.worlds.get(name)
        if before is None:
            known.worlds[name] = world
            return True
        if before is world:
            return False
        after = before.join(world, self.live[name])
        if after is before:
            return False
        if name in self.heads and self.visits[name] >= PATIENCE:
            self.is_widened = True
            after = before.widened(after, {} if self.visits[name] > ENOUGH else self.stops)
        known.worlds[name] = after
        return True

    def _narrow(self, known: Known) -> None:
        """Go round once more without widening: what comes of the solution is a solution, and a closer one."""
        arriving: dict[str, World] = dict(self.beginnings)
        for name in sorted(known.worlds, key=self.order.__getitem__):
            for way in known.ways[name]:
                if way.world is not None and way.to in self.order:
                    before = arriving.get(way.to)
                    arriving[way.to] = way.world if before is None else before.join(way.world, self.live[way.to])
        for name in known.worlds:
            if name in arriving:
                known.worlds[name] = arriving[name]
                known.ways[name] = tuple(self.transfer.ways(name, arriving[name]))


def _live(flow: Flow, order: Mapping[str, int]) -> dict[str, frozenset[str]]:
    """Return, for each step, the variables that are read there or later, before they are given another value."""
    reads = {name: frozenset(names_read(flow.steps[name]) & flow.variables.keys()) for name in order}
    live = dict(reads)
    backwards = sorted(order, key=order.__getitem__, reverse=True)
    changes = True
    while changes:
        changes = False
        for name in backwards:
            step = flow.steps[name]
            found = reads[name].union(
                *(live[to] - _given(step, exit_name) for exit_name, to in ways(flow, name) if to in live)
            )
            if found != live[name]:
                live[name], changes = found, True
    return live


def _given(step: Step, exit_name: str) -> frozenset[str]:
    """Return the variables that have another value after an exit."""
    if isinstance(step, Assign):
        return frozenset(step.values)
    return frozenset(filled_from_outside(step)) if exit_name in ("next", "found") else frozenset()


def _stops(flow: Flow) -> dict[str, tuple[float, ...]]:
    """Return, for each variable, the numbers at which a condition may turn."""
    found: dict[str, set[float]] = {}
    for step in flow.steps.values():
        if not isinstance(step, When):
            continue
        for branch in step.branches:
            tree = tree_of_condition(branch.condition)
            for compare in (*tree.find_all(nodes.Compare), *([tree] if isinstance(tree, nodes.Compare) else [])):
                constants = {
                    each.value for each in compare.find_all(nodes.Const) if isinstance(each.value, int | float)
                }
                for name in compare.find_all(nodes.Name):
                    found.setdefault(name.name, set()).update(ends(only(number) for number in constants))
    return {name: tuple(sorted(numbers)) for name, numbers in found.items()}
