"""Deadlines with lazy deletion behave as a plain dictionary of instants."""

from hypothesis import given
from hypothesis import strategies as st

from telephony.switchboard.deadlines import Deadlines

puts = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9).map(float)), max_size=30)


@given(puts, st.integers(0, 9).map(float))
def test_next_and_due_are_those_of_a_plain_dictionary(changes: list[tuple[str, float | None]], now: float) -> None:
    deadlines: Deadlines[str] = Deadlines()
    plain: dict[str, float] = {}
    for key, when in changes:
        deadlines.put(key, when)
        if when is None:
            plain.pop(key, None)
        else:
            plain[key] = when
        assert deadlines.next() == min(plain.values(), default=None)
    due = deadlines.due(now)
    assert sorted(due) == sorted(key for key, when in plain.items() if when <= now)
    assert [plain[key] for key in due] == sorted(plain[key] for key in due)
    assert deadlines.next() == min((when for when in plain.values() if when > now), default=None)


def test_memory_follows_what_is_in_force_however_far_away_the_rest_was() -> None:
    deadlines: Deadlines[int] = Deadlines()
    deadlines.put(-1, 5e9)
    for call in range(10_000):
        deadlines.put(call, 1e9 + call)
        deadlines.put(call, None)
    assert len(deadlines) <= 70
    assert deadlines.next() == 5e9
