"""What is known where a condition holds, or fails."""

from dataclasses import replace
from typing import Final

from jinja2 import nodes

from ivr_flows.prove.numbers import Numbers, between, compared
from ivr_flows.prove.value import ANY_TEXT, BOTH, NOBODY, Texts, Value, flag, number
from ivr_flows.prove.world import ASSURANCE, Scope, World, joined

MAX_WORLDS: Final = 16
SWAPPED: Final = {"lt": "gt", "lteq": "gteq", "gt": "lt", "gteq": "lteq", "eq": "eq", "ne": "ne"}
OPPOSITE: Final = {
    "lt": "gteq", "lteq": "gt", "gt": "lteq", "gteq": "lt", "eq": "ne", "ne": "eq", "in": "notin", "notin": "in",
}  # fmt: skip
ORDERS: Final = ("lt", "lteq", "gt", "gteq")


class Assumption:
    """Takes conditions for true or false; what their parts give is told by `value`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def value(self, node: nodes.Node, world: World) -> Value:
        """Return what an expression may give."""
        raise NotImplementedError

    def assume(self, node: nodes.Node, world: World, truth: bool) -> list[World]:
        """Return what is known where a condition holds, or fails: one world for each way that it may; none for
        never."""
        return limited(self._assume(node, world, truth))

    def assume_all(self, node: nodes.Node, worlds: list[World], truth: bool) -> list[World]:
        """Return what is known where a condition holds, or fails, in any of some worlds."""
        return limited([after for world in worlds for after in self.assume(node, world, truth)])

    def _assume(self, node: nodes.Node, world: World, truth: bool) -> list[World]:
        match node:
            case nodes.Not():
                return self.assume(node.node, world, not truth)
            case nodes.And() | nodes.Or():
                return self._assume_both(node, world, truth)
            case nodes.CondExpr():
                return [
                    *(
                        after
                        for before in self.assume(node.test, world, True)
                        for after in self.assume(node.expr1, before, truth)
                    ),
                    *(
                        after
                        for before in self.assume(node.test, world, False)
                        for after in (self.assume(node.expr2, before, truth) if node.expr2 is not None else [before])
                    ),
                ]
            case nodes.Compare() if len(node.ops) == 1:
                return self._assume_compared(node, world, truth)
            case nodes.Compare():
                return self._assume_chain(node, world, truth)
            case nodes.Test():
                return self._assume_test(node, world, truth)
        known = self.value(node, world)
        kept = known.counting(truth)
        if not (kept.is_defined() or known.anything):
            return []
        return self._store(node, kept, world)

    def _assume_both(self, node: nodes.And | nodes.Or, world: World, truth: bool) -> list[World]:
        goes_on = isinstance(node, nodes.And)
        further = [
            after
            for before in self.assume(node.left, world, goes_on)
            for after in self.assume(node.right, before, truth)
        ]
        return further if truth == goes_on else [*self.assume(node.left, world, truth), *further]

    def _assume_chain(self, node: nodes.Compare, world: World, truth: bool) -> list[World]:
        left, links = node.expr, []
        for operand in node.ops:
            links.append(nodes.Compare(left, [operand]))
            left = operand.expr
        whole: nodes.Expr = links[0]
        for link in links[1:]:
            whole = nodes.And(whole, link)
        return self.assume(whole, world, truth)

    def _assume_test(self, node: nodes.Test, world: World, truth: bool) -> list[World]:
        if node.name in ("defined", "undefined") and isinstance(node.node, nodes.Name):
            held = world.variables.get(node.node.name)
            if held is None:
                return [world]
            is_set = truth == (node.name == "defined")
            if is_set:
                return [world.refined(node.node.name, replace(held, unset=False))] if held.is_defined() else []
            return [world.refined(node.node.name, Value(unset=True))] if held.unset else []
        if node.name == "none":
            known = self.value(node.node, world)
            if known.anything:
                return [world]
            kept = Value(none=known.none) if truth else replace(known, none=False)
            return self._store(node.node, kept, world) if kept.is_defined() else []
        return self._decided(node, world, truth)

    def _decided(self, node: nodes.Node, world: World, truth: bool) -> list[World]:
        """Keep the outcome of a condition of which nothing else is known."""
        term = self.scope.term(node)
        known = world.terms.get(term)
        if known is not None and truth not in known.flags:
            return []
        return [world.with_term(term, flag(frozenset({truth})))]

    def _assume_compared(self, node: nodes.Compare, world: World, truth: bool) -> list[World]:
        before = world.terms.get(self.scope.term(node))
        if before is not None and truth not in before.flags:
            return []
        operator = node.ops[0].op if truth else OPPOSITE[node.ops[0].op]
        left_node, right_node = node.expr, node.ops[0].expr
        if self._fails(left_node, world) or self._fails(right_node, world):
            return []
        left, right = self.value(left_node, world), self.value(right_node, world)
        if left.anything or right.anything:
            return self._decided(node, world, truth)
        if operator in ("in", "notin"):
            return self._assume_in(node, world, truth, operator)
        if operator in ORDERS and not (left.kinds == right.kinds == {"number"}):
            return self._decided(node, world, truth)
        narrowed = _narrowed(left, operator, right)
        if not narrowed.is_defined():
            return []
        other = _narrowed(right, SWAPPED[operator], left)
        if not other.is_defined():
            return []
        worlds = self._store(left_node, narrowed, world)
        worlds = [after for each in worlds for after in self._store(right_node, other, each)]
        return [after for each in worlds for after in self._decided(node, each, truth)]

    def _fails(self, node: nodes.Node, world: World) -> bool:
        """Whether it is a field of nothing."""
        return isinstance(node, nodes.Getattr) and self.value(node.node, world).kinds == {"none"}

    def _assume_in(self, node: nodes.Compare, world: World, truth: bool, operator: str) -> list[World]:
        left, right_node = self.value(node.expr, world), node.ops[0].expr
        if not isinstance(right_node, nodes.List | nodes.Tuple) or not right_node.items:
            right = self.value(right_node, world)
            nothing = right.kinds == {"list"} and right.length.high == 0
            if nothing:
                return [] if operator == "in" else [world]
            return self._decided(node, world, truth)
        elements = [self.value(each, world) for each in right_node.items]
        if operator == "in":
            kept = Value()
            for each in elements:
                kept = kept.join(_narrowed(left, "eq", each))
        else:
            kept = left
            for each in elements:
                kept = _narrowed(kept, "ne", each)
        if not kept.is_defined():
            return []
        return [
            after
            for each in self._store(node.expr, kept.telling(NOBODY), world)
            for after in self._decided(node, each, truth)
        ]

    def _store(self, node: nodes.Node, kept: Value, world: World) -> list[World]:
        """Keep what is known of an expression, and what follows from it; nothing for what cannot be."""
        match node:
            case nodes.Const():
                return [world]
            case nodes.Name():
                held = world.variables.get(node.name)
                if held is None:
                    return [world]
                return [world.refined(node.name, kept.telling(held.tells))]
            case nodes.Filter(name="length" | "count") if node.node is not None and kept.numbers:
                measured = self._measured(node.node, kept.numbers, world)
                if measured is None:
                    return []
                return [each.with_term(self.scope.term(node), kept) for each in measured]
            case nodes.Getattr():
                world = _there(node.node, world)
                base = self.value(node.node, world)
                if base.none:  # what has a field is something
                    there = replace(base, none=False)
                    return [
                        after
                        for each in (self._store(node.node, there, world) if there.is_defined() else [])
                        for after in self._stored(node, kept, each)
                    ]
        return self._stored(node, kept, world)

    def _stored(self, node: nodes.Node, kept: Value, world: World) -> list[World]:
        if kept.anything or not self._names(node):
            return [world]
        stored = world.with_term(self.scope.term(node), kept.telling(NOBODY))
        return [after] if (after := self._following(node, kept, stored)) is not None else []

    def _names(self, node: nodes.Node) -> bool:
        return bool(self.scope.names_of(self.scope.term(node)))

    def _measured(self, node: nodes.Node, length: Numbers, world: World) -> list[World] | None:
        known = self.value(node, world)
        if known.anything or known.kinds - {"text", "list"}:
            return [world]
        kept = replace(
            known,
            length=known.length.meet(length),
            texts=known.texts.meet(replace(ANY_TEXT, length=length.meet(between(0, float("inf"))))),
        )
        return self._store(node, kept, world) if kept.is_defined() else None

    def _following(self, node: nodes.Node, kept: Value, world: World) -> World | None:
        """Add what a fact about the caller says of the caller's assurance."""
        if not (isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "caller"):
            return world
        if kept.truths() != {True}:
            return world
        level = 1 if node.attr == "known" else self.scope.fact_level(node.attr)
        if level <= world.assurance:
            return world
        known = world.terms.get(ASSURANCE, number(between(0, 3)))
        raised = replace(known, numbers=known.numbers.meet(between(level, 3)))
        return world.with_term(ASSURANCE, raised) if raised.numbers else None


