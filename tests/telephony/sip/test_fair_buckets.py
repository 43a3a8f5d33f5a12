"""Token buckets: fair, and as large as they were made, whatever comes."""

from hypothesis import assume, given
from hypothesis import strategies as st

from telephony.sip.fair_buckets import FairBuckets

RATE, BURST = 5.0, 10.0


def make(size: int = 4096) -> FairBuckets:
    return FairBuckets(RATE, BURST, size, b"secret")


def test_a_burst_and_then_the_rate() -> None:
    buckets = make()
    assert [buckets.take("a", 0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [buckets.take("a", 0.2 * number) for number in range(1, 6)] == [True] * 5
    assert not buckets.take("a", 1.0)


def test_who_asks_nothing_saves_no_more_than_the_burst() -> None:
    buckets = make()
    assert sum(buckets.take("a", 1e6) for _ in range(100)) == 10


def test_a_flood_of_one_is_its_own_affair() -> None:
    buckets = make()
    for number in range(100_000):
        buckets.take("flood", number / 10_000)
    assert all(buckets.take(f"caller {number}", 10.0) for number in range(100))


def test_a_hundred_floods_hold_up_next_to_nobody() -> None:
    buckets = make()
    for number in range(100):
        for _ in range(50):
            buckets.take(f"flood {number}", 10.0)
    callers = [buckets.take(f"caller {number}", 10.0) for number in range(1000)]
    assert sum(callers) >= 995


def test_forged_senders_beyond_number_leave_everybody_a_share() -> None:
    """10,000 a second, each from another address, for 20 s: a caller who asks twice a second is heard now and then."""
    buckets = make(256)
    heard = 0
    for number in range(200_000):
        now = number / 10_000
        buckets.take(f"forged {number}", now)
        if number % 5000 == 0:
            heard += buckets.take("caller", now)
    assert 1 <= heard <= 40


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0.0, 5.0, allow_nan=False)), max_size=200),
    st.integers(1, 16),
)
def test_memory_is_constant_and_nobody_gets_more_than_the_rate(asked: list[tuple[str, float]], size: int) -> None:
    buckets = make(size)
    taken: dict[str, int] = {}
    now = 0.0
    for sender, pause in asked:
        now += pause
        taken[sender] = taken.get(sender, 0) + buckets.take(sender, now)
    assert len(buckets._tokens) == len(buckets._since) == 2 * size
    assert all(0.0 <= tokens <= BURST for tokens in buckets._tokens)
    for count in taken.values():
        assert count <= 2 * (BURST + RATE * now) + 1


@given(st.floats(0.0, 1e9), st.floats(-10.0, 10.0))
def test_a_clock_that_steps_back_gives_nothing(start: float, step: float) -> None:
    assume(abs(step - 0.2) > 1e-3)  # floats are not exact, at 1e9 least of all
    buckets = make()
    while buckets.take("a", start):
        pass
    assert buckets.take("a", start + step) == (step >= 0.2)
