"""Ticks and instants."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from telephony.clock import SAMPLES_PER_TICK, TICK_S, TICKS_PER_S, datetime_of, tick_at, time_of


@given(st.integers(0, 200_000_000_000))
def test_a_tick_begins_at_its_own_instant(tick: int) -> None:
    assert tick_at(time_of(tick)) == tick
    assert tick_at(time_of(tick) + TICK_S / 2) == tick


def test_a_second_has_fifty_ticks_of_160_samples() -> None:
    assert TICKS_PER_S == 50
    assert SAMPLES_PER_TICK == 160
    assert tick_at(100.0) + TICKS_PER_S == tick_at(101.0)


def test_now_is_an_instant_in_utc() -> None:
    assert datetime_of(0.0) == datetime(1970, 1, 1, tzinfo=UTC)
