"""The one place where a process reads its clocks."""

import time


class ProcessClock:
    """`now()` in seconds since the epoch, never backwards: the monotonic clock plus an anchor taken once.

    Linux's CLOCK_MONOTONIC is one clock for all processes, so a worker that is given the control process's anchor
    counts the very same ticks.
    """

    def __init__(self, anchor: float | None = None) -> None:
        self.anchor = time.time() - time.monotonic() if anchor is None else anchor

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        return self.anchor + time.monotonic()


def age_s(seconds: int, nanoseconds: int) -> float:
    """Return how long ago the kernel stamped something with its wall clock; 0 where that clock was set back since."""
    return max(0.0, time.time() - seconds - nanoseconds / 1e9)


def worked_s() -> float:
    """Return for how many seconds this thread has had a processor."""
    return time.thread_time()
