"""A YAML file to a checked `Flow`. Every error has its line and column, and all of them come at once.

A flow may name others of its folder: those are found, and held against what the flow says of them (`linking`).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ivr_flows import declarations, linking, values
from ivr_flows.check import reached, without_end
from ivr_flows.flow import END, REPEAT, Flow, HangUp, Reject, Return, Step, Transfer
from ivr_flows.grammar import read_step
from ivr_flows.source import (
    Faults,
    FlowError,
    FlowErrors,
    MapNode,
    Node,
    closest,
    did_you_mean,
    read,
)
from ivr_flows.values import Reading

__all__ = ["Checked", "FlowError", "FlowErrors", "check", "flow_files", "load", "load_folder", "read_checked"]

BESIDE: Final = (".test.yaml", ".sim.yaml")
"""The ends of files that stand beside flows and are none."""
CATALOGUE: Final = "prompts.yaml"
VERSION_DIGITS: Final = 12

KEYS: Final = (
    "flow", "title", "for", "languages", "max_time_to_human", "speak", "parameters", "variables", "returns", "exits",
    "keys", "prompts", "start", "failed", "steps",
)  # fmt: skip
WAYS_UNKNOWN: Final = frozenset(
    {"bad-value", "missing-exit", "missing-key", "missing-verb", "several-verbs", "unknown-key", "unknown-verb"}
)


@dataclass(frozen=True)
class Checked:
    """What a file says, where each thing stands in it, and what is wrong with it by itself."""

    path: Path
    flow: Flow | None
    reading: Reading
    errors: tuple[FlowError, ...]


def flow_files(folder: Path) -> list[Path]:
    """Return the files of a folder's flows by name, without what stands beside them: scenarios, the catalogue."""
    return sorted(path for path in folder.glob("*.yaml") if not stands_beside(path))


def stands_beside(path: Path) -> bool:
    """Whether a file stands beside flows and is none: scenarios, what is simulated, the catalogue of prompts."""
    return path.name == CATALOGUE or path.name.endswith(BESIDE)


def load(path: Path) -> Flow:
    """Return the flow in a file. Raises `FlowErrors` with everything that is wrong with it."""
    checked, errors = _linked(path)
    if checked.flow is None or errors:
        raise FlowErrors(errors)
    return checked.flow


def check(path: Path) -> list[FlowError]:
    """Return everything that is wrong with a file, in its order; nothing for a flow that can be used."""
    return _linked(path)[1]


def load_folder(folder: Path) -> dict[str, Flow]:
    """Return the flows of a folder by name. Raises `FlowErrors` with everything that is wrong with any of them."""
    linked = read_folder(folder)
    errors = [error for checked in linked for error in checked.errors]
    if errors:
        raise FlowErrors(errors)
    return {checked.flow.name: checked.flow for checked in linked if checked.flow is not None}


def read_linked(path: Path) -> Checked:
    """Read a file, and hold it against the others of its folder that it names."""
    return _linked(path)[0]


def read_folder(folder: Path) -> list[Checked]:
    """Read the flows of a folder and hold them against each other; where one has errors by itself, each by itself."""
    read_ones = [read_checked(path) for path in flow_files(folder)]
    if any(checked.errors for checked in read_ones):
        return read_ones
    library = {checked.flow.name: checked for checked in read_ones if checked.flow is not None}
    return [_joined(checked, library) for checked in read_ones]


def _joined(checked: Checked, library: Mapping[str, Checked]) -> Checked:
    name = "" if checked.flow is None else checked.flow.name
    if library[name] is not checked:
        text = f"'{name}' is the name of the flow in {library[name].path.name} as well"
        twice = FlowError(str(checked.path), 1, 1, "duplicate-flow", text)
        return Checked(checked.path, checked.flow, checked.reading, (twice,))
    flow, errors = _link(checked, library)
    return Checked(checked.path, flow, checked.reading, tuple(errors))