def _there(node: nodes.Node, world: World) -> World:
    """Take a variable that has a field for set."""
    held = world.variables.get(node.name) if isinstance(node, nodes.Name) else None
    if held is None or not held.unset or not held.is_defined() or not isinstance(node, nodes.Name):
        return world
    return world.refined(node.name, replace(held, unset=False))


def limited(worlds: list[World]) -> list[World]:
    """Return not too many worlds: the last of them as one, of which less is known."""
    if len(worlds) <= MAX_WORLDS:
        return worlds
    rest = joined(worlds[MAX_WORLDS - 1 :])
    return worlds[: MAX_WORLDS - 1] + ([] if rest is None else [rest])


def _narrowed(value: Value, operator: str, than: Value) -> Value:
    """Return the part of the values for which the comparison may hold."""
    if than.anything:
        return value
    if operator == "eq":
        kept = value.meet(than)
        # True equals 1 in Python: what is a flag here and a number there is left alone.
        if (value.flags and than.numbers) or (value.numbers and than.flags):
            return value
        return replace(kept, tells=value.tells)
    if operator == "ne":
        return _without(value, than)
    return replace(value, numbers=value.numbers.meet(compared(operator, than.numbers)))


def _without(value: Value, than: Value) -> Value:
    """Take away what a value that is known exactly equals."""
    if len(than.kinds) != 1:
        return value
    if than.none:
        return replace(value, none=False)
    if than.numbers.only is not None:
        return replace(value, numbers=value.numbers.without(than.numbers.only))
    if than.texts.only is not None:
        return replace(value, texts=value.texts.meet(Texts(frozenset({than.texts.only}), but=True)))
    if len(than.flags) == 1:
        return replace(value, flags=value.flags & (BOTH - than.flags))
    return value
