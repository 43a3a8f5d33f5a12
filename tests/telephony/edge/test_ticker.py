from hypothesis import given
from hypothesis import strategies as st

from telephony.clock import TICK_S, time_of
from telephony.edge.ticker import CATCH_UP, Ticker

NOW = 1_795_000_000.013


@given(st.lists(st.floats(0.0, 0.5), max_size=60), st.floats(1.7e9, 1.9e9))
def test_every_tick_is_run_once_in_order_or_counted_as_skipped(stalls: list[float], now: float) -> None:
    ticker = Ticker(now)
    first, ticks, counted = ticker.next_tick, list[int](), [0, 0, 0]
    for stall in stalls:
        now += stall
        due = ticker.due(now)
        assert len(due) <= CATCH_UP
        assert all(time_of(tick) <= now + 21e-6 for tick in due)
        ticks += due
        counted = [before + more for before, more in zip(counted, ticker.counted(), strict=True)]
    assert counted == [len(ticks), ticker.late, ticker.skipped]
    assert ticker.counted() == (0, 0, 0)
    assert ticks == sorted(set(ticks))
    assert ticker.next_tick - first == len(ticks) + ticker.skipped
    assert time_of(ticker.next_tick) > now


@given(st.floats(1.7e9, 1.9e9))
def test_sleeping_as_told_never_drifts(now: float) -> None:
    ticker = Ticker(now)
    first = ticker.next_tick
    for number in range(100):
        now += ticker.wait_s(now)
        assert list(ticker.due(now)) == [first + number]
        now += 0.3 * TICK_S  # the work
    assert (ticker.skipped, ticker.late) == (0, 0)


def test_a_stall_is_caught_up_by_three_ticks() -> None:
    ticker = Ticker(NOW)
    first = ticker.next_tick
    assert list(ticker.due(time_of(first + 2))) == [first, first + 1, first + 2]
    assert (ticker.skipped, ticker.late) == (0, 2)
    assert list(ticker.due(time_of(first + 12))) == [first + 10, first + 11, first + 12]
    assert (ticker.skipped, ticker.late) == (7, 4)
    assert list(ticker.due(time_of(first + 12))) == []
    assert ticker.wait_s(time_of(first + 13)) == 0.0
