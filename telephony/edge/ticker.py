"""When to tick: absolute deadlines, so that being late once does not make everything after it late."""

from typing import Final

from telephony.clock import tick_at, time_of

CATCH_UP: Final = 3


class Ticker:
    """Counts ticks of 20 ms. Pure: `now` is an argument.

    A tick is due from the instant it begins. After a stall the last `CATCH_UP` ticks are run one after another; those
    before them are skipped and counted, because audio that old is of no use to anyone.
    """

    def __init__(self, now: float) -> None:
        self.next_tick = tick_at(now) + 1
        self.skipped = 0
        self.late = 0
        self._run = 0
        self._counted = (0, 0, 0)

    def wait_s(self, now: float) -> float:
        """Return how long to sleep until the next tick is due, 0 if it is."""
        return max(0.0, time_of(self.next_tick) - now)

    def due(self, now: float) -> range:
        """Return the ticks to run now, and count on from them."""
        # `time_of` decides, not `tick_at`, so that a sleep of `wait_s` ends in a due tick whatever the rounding.
        last = tick_at(now)
        if time_of(last + 1) <= now:
            last += 1
        pending = last - self.next_tick + 1
        if pending <= 0:
            return range(0)
        run = min(pending, CATCH_UP)
        self.skipped += pending - run
        self.late += run - 1
        self._run += run
        self.next_tick = last + 1
        return range(last + 1 - run, last + 1)

    def counted(self) -> tuple[int, int, int]:
        """Return how many ticks were run, how many of those late, and how many were skipped, since last asked."""
        total, before = (self._run, self.late, self.skipped), self._counted
        self._counted = total
        return total[0] - before[0], total[1] - before[1], total[2] - before[2]
