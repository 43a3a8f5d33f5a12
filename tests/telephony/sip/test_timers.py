"""The heap of deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from telephony.sip import timers
from telephony.sip.timers import Deadlines


class TestDeadlines:
    def test_earliest_first(self) -> None:
        deadlines = Deadlines()
        deadlines.set("a", "x", 2.0)
        deadlines.set("b", "x", 1.0)
        deadlines.set("a", "y", 3.0)
        assert (deadlines.next(), len(deadlines)) == (1.0, 3)
        assert deadlines.pop(0.5) is None
        assert [deadlines.pop(9.0) for _ in range(4)] == [("b", "x"), ("a", "x"), ("a", "y"), None]
        assert len(deadlines) == 0

    def test_setting_again_replaces(self) -> None:
        deadlines = Deadlines()
        deadlines.set("a", "x", 1.0)
        deadlines.set("a", "x", 5.0)
        assert (deadlines.next(), len(deadlines)) == (5.0, 1)

    def test_cancelling(self) -> None:
        deadlines = Deadlines()
        for name in ("x", "y", "z"):
            deadlines.set("a", name, 1.0)
        deadlines.cancel("a", "x")
        deadlines.cancel("a", "x")
        deadlines.cancel("b", "x")
        assert len(deadlines) == 2
        deadlines.cancel_all("a")
        deadlines.cancel_all("a")
        assert (deadlines.next(), len(deadlines)) == (None, 0)

    def test_what_is_cancelled_does_not_pile_up(self) -> None:
        deadlines = Deadlines()
        for number in range(10_000):
            deadlines.set(number, "x", 1e9)
            deadlines.cancel(number, "x")
        assert len(deadlines._heap) <= 65

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.floats(0, 10) | st.none())))
    def test_it_does_what_a_dict_would(self, moves: list[tuple[str, str, float | None]]) -> None:
        deadlines = Deadlines()
        model: dict[tuple[str, str], float] = {}
        for owner, name, when in moves:
            if when is None:
                deadlines.cancel(owner, name)
                model.pop((owner, name), None)
            else:
                deadlines.set(owner, name, when)
                model[owner, name] = when
            assert deadlines.next() == min(model.values(), default=None)
            assert len(deadlines) == len(model)
        order = []
        while (due := deadlines.pop(10.0)) is not None:
            order.append(model.pop((str(due[0]), due[1])))
        assert order == sorted(order)
        assert not model

    def test_give_up_times_are_64_t1(self) -> None:
        for give_up in (timers.TIMER_B_S, timers.TIMER_F_S, timers.TIMER_H_S, timers.TIMER_L_S, timers.TIMER_M_S):
            assert give_up == 64 * timers.T1_S
