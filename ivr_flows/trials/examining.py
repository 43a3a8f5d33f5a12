"""Flows and the test files beside them, read, played and judged."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from ivr_flows.flow import Flow
from ivr_flows.load import BESIDE, CATALOGUE, Files, flow_files, load
from ivr_flows.trials.coverage import Coverage, coverage
from ivr_flows.trials.marks import Marked, marked
from ivr_flows.trials.reading import read_trials, scenarios_beside
from ivr_flows.trials.scenario import Scenario, Trials
from ivr_flows.trials.verdict import Verdict, judge


class Beside(msgspec.Struct, frozen=True):
    """A flow's file and its scenarios; `trials` has none where there is no test file."""

    file: Path
    flow: Flow
    trials: Trials


class Examined(msgspec.Struct, frozen=True):
    """What came of a flow's scenarios."""

    beside: Beside
    marked: Marked
    verdicts: tuple[Verdict, ...]
    coverage: Coverage

    @property
    def passed(self) -> bool:
        """Whether every scenario passed."""
        return all(verdict.passed for verdict in self.verdicts)


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the flows' files that are meant, each once: a folder means its flows, what stands beside a flow
    (`.test.yaml`, `.sim.yaml`) means the flow, and the catalogue of prompts none."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(flow_files(path)))
        elif path.name != CATALOGUE:
            beside = next((each for each in BESIDE if path.name.endswith(each)), "")
            found[path.with_name(path.name.removesuffix(beside) + ".yaml") if beside else path] = None
    return list(found)


def read_beside(file: Path, files: Files | None = None) -> Beside:
    """Return a flow and its scenarios. Raises `FlowErrors` with everything that is wrong with either. `files` are those
    that were read for others."""
    flow = load(file, files)
    test_file = scenarios_beside(file)
    trials = read_trials(test_file, flow) if test_file.is_file() else Trials(str(test_file), flow.name, ())
    return Beside(file, flow, trials)


def examine(
    besides: Sequence[Beside], only: Iterable[str] = (), judged: Callable[[Marked, Scenario], Verdict] = judge
) -> list[Examined]:
    """Play the scenarios of flows, or those of these names. A flow that others call is covered by their calls as well.
    `judged` is the depth at which they are played."""
    names = frozenset(only)
    prepared = [marked(beside.flow) for beside in besides]
    verdicts = [
        tuple(judged(flow, scenario) for scenario in beside.trials.scenarios if not names or scenario.name in names)
        for flow, beside in zip(prepared, besides, strict=True)
    ]
    taken = {exit_ for each in verdicts for verdict in each for exit_ in verdict.played.exits}
    return [
        Examined(beside, flow, found, coverage(flow, taken))
        for beside, flow, found in zip(besides, prepared, verdicts, strict=True)
    ]
