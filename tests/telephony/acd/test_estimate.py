"""The estimated wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.acd.estimate import HANDLE_TIME_UNKNOWN_S, HandleTime, estimated_wait_s


@pytest.mark.parametrize(
    ("waiting", "ready", "staffed", "expected"),
    [
        (0, 0, 0, None),
        (7, 0, 0, None),
        (0, 1, 1, 0.0),
        (1, 2, 4, 0.0),
        (0, 0, 1, 120.0),  # one at work, nobody before
        (3, 0, 2, 240.0),  # four calls to serve by two agents
        (2, 2, 4, 30.0),  # two of them are served at once
    ],
)
def test_the_estimate_is_work_ahead_over_agents(waiting: int, ready: int, staffed: int, expected: float | None) -> None:
    assert estimated_wait_s(120.0, waiting, ready, staffed) == expected


@given(st.floats(1.0, 3600.0), st.integers(0, 100), st.integers(0, 20), st.integers(1, 20))
def test_more_callers_never_shorten_and_more_agents_never_lengthen_the_wait(
    handle_time_s: float, waiting: int, ready: int, staffed: int
) -> None:
    ready = min(ready, staffed)
    here = estimated_wait_s(handle_time_s, waiting, ready, staffed)
    longer = estimated_wait_s(handle_time_s, waiting + 1, ready, staffed)
    shorter = estimated_wait_s(handle_time_s, waiting, ready, staffed + 1)
    assert here is not None
    assert longer is not None
    assert shorter is not None
    assert shorter <= here <= longer
    assert here >= 0.0


def test_the_mean_begins_at_the_default_and_follows_what_is_measured() -> None:
    handle_time = HandleTime()
    assert handle_time.mean_s == HANDLE_TIME_UNKNOWN_S
    for _ in range(100):
        handle_time.add(300.0)
    assert handle_time.mean_s == pytest.approx(300.0, abs=0.1)
