"""What a flow declares before its steps: languages, variables, parameters, prompts, who may hear what, global keys."""

from collections.abc import Mapping
from typing import Final, get_args

from ivr_flows import values
from ivr_flows.answers import coerce
from ivr_flows.facts import SPEAK, VIEWS
from ivr_flows.flow import REPEAT, Plain, PromptParts, Variable, VariableKind
from ivr_flows.source import ListNode, MapNode, Node, Scalar, did_you_mean, one_of
from ivr_flows.step_reading import KEYS
from ivr_flows.values import Fields, Reading
from telephony.events import VERIFIED

MAX_REMEMBERED_DAYS: Final = 3650
KINDS: Final[Mapping[str, VariableKind]] = {kind: kind for kind in get_args(VariableKind)}
FIELD_KINDS: Final = tuple(kind for kind in KINDS if kind not in ("record", "choice"))
NUMBERS: Final = ("number", "amount")
READ: Final = {
    "digits": "digits", "phone": "a telephone number", "date": "a date such as 2026-03-02",
    "time": "a time such as 08:30",
}  # fmt: skip
"""The kinds whose values are read, and what they are."""
RESERVED: Final = frozenset({*VIEWS, "true", "false", "none", "and", "or", "not", "if", "else", "in", "is"})
_VARIABLE: Final = ("type", "length", "fields", "values", "initial", "remember", "private")


def languages(reading: Reading, node: Node | None) -> tuple[str, ...]:
    """Read the languages of a flow, the default first."""
    if node is None:
        return ()
    elements = node.elements if isinstance(node, ListNode) else (node,)
    found: list[str] = []
    for element in elements:
        word = values.text(reading, element, "a language")
        if word and (not values.LANGUAGE.fullmatch(word) or word in found):
            reading.faults.add(element, "unknown-language", f"'{word}' is not another language such as vi or en-GB")
        elif word:
            found.append(word)
    if not elements:
        reading.faults.add(node, "missing-language", "a flow speaks at least one language")
    return tuple(found)


