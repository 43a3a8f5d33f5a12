"""Wrong passwords: what they cost, and whom not."""

from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.guesses import FORGIVEN_S, GENTLE_S, LONGEST_S, Guesses

HERE, THERE = "mark of here", "mark of there"


def make(size: int = 100) -> Guesses:
    return Guesses(3, size)


def fail(guesses: Guesses, times: int, asker: str = HERE, user: str = "desk", now: float = 0.0) -> None:
    for _ in range(times):
        guesses.failed(asker, user, now)


def test_three_are_free_and_then_the_wait_doubles() -> None:
    guesses = make()
    waits = []
    for _ in range(7):
        guesses.failed(HERE, "desk", 0.0)
        waits.append(guesses.wait(HERE, "desk", 0.0))
    assert waits == [0, 0, 1, 2, 4, 8, 16]
    assert guesses.wait(HERE, "desk", 17.0) == 0


def test_the_wait_has_an_end() -> None:
    guesses = make()
    fail(guesses, 10_000)
    assert guesses.wait(HERE, "desk", 0.0) == LONGEST_S
    assert guesses.wait(HERE, "desk", 0.0, gentle=True) == GENTLE_S


def test_nobody_is_shut_out_by_what_comes_from_elsewhere() -> None:
    guesses = make()
    fail(guesses, 1000, THERE)
    assert guesses.wait(HERE, "desk", 0.0) == 0


def test_many_users_from_one_address_are_one_attack() -> None:
    guesses = make()
    for number in range(9):
        fail(guesses, 1, user=f"user{number}")
    assert guesses.wait(HERE, "another", 0.0) > 0
    assert guesses.wait(THERE, "another", 0.0) == 0


def test_the_right_password_forgives_that_user_alone() -> None:
    guesses = make()
    fail(guesses, 8)
    assert guesses.wait(HERE, "desk", 0.0) == 32
    guesses.succeeded(HERE, "desk")
    assert guesses.wait(HERE, "desk", 0.0) == 0
    fail(guesses, 1, user="lan")
    assert guesses.wait(HERE, "desk", 0.0) > 0, "the address has guessed nine times"


def test_an_hour_later_all_is_forgotten() -> None:
    guesses = make()
    fail(guesses, 8)
    guesses.failed(HERE, "desk", FORGIVEN_S + 1)
    assert guesses.wait(HERE, "desk", FORGIVEN_S + 1) == 0


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans(), st.floats(0.0, 100.0)), max_size=300),
    st.integers(1, 20),
)
def test_memory_is_constant(inputs: list[tuple[int, int, bool, float]], size: int) -> None:
    guesses = make(size)
    now = 0.0
    for asker, user, right, pause in inputs:
        now += pause
        if right:
            guesses.succeeded(str(asker), str(user))
        else:
            guesses.failed(str(asker), str(user), now)
        assert len(guesses) <= size
        assert 0.0 <= guesses.wait(str(asker), str(user), now) <= LONGEST_S