def _linked(path: Path) -> tuple[Checked, list[FlowError]]:
    checked = read_checked(path)
    if checked.flow is None or checked.errors:
        return checked, list(checked.errors)
    library = {checked.flow.name: checked}
    for other in flow_files(path.parent) if linking.names_flows(checked.reading) else ():
        found = checked if other == path else read_checked(other)
        if found.flow is not None:
            library.setdefault(found.flow.name, found)
    flow, errors = _link(checked, library)
    return Checked(path, flow, checked.reading, tuple(errors)), errors


def _link(checked: Checked, library: Mapping[str, Checked]) -> tuple[Flow, list[FlowError]]:
    """Join a flow with those that it may come to, and hold them against what it says of them."""
    flow = checked.flow
    if flow is None:
        raise ValueError("only a flow that could be read is linked")
    faults = Faults(str(checked.path))
    sound = {name: other.flow for name, other in library.items() if other.flow is not None and not other.errors}
    broken = {name: str(other.errors[0]) for name, other in library.items() if other.errors}
    for named in checked.reading.named:
        linking.check_named(faults, checked.reading, flow, named, sound, broken)
    parts = linking.closure(flow, sound)
    version = hashlib.sha256("".join((flow.version, *(part.version for part in parts.values()))).encode()).hexdigest()
    return replace(flow, flows=parts, version=version[:VERSION_DIGITS]), faults.sorted()


def read_checked(path: Path) -> Checked:
    """Read a file by itself: nothing that it names outside itself is looked for but files of sound and words."""
    faults = Faults(str(path))
    reading = Reading(faults, path.parent)
    root = read(path, faults)
    flow = None if root is None else _flow(reading, root)
    if flow is not None:
        flow = replace(flow, version=_version(path))
    return Checked(path, flow, reading, tuple(faults.sorted()))


def _version(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes())
    beside = path.parent / CATALOGUE
    if beside.is_file():
        digest.update(beside.read_bytes())
    return digest.hexdigest()[:VERSION_DIGITS]


def _flow(reading: Reading, root: Node) -> Flow | None:
    given = values.fields(reading, root, KEYS, "a flow")
    if not isinstance(root, MapNode):
        return None
    for key in ("flow", "languages", "start", "steps"):
        if key not in given:
            reading.faults.add(root, "missing-key", f"a flow needs '{key}:'")
    reading.languages = declarations.languages(reading, given.get("languages"))
    parameters = declarations.variables(reading, given.get("parameters"), "parameters")
    reading.variables = dict(parameters)
    reading.variables |= declarations.variables(reading, given.get("variables"))
    reading.shared = _shared_catalogue(reading)
    reading.catalogue = declarations.catalogue(reading, given.get("prompts"))
    for_waiting = _is_for_waiting(reading, given.get("for"))
    name, title = given.get("flow"), given.get("title")
    steps = _steps(reading, given.get("steps"))
    start = _named_step(reading, given.get("start"))
    reading.start = given.get("start")
    failed = _named_step(reading, given.get("failed"))
    keys = _keys(reading, given.get("keys"))
    reading.stated["", "max_time_to_human"] = given.get("max_time_to_human") or root
    flow = Flow(
        name="" if name is None else values.name(reading, name, "a flow's name"),
        languages=reading.languages,
        start=start,
        steps=steps,
        title={} if title is None else values.words(reading, title).text,
        speak=declarations.speak(reading, given.get("speak")),
        variables=reading.variables,
        failed=failed,
        max_time_to_human_s=values.duration(reading, given.get("max_time_to_human"), 0.0),
        keys=keys,
        parameters=tuple(parameters),
        returns=declarations.returns(reading, given.get("returns")),
        exits=declarations.exit_names(reading, given.get("exits")),
        for_waiting=for_waiting,
    )
    _check_ways(reading, flow)
    _check_secrets(reading)
    linking.check_returns(reading, flow)
    if for_waiting:
        linking.check_waiting(reading, flow)
    return flow


