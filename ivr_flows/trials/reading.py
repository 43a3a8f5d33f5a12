"""A `.test.yaml` file to scenarios. Strict: every key is known, every step, variable and queue is the flow's own.

Every fault has its line and column, and all of them come at once (`ivr_flows.source`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from msgspec.structs import replace

from ivr_flows import values
from ivr_flows.flow import Flow, Held
from ivr_flows.source import Faults, FlowErrors, ListNode, MapNode, Node, Scalar, did_you_mean, one_of, read
from ivr_flows.step_reading import KEYS as TELEPHONE_KEYS
from ivr_flows.trials.reading_world import WORLD, WorldReading, elements_of, plain_of
from ivr_flows.trials.scenario import (
    CONFIDENCE,
    GAP,
    NAMES,
    AnyDeed,
    Expected,
    ExpectedKind,
    HangsUp,
    Hears,
    HearsNot,
    Interrupts,
    Presses,
    Says,
    Scenario,
    Silent,
    Trials,
    Waits,
)
from ivr_flows.values import Fields, Reading

SUFFIX: Final = ".test.yaml"
EXPECTED: Final[tuple[ExpectedKind, ...]] = get_args(ExpectedKind)
SCENARIO: Final = ("about", *WORLD, "call", "expect")
FILE: Final = ("flow", "world", "scenarios")


def scenarios_beside(flow: Path) -> Path:
    """Return where the scenarios of a flow's file stand."""
    return flow.with_name(flow.name.removesuffix(".yaml") + SUFFIX)


def read_trials(path: Path, flow: Flow) -> Trials:
    """Return the scenarios in a file. Raises `FlowErrors` with everything that is wrong with it."""
    faults = Faults(str(path))
    root = read(path, faults)
    trials = Trials(str(path), flow.name, ())
    if root is not None:
        trials = _File(Reading(faults, path.parent, flow.languages), flow).trials(root)
    if faults.found:
        raise FlowErrors(faults.sorted())
    return trials


def read_scenario(flow: Flow, name: str, plain: Mapping[str, object]) -> Scenario | None:
    """Return a scenario from plain values, as if they stood in a file; None where something is wrong with it."""
    faults = Faults("")
    file = _File(Reading(faults, Path(), flow.languages), flow)
    scenario = file.scenario(Scalar(0, 0, name), _node_of(plain), {})
    return None if faults.found else scenario


def _node_of(value: object) -> Node:
    match value:
        case Mapping():
            return MapNode(0, 0, {str(key): (Scalar(0, 0, str(key)), _node_of(each)) for key, each in value.items()})
        case list() | tuple():
            return ListNode(0, 0, tuple(map(_node_of, value)))
    return Scalar(0, 0, "" if value is None else str(value), empty=value is None)


