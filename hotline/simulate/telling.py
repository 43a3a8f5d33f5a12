"""What came of a simulation, in lines for people."""

from collections.abc import Iterator, Sequence

from hotline.simulate.figures import Figures, QueueFigures, Spread


def lines_of(told: Figures) -> Iterator[str]:
    """Yield what to print."""
    yield (
        f"{told.flow}: {told.calls} calls in {told.hours:.1f} h, {told.arrivals_per_h:g} an hour, seed {told.seed}; "
        f"a call lasts {_time(told.call)}"
    )
    if len(told.kinds) > 1:
        yield "callers: " + ", ".join(f"{name} {count}" for name, count in told.kinds.items())
    yield ""
    yield from _table(
        ("where callers end", "why", "calls", "share"),
        [(end.step, end.reason, str(end.calls), f"{100 * end.share:.1f} %") for end in told.ends],
    )
    yield ""
    yield from _table(
        ("step", "visits", "mean s", "p50 s", "p95 s"),
        [(step.step, str(step.time.count), *_three(step.time)) for step in told.steps],
    )
    for queue in told.queues:
        yield ""
        yield from _queue(queue)


def _queue(queue: QueueFigures) -> Iterator[str]:
    level = "-" if queue.service_level is None else f"{100 * queue.service_level:.1f} %"
    yield (
        f"queue {queue.queue}: {queue.offered} offered, {queue.answered} answered, {queue.abandoned} abandoned, "
        f"{queue.timed_out} timed out, {queue.refused} refused, {queue.left} left it by what they heard"
    )
    yield f"  service level {level} within {queue.within_s:g} s; wait of the answered {_time(queue.wait)}"
    if queue.abandoned:
        yield f"  who gave up did so after {_time(queue.abandoned_wait)}"
    theory = "" if queue.erlang_c_mean_wait_s is None else f"; Erlang C: mean wait {queue.erlang_c_mean_wait_s:g} s"
    yield (
        f"  {queue.agents} agents, {100 * queue.occupancy:.1f} % busy; handling with wrap-up {_time(queue.handling)}"
        f"{theory}"
    )


def _time(spread: Spread) -> str:
    mean, p50, p95 = _three(spread)
    return f"{mean} s (p50 {p50}, p95 {p95})"


def _three(spread: Spread) -> tuple[str, str, str]:
    return f"{spread.mean_s:.1f}", f"{spread.p50_s:.1f}", f"{spread.p95_s:.1f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
