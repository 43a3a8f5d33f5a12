"""What is wrong with the expressions of a step that is come to in a world: kinds, what may be missing, what is told too
early or to whom it must not be, and conditions that never or always hold."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from jinja2 import nodes

from ivr_flows.expression import tree_of_condition, tree_of_text
from ivr_flows.flow import MOST_DIGITS, Flow, Gather, Return, Step, Subflow, Variable, When
from ivr_flows.prove.compare import described
from ivr_flows.prove.evaluate import Evaluation, Wrong
from ivr_flows.prove.transfer import Transfer, takes_keys
from ivr_flows.prove.uses import SAID, Use, later_uses, uses_of
from ivr_flows.prove.value import DIGITS, Texts, Value, text
from ivr_flows.prove.world import CHANGING, LANGUAGE, Scope, World, joined, of_kind

HOLDS: Final = {
    "digits": "digits", "choice": "one of its values", "amount": "an amount", "phone": "a telephone number",
}  # fmt: skip
FORMS: Final = {
    "digits": "something else", "date": "no date", "time": "no time", "phone": "no telephone number",
}  # fmt: skip
"""What a text may be that is not of a form."""
CLOSED: Final = frozenset({"agent", "web", "sent"})
"""Where what is private does not go. The caller may hear it. (What is secret goes nowhere: `flow_reading`.)"""


class Finding(NamedTuple):
    """Something wrong in a step: `source` is the expression as it is written, the `nth` of those that read the same; or
    `stated` names what it is about. `shown` where a call can show it."""

    step: str
    code: str
    text: str
    source: str = ""
    nth: int = 0
    stated: str = ""
    shown: bool = True
    warning: bool = False


class Findings:
    """Looks at one step at a time."""

    def __init__(self, flow: Flow, scope: Scope, transfer: Transfer) -> None:
        self.flow, self.scope, self.transfer = flow, scope, transfer

    def at(self, name: str, world: World) -> Iterator[Finding]:
        """Yield what is wrong with a step in a world, each thing once."""
        step = self.flow.steps[name]
        if isinstance(step, When):
            yield from self._conditions(name, step, world)
            return
        seen: dict[str, int] = {}
        if takes_keys(step):  # its words are spoken again, later
            world = world.without(CHANGING, self.scope)
        for use in uses_of(step):
            nth = seen[use.source] = seen.get(use.source, -1) + 1
            yield from self._use(name, step, use, nth, world)
            if use.sink == "kept":
                world = self._kept(use, world)
        for use in later_uses(step):
            nth = seen[use.source] = seen.get(use.source, -1) + 1
            yield from self._use(name, step, use, nth, world)
        if isinstance(step, Gather) and step.confirm:
            yield from self._confirmed(name, step, world, seen)

    def _kept(self, use: Use, world: World) -> World:
        return world.with_variable(use.into, self.transfer.assigned(use.into, use.source, world), self.scope)

    def _confirmed(self, name: str, step: Gather, world: World, seen: dict[str, int]) -> Iterator[Finding]:
        """Look at the words that read an answer back: the variable holds it already."""
        after = self.transfer.gathered(step, world)
        for part in step.confirm:
            for language, source in getattr(part, "text", {}).items():
                nth = seen[source] = seen.get(source, -1) + 1
                yield from self._use(name, step, Use(source, "heard", language=language), nth, after)

    # ------------------------------------------------------------------------------------------- expressions

    def _use(self, name: str, step: Step, use: Use, nth: int, world: World) -> Iterator[Finding]:
        if not use.bare and "{{" not in use.source:
            return
        if use.language:
            spoken = world.terms.get(LANGUAGE)
            if spoken is not None and use.language not in spoken.texts.words:
                return
            world = world.with_term(LANGUAGE, text(_word(use.language)))
        found: dict[Wrong, None] = {}
        evaluation = Evaluation(self.scope, found.setdefault)
        values = list(self._values(use, evaluation, world))
        for wrong in found:
            yield Finding(name, wrong.code, wrong.text, use.source, nth)
        for node, value in values:
            yield from self._told(name, use, nth, node, value)
            if value.none and not use.bare:
                words = f"'{self.scope.term(node)}' may be nothing here, of which there are no words; ask first: if …"
                yield Finding(name, "may-be-missing", words, use.source, nth)
            yield from self._kind(name, step, use, nth, value)

    def _values(self, use: Use, evaluation: Evaluation, world: World) -> Iterator[tuple[nodes.Node, Value]]:
        if use.bare:
            tree = tree_of_condition(use.source)
            yield tree, evaluation.value(tree, world)
            return
        for output in tree_of_text(use.source).body:
            for node in getattr(output, "nodes", ()):
                if not isinstance(node, nodes.TemplateData):
                    yield node, evaluation.value(node, world)

    def _told(self, name: str, use: Use, nth: int, node: nodes.Node, value: Value) -> Iterator[Finding]:
        for each in sorted(value.tells):
            kind, _, of = each.partition(":")
            if kind == "early" and use.sink in ("heard", "sent"):
                level = self.scope.level(of)
                words = (
                    f"'{of}' may be {SAID[use.sink]} at assurance {level} and above (speak), and the caller may be"
                    f" below that here; verify first, or ask: if caller.assurance >= {level}"
                )
                yield Finding(name, "told-too-early", words, use.source, nth)
            elif kind == "private" and self._is_closed(use):
                yield Finding(
                    name, "secret-told", f"'{of}' is private, and cannot be {SAID[use.sink]}", use.source, nth
                )
        if use.sink in ("heard", "sent"):
            yield from self._blank(name, use, nth, node, value)

    def _is_closed(self, use: Use) -> bool:
        """Whether what is private does not go there. A variable, or a parameter, that is private itself may take it."""
        if use.sink == "kept":
            variable: Variable | None = self.flow.variables.get(use.into)
            return variable is None or not variable.private
        return use.sink in CLOSED

    def _blank(self, name: str, use: Use, nth: int, node: nodes.Node, value: Value) -> Iterator[Finding]:
        """Warn of a fact that is never known where it is spoken."""
        if value.kinds and value.texts.only == "" and value.kinds == {"text"} and isinstance(node, nodes.Getattr):
            words = f"'{self.scope.term(node)}' is always blank here: no caller has the assurance for it"
            yield Finding(name, "always-blank", words, use.source, nth, shown=False, warning=True)

    def _kind(self, name: str, step: Step, use: Use, nth: int, value: Value) -> Iterator[Finding]:
        """Check that a variable, a parameter or a returned value is given what it can hold."""
        if not use.bare or value.anything:
            return
        if not use.into:
            yield from self._plain(name, use, nth, value)
            return
        wanted, kind = self._wanted(step, use)
        if wanted is None or wanted.anything:
            return
        if value.unset:
            yield Finding(name, "may-be-missing", f"'{use.source}' may give nothing; say what else", use.source, nth)
        why = misfit(value, wanted, kind)
        if why:
            yield Finding(
                name,
                "wrong-type",
                f"'{use.into}' holds {HOLDS.get(kind, f'a {kind}')}, and is given {why}",
                use.source,
                nth,
            )

    def _plain(self, name: str, use: Use, nth: int, value: Value) -> Iterator[Finding]:
        """Check that what is told to the world is one plain value."""
        wrong = value.kinds & {"list", "record", "moment"}
        if wrong:
            words = f"'{use.source}' is {described(wrong)}; only a text, a number or a flag can be told to the world"
            yield Finding(name, "wrong-type", words, use.source, nth)
        if value.unset:
            yield Finding(name, "may-be-missing", f"'{use.source}' may give nothing; say what else", use.source, nth)

    def _wanted(self, step: Step, use: Use) -> tuple[Value | None, str]:
        match step:
            case Subflow():
                other = self.flow.part(step.flow) if step.flow in (self.flow.name, *self.flow.flows) else None
                declared = None if other is None else other.variables.get(use.into)
                return (None, "") if declared is None else (self.scope.of(declared), declared.kind)
            case Return():
                kind = self.flow.returns.get(use.into, "")
                return (of_kind(kind), kind) if kind else (None, "")
            case _:
                variable = self.flow.variables.get(use.into)
                return (None, "") if variable is None else (self.scope.of(variable), variable.kind)

    # -------------------------------------------------------------------------------------------- conditions

    def _conditions(self, name: str, step: When, world: World) -> Iterator[Finding]:
        left, is_sound = [world], True
        seen: dict[str, int] = {}
        quiet = Evaluation(self.scope)
        for branch in step.branches:
            if not left:
                return
            nth = seen[branch.condition] = seen.get(branch.condition, -1) + 1
            tree = tree_of_condition(branch.condition)
            found: dict[Wrong, None] = {}
            evaluation = Evaluation(self.scope, found.setdefault)
            here = joined(left)
            if here is not None:
                evaluation.value(tree, here)
            yield from (Finding(name, wrong.code, wrong.text, branch.condition, nth) for wrong in found)
            holding, failing = quiet.assume_all(tree, left, True), quiet.assume_all(tree, left, False)
            is_sound = is_sound and not found
            if is_sound and not holding:
                alone = bool(quiet.assume(tree, world, True))
                yield Finding(name, "never-holds", _never(branch.condition, alone), branch.condition, nth, shown=False)
            if is_sound and not failing:
                words = f"'{branch.condition}' always holds here: what stands after it is never reached"
                yield Finding(name, "always-holds", words, branch.condition, nth, shown=False)
            left = failing


def _never(condition: str, alone: bool) -> str:
    why = "the conditions before it leave nothing for it" if alone else "no call comes here with such values"
    return f"'{condition}' never holds here: {why}"


def misfit(value: Value, wanted: Value, kind: str) -> str:
    """Return what a value may be that a variable of a kind cannot hold; empty where it fits."""
    wrong = value.kinds - wanted.kinds
    if wrong:
        return described(wrong)
    if not value.texts:
        return ""
    if kind == "choice" and (value.texts.but or not value.texts.words <= wanted.texts.words):
        return "a text that may be none of its values"
    if kind in FORMS and (not value.texts.has_form(kind) or 0 in value.texts.lengths()):
        return f"a text that may be {FORMS[kind]}"
    if kind == DIGITS and value.texts.lengths().high > MOST_DIGITS:
        return f"a text that may be longer than {MOST_DIGITS}"
    return ""


def _word(word: str) -> Texts:
    return Texts(frozenset({word}))