@dataclass
class _File:
    """One file being read, for one flow."""

    reading: Reading
    flow: Flow

    def trials(self, root: Node) -> Trials:
        given = values.fields(self.reading, root, FILE, "a test file")
        for key in ("flow", "scenarios"):
            if key not in given and isinstance(root, MapNode):
                self.fault(root, "missing-key", f"a test file needs '{key}:'")
        name = given.get("flow")
        if name is not None and (word := values.text(self.reading, name, "a flow's name")) not in ("", self.flow.name):
            self.fault(name, "unknown-flow", f"the flow beside this file is '{self.flow.name}', not '{word}'")
        shared = given.get("world")
        common = {} if shared is None else values.fields(self.reading, shared, WORLD, "the world").items
        return Trials(self.reading.faults.file, self.flow.name, self.scenarios(given.get("scenarios"), common))

    def fault(self, place: Node, code: str, text: str) -> None:
        self.reading.faults.add(place, code, text)

    def scenarios(self, node: Node | None, common: Mapping[str, tuple[Scalar, Node]]) -> tuple[Scenario, ...]:
        if not isinstance(node, MapNode):
            if node is not None:
                self.fault(node, "bad-value", "scenarios are a mapping of names to scenarios")
            return ()
        return tuple(self.scenario(key, value, common) for key, value in node.items.values())

    def scenario(self, key: Scalar, node: Node, common: Mapping[str, tuple[Scalar, Node]]) -> Scenario:
        values.name(self.reading, key, "a scenario's name")
        given = values.fields(self.reading, node, SCENARIO, "a scenario")
        call, expect = given.get("call"), given.get("expect")
        if call is None and expect is None and isinstance(node, MapNode):
            self.fault(key, "missing-key", f"scenario '{key.text}' needs 'call:' or 'expect:'")
        return Scenario(
            key.text,
            key.line,
            WorldReading(self.reading, self.flow).world(Fields(given.place, {**common, **given.items})),
            () if call is None else self.call(call),
            () if expect is None else self.expected(expect),
        )

    # ---------------------------------------------------------------------------------------------- the deeds

    def call(self, node: Node) -> tuple[AnyDeed, ...]:
        if not isinstance(node, ListNode):
            self.fault(node, "bad-value", f"call is a list of what the caller does and hears: {one_of(NAMES)}")
            return ()
        return tuple(deed for each in node.elements if (deed := self.deed(each)) is not None)

    def deed(self, node: Node) -> AnyDeed | None:
        """Read `hangs_up`, or `press: 1`."""
        if isinstance(node, Scalar):
            word, key, value = node.text, node, None
        elif isinstance(node, MapNode) and len(node.items) == 1:
            ((word, (key, value)),) = node.items.items()
        else:
            self.fault(node, "bad-value", f"a line of a call is one thing: {one_of(NAMES)}")
            return None
        if word not in NAMES:
            self.fault(key, "unknown-key", f"a caller does not '{word}'{did_you_mean(word, NAMES)}")
            return None
        if value is None and word not in ("silent", "hangs_up"):
            self.fault(key, "missing-key", f"'{word}' needs its value: '{word}: …'")
            return None
        return self._deed(word, node.line, value)

    def _deed(self, word: str, line: int, value: Node | None) -> AnyDeed | None:
        match word, value:
            case "hangs_up", Scalar(empty=True) | None:
                return HangsUp(line)
            case "hangs_up", Node():
                self.fault(value, "bad-value", "'hangs_up' has no value")
                return None
            case "silent", Scalar(empty=True) | None:
                return Silent(line)
            case "silent", _:
                return Silent(line, max(1, values.count(self.reading, value, 1, 100)))
            case "waits", _:
                return Waits(line, values.duration(self.reading, value, 1.0))
            case "says", Node():
                return self.says(line, value)
            case "press", Node():
                return Presses(line, self.keys(value))
            case "interrupts", Node():
                return self.interrupts(line, value)
            case "hears", Node():
                return Hears(line, values.text(self.reading, value, "what is heard"))
            case "hears_not", Node():
                return HearsNot(line, values.text(self.reading, value, "what is not heard"))
        return None

    def says(self, line: int, node: Node) -> Says:
        """Read `says: nhân viên`, or `says: {text: nhân viên, confidence: 0.4}`."""
        if not isinstance(node, MapNode):
            return Says(line, values.text(self.reading, node, "what is said"))
        given = values.fields(self.reading, node, ("text", "confidence"), "what is said")
        text = given.get("text")
        if text is None:
            self.fault(node, "missing-key", "what is said needs 'text:'")
        confidence = values.confidence(self.reading, given.get("confidence"), CONFIDENCE)
        return Says(line, "" if text is None else values.text(self.reading, text, "what is said"), confidence)

    def interrupts(self, line: int, node: Node) -> AnyDeed | None:
        """Read `interrupts: 1`, or `interrupts: {says: nhân viên}`."""
        if not isinstance(node, MapNode):
            return Interrupts(line, self.keys(node))
        says = values.fields(self.reading, node, ("says",), "what interrupts").get("says")
        if says is None:
            self.fault(node, "missing-key", "what interrupts are keys, or 'says:' with words")
            return None
        return replace(self.says(line, says), interrupts=True)

    def keys(self, node: Node) -> str:
        word = "".join(values.text(self.reading, node, "keys").split())
        wrong = next((key for key in word if key not in TELEPHONE_KEYS), "")
        if wrong:
            self.fault(node, "bad-key", f"'{wrong}' is not a key of a telephone: 0 to 9, * or #")
        return word

    # ---------------------------------------------------------------------------------------------- what is expected

    def expected(self, node: Node) -> tuple[Expected, ...]:
        given = values.fields(self.reading, node, EXPECTED, "what is expected")
        read: list[Expected] = []
        for name, (key, value) in given.items.items():
            kind = next((each for each in EXPECTED if each == name), None)
            if kind is not None:
                held = self.variables(value) if kind == "variables" else {}
                texts = () if kind == "variables" else self.texts(value, f"what is expected of '{name}'")
                self.check_names(kind, value, texts)
                read.append(Expected(kind, key.line, texts, held))
        return tuple(read)

    def check_names(self, kind: str, node: Node, texts: Iterable[str]) -> None:
        known: Mapping[str, Iterable[str]] = {"steps": (*self.places(), GAP), "language": self.flow.languages}
        for place, text in zip(elements_of(node), texts, strict=False):
            if kind in known and text and text not in known[kind]:
                what = "step" if kind == "steps" else kind
                self.fault(place, f"unknown-{what}", f"there is no {what} '{text}'{did_you_mean(text, known[kind])}")

    def places(self) -> list[str]:
        """Return every step that a call may come to: those of other flows with their flow's name."""
        return [*self.flow.steps, *(f"{part.name}/{step}" for part in self.flow.flows.values() for step in part.steps)]

    def variables(self, node: Node) -> dict[str, Held]:
        held: dict[str, Held] = {}
        for name, (key, value) in self.mapping(node, "variables are a mapping of names to values").items():
            declared = self.flow.variables.get(name)
            if declared is None:
                hint = did_you_mean(name, self.flow.variables)
                self.fault(key, "undefined-variable", f"'{name}' is not among the flow's variables{hint}")
            elif isinstance(value, Scalar) and value.empty:
                held[name] = None
            elif isinstance(value, Scalar) and value.quoted:
                held[name] = value.text
            elif isinstance(value, MapNode):
                held[name] = plain_of(value)
            elif declared.kind == "flag":
                held[name] = values.flag(self.reading, value, default=False)
            else:
                held[name] = values.text(self.reading, value, "a value")
        return held

    # ---------------------------------------------------------------------------------------------- small readers

    def mapping(self, node: Node, what: str) -> dict[str, tuple[Scalar, Node]]:
        if isinstance(node, MapNode):
            return node.items
        self.fault(node, "bad-value", what)
        return {}

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        return tuple(values.text(self.reading, each, what) for each in elements_of(node))
