"""Tick and time constants. Nothing here reads a clock.

`now` is a float of seconds since the Unix epoch that never runs backwards: each process anchors the machine's
monotonic clock to the wall clock once, at start, and workers take the control process's anchor
(`telephony.edge.process_clock`). So `now` may be compared, added to and shown, in every process.

A `tick` is `now` counted in steps of 20 ms. Media, recordings, transcripts and journals all count ticks, which is
why they cannot drift apart.
"""

from datetime import UTC, datetime
from typing import Final

SAMPLE_RATE_HZ: Final = 8000
TICK_MS: Final = 20
TICK_S: Final = TICK_MS / 1000
TICKS_PER_S: Final = 1000 // TICK_MS
SAMPLES_PER_TICK: Final = SAMPLE_RATE_HZ * TICK_MS // 1000


def tick_at(now: float) -> int:
    """Return the tick that `now` (seconds since the epoch) falls into.

    20 microseconds early count as on time: `time_of(tick)` is a binary fraction and may fall just short of its tick.
    """
    return int(now * TICKS_PER_S + 0.001)


def time_of(tick: int) -> float:
    """Return the instant (seconds since the epoch) at which `tick` begins."""
    return tick / TICKS_PER_S


def datetime_of(now: float) -> datetime:
    """Return `now` as an aware UTC datetime."""
    return datetime.fromtimestamp(now, UTC)


def iso(now: float) -> str:
    """Return `now` as the API writes instants: ISO 8601, UTC, milliseconds (`2026-11-22T10:41:00.120Z`)."""
    return datetime_of(now).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(at: float | None) -> str | None:
    """Return an instant as the API writes it, None for none."""
    return None if at is None else iso(at)
