"""A flow with all that it may come to as one graph: each step by its place, and the places that may follow. Pure."""

from ivr_flows.flow import Flow, Queue, Return, Step, Subflow, called, ways
from ivr_flows.state import place_of


def places(root: Flow) -> dict[str, Step]:
    """Return every step that a call may be at, by its place (`step`, or `flow/step`)."""
    return {place_of(flow, name): step for flow, part in _parts(root).items() for name, step in part.steps.items()}


def ways_on(root: Flow) -> dict[str, set[str]]:
    """Return for every place those that may follow it. A flow that returns leads on wherever it was called."""
    parts = _parts(root)
    found: dict[str, set[str]] = {place: set() for place in places(root)}
    returns: dict[str, dict[str, set[str]]] = {name: {} for name in parts}
    for flow, part in parts.items():
        for name, step in part.steps.items():
            place = place_of(flow, name)
            own = {place_of(flow, target) for _, target in ways(part, name) if target in part.steps}
            if isinstance(step, Subflow):
                own = {place_of(flow, step.exits["failed"])}
            if other := called(step):
                to = _key(root, other)
                found[place].add(place_of(to, root.part(to).start))
                if isinstance(step, Subflow | Queue):
                    for exit_name, target in step.exits.items():
                        returns[to].setdefault(exit_name, set()).add(place_of(flow, target))
            found[place] |= own
    for flow, part in parts.items():
        for name, step in part.steps.items():
            if isinstance(step, Return):
                found[place_of(flow, name)] |= returns[flow].get(step.exit, set())
    return found


def ways_of_failures(root: Flow) -> dict[str, set[str]]:
    """Return for every place those that a failure in it leads to: its flow's `failed`, or else the exit `failed` of
    whatever called the flow."""
    parts = _parts(root)
    exits: dict[str, set[str]] = {
        flow: {place_of(flow, part.failed)} if part.failed else set() for flow, part in parts.items()
    }
    for flow, part in parts.items():
        for step in part.steps.values():
            if isinstance(step, Subflow) and not root.part(step.flow).failed:
                exits[_key(root, step.flow)].add(place_of(flow, step.exits["failed"]))
    return {place_of(flow, name): exits[flow] for flow, part in parts.items() for name in part.steps}


def _parts(root: Flow) -> dict[str, Flow]:
    """Return a flow and those that it may come to, by what `_key` calls them."""
    return {"": root, **{name: part for name, part in root.flows.items() if name != root.name}}


def _key(root: Flow, name: str) -> str:
    """Return what places call a flow: nothing for the call's own."""
    return "" if name == root.name else name