def variables(reading: Reading, node: Node | None, what: str = "variables") -> dict[str, Variable]:
    """Read a mapping of names to types, or to `{type: …}`."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", f"{what} are a mapping of names to {{type: …}}")
        return {}
    found: dict[str, Variable] = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a variable's name")
        if name in RESERVED:
            reading.faults.add(key, "bad-name", f"'{name}' means something else in expressions")
        if name in reading.variables:
            reading.faults.add(key, "duplicate-key", f"'{name}' is a parameter as well")
        reading.declared[name] = key
        found[name] = _variable(reading, value)
    return found


def _variable(reading: Reading, node: Node) -> Variable:
    if isinstance(node, Scalar):
        kind = _kind(reading, node)
        if kind in ("record", "choice"):
            what = "its fields: {type: record, fields: {day: date}}" if kind == "record" else "its values"
            reading.faults.add(node, "missing-key", f"a {kind} needs {what}")
        return Variable(kind)
    given = values.fields(reading, node, _VARIABLE, "a variable")
    kind_node, length, initial = (given.get(key) for key in ("type", "length", "initial"))
    if kind_node is None:
        reading.faults.add(node, "missing-key", f"a variable needs 'type:' ({one_of(KINDS)})")
    kind = "text" if kind_node is None else _kind(reading, kind_node)
    choices = _choices(reading, kind, given, node)
    return Variable(
        kind=kind,
        length=None if length is None else values.span(reading, length, (1, 20)),
        fields=_fields(reading, kind, given, node),
        initial=None if initial is None else _initial(reading, kind, initial, choices),
        remember_s=values.duration(reading, given.get("remember"), 0.0, MAX_REMEMBERED_DAYS),
        values=choices,
        private=values.flag(reading, given.get("private"), default=False),
    )


def _kind(reading: Reading, node: Node) -> VariableKind:
    word = values.text(reading, node, "a type")
    if word and word not in KINDS:
        reading.faults.add(node, "bad-value", f"'{word}' is not a type ({one_of(KINDS)}){did_you_mean(word, KINDS)}")
    return KINDS.get(word, "text")


def _fields(reading: Reading, kind: str, given: Fields, place: Node) -> dict[str, str]:
    node = given.get("fields")
    if node is None:
        if kind == "record":
            reading.faults.add(place, "missing-key", "a record needs its fields: {type: record, fields: {day: date}}")
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", "fields are a mapping of names to types")
        return {}
    found = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a field's name")
        word = values.text(reading, value, "a type")
        if word and word not in FIELD_KINDS:
            hint = did_you_mean(word, FIELD_KINDS)
            reading.faults.add(value, "bad-value", f"'{word}' is not a field's type ({one_of(FIELD_KINDS)}){hint}")
        found[name] = word if word in FIELD_KINDS else "text"
    return found


def _choices(reading: Reading, kind: str, given: Fields, place: Node) -> tuple[str, ...]:
    node = given.get("values")
    if node is None:
        if kind == "choice":
            reading.faults.add(place, "missing-key", "a choice needs its values: {type: choice, values: [a, b]}")
        return ()
    elements = node.elements if isinstance(node, ListNode) else (node,)
    return tuple(values.text(reading, element, "a value") for element in elements)


def _initial(reading: Reading, kind: VariableKind, node: Node, choices: tuple[str, ...]) -> Plain:
    if kind == "flag":
        return values.flag(reading, node, default=False)
    word = values.text(reading, node, "a first value")
    if kind in NUMBERS:
        return _number(reading, kind, node, word)
    if kind == "record":
        reading.faults.add(node, "bad-value", "a record has no first value")
    if kind in READ and word:
        fits = coerce(kind, word)
        if fits is None:
            reading.faults.add(node, "bad-value", f"'{word}' is not {READ[kind]}")
        return fits
    if kind == "choice" and word not in choices:
        reading.faults.add(node, "bad-value", f"'{word}' is not one of {one_of(choices)}{did_you_mean(word, choices)}")
    return word


def _number(reading: Reading, kind: str, node: Node, word: str) -> Plain:
    number = coerce(kind, word)
    if word and number is None:
        reading.faults.add(node, "bad-value", f"'{word}' cannot be the first value of a {kind}")
    return number


def catalogue(reading: Reading, node: Node | None) -> dict[str, PromptParts]:
    """Read the words that a flow uses more than once, by name."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", "prompts are a mapping of names to words or files")
        return {}
    for key, _ in node.items.values():
        values.name(reading, key, "a prompt's name")
    return {name: values.prompt(reading, value) for name, (_, value) in node.items.items()}


def speak(reading: Reading, node: Node | None) -> dict[str, int]:
    """Read the assurance from which a caller may hear a fact."""
    if node is None:
        return {}
    given = values.fields(reading, node, (*SPEAK, *reading.variables), "the speak policy")
    return {name: values.count(reading, value, 0, VERIFIED) for name, (_, value) in given.items.items()}


def returns(reading: Reading, node: Node | None) -> dict[str, str]:
    """Read the types of what a flow gives back."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", "returns are a mapping of names to types")
        return {}
    for key, _ in node.items.values():
        values.name(reading, key, "a name")
    return {name: values.word_of(reading, value, FIELD_KINDS, "a type") for name, (_, value) in node.items.items()}


def exit_names(reading: Reading, node: Node | None) -> tuple[str, ...]:
    """Read the exits by which a flow goes back to the one that called it."""
    if node is None:
        return ("next",)
    elements = node.elements if isinstance(node, ListNode) else (node,)
    if not elements:
        reading.faults.add(node, "bad-value", "a flow has at least one exit: exits: [next]")
    found: list[str] = []
    for element in elements:
        word = values.name(reading, element, "an exit")
        if word in (*found, "failed"):
            reading.faults.add(element, "bad-name", f"'{word}' is an exit already")
        found.append(word)
    return tuple(found)


def global_keys(reading: Reading, node: Node | None) -> dict[str, Node]:
    """Read the keys that do the same in every question: `{"*": repeat, "#": operator}`."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", f'keys are a mapping of keys to steps or to {REPEAT}: {{"*": {REPEAT}}}')
        return {}
    for key, (place, _) in node.items.items():
        if len(key) != 1 or key not in KEYS:
            reading.faults.add(place, "bad-key", f"'{key}' is not a key of a telephone: 0 to 9, * or #")
    return {key: value for key, (_, value) in node.items.items()}
