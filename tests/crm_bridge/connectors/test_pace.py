"""The breaker and the pace, over any history."""

import itertools
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors.breaker import FAILURES, LONGEST_REST_S, PROBE_S, TABLE, Breaker, Happened, State
from crm_bridge.connectors.pace import RETRIES, Pace, again_in_s

steps = st.lists(st.tuples(st.floats(0, 50), st.sampled_from(["works", "fails", "vanishes"])), max_size=60)


def test_the_table_knows_every_state_and_whatever_happens() -> None:
    possible = set(itertools.product(get_args(State), get_args(Happened))) - {("closed", "rest_is_over")}
    assert set(TABLE) == possible


@settings(deadline=None)
@given(steps)
def test_a_breaker_lets_somebody_through_again(history: list[tuple[float, str]]) -> None:
    """Whatever happened, it admits within its longest rest, and one at a time until one has succeeded."""
    now, breaker = 0.0, Breaker()
    for wait_s, outcome in history:
        now += wait_s
        if not breaker.admits(now):
            assert breaker.until - now <= max(LONGEST_REST_S, PROBE_S)
            continue
        was_closed = breaker.state == "closed"
        breaker = breaker.asked(now)
        if not was_closed:
            assert breaker.state == "half_open"
            assert not breaker.admits(now)
        if outcome == "works":
            breaker = breaker.succeeded()
            assert breaker == Breaker()
        elif outcome == "fails":
            breaker = breaker.failed(now)
            assert was_closed or breaker.state == "open"
    assert breaker.admits(now + max(LONGEST_REST_S, PROBE_S))


@settings(deadline=None)
@given(st.integers(1, 10))
def test_a_breaker_opens_after_so_many_failures_in_a_row(count: int) -> None:
    breaker = Breaker()
    for _ in range(count):
        breaker = breaker.failed(0.0)
    assert breaker.admits(0.0) == (count < FAILURES)


def test_rests_grow_and_are_forgotten() -> None:
    breaker, now, rests = Breaker(failures=FAILURES - 1), 0.0, []
    for _ in range(7):
        breaker = breaker.asked(now).failed(now)
        rests.append(breaker.rest_s)
        now = breaker.until
    assert rests == [5, 10, 20, 40, 80, 120, 120]
    assert breaker.succeeded().rest_s == 0


def test_what_fails_late_does_not_lengthen_a_rest() -> None:
    breaker = Breaker(failures=FAILURES - 1).failed(0.0)
    assert breaker.failed(1.0).until == breaker.until


@settings(deadline=None)
@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 3), min_size=1, max_size=80))
def test_no_more_is_asked_than_the_pace_allows(per_s: float, burst: int, waits: list[float]) -> None:
    pace, now, taken = Pace.full(per_s, burst), 0.0, []
    for wait_s in waits:
        now += wait_s
        at = now + pace.wait_s(now)
        pace = pace.took(now)
        taken.append(at)
    assert taken == sorted(taken)
    for first, last in itertools.combinations(range(len(taken)), 2):
        assert last - first + 1 <= burst + per_s * (taken[last] - taken[first]) + 1 + 1e-6


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_a_pause_is_kept(now: float, pause_s: float) -> None:
    pace = Pace.full(5, 5).paused(now, pause_s)
    assert pace.wait_s(now) >= pause_s - 1e-6
    assert pace.paused(now, 0).paused_until == pace.paused_until


@settings(deadline=None)
@given(st.integers(0, 9), st.floats(0, 500), st.floats(0, 60), st.floats(0, 1))
def test_what_is_asked_again_is_so_in_time(retries: int, asked_s: float, left_s: float, chance: float) -> None:
    wait_s = again_in_s(retries, asked_s, left_s, chance)
    if wait_s is not None:
        assert asked_s <= wait_s <= left_s / 2
        assert retries < RETRIES
