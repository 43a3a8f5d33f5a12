"""What came of a simulation: where callers end, how long steps take, what queues and agents did. Plain."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from hotline.simulate.center import Center, Visit
from hotline.simulate.erlang import erlang_c


class Spread(msgspec.Struct, frozen=True):
    """Times in seconds: how many, their mean, their median, and what 95 of 100 do not exceed."""

    count: int
    mean_s: float
    p50_s: float
    p95_s: float


class EndFigures(msgspec.Struct, frozen=True):
    """So many calls ended in a step for a reason."""

    step: str
    reason: str
    calls: int
    share: float


class StepFigures(msgspec.Struct, frozen=True):
    """How often a step was come to, and how long calls stayed there."""

    step: str
    time: Spread


class QueueFigures(msgspec.Struct, frozen=True):
    """A queue. `service_level` is the share of calls answered within `within_s`, of those that were answered or
    abandoned; None of none. `erlang_c_mean_wait_s` is what theory says of callers who never give up; None where the
    agents could not do the work, or serve other queues as well."""

    queue: str
    offered: int
    answered: int
    abandoned: int
    timed_out: int
    refused: int
    left: int
    within_s: float
    service_level: float | None
    wait: Spread
    abandoned_wait: Spread
    handling: Spread
    agents: int
    occupancy: float
    erlang_c_mean_wait_s: float | None


class Figures(msgspec.Struct, frozen=True):
    """All of a simulation."""

    flow: str
    calls: int
    seed: int
    hours: float
    arrivals_per_h: float
    call: Spread
    kinds: dict[str, int]
    ends: tuple[EndFigures, ...]
    steps: tuple[StepFigures, ...]
    queues: tuple[QueueFigures, ...]


def figures(center: Center) -> Figures:
    """Count what came of a simulation that is over."""
    calls = len(center.ended)
    ends = Counter((each.place, each.reason) for each in center.ended)
    stays: dict[str, list[float]] = {}
    for each in center.ended:
        for step, seconds in each.stays:
            stays.setdefault(step, []).append(seconds)
    return Figures(
        flow=center.marked.flow.name,
        calls=calls,
        seed=center.seed,
        hours=round((center.over_at - center.begun_at) / 3600, 4),
        arrivals_per_h=center.behaviour.arrivals_per_h,
        call=spread(each.lasted_s for each in center.ended),
        kinds=dict(sorted(Counter(each.kind for each in center.ended).items())),
        ends=tuple(
            EndFigures(step, reason, count, round(count / calls, 4))
            for (step, reason), count in sorted(ends.items(), key=lambda item: (-item[1], item[0]))
        ),
        steps=tuple(StepFigures(step, spread(times)) for step, times in sorted(stays.items(), key=_by_count)),
        queues=tuple(_queue(center, name) for name in center.acd.queue_names()),
    )


def _by_count(item: tuple[str, Sequence[float]]) -> tuple[int, str]:
    return -len(item[1]), item[0]


def _queue(center: Center, name: str) -> QueueFigures:
    behaviour = next(queue for queue in center.behaviour.queues if queue.name == name)
    visits = [visit for visit in center.visits if visit.queue == name]
    answered = [visit for visit in visits if visit.outcome == "answered"]
    outcomes = Counter(visit.outcome for visit in visits)
    staff = center.staff[name]
    span_s = center.over_at - center.begun_at
    judged = [visit for visit in visits if visit.outcome in ("answered", "abandoned")]
    quick = sum(visit.outcome == "answered" and visit.waited_s <= behaviour.service_level_s for visit in judged)
    return QueueFigures(
        queue=name,
        offered=len(visits),
        answered=len(answered),
        abandoned=outcomes["abandoned"],
        timed_out=outcomes["timeout"],
        refused=outcomes["full"] + outcomes["closed"],
        left=outcomes["left"],
        within_s=behaviour.service_level_s,
        service_level=round(quick / len(judged), 4) if judged else None,
        wait=spread(visit.waited_s for visit in answered),
        abandoned_wait=spread(visit.waited_s for visit in visits if visit.outcome == "abandoned"),
        handling=spread(visit.handled_s for visit in answered),
        agents=len(staff),
        occupancy=round(_busy_s(center, staff) / (len(staff) * span_s), 4) if staff and span_s else 0.0,
        erlang_c_mean_wait_s=_theory(center, name, visits, answered),
    )


def _busy_s(center: Center, staff: Sequence[str]) -> float:
    """Return how long these agents were busy, with whatever queue."""
    names = {name for name, agents in center.staff.items() if agents and agents[0] in staff}
    return sum(visit.handled_s for visit in center.visits if visit.queue in names)


def _theory(center: Center, name: str, visits: Sequence[Visit], answered: Sequence[Visit]) -> float | None:
    staff, span_s = center.staff[name], center.over_at - center.begun_at
    shares_staff = any(other != name and agents == staff for other, agents in center.staff.items())
    if shares_staff or not answered or not span_s:
        return None
    handling_s = sum(visit.handled_s for visit in answered) / len(answered)
    theory = erlang_c(len(visits) / span_s, handling_s, len(staff))
    return None if theory is None else round(theory.mean_wait_s, 2)


def spread(times: Iterable[float]) -> Spread:
    """Return the spread of times; zeros of none."""
    ordered = sorted(times)
    if not ordered:
        return Spread(0, 0.0, 0.0, 0.0)
    mean = sum(ordered) / len(ordered)
    return Spread(len(ordered), round(mean, 3), round(_nth(ordered, 0.5), 3), round(_nth(ordered, 0.95), 3))


def _nth(ordered: Sequence[float], share: float) -> float:
    """Return the nearest rank: the least value that this share does not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
