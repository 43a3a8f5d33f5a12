"""A YAML file to a checked `Flow`. Every error has its line and column, and all of them come at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ivr_flows import values
from ivr_flows.check import reached, without_end
from ivr_flows.facts import SPEAK, VIEWS
from ivr_flows.flow import END, Flow, HangUp, Plain, PromptParts, Step, Variable, VariableKind
from ivr_flows.grammar import read_step
from ivr_flows.source import (
    Faults,
    FlowError,
    FlowErrors,
    ListNode,
    MapNode,
    Node,
    Scalar,
    closest,
    did_you_mean,
    one_of,
    read,
)
from ivr_flows.values import Reading

__all__ = ["FlowError", "FlowErrors", "check", "flow_files", "load"]

TEST_SUFFIX: Final = ".test.yaml"
MAX_REMEMBERED_DAYS: Final = 3650

KEYS: Final = (
    "flow", "title", "languages", "max_time_to_human", "speak", "variables", "prompts", "start", "failed", "steps",
)  # fmt: skip
KINDS: Final[Mapping[str, VariableKind]] = {
    "digits": "digits", "text": "text", "number": "number", "flag": "flag", "record": "record",
}  # fmt: skip
WAYS_UNKNOWN: Final = frozenset(
    {"bad-value", "missing-exit", "missing-key", "missing-verb", "several-verbs", "unknown-key", "unknown-verb"}
)
RESERVED: Final = frozenset({*VIEWS, "true", "false", "none", "and", "or", "not", "if", "else", "in", "is"})


def flow_files(folder: Path) -> list[Path]:
    """Return the files of a folder's flows by name, without the scenarios (`.test.yaml`) that stand beside them."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.endswith(TEST_SUFFIX))


def load(path: Path) -> Flow:
    """Return the flow in a file. Raises `FlowErrors` with everything that is wrong with it."""
    faults = Faults(str(path))
    flow = _flow(path, faults)
    if flow is None or faults.found:
        raise FlowErrors(faults.sorted())
    return flow


def check(path: Path) -> list[FlowError]:
    """Return everything that is wrong with a file, in its order; nothing for a flow that can be used."""
    faults = Faults(str(path))
    _flow(path, faults)
    return faults.sorted()


def _flow(path: Path, faults: Faults) -> Flow | None:
    root = read(path, faults)
    if root is None:
        return None
    reading = Reading(faults, path.parent)
    given = values.fields(reading, root, KEYS, "a flow")
    if not isinstance(root, MapNode):
        return None
    for key in ("flow", "languages", "start", "steps"):
        if key not in given:
            faults.add(root, "missing-key", f"a flow needs '{key}:'")
    reading.languages = _languages(reading, given.get("languages"))
    reading.variables = _variables(reading, given.get("variables"))
    reading.catalogue = _catalogue(reading, given.get("prompts"))
    name = given.get("flow")
    title = given.get("title")
    places, steps = _steps(reading, given.get("steps"))
    start = _named_step(reading, given.get("start"), places)
    failed = _named_step(reading, given.get("failed"), places)
    _check_ways(reading, places, steps, [start, failed])
    _check_secrets(reading)
    return Flow(
        name="" if name is None else values.name(reading, name, "a flow's name"),
        languages=reading.languages,
        start=start,
        steps=steps,
        title={} if title is None else values.words(reading, title).text,
        speak=_speak(reading, given.get("speak")),
        variables=reading.variables,
        failed=failed,
        max_time_to_human_s=values.duration(reading, given.get("max_time_to_human"), 0.0),
    )


def _languages(reading: Reading, node: Node | None) -> tuple[str, ...]:
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


def _variables(reading: Reading, node: Node | None) -> dict[str, Variable]:
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", "variables are a mapping of names to {type: …}")
        return {}
    found: dict[str, Variable] = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a variable's name")
        if name in RESERVED:
            reading.faults.add(key, "bad-name", f"'{name}' means something else in expressions")
        found[name] = _variable(reading, value)
    return found


def _variable(reading: Reading, node: Node) -> Variable:
    if isinstance(node, Scalar):
        return Variable(_kind(reading, node))
    given = values.fields(reading, node, ("type", "length", "fields", "initial", "remember"), "a variable")
    kind_node, length, inner, initial = (given.get(key) for key in ("type", "length", "fields", "initial"))
    if kind_node is None:
        reading.faults.add(node, "missing-key", f"a variable needs 'type:' ({one_of(KINDS)})")
    kind = "text" if kind_node is None else _kind(reading, kind_node)
    record: dict[str, str] = {}
    if isinstance(inner, MapNode):
        record = {name: values.text(reading, value, "a type") for name, (_, value) in inner.items.items()}
    return Variable(
        kind=kind,
        length=None if length is None else values.span(reading, length, (1, 20)),
        fields=record,
        initial=None if initial is None else _initial(reading, kind, initial),
        remember_s=values.duration(reading, given.get("remember"), 0.0, MAX_REMEMBERED_DAYS),
    )


