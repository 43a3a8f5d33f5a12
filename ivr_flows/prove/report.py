"""Everything that is proved of a checked flow, as errors with their places and calls that show them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ivr_flows.flow import Assign, Flow, When
from ivr_flows.load import Checked, Files, read_folder
from ivr_flows.prove.called import Library, beginning, calls
from ivr_flows.prove.dataflow import Dataflow
from ivr_flows.prove.duration import Longest
from ivr_flows.prove.findings import Finding, Findings
from ivr_flows.prove.loops import Edge, Loops, is_person
from ivr_flows.prove.names import Outside, unknown, unknown_names
from ivr_flows.prove.value import Value
from ivr_flows.prove.witness import Explorer, Place, deed_of, such_a_call
from ivr_flows.prove.world import World
from ivr_flows.source import FlowError, FlowErrors, Node

NOWHERE: Final = Outside()
ROUND: Final = "and so on"


def prove(checked: Checked, outside: Outside = NOWHERE) -> list[FlowError]:
    """Return what is wrong with a flow that could be read and linked, in the order of its file. Warnings are among
    them."""
    flow = checked.flow
    return [] if flow is None else sorted(Prover(flow, checked, outside).errors(), key=_place_of)


def check_file(path: Path, outside: Outside = NOWHERE, files: Files | None = None) -> list[FlowError]:
    """Return everything that is wrong with a file: what cannot be read, else what can be proved. `files` are those that
    were read for others."""
    checked = (files or Files()).linked(path)
    return list(checked.errors) or prove(checked, outside)


def load_proved(folder: Path, outside: Outside = NOWHERE) -> tuple[dict[str, Flow], list[FlowError]]:
    """Return the flows of a folder by name, and the warnings about them. Raises `FlowErrors` with every error."""
    linked = read_folder(folder)
    found = [error for checked in linked for error in checked.errors]
    if not found:
        found = [error for checked in linked for error in prove(checked, outside)]
    errors = [error for error in found if not error.warning]
    if errors:
        raise FlowErrors(errors)
    return {checked.flow.name: checked.flow for checked in linked if checked.flow is not None}, found


def _place_of(error: FlowError) -> tuple[int, int, str, str]:
    return error.line, error.column, error.code, error.text


class Prover:
    """Proves one flow."""

    def __init__(self, flow: Flow, checked: Checked, outside: Outside) -> None:
        self.flow, self.checked, self.outside = flow, checked, outside
        self.library = Library({**flow.flows, flow.name: flow})
        self.known, self.transfer = self.library.solve(flow)
        self.findings = Findings(flow, self.transfer.scope, self.transfer)
        self.silent = self.library.exits_by("silent")
        self.at_once = self.library.exits_by("at_once")
        self.wrong: set[str] = set()
        """The steps that set or compare something, and are wrong in that."""
        self.uses: dict[tuple[str, str], list[Node]] = {}
        for use in checked.reading.uses:
            self.uses.setdefault((use.step, use.source), []).append(use.place)

    def errors(self) -> set[FlowError]:
        found: set[FlowError] = set()
        found.update(self._of_steps())
        found.update(self._of_loops())
        found.update(self._of_time())
        found.update(self._of_names())
        found.update(self._of_calls())
        return found

    # ------------------------------------------------------------------------------------------------- places

    def place(self, finding: Finding) -> Node:
        """Return where a finding stands: its expression, else what it is about, else its step."""
        found = self.uses.get((finding.step, finding.source)) or self.uses.get(("", finding.source))
        if finding.source and found:
            return found[min(finding.nth, len(found) - 1)]
        return self.checked.reading.stated.get((finding.step, finding.stated)) or self.step_place(finding.step)

    def step_place(self, name: str) -> Node:
        return self.checked.reading.steps.get(name) or Node(1, 1)

    def error(self, place: Node, finding: Finding, call: str = "") -> FlowError:
        return FlowError(
            str(self.checked.path), place.line, place.column, finding.code, finding.text, call, finding.warning
        )

    # -------------------------------------------------------------------------------------------------- steps

    def _of_steps(self) -> Iterator[FlowError]:
        found = [finding for name, world in self.known.worlds.items() for finding in self.findings.at(name, world)]
        self.wrong = {
            each.step for each in found if each.shown and isinstance(self.flow.steps[each.step], Assign | When)
        }
        yield from (self.error(self.place(finding), finding) for finding in found if not finding.shown)
        yield from self._shown([finding for finding in found if finding.shown])
        yield from self._of_failing()

    def _shown(self, found: Sequence[Finding]) -> Iterator[FlowError]:
        """Yield findings with calls that show them; not those that no call shows."""
        if not found:
            return
        explorer = self._explorer()
        open_ones = dict.fromkeys(found)
        for place in explorer.places():
            here = [finding for finding in open_ones if finding.step == place.step]
            if not here:
                continue
            seen = set(self.findings.at(place.step, place.world))
            for finding in here:
                if finding in seen:
                    del open_ones[finding]
                    yield self.error(self.place(finding), finding, such_a_call(place.deeds(self.flow)))
            if not open_ones:
                return
        if not explorer.is_whole:
            yield from (self.error(self.place(finding), finding) for finding in open_ones)

    def _explorer(self) -> Explorer:
        return Explorer(self.flow, self.transfer, self.flow.start, beginning(self.transfer, 0))

    def _of_failing(self) -> Iterator[FlowError]:
        """Look at the steps that only a failing expression leads to: there, any variable may have any value or none."""
        flow = self.flow
        if not flow.failed or flow.failed in self.known.worlds:
            return
        world = World({name: self._whatever(name) for name in flow.variables})
        known = Dataflow(flow, self.transfer, {flow.failed: world}).solve()
        for name, here in known.worlds.items():
            if name not in self.known.worlds:
                for finding in self.findings.at(name, here):
                    call = f"an expression fails, and {flow.failed} is where that leads" if finding.shown else ""
                    yield self.error(self.place(finding), finding, call)

    def _whatever(self, name: str) -> Value:
        declared = self.flow.variables[name]
        may_miss = declared.initial is None and name not in self.flow.parameters
        return self.transfer.scope.declared(name).join(Value(unset=may_miss))

    # -------------------------------------------------------------------------------------------------- loops

    def _of_loops(self) -> Iterator[FlowError]:
        """Find loops without end, but for those with a step that is wrong in itself: that may be what counts them."""
        loops = Loops(self.flow, self.known, self.transfer, self.silent, self.at_once)
        spinning = list(self._sound(loops.spinning()))
        for loop in spinning:
            text = f"nothing on the way {_round(loop)} waits for anything: the call would spin and then fail"
            yield self._loop("spin", text, loop)
        if self.flow.for_waiting:
            return
        endless = list(self._sound(loops.endless()))
        for loop in endless:
            text = (
                f"a caller who does nothing goes round {_round(loop)} for ever; count the rounds (set n: n + 1, and"
                " when n >= 3 leave), or go elsewhere"
            )
            yield self._loop("endless-loop", text, loop)
        told = {edge.step for loop in (*spinning, *endless) for edge in loop}
        matters = loops.has_person() or self.flow.max_time_to_human_s > 0
        for loop in loops.without_person():
            if not told & {edge.step for edge in loop}:
                text = (
                    f"who goes round {_round(loop)} has no way to a person: offer a queue, a call back or a voicemail"
                )
                yield self._loop("no-way-to-person", text, loop, warning=not matters)

    def _sound(self, loops: Iterable[list[Edge]]) -> Iterator[list[Edge]]:
        return (loop for loop in loops if not any(edge.step in self.wrong for edge in loop))

    def _loop(self, code: str, text: str, loop: list[Edge], warning: bool = False) -> FlowError:
        head = loop[0].step
        deeds: list[str] = []
        there = self._explorer().shortest(lambda place: place.step == head)
        if there is not None:
            deeds = there.deeds(self.flow)
        deeds += [deed for edge in loop if (deed := deed_of(self.flow, edge.step, edge.way))]
        finding = Finding(head, code, text, warning=warning)
        return self.error(self.step_place(head), finding, such_a_call([*deeds, ROUND]))

    # --------------------------------------------------------------------------------------------------- time

    def _of_time(self) -> Iterator[FlowError]:
        most = self.flow.max_time_to_human_s
        if not most:
            return
        longest = Longest(self.flow, self.known, is_person, self.library.within, self.library.beyond)
        if longest.bound <= most:
            return
        found = longest.way(self.transfer, Place(self.flow.start, beginning(self.transfer, 0)))
        if found is None or found[0] <= most:
            return
        seconds, place = found
        text = (
            f"{seconds:.0f} s may pass until a person is there, more than the {most:g} s of max_time_to_human: by "
            + " > ".join(place.steps())
        )
        where = self.checked.reading.stated.get(("", "max_time_to_human")) or Node(1, 1)
        finding = Finding(place.step, "too-long-to-person", text)
        yield self.error(where, finding, such_a_call([*place.deeds(self.flow), "each time as late as can be"]))

    # -------------------------------------------------------------------------------------------------- names

    def _of_names(self) -> Iterator[FlowError]:
        known = {"queue": self.outside.queues, "hours": self.outside.hours}
        for named in self.checked.reading.named:
            names = known.get(named.kind)
            if names is not None and named.name and named.name not in names:
                finding = Finding(named.step, *unknown(named.kind, named.name, names))
                yield self.error(named.place, finding)
        for finding in unknown_names(self.flow, self.outside):
            yield self.error(self.place(finding), finding)

    # -------------------------------------------------------------------------------------------------- calls

    def _of_calls(self) -> Iterator[FlowError]:
        """Find ways by which a flow comes to itself again."""
        graph = {name: calls(flow, self.silent) for name, flow in self.library.flows.items()}
        for step, to, comes_back, is_silent in graph.get(self.flow.name, ()):
            for ways in _back(graph, to, self.flow.name, {to}):
                chain = [(comes_back, is_silent), *ways]
                silent = all(quiet for _, quiet in chain)
                finding = self._recursion(step, to, any(back for back, _ in chain), silent)
                if finding is not None:
                    yield self.error(self.checked.reading.verbs.get(step) or self.step_place(step), finding)
                break

    def _recursion(self, step: str, to: str, is_deep: bool, silent: bool) -> Finding | None:
        if is_deep:
            text = f"flow '{to}' may come to this one again and again, and 16 flows deep the call fails"
            return Finding(
                step, "recursion", text + ("" if silent else ", if the caller wants it so"), warning=not silent
            )
        if silent:
            return Finding(step, "endless-loop", f"flow '{to}' comes back to this one, and needs nothing of the caller")
        return None


def _back(
    graph: dict[str, list[tuple[str, str, bool, bool]]], name: str, target: str, seen: set[str]
) -> Iterator[list[tuple[bool, bool]]]:
    """Yield ways from a flow to the one sought, those first that need nothing of the caller."""
    if name == target:
        yield []
        return
    for _, to, comes_back, silent in sorted(graph.get(name, ()), key=lambda call: not call[3]):
        if to == target or to not in seen:
            for rest in _back(graph, to, target, {*seen, to}):
                yield [(comes_back, silent), *rest]


def _round(loop: Iterable[Edge]) -> str:
    names = [edge.step for edge in loop]
    return " > ".join([*names, names[0]])
