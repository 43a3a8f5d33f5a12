"""One report per source and interval."""

from telephony.sip.limiter import Limiter


class TestLimiter:
    def test_one_per_interval_with_the_count_of_the_rest(self) -> None:
        limiter = Limiter(60.0, 10)
        assert [limiter.allows("a", now) for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0)] == [0, None, None, 2, None, 1]

    def test_sources_are_told_apart(self) -> None:
        limiter = Limiter(60.0, 10)
        assert [limiter.allows(source, 0.0) for source in ("a", "b", "a")] == [0, 0, None]

    def test_memory_is_bounded(self) -> None:
        limiter = Limiter(60.0, 10)
        for number in range(1_000):
            limiter.allows(str(number), 7.0 * number)
        assert len(limiter._sources) <= 10

    def test_forged_sources_have_no_more_reports_than_there_is_room_for(self) -> None:
        limiter = Limiter(60.0, 10)
        assert sum(limiter.allows(str(number), number / 100) is not None for number in range(6_000)) == 10
        assert limiter.allows("again", 61.0) == 0
