"""What is known at a place of a flow, on every way there: of variables, of facts, and of conditions that were decided.

Rule 1: a term is an expression as it is written, spaces apart. The same term has the same value as long as nothing in
it changes: what changes a variable or a fact forgets every term that names it.

Rule 2: a caller's assurance never falls within a call, so its least value stays known across everything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec
from jinja2 import nodes

from ivr_flows.facts import SPEAK, VIEWS
from ivr_flows.flow import MOST_DIGITS, MOST_NUMBER, Flow, Variable
from ivr_flows.prove.numbers import ANY_NUMBER, ANY_WHOLE, SOME_LENGTH, Numbers, between, only
from ivr_flows.prove.value import (
    ANYTHING,
    MOMENT,
    NONE,
    UNSET,
    Texts,
    Value,
    constant,
    digits,
    flag,
    many,
    number,
    record,
    text,
    words,
)

ASSURANCE: Final = "caller.assurance"
LANGUAGE: Final = "call.language"
LEVELS: Final = between(0, 3)
CHANGING: Final = frozenset({"now", "queue", "hours", "waiting"})
"""Facts that may be others whenever the call has waited."""
HELD: Final = between(-MOST_NUMBER, MOST_NUMBER, whole=False)
"""What a variable may hold."""
NOT_NEGATIVE: Final = between(0, MOST_NUMBER, whole=False)
MOMENT_FIELDS: Final[Mapping[str, Numbers]] = {
    "year": between(1970, 9999), "month": between(1, 12), "day": between(1, 31), "hour": between(0, 23),
    "minute": between(0, 59), "second": between(0, 59), "microsecond": between(0, 999_999),
}  # fmt: skip
QUEUE_FIELDS: Final = {
    "open": flag(), "waiting": number(between(0, float("inf"))), "estimated_wait": number(NOT_NEGATIVE),
}  # fmt: skip
NAMED_OTHERWISE: Final = {"open_cases": "case_topic", "last_by_channel": "last_interaction"}
"""Facts of the caller whose level in `speak` has another name."""
ONE_OF: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("SurveyView", "kind"): ("csat", "nps"),
    ("SurveyView", "sentiment"): ("good", "neutral", "bad"),
    ("ReasonView", "kind"): ("case", "order", "message", "survey", "need"),
}
"""Facts that are one of a few words."""
HOURS: Final = ("open", "closed", "holiday", "emergency")


@dataclass(frozen=True)
class World:
    """What is known: `variables` of all of them, `terms` of further expressions."""

    variables: Mapping[str, Value]
    terms: Mapping[str, Value] = field(default_factory=dict)

    def with_variable(self, name: str, value: Value, scope: "Scope") -> "World":
        """Return the world after a variable was given a value."""
        return self.without((name,), scope).refined(name, value)

    def refined(self, name: str, value: Value) -> "World":
        return World({**self.variables, name: value}, self.terms)

    def with_term(self, term: str, value: Value) -> "World":
        return World(self.variables, {**self.terms, term: value})

    def without(self, names: Iterable[str], scope: "Scope") -> "World":
        """Forget the terms that name any of these."""
        gone = frozenset(names)
        if not any(scope.names_of(term) & gone for term in self.terms):
            return self
        return World(self.variables, {t: v for t, v in self.terms.items() if not scope.names_of(t) & gone})

    def join(self, other: "World", live: Iterable[str] | None = None) -> "World":
        """Return what is known in both; this world itself, where the other adds nothing. Of variables, only those that
        are `live` are looked at: nobody reads the others any more."""
        if self is other:
            return self
        variables = _joined(self.variables, other.variables, self.variables if live is None else live)
        terms = _joined(self.terms, other.terms, self.terms)
        if variables is self.variables and terms is self.terms:
            return self
        return World(variables, terms)

    def widened(self, later: "World", stops: Mapping[str, tuple[float, ...]]) -> "World":
        """Return a world that holds `later` too; what grows is widened."""
        variables = {
            name: value.widened(later.variables[name], stops.get(name, ())) for name, value in self.variables.items()
        }
        terms = {t: v.widened(later.terms[t], stops.get(t, ())) for t, v in self.terms.items() if t in later.terms}
        return World(variables, terms)

    @property
    def assurance(self) -> int:
        """The least assurance of the caller."""
        known = self.terms.get(ASSURANCE)
        return 0 if known is None or not known.numbers else int(known.numbers.low)

    @property
    def most_assurance(self) -> int:
        """The greatest assurance that the caller may have."""
        known = self.terms.get(ASSURANCE)
        return 3 if known is None or not known.numbers else int(known.numbers.high)


def _joined(one: Mapping[str, Value], other: Mapping[str, Value], names: Iterable[str]) -> Mapping[str, Value]:
    """Join what both name, as far as it is looked at; `one` itself, where that changes nothing."""
    if one is other:
        return one
    changed: dict[str, Value] = {}
    missing = []
    for name in names:
        value, its = one[name], other.get(name)
        if its is None:
            missing.append(name)
        elif its is not value:
            after = value.join(its)
            if after is not value:
                changed[name] = after
    if not changed and not missing:
        return one
    found = {**one, **changed}
    for name in missing:
        del found[name]
    return found


def joined(worlds: Iterable[World]) -> World | None:
    """Return what is known in all of them; None for none."""
    found: World | None = None
    for world in worlds:
        found = world if found is None else found.join(world)
    return found


@dataclass
class Scope:
    """What the names in one flow's expressions may be."""

    flow: Flow
    views: dict[str, Value] = field(default_factory=dict)
    mentions: dict[str, frozenset[str]] = field(default_factory=dict)
    read: dict[str, nodes.Node] = field(default_factory=dict)
    """Terms as they were read."""
    holding: dict[str, Value] = field(default_factory=dict)
    written: dict[int, tuple[nodes.Node, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, view in VIEWS.items():
            self.views[name] = ANYTHING if view is None else _view(view)
        self.views["now"] = MOMENT
        self.views["today"] = text(Texts(but=True, length=only(10), form="date"))
        self.views["waiting"] = record(
            {name: number(NOT_NEGATIVE) for name, _ in self.views["waiting"].fields or ()}, True
        )
        languages = words(*self.flow.languages)
        self.views["caller"] = _with_field(self.views["caller"], "assurance", number(LEVELS))
        self.views["call"] = _with_field(self.views["call"], "language", languages)
        self.views["call"] = _with_field(self.views["call"], "ani", text(Texts(but=True, form="phone")))
        self.mentions[ASSURANCE] = frozenset({"caller"})
        self.mentions[LANGUAGE] = frozenset({"call"})

    def start(self) -> World:
        """Return what is known where a call comes into the flow."""
        known = {name: self._first(name, declared) for name, declared in self.flow.variables.items()}
        return World(known)

    def _first(self, name: str, declared: Variable) -> Value:
        if name in self.flow.parameters:
            return self.declared(name)
        if declared.initial is None:
            return UNSET
        return constant(declared.initial)

    def declared(self, name: str) -> Value:
        """Return all that a variable may hold."""
        if name not in self.holding:
            variable = self.flow.variables.get(name)
            self.holding[name] = ANYTHING if variable is None else of_variable(variable)
        return self.holding[name]

    def of(self, variable: Variable) -> Value:
        """Return all that a variable like this may hold."""
        return of_variable(variable)

    def level(self, name: str) -> int:
        """Return the assurance at which a variable may be spoken."""
        return self.flow.speak.get(name, 0) if name in self.flow.variables else 0

    def fact_level(self, fact: str) -> int:
        """Return the assurance below which a fact of the caller is blank."""
        return {**SPEAK, **self.flow.speak}.get(NAMED_OTHERWISE.get(fact, fact), 0)

    def term(self, node: nodes.Node) -> str:
        """Return an expression as it is written."""
        found = self.written.get(id(node))
        if found is None:
            found = self.written[id(node)] = node, _written(node)
            names = {each.name for each in node.find_all(nodes.Name)}
            self.read[found[1]] = node
            self.mentions[found[1]] = frozenset(names | {node.name} if isinstance(node, nodes.Name) else names)
        return found[1]

    def names_of(self, term: str) -> frozenset[str]:
        return self.mentions.get(term, frozenset())


# ----------------------------------------------------------------------------------------------------- kinds


def of_variable(variable: Variable) -> Value:
    """Return all that a variable of a kind may hold."""
    match variable.kind:
        case "digits" if variable.length is not None:
            return digits(*variable.length)
        case "record":
            return record({name: of_kind(kind) for name, kind in variable.fields.items()}, kept=bool(variable.fields))
        case "choice":
            return words(*variable.values)
    return of_kind(variable.kind)


def of_kind(kind: str) -> Value:
    """Return all that there is of a kind, as a record's field or a parameter names it."""
    match kind:
        case "number" | "amount":
            return number(HELD)
        case "flag":
            return flag()
        case "digits":
            return digits(1, MOST_DIGITS)
        case "phone" | "date" | "time":
            return text(Texts(but=True, length=SOME_LENGTH, form=kind))
        case "text":
            return text()
    return ANYTHING


@cache
def _view(view: type[msgspec.Struct]) -> Value:
    hints = get_type_hints(view)
    fields = {
        name: words(*ONE_OF[view.__name__, name]) if (view.__name__, name) in ONE_OF else _annotated(hints[name])
        for name in view.__struct_fields__
    }
    return record(fields, kept=True)


def _annotated(hint: Any) -> Value:
    """Return what a fact of a type may be."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        found = Value()
        for each in get_args(hint):
            found = found.join(_annotated(each))
        return found
    if origin is tuple:
        return many(_annotated(get_args(hint)[0]))
    if hint is type(None):
        return NONE
    if hint is bool:
        return flag()
    if hint is int:
        return number(ANY_WHOLE)
    if hint is float:
        return number(ANY_NUMBER)
    if hint is str:
        return text()
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _view(hint)
    return MOMENT if getattr(hint, "__name__", "") == "datetime" else ANYTHING


def _with_field(value: Value, name: str, known: Value) -> Value:
    fields = dict(value.fields or ())
    return record({**fields, name: known}, kept=True)


# ----------------------------------------------------------------------------------------------------- terms

_SIGNS: Final = {
    nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.FloorDiv: "//", nodes.Mod: "%",
    nodes.Pow: "**",
}  # fmt: skip
_COMPARED: Final = {
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in",
}  # fmt: skip


def _written(node: nodes.Node) -> str:
    return "".join(_parts(node))


def _parts(node: nodes.Node | None) -> Iterator[str]:  # noqa: C901, PLR0912
    match node:
        case nodes.Const():
            yield repr(node.value) if not isinstance(node.value, str) else f"'{node.value}'"
        case nodes.Name():
            yield node.name
        case nodes.Getattr():
            yield f"{_written(node.node)}.{node.attr}"
        case nodes.Getitem():
            yield f"{_written(node.node)}[{_written(node.arg)}]"
        case nodes.Filter():
            yield "" if node.node is None else f"{_written(node.node)} | "
            yield node.name + (f"({', '.join(map(_written, node.args))})" if node.args else "")
        case nodes.Call():
            yield f"{_written(node.node)}({', '.join(map(_written, node.args))})"
        case nodes.Test():
            yield f"{_written(node.node)} is {node.name}"
            yield f"({', '.join(map(_written, node.args))})" if node.args else ""
        case nodes.Compare():
            yield _written(node.expr)
            yield from (f" {_COMPARED.get(each.op, each.op)} {_written(each.expr)}" for each in node.ops)
        case nodes.Not():
            yield f"not {_written(node.node)}"
        case nodes.And() | nodes.Or():
            yield f"({_written(node.left)} {'and' if isinstance(node, nodes.And) else 'or'} {_written(node.right)})"
        case nodes.Neg():
            yield f"-{_written(node.node)}"
        case nodes.Pos():
            yield f"+{_written(node.node)}"
        case nodes.BinExpr():
            yield f"({_written(node.left)} {_SIGNS.get(type(node), '?')} {_written(node.right)})"
        case nodes.Concat():
            yield " ~ ".join(map(_written, node.nodes))
        case nodes.List() | nodes.Tuple():
            yield f"[{', '.join(map(_written, node.items))}]"
        case nodes.CondExpr():
            yield f"({_written(node.expr1)} if {_written(node.test)}"
            yield f" else {_written(node.expr2)})" if node.expr2 is not None else ")"
        case _:
            yield f"<{id(node)}>"
