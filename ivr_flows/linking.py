"""Flows that name each other: what one says of another is held against what that one is. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from ivr_flows import flow as model
from ivr_flows.flow import Flow, Queue, Return, Subflow, Transfer, called
from ivr_flows.source import Faults, did_you_mean, one_of
from ivr_flows.values import Named, Reading

NOT_WHILE_WAITING: Final = (
    model.Answer,
    model.Ring,
    model.Reject,
    model.Queue,
    model.Dial,
    model.Transfer,
    model.Conference,
    model.Voicemail,
    model.Survey,
    model.VerifyByCode,
    model.Record,
    model.Whisper,
    model.Hold,
)
"""What a caller who keeps a place in a queue cannot do."""

__all__ = ["check_named", "check_returns", "check_waiting", "closure", "names_flows", "why_not_dialled"]

_OF_FLOWS: Final = ("subflow", "wait", "transfer")


def names_flows(reading: Reading) -> bool:
    """Whether a flow names another."""
    return any(named.kind in _OF_FLOWS for named in reading.named)


def closure(flow: Flow, library: Mapping[str, Flow]) -> dict[str, Flow]:
    """Return every other flow that a call of this one may come to, by name; itself too, where it is called again."""
    found: dict[str, Flow] = {}
    waiting = [flow]
    while waiting:
        for step in waiting.pop().steps.values():
            name = called(step)
            if name in library and name not in found:
                found[name] = replace(library[name], flows={})
                waiting.append(library[name])
    return found


def check_named(
    faults: Faults, reading: Reading, flow: Flow, named: Named, sound: Mapping[str, Flow], broken: Mapping[str, str]
) -> None:
    """Check one flow that a step names. Queues and opening hours are known to the settings alone, and not looked at."""
    if named.kind not in _OF_FLOWS:
        return
    if named.name in broken:
        faults.add(named.place, "broken-flow", f"flow '{named.name}' is not sound: {broken[named.name]}")
    elif named.name not in sound:
        hint = did_you_mean(named.name, sound)
        also = "; nor is there a prompt of that name" if named.kind == "wait" else ""
        faults.add(named.place, "unknown-flow", f"there is no flow '{named.name}' in this folder{also}{hint}")
    else:
        _Held(faults, reading, flow, named, sound[named.name]).check()
        if flow.for_waiting:
            _check_waited_in(faults, named, sound)


def _check_waited_in(faults: Faults, named: Named, sound: Mapping[str, Flow]) -> None:
    """Check that a flow which one for waiting calls, and those that it calls, leave the queue alone as well."""
    other = sound[named.name]
    for part in {other.name: other, **closure(other, sound)}.values():
        for name, step in part.steps.items():
            if isinstance(step, NOT_WHILE_WAITING):
                what = f"{model.verb_of(step)} ('{name}' of flow '{part.name}')"
                faults.add(named.place, "not-while-waiting", f"{what} cannot be done while waiting in a queue")


class _Held:
    """One flow held against what a step of another says of it."""

    def __init__(self, faults: Faults, reading: Reading, flow: Flow, named: Named, other: Flow) -> None:
        self.faults, self.reading, self.flow, self.named, self.other = faults, reading, flow, named, other

    def check(self) -> None:
        step = self.flow.steps[self.named.step]
        self.languages()
        self.purpose()
        match step:
            case Subflow():
                self.exits(step.exits, ("failed",))
                self.parameters(step)
                self.returned(step)
            case Queue():
                self.exits(step.exits, ("answered", "timeout", "full", "closed"))
                self.needs_nothing()
            case Transfer():
                self.needs_nothing()

    def add(self, code: str, text: str, stated: str = "") -> None:
        place = self.reading.stated.get((self.named.step, stated)) or self.reading.exits.get((self.named.step, stated))
        self.faults.add(place or self.named.place, code, text)

    def languages(self) -> None:
        missing = [language for language in self.flow.languages if language not in self.other.languages]
        if missing:
            self.add("missing-language", f"flow '{self.other.name}' does not speak {one_of(missing)}")

    def purpose(self) -> None:
        waits = self.named.kind == "wait"
        if waits and not self.other.for_waiting:
            self.add("wrong-flow", f"'{self.other.name}' is no flow for waiting: say 'for: waiting' in it")
        elif not waits and self.other.for_waiting:
            self.add("wrong-flow", f"'{self.other.name}' is for waiting in a queue alone")

    def exits(self, given: Mapping[str, str], besides: tuple[str, ...]) -> None:
        for name in given:
            if name not in (*self.other.exits, *besides):
                hint = did_you_mean(name, (*self.other.exits, *besides)) or f"; it has {one_of(self.other.exits)}"
                self.add("unknown-exit", f"flow '{self.other.name}' has no exit '{name}'{hint}", name)
        wanted = _returned_by(self.other) if self.other.for_waiting else self.other.exits
        for name in wanted:
            if name not in given:
                text = f"step '{self.named.step}' does not say where to go: '{name}:', an exit of '{self.other.name}'"
                self.faults.add(self.reading.steps[self.named.step], "missing-exit", text)

    def parameters(self, step: Subflow) -> None:
        for name in step.given:
            if name not in self.other.parameters:
                hint = did_you_mean(name, self.other.parameters)
                self.add("unknown-parameter", f"flow '{self.other.name}' takes no '{name}'{hint}", f"with.{name}")
        for name in _needed(self.other):
            if name not in step.given:
                self.add("missing-parameter", f"flow '{self.other.name}' needs '{name}': with: {{{name}: …}}")

    def needs_nothing(self) -> None:
        for name in _needed(self.other):
            self.add("missing-parameter", f"flow '{self.other.name}' needs '{name}', which only a subflow is given")

    def returned(self, step: Subflow) -> None:
        for variable, name in step.into.items():
            if name not in self.other.returns:
                hint = did_you_mean(name, self.other.returns)
                text = f"flow '{self.other.name}' returns no '{name}'{hint}"
                self.add("unknown-return", text, f"into.{variable}")


def _needed(flow: Flow) -> list[str]:
    """The parameters that a flow cannot do without."""
    return [name for name in flow.parameters if flow.variables[name].initial is None]


def why_not_dialled(flow: Flow) -> str:
    """Return why no number may lead to a flow, empty where one may."""
    if flow.for_waiting:
        return "is for waiting in a queue alone"
    needed = _needed(flow)
    return f"needs {one_of(needed)}, which only a flow that calls it gives" if needed else ""


def _returned_by(flow: Flow) -> list[str]:
    """The exits by which a flow really returns: one that waits may have none."""
    return sorted({step.exit for step in flow.steps.values() if isinstance(step, Return)})


def check_returns(reading: Reading, flow: Flow) -> None:
    """Check that a flow returns by the exits, and with the values, that it declares."""
    for name, step in flow.steps.items():
        if not isinstance(step, Return):
            continue
        place = reading.stated.get((name, "return"), reading.steps[name])
        if step.exit not in flow.exits:
            hint = (
                did_you_mean(step.exit, flow.exits) or f"; declare it: exits: [{', '.join((*flow.exits, step.exit))}]"
            )
            reading.faults.add(place, "unknown-exit", f"the flow has no exit '{step.exit}'{hint}")
        for value in step.values:
            if value not in flow.returns:
                text = f"'{value}' is not among the flow's returns{did_you_mean(value, flow.returns)}"
                reading.faults.add(reading.stated.get((name, f"values.{value}"), place), "unknown-return", text)


def check_waiting(reading: Reading, flow: Flow) -> None:
    """Check that a flow for waiting does nothing that would leave the queue unasked."""
    for name, step in flow.steps.items():
        if isinstance(step, NOT_WHILE_WAITING):
            verb = model.verb_of(step)
            text = f"{verb} cannot be done while waiting in a queue; leave it by an exit: return: {verb}"
            reading.faults.add(reading.verbs[name], "not-while-waiting", text)