def _is_for_waiting(reading: Reading, node: Node | None) -> bool:
    return node is not None and values.word_of(reading, node, ("waiting",), "what a flow is for") == "waiting"


def _shared_catalogue(reading: Reading) -> dict[str, Node]:
    """Return the nodes of the prompts that stand beside the flows; each is read by the flow that uses it."""
    path = reading.folder / CATALOGUE
    if not path.is_file():
        return {}
    faults = Faults(str(path))
    root = read(path, faults)
    for fault in faults.sorted():
        reading.faults.found.add(fault)
    if root is not None and not isinstance(root, MapNode):
        reading.faults.found.add(
            FlowError(str(path), root.line, root.column, "bad-value", "a catalogue is a mapping of names to words")
        )
    return {key: value for key, (_, value) in root.items.items()} if isinstance(root, MapNode) else {}


def _steps(reading: Reading, node: Node | None) -> dict[str, Step]:
    if not isinstance(node, MapNode):
        if node is not None:
            reading.faults.add(node, "bad-value", "steps are a mapping of names to steps")
        return {}
    steps: dict[str, Step] = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a step's name")
        if name in (END, REPEAT):
            what = "the exit of a queue" if name == END else "what a global key does"
            reading.faults.add(key, "bad-name", f"'{name}' is {what}; name the step otherwise")
        reading.steps[name] = key
        step = read_step(reading, key, value)
        if step is not None:
            steps[name] = step
    reading.step = ""
    return steps


def _named_step(reading: Reading, node: Node | None) -> str:
    return "" if node is None else _existing(reading, node, values.text(reading, node, "a step"))


def _keys(reading: Reading, node: Node | None) -> dict[str, str]:
    found = {}
    for key, place in declarations.global_keys(reading, node).items():
        word = values.text(reading, place, "a step")
        found[key] = word if word == REPEAT else _existing(reading, place, word)
    return found


def _existing(reading: Reading, node: Node, word: str) -> str:
    """Report a step that is not there; return it, or the one that was probably meant, so that one slip is one error."""
    if not word or word in reading.steps:
        return word
    if word == END:
        text = f"'{END}' is for 'answered:' of a queue or dial alone: a call does not end by silence; go to a hangup"
    else:
        text = f"there is no step '{word}'{did_you_mean(word, reading.steps)}"
    reading.faults.add(node, "unknown-step", text)
    return closest(word, reading.steps) or ""


def _check_ways(reading: Reading, flow: Flow) -> None:
    """Check where every exit leads, that every step is reached, and that a call can end from each."""
    edges: dict[str, list[str]] = {name: [] for name in reading.steps}
    ends = {name for name, step in flow.steps.items() if isinstance(step, HangUp | Reject | Return | Transfer)}
    for target in reading.targets:
        if target.name == END and target.may_end:
            ends.add(target.step)
        else:
            edges[target.step].append(_existing(reading, target.place, target.name))
    lost = not flow.start or any("" in following for following in edges.values())
    if lost or any(fault.code in WAYS_UNKNOWN for fault in reading.faults.found):
        return  # what cannot be read has exits that are not known: every further word would be a guess
    _check_reached(reading, flow, edges, ends)


def _check_reached(reading: Reading, flow: Flow, edges: Mapping[str, Sequence[str]], ends: Iterable[str]) -> None:
    known = reached([flow.start, flow.failed, *flow.keys.values()], edges)
    for name, key in reading.steps.items():
        if name not in known:
            reading.faults.add(key, "unreachable-step", f"no way leads to step '{name}'")
    if flow.for_waiting:
        return  # the queue ends it
    for name in without_end(edges, ends) & known & set(reading.steps):
        text = f"from step '{name}' no way leads to a hangup, a return or a queue's '{END}'"
        reading.faults.add(reading.steps[name], "no-end", text)


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
    for use in reading.uses:
        for name in sorted(use.names & secret.keys()) if use.how else ():
            text = f"'{name}' is secret, and cannot be {use.how}; a condition (if:) may compare it"
            reading.faults.add(use.place, "secret-told", text)
