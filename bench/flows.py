"""Flows alone, without audio or a network: `hotline bench flows`.

A call is a scenario of the shipped flow (`main.test.yaml`) from the first word to the last, played and
judged as `hotline flow test` does it, all of them in turn, on one core. A row counts CPU time of this process. A core
that others share (its caches, its other thread) is slower for that: `best_calls_per_s` is the best of many rounds.

Cases: `logic`, the calls; `load`, the flow read and checked; `simulate`, callers by chance with the real queues.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from bench.media import verdict
from hotline.simulate.center import simulate
from hotline.simulate.reading import read_behaviour
from ivr_flows.load import load
from ivr_flows.trials.examining import read_beside
from ivr_flows.trials.marks import marked
from ivr_flows.trials.verdict import judge

FLOW: Final = Path(__file__).parent.parent / "ivr_flows" / "examples" / "main.yaml"
SECONDS: Final = 5.0
TARGET_CALLS_PER_S: Final = 2000
SIMULATED: Final = 500
ROUND: Final = 20
"""So often all scenarios are played between two looks at the clock."""


def run(case: str | None = None, n: int | None = None, seconds: float | None = None) -> list[dict[str, object]]:
    """Measure all cases, or one; `n` is the number of simulated callers. Raises `ValueError` for an unknown case."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    return [CASES[each](n or SIMULATED, seconds or SECONDS) for each in ([case] if case else CASES)]


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which targets are met."""
    logic = [row for row in rows if row["case"] == "logic"]
    target = f"{TARGET_CALLS_PER_S} calls a second on one core, so at most {1000 / TARGET_CALLS_PER_S:g} ms each"
    return [verdict(f"logic: {target}", row["ms_per_call"], 1000 / TARGET_CALLS_PER_S) for row in logic]


def _logic(_: int, seconds: float) -> dict[str, object]:
    beside = read_beside(FLOW)
    prepared = marked(beside.flow)
    for scenario in beside.trials.scenarios:  # compiles the expressions
        judge(prepared, scenario)
    calls = steps = 0
    best_s = spent = 0.0
    scenarios, until = beside.trials.scenarios, time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.process_time()
        for scenario in islice(cycle(scenarios), ROUND * len(scenarios)):
            steps += len(judge(prepared, scenario).played.steps)
        took_s = time.process_time() - begun
        calls, spent = calls + ROUND * len(scenarios), spent + took_s
        best_s = min(best_s or took_s, took_s)
    return {
        "case": "logic",
        "calls": calls,
        "steps_per_call": round(steps / calls, 1),
        "calls_per_s": round(calls / spent),
        "best_calls_per_s": round(ROUND * len(scenarios) / best_s),
        "ms_per_call": round(1000 * best_s / ROUND / len(scenarios), 3),
        "target": TARGET_CALLS_PER_S,
    }


def _load(_: int, seconds: float) -> dict[str, object]:
    times = 0
    begun, until = time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        load(FLOW)
        times += 1
    spent = time.process_time() - begun
    return {"case": "load", "calls": times, "ms_per_call": round(1000 * spent / times, 2)}


def _simulate(n: int, _: float) -> dict[str, object]:
    flow = load(FLOW)
    behaviour = read_behaviour(FLOW.with_name("main.sim.yaml"), flow)
    begun = time.process_time()
    simulate(flow, behaviour, n, seed=1)
    spent = time.process_time() - begun
    return {
        "case": "simulate",
        "calls": n,
        "calls_per_s": round(n / spent),
        "ms_per_call": round(1000 * spent / n, 3),
    }


CASES: Final[Mapping[str, Callable[[int, float], dict[str, object]]]] = {
    "logic": _logic,
    "load": _load,
    "simulate": _simulate,
}
