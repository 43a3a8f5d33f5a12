import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.interarrival import Interarrival
from telephony.rtp.packet import Integers

LEG = np.array([1], np.int64)
CLOCK = np.array([160], np.int64)


def one(value: int) -> Integers:
    return np.array([value % 2**32], np.int64)


def test_even_arrivals_have_none_over_the_wrap_of_the_timestamp() -> None:
    even = Interarrival(2)
    for number in range(100):
        even.note(LEG, one(7), one(2**32 - 3200 + 160 * number), 5000 + number, CLOCK)
    assert even.jitter(1) == 0


def test_the_estimator_of_the_rfc() -> None:
    """J += (|D| - J) / 16, and D is 160 for every packet that comes a tick early or late."""
    uneven, expected = Interarrival(2), 0.0
    uneven.note(LEG, one(7), one(0), 1000, CLOCK)
    for number in range(1, 60):
        uneven.note(LEG, one(7), one(160 * number), 1000 + number + number % 2, CLOCK)
        expected += (160 - expected) / 16
    assert uneven.jitter(1) == pytest.approx(expected)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40), st.integers(0, 2**40))
def test_a_pause_or_another_source_is_no_jitter(timestamps: list[int], tick: int) -> None:
    """Whatever the timestamps, what is counted stays below the jump that is taken for a new beginning."""
    wild = Interarrival(2)
    for number, timestamp in enumerate(timestamps):
        wild.note(LEG, one(number % 2), one(timestamp), tick + number, CLOCK)
    assert wild.jitter(1) == 0


def test_reset_forgets() -> None:
    gone = Interarrival(2)
    gone.note(LEG, one(7), one(0), 1000, CLOCK)
    gone.note(LEG, one(7), one(160), 1002, CLOCK)
    assert gone.jitter(1) > 0
    gone.reset(1)
    assert gone.jitter(1) == 0
