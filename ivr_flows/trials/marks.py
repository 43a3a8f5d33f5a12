"""A flow whose walk tells by which exits it went.

Every exit's target is replaced by a `Way`: a text that is the target's name in all respects, and knows of which step
and exit it is. The walker puts it into `FlowState.path` as it puts any name. Which fields of a step are targets is not
known here: a field is one if `exits` shows the change of it, so a new verb needs nothing of this module.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from ivr_flows.check import reached
from ivr_flows.flow import END, Flow, Step, Subflow, exits
from ivr_flows.graph import ways_on
from ivr_flows.state import place_of

T = TypeVar("T")
Place = tuple[str | int, ...]
"""The way to a value in a struct: names of fields, keys of mappings, indexes."""

PROBE: Final = "\0"


class Exit(NamedTuple):
    """An exit of a step of a flow."""

    flow: str
    step: str
    name: str

    def written(self, own: str) -> str:
        """Return it as a scenario of the flow `own` writes it."""
        return f"{self.step}.{self.name}" if self.flow == own else f"{self.flow}/{self.step}.{self.name}"


class Way(str):
    """The name of the next step, by way of an exit of the one before."""

    __slots__ = ("exit",)
    exit: Exit

    def __new__(cls, target: str, exit_: Exit) -> "Way":
        made = super().__new__(cls, target)
        made.exit = exit_
        return made

    def __radd__(self, before: str) -> "Way":
        return Way(before + str(self), self.exit)


class Marked(msgspec.Struct, frozen=True):
    """A flow to walk through, and all exits of the steps that can be reached, with their targets: the flow's own, in
    the order of its file, and then those of the flows that it may come to."""

    flow: Flow
    exits: Mapping[Exit, str]


def marked(flow: Flow) -> Marked:
    """Return the flow with its exits marked."""
    named: dict[Exit, str] = {}
    for part in (flow, *flow.flows.values()):
        named |= _named(flow, part)
    parts = {name: _marked(part) for name, part in flow.flows.items()}
    return Marked(replace(_marked(flow), flows=parts), named)


def _named(root: Flow, flow: Flow) -> dict[Exit, str]:
    edges = {name: [target for _, target in exits(step)] for name, step in flow.steps.items()}
    known = reached([flow.start, flow.failed, *flow.keys.values()], edges)
    return {
        Exit(flow.name, name, exit_): target
        for name, step in flow.steps.items()
        if name in known
        for exit_, target in exits(step)
        if not _is_for_faults(root, step, exit_)
    }


def _is_for_faults(root: Flow, step: Step, name: str) -> bool:
    """Whether an exit is where a fault of the flow itself leads, which no caller and no world brings about."""
    return isinstance(step, Subflow) and name == "failed" and name not in root.part(step.flow).exits


def _marked(flow: Flow) -> Flow:
    return replace(flow, steps={name: _marked_step(flow.name, name, step) for name, step in flow.steps.items()})


def _marked_step(flow: str, name: str, step: Step) -> Step:
    targets = {target for _, target in exits(step)}
    done = step
    for place, target in texts_of(step):
        if target in targets:
            found = next((exit_ for exit_, after in exits(_put(step, place, PROBE)) if after == PROBE), None)
            if found is not None:
                done = _put(done, place, Way(target, Exit(flow, name, found)))
    return done


def texts_of(value: object) -> Iterator[tuple[Place, str]]:
    """Yield every text in a struct and its place."""
    match value:
        case str():
            yield (), value
        case msgspec.Struct():
            for field in value.__struct_fields__:
                yield from (((field, *rest), text) for rest, text in texts_of(getattr(value, field)))
        case Mapping():
            for key, inner in value.items():
                yield from (((key, *rest), text) for rest, text in texts_of(inner))
        case tuple():
            for index, inner in enumerate(value):
                yield from (((index, *rest), text) for rest, text in texts_of(inner))


def _put(value: T, place: Place, text: str) -> T:
    """Return a value with a text put in at a place."""
    whole: Any = value
    if not place:
        whole = text
    elif isinstance(whole, msgspec.Struct):
        whole = replace(whole, **{str(place[0]): _put(getattr(whole, str(place[0])), place[1:], text)})
    elif isinstance(whole, Mapping):
        whole = {key: _put(inner, place[1:], text) if key == place[0] else inner for key, inner in whole.items()}
    else:
        whole = tuple(_put(inner, place[1:], text) if index == place[0] else inner for index, inner in enumerate(whole))
    result: T = whole
    return result


def taken(entry: str) -> Exit | None:
    """Return the exit by which an entry of a path was come to; None for none: the start of a flow, a failure."""
    return entry.exit if isinstance(entry, Way) else None


def ending(prepared: Marked, place: str, outcome: str) -> Exit | None:
    """Return the exit that ends a call at a place, if that outcome does."""
    flow, _, step = place.rpartition("/")
    exit_ = Exit(flow or prepared.flow.name, step, outcome)
    return exit_ if prepared.exits.get(exit_) == END else None


def leading_to(flow: Flow, wanted: Iterable[Exit]) -> set[str]:
    """Return the places, in a flow and in those that it may come to, from which a call may yet take a wanted exit."""
    backwards: dict[str, list[str]] = {}
    for place, following in ways_on(flow).items():
        for target in following:
            backwards.setdefault(target, []).append(place)
    return reached({place_of("" if exit_.flow == flow.name else exit_.flow, exit_.step) for exit_ in wanted}, backwards)
