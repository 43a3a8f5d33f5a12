"""What an expression gives in a world, and what is wrong with it there.

Rule: what may fail in a call is told when a run that is possible, as far as is known, fails: something undefined, a
kind that an operator does not take, a place of a list that may not be there, a division by what may be nought.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from jinja2 import nodes

from ivr_flows.prove.assume import Assumption
from ivr_flows.prove.compare import described, hint, why_not_compared
from ivr_flows.prove.filters import filtered
from ivr_flows.prove.numbers import ANY_NUMBER, ANY_WHOLE, Numbers, between, only
from ivr_flows.prove.value import (
    ANYTHING,
    DIGITS,
    MOMENT,
    NOBODY,
    SPAN,
    Texts,
    Value,
    constant,
    flag,
    many,
    number,
    text,
    words,
)
from ivr_flows.prove.world import (
    HOURS,
    MOMENT_FIELDS,
    QUEUE_FIELDS,
    Scope,
    World,
    joined,
)


class Wrong(NamedTuple):
    """Something wrong with an expression."""

    code: str
    text: str


class Evaluation(Assumption):
    """Evaluates expressions of one flow. What is wrong goes to `found`, where there is one."""

    def __init__(self, scope: Scope, found: Callable[[Wrong], object] | None = None) -> None:
        super().__init__(scope)
        self.found = found

    def wrong(self, code: str, text: str) -> None:
        if self.found is not None:
            self.found(Wrong(code, text))

    # ----------------------------------------------------------------------------------------------- values

    def value(self, node: nodes.Node, world: World) -> Value:
        """Return what an expression may give."""
        found = self._value(node, world)
        if not world.terms or isinstance(node, nodes.Const | nodes.Name):
            return found
        known = world.terms.get(self.scope.term(node))
        if known is None:
            return found
        met = found.meet(known)
        return met if met else known.telling(found.tells)

    def _value(self, node: nodes.Node, world: World) -> Value:  # noqa: C901, PLR0912
        match node:
            case nodes.Const():
                return constant(node.value)
            case nodes.Name():
                return self._name(node.name, world)
            case nodes.Getattr(node=nodes.Name(name="caller")) if world.most_assurance < self.scope.fact_level(
                node.attr
            ):
                return self._field(node, self.value(node.node, world), node.attr).counting(False)
            case nodes.Getattr(node=nodes.Name(name="settings")):
                return text()
            case nodes.Getattr():
                return self._field(node, self.value(node.node, world), node.attr)
            case nodes.Getitem():
                return self._item(node, world)
            case nodes.Call():
                return self._call(node, world)
            case nodes.Filter() if node.node is not None:
                return self._filter(node, node.node, world)
            case nodes.Test():
                return self._test(node, world)
            case nodes.CondExpr():
                return self._either(node, world)
            case nodes.And() | nodes.Or():
                return self._logical(node, world)
            case nodes.Not():
                return flag(frozenset(not truth for truth in self.value(node.node, world).truths()))
            case nodes.Compare():
                return self._compare(node, world)
            case nodes.Concat():
                return self._concat(node.nodes, world)
            case nodes.Neg() | nodes.Pos():
                return self._sign(node, world)
            case nodes.BinExpr():
                return self._arithmetic(node, world)
            case nodes.List() | nodes.Tuple():
                return self._list(node.items, world)
        return ANYTHING

    def _name(self, name: str, world: World) -> Value:
        held = world.variables.get(name)
        if held is None:
            return self.scope.views.get(name, ANYTHING)
        if held.unset:
            self.wrong("unset-variable", f"'{name}' may have no value here: not every way to this step sets it")
            return self.scope.declared(name)  # one fault, not one more for each that follows from it
        return replace(held, unset=False, tells=frozenset(self._tells(name, held, world)))

    def _tells(self, name: str, held: Value, world: World) -> Iterator[str]:
        """Yield what the value of a variable tells: of itself and of those that were copied into it."""
        variable = self.scope.flow.variables.get(name)
        if variable is not None and variable.private:
            yield f"private:{name}"
        for told in (*held.tells, *([f"early:{name}"] if self.scope.level(name) else [])):
            kind, _, of = told.partition(":")
            if kind != "early" or world.assurance < self.scope.level(of):
                yield told

    def _field(self, node: nodes.Node, base: Value, name: str) -> Value:
        if base.anything:
            return ANYTHING
        whole = self.scope.term(node)
        if base.none:
            self.wrong(
                "may-be-missing", f"'{whole}': there may be nothing to have '{name}'; ask for it in a condition first"
            )
        others = base.kinds - {"none", "record", "moment"}
        if others:
            self.wrong("wrong-type", f"'{whole}': {described(others)} has no '{name}'")
            return ANYTHING
        if base.moment:
            if name not in MOMENT_FIELDS:
                self.wrong("unknown-field", f"'{whole}': a time has {', '.join(MOMENT_FIELDS)}")
                return ANYTHING
            return number(MOMENT_FIELDS[name])
        if base.fields is None:
            return ANYTHING
        found = base.field(name)
        if found is None:
            known = ", ".join(field for field, _ in base.fields) or "no fields"
            self.wrong("unknown-field", f"'{whole}': the record has no '{name}'; it has {known}")
            return ANYTHING
        if found.unset:
            self.wrong("may-be-missing", f"'{whole}' may not be there; write it as {whole} | default('')")
        return replace(found, unset=False, tells=found.tells | base.tells)

    def _item(self, node: nodes.Getitem, world: World) -> Value:
        base, place = self.value(node.node, world), self.value(node.arg, world)
        if base.anything or place.anything:
            return ANYTHING
        if base.fields is not None and place.texts.only is not None:
            return self._field(node, base, place.texts.only)
        wrong = base.kinds - {"list", "text"}
        if wrong:
            self.wrong("wrong-type", f"'{self.scope.term(node)}': {described(wrong)} has no places")
            return ANYTHING
        if place.kinds - {"number"} or not place.numbers.whole:
            self.wrong("wrong-type", f"'{self.scope.term(node)}': a place is a whole number")
            return ANYTHING
        least = base.length.low if "list" in base.kinds else base.texts.lengths().low
        if not (-least <= place.numbers.low and place.numbers.high < least):
            self.wrong(
                "may-be-missing",
                f"'{self.scope.term(node)}' may not be there; ask first: {self.scope.term(node.node)} | length",
            )
        found = (base.element or Value()) if "list" in base.kinds else Value()
        if "text" in base.kinds:
            found = found.join(text(Texts(but=True, length=only(1), form=base.texts.form)))
        return found.telling(found.tells | base.tells) if found else ANYTHING

    def _call(self, node: nodes.Call, world: World) -> Value:
        for each in node.args:
            self.value(each, world)
        match node.node:
            case nodes.Name(name="queue"):
                return Value(fields=tuple(QUEUE_FIELDS.items()), kept=True)
            case nodes.Name(name="hours"):
                return words(*HOURS)
        return ANYTHING

    def _filter(self, node: nodes.Filter, inner: nodes.Node, world: World) -> Value:
        if node.name in ("default", "d"):
            return self._default(node, inner, world)
        given = [self.value(each, world) for each in node.args]
        base = self.value(inner, world)
        if base.anything:
            return ANYTHING
        found, why = filtered(node.name, base, given)
        if why:
            is_kind = why.startswith("takes")
            code = "wrong-type" if is_kind or why.startswith("in brackets") else "may-be-missing"
            said = f"{node.name} {why}, and '{self.scope.term(inner)}' is {described(base.kinds)}" if is_kind else why
            self.wrong(code, f"'{self.scope.term(node)}': {said}")
        return found.telling(base.tells)

    def _default(self, node: nodes.Filter, inner: nodes.Node, world: World) -> Value:
        quiet = Evaluation(self.scope)
        base = quiet.value(inner, world)
        if isinstance(inner, nodes.Name) and inner.name in world.variables:
            may_miss = world.variables[inner.name].unset
        else:
            may_miss = True
            if isinstance(inner, nodes.Getattr | nodes.Getitem):
                self._outer(inner, world)
        other = self.value(node.args[0], world) if node.args else words("")
        if len(node.args) > 1:
            return base.join(other)
        if (
            isinstance(inner, nodes.Name)
            and inner.name in world.variables
            and not world.variables[inner.name].is_defined()
        ):
            return other
        return base.join(other) if may_miss else base

    def _outer(self, inner: nodes.Getattr | nodes.Getitem, world: World) -> None:
        """Look at what `default` does not excuse: what stands before the last place or field."""
        self.value(inner.node, world)

    def _test(self, node: nodes.Test, world: World) -> Value:
        if node.name in ("defined", "undefined"):
            if isinstance(node.node, nodes.Name) and node.node.name in world.variables:
                held = world.variables[node.node.name]
                defined = ({True} if held.is_defined() else set()) | ({False} if held.unset else set())
                return flag(frozenset(defined if node.name == "defined" else {not each for each in defined}))
            Evaluation(self.scope).value(node.node, world)
            return flag()
        base = self.value(node.node, world)
        if node.name == "none":
            if base.anything:
                return flag()
            return flag(frozenset(({True} if base.none else set()) | ({False} if base.kinds - {"none"} else set())))
        if base.kinds - {"number", "anything"}:
            self.wrong(
                "wrong-type", f"'{self.scope.term(node)}': only a number is {node.name}, not {described(base.kinds)}"
            )
        by = [self.value(each, world) for each in node.args]
        term = self.scope.term(node)
        if len(by) != (node.name == "divisibleby") or any(each.kinds - {"number", "anything"} for each in by):
            self.wrong("wrong-type", f"'{term}': divisibleby takes a number, even and odd take nothing")
        elif any(0 in each.numbers for each in by):
            self.wrong("zero-division", f"'{term}': '{self.scope.term(node.args[0])}' may be 0")
        return flag()

    def _either(self, node: nodes.CondExpr, world: World) -> Value:
        self.value(node.test, world)
        quiet, found = Evaluation(self.scope), Value()
        holding, failing = joined(quiet.assume(node.test, world, True)), joined(quiet.assume(node.test, world, False))
        if holding is not None:
            found = found.join(self.value(node.expr1, holding))
        if failing is not None:
            found = found.join(Value(unset=True) if node.expr2 is None else self.value(node.expr2, failing))
        return found

    def _logical(self, node: nodes.And | nodes.Or, world: World) -> Value:
        left = self.value(node.left, world)
        goes_on = isinstance(node, nodes.And)
        further = joined(Evaluation(self.scope).assume(node.left, world, goes_on))
        found = left.counting(not goes_on)
        found = found.telling(left.tells if found.is_defined() else NOBODY)
        return found if further is None else found.join(self.value(node.right, further))

    def _concat(self, parts: Sequence[nodes.Node], world: World) -> Value:
        values = [self.value(each, world) for each in parts]
        tells = NOBODY.union(*(each.tells for each in values))
        if not all(each.kinds == {"text"} and each.texts.has_form(DIGITS) and not each.unset for each in values):
            return text().telling(tells)
        length = only(0)
        for each in values:
            length = length.plus(each.texts.lengths())
        return text(Texts(but=True, length=length, form=DIGITS)).telling(tells)

    def _list(self, items: Sequence[nodes.Node], world: World) -> Value:
        element = Value()
        for each in items:
            element = element.join(self.value(each, world))
        return many(element, only(len(items))).telling(element.tells)

    def _sign(self, node: nodes.Neg | nodes.Pos, world: World) -> Value:
        base = self.value(node.node, world)
        if not self._are_numbers(node, base):
            return number().telling(base.tells)
        return number(base.numbers.negative() if isinstance(node, nodes.Neg) else base.numbers).telling(base.tells)

    def _are_numbers(self, node: nodes.Node, *values: Value) -> bool:
        if any(value.anything for value in values):
            return False
        wrong = {kind for value in values for kind in value.kinds - {"number"}}
        if wrong:
            self.wrong(
                "wrong-type",
                f"'{self.scope.term(node)}' reckons with {described(wrong)}; it needs numbers{hint(wrong)}",
            )
        return not wrong

    def _arithmetic(self, node: nodes.BinExpr, world: World) -> Value:
        left, right = self.value(node.left, world), self.value(node.right, world)
        tells = left.tells | right.tells
        if isinstance(node, nodes.Add) and left.kinds == right.kinds == {"text"}:
            return text(Texts(but=True, length=left.texts.lengths().plus(right.texts.lengths()))).telling(tells)
        if left.kinds == {"moment"} and _is_span(node, right):
            return SPAN if right.moment else MOMENT
        if not self._are_numbers(node, left, right):
            return (ANYTHING if left.anything or right.anything else number()).telling(tells)
        return number(self._reckoned(node, left.numbers, right.numbers)).telling(tells)

    def _reckoned(self, node: nodes.BinExpr, left: Numbers, right: Numbers) -> Numbers:
        match node:
            case nodes.Add():
                return left.plus(right)
            case nodes.Sub():
                return left.plus(right.negative())
            case nodes.Mul():
                return left.times(right)
        if 0 in right:
            self.wrong("zero-division", f"'{self.scope.term(node)}': '{self.scope.term(node.right)}' may be 0")
        if isinstance(node, nodes.Mod) and left.whole and right.whole and right.low > 0:
            return between(0, right.high - 1)
        return ANY_WHOLE if isinstance(node, nodes.FloorDiv | nodes.Mod) and left.whole and right.whole else ANY_NUMBER

    # ------------------------------------------------------------------------------------------ comparisons

    def _compare(self, node: nodes.Compare, world: World) -> Value:
        left = self.value(node.expr, world)
        truths = {True}
        for operand in node.ops:
            right = self.value(operand.expr, world)
            if why := why_not_compared(operand.op, left, right):
                self.wrong("wrong-type", f"'{self.scope.term(node)}'{why}")
            truths |= {False}
            left = right
        if self.found is not None:
            return flag()
        return flag(frozenset(truth for truth in truths if self.assume(node, world, truth)))


def _is_span(node: nodes.BinExpr, right: Value) -> bool:
    """Whether a moment is reckoned with as it may be: less another, or more or less what is between two."""
    if isinstance(node, nodes.Sub):
        return right.kinds in ({"moment"}, {"span"})
    return isinstance(node, nodes.Add) and right.kinds == {"span"}
