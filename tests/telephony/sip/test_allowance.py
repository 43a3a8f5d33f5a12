"""So much of one sender in a minute, and no more."""

from telephony.sip.allowance import Allowance


def test_a_burst_and_then_as_fast_as_the_minute_goes() -> None:
    allowance = Allowance(6, 10)
    assert [allowance.takes("a", 0.0) for _ in range(8)] == [True] * 6 + [False] * 2
    assert not allowance.takes("a", 9.0)
    assert allowance.takes("a", 10.1)
    assert not allowance.takes("a", 10.2)
    assert [allowance.takes("a", 200.0) for _ in range(7)] == [True] * 6 + [False]


def test_senders_are_told_apart() -> None:
    allowance = Allowance(1, 10)
    assert [allowance.takes(sender, 0.0) for sender in "abab"] == [True, True, False, False]


def test_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    allowance = Allowance(1, 2)
    assert [allowance.takes(sender, 0.0) for sender in "abcc"] == [True, True, True, False]
    assert allowance.takes("a", 0.0)
    assert len(allowance._levels) == 2