def _kind(reading: Reading, node: Node) -> VariableKind:
    word = values.text(reading, node, "a type")
    if word and word not in KINDS:
        reading.faults.add(node, "bad-value", f"'{word}' is not a type ({one_of(KINDS)}){did_you_mean(word, KINDS)}")
    return KINDS.get(word, "text")


def _initial(reading: Reading, kind: VariableKind, node: Node) -> Plain:
    if kind == "flag":
        return values.flag(reading, node, default=False)
    if isinstance(node, Scalar) and kind in ("digits", "text"):
        if kind == "digits" and not (node.text.isascii() and node.text.isdigit()):
            reading.faults.add(node, "bad-value", f"'{node.text}' is not digits")
        return node.text
    word = values.text(reading, node, "a first value")
    try:
        return float(word) if "." in word else int(word)
    except ValueError:
        if word:
            reading.faults.add(node, "bad-value", f"'{word}' cannot be the first value of a {kind}")
        return None


def _catalogue(reading: Reading, node: Node | None) -> dict[str, PromptParts]:
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", "prompts are a mapping of names to words or files")
        return {}
    for key, _ in node.items.values():
        values.name(reading, key, "a prompt's name")
    return {name: values.prompt(reading, value) for name, (_, value) in node.items.items()}


def _speak(reading: Reading, node: Node | None) -> dict[str, int]:
    if node is None:
        return {}
    known = (*SPEAK, *reading.variables)
    given = values.fields(reading, node, known, "the speak policy")
    return {name: values.count(reading, value, 0, 3) for name, (_, value) in given.items.items()}


def _steps(reading: Reading, node: Node | None) -> tuple[dict[str, Scalar], dict[str, Step]]:
    if not isinstance(node, MapNode):
        if node is not None:
            reading.faults.add(node, "bad-value", "steps are a mapping of names to steps")
        return {}, {}
    steps: dict[str, Step] = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a step's name")
        if name == END:
            reading.faults.add(key, "bad-name", f"'{END}' is the exit of a queue; name the step otherwise")
        step = read_step(reading, key, value)
        if step is not None:
            steps[name] = step
    return {name: key for name, (key, _) in node.items.items()}, steps


def _named_step(reading: Reading, node: Node | None, places: Mapping[str, Scalar]) -> str:
    return "" if node is None else _existing(reading, node, values.text(reading, node, "a step"), places)


def _existing(reading: Reading, node: Node, word: str, places: Mapping[str, Scalar]) -> str:
    """Report a step that is not there; return it, or the one that was probably meant, so that one slip is one error."""
    if not word or word in places:
        return word
    if word == END:
        text = f"'{END}' is for 'answered:' of a queue alone: a call does not end by silence; go to a hangup"
    else:
        text = f"there is no step '{word}'{did_you_mean(word, places)}"
    reading.faults.add(node, "unknown-step", text)
    return closest(word, places) or ""


def _check_ways(
    reading: Reading, places: Mapping[str, Scalar], steps: Mapping[str, Step], starts: Sequence[str]
) -> None:
    """Check where every exit leads, that every step is reached, and that a call can end from each."""
    edges: dict[str, list[str]] = {name: [] for name in places}
    ends = {name for name, step in steps.items() if isinstance(step, HangUp)}
    for target in reading.targets:
        if target.name == END and target.may_end:
            ends.add(target.step)
        else:
            edges[target.step].append(_existing(reading, target.place, target.name, places))
    lost = not starts[0] or any("" in following for following in edges.values())
    if lost or any(fault.code in WAYS_UNKNOWN for fault in reading.faults.found):
        return  # what cannot be read has exits that are not known: every further word would be a guess
    known = reached(starts, edges)
    for name, key in places.items():
        if name not in known:
            reading.faults.add(key, "unreachable-step", f"no way leads to step '{name}'")
    for name in without_end(edges, ends) & known & set(places):
        reading.faults.add(places[name], "no-end", f"from step '{name}' no way leads to a hangup or a queue's '{END}'")


def _check_secrets(reading: Reading) -> None:
    """Check that nothing tells what is gathered secretly: words that are spoken stand in the journal, and other
    variables on the agent's page."""
    secret = {each.variable: each.step for each in reading.gathered if each.secret}
    for each in reading.gathered:
        if each.variable in secret and not each.secret:
            text = f"'{each.variable}' is secret in step '{secret[each.variable]}': say 'secret: yes' here too"
            reading.faults.add(each.place, "secret-told", text)
    for each in reading.gathered:
        if each.secret and reading.variables[each.variable].remember_s:
            text = f"'{each.variable}' is secret, and cannot be remembered: take 'remember:' away"
            reading.faults.add(each.place, "secret-told", text)
    for told in reading.told:
        for name in sorted(told.names & secret.keys()):
            text = f"'{name}' is secret, and cannot be {told.how}; a condition (if:) may compare it"
            reading.faults.add(told.place, "secret-told", text)
