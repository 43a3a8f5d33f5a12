"""What becomes of what is to be delivered after an attempt. Pure: time and chance are arguments.

pending --2xx--> delivered
pending --anything else--> pending, to be tried again later --no try left--> dead --replayed--> pending
pending --will never be taken--> dead
pending --410--> dead, and the endpoint is told nothing more
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["pending", "delivered", "dead"]

JITTER: Final = 0.2
"""So much longer than the schedule says a wait may be, so that a crowd which failed together does not come together."""
MAX_RETRY_AFTER_S: Final = 86_400.0
GONE: Final = 410
FIRST_REST_S: Final = 1.0
LONGEST_REST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. `status` is that of HTTP (200 for what any other protocol took), 0 where none came, for
    which `cause` has the words; `retry_after_s` is what a far end under load asks for. `is_final`: trying again is of
    no use. `reference` is the far end's own name for what it took."""

    status: int
    cause: str = ""
    retry_after_s: float = 0.0
    is_final: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be written down. `next_at` counts while it is pending, `error` says what went wrong last; `gone`: the
    far end wants no webhooks any more."""

    state: State
    attempts: int
    next_at: float
    error: str = ""
    gone: bool = False


def judge(retries_s: Sequence[float], attempts: int, answer: Answer, now: float, chance: float) -> Verdict:
    """Judge an attempt that came after `attempts` others. `retries_s` are the waits before each further one, `chance`
    is 0 (no jitter) to 1."""
    tried = attempts + 1
    if 200 <= answer.status <= 299:
        return Verdict("delivered", tried, now)
    error = answer.cause or f"HTTP {answer.status}"
    if answer.status == GONE:
        return Verdict("dead", tried, now, error, gone=True)
    if answer.is_final or tried > len(retries_s):
        return Verdict("dead", tried, now, error)
    wait_s = retries_s[attempts] * (1 + JITTER * chance)
    asked_s = min(answer.retry_after_s, MAX_RETRY_AFTER_S)
    return Verdict("pending", tried, now + max(wait_s, asked_s), error)


def judge_all(
    retries_s: Sequence[float],
    attempts: Sequence[int],
    answers: Sequence[Answer],
    now: float,
    chance: Callable[[], float],
) -> list[Verdict]:
    """Judge the attempts of a round, each with a chance of its own."""
    return [judge(retries_s, before, answer, now, chance()) for before, answer in zip(attempts, answers, strict=True)]


def rest_s(before_s: float, answers: Sequence[Answer]) -> float:
    """Return how long an endpoint is left alone after a round, `before_s` after the round before: not at all where it
    took anything, else twice as long each time. One that is down or overloaded is not asked for every customer anew."""
    if any(200 <= answer.status <= 299 or answer.is_final for answer in answers):
        return 0.0
    return min(LONGEST_REST_S, max(FIRST_REST_S, 2 * before_s))


def retry_after_s(value: str, default_s: float = 0.0) -> float:
    """Read Retry-After in seconds (RFC 9110 section 10.2.3), a day at most; a date is not looked at, since clocks
    differ."""
    try:
        wait_s = float(value)
    except ValueError:
        return default_s
    return min(wait_s, MAX_RETRY_AFTER_S) if wait_s >= 0 else default_s
