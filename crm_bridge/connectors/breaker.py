"""A circuit breaker: a CRM that does not answer is not asked for every caller anew. Pure: `now` is an argument.

closed --failures in a row--> open --its rest is over--> half_open --the one that is let through succeeds--> closed
                                ^                            `------- fails: open, with twice the rest
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

State = Literal["closed", "open", "half_open"]
Happened = Literal["succeeded", "failed", "failed_too_often", "rest_is_over"]

TABLE: Final[Mapping[tuple[State, Happened], State]] = {
    ("closed", "succeeded"): "closed",
    ("closed", "failed"): "closed",
    ("closed", "failed_too_often"): "open",
    ("open", "succeeded"): "closed",  # one that was asked before it opened
    ("open", "failed"): "open",
    ("open", "failed_too_often"): "open",
    ("open", "rest_is_over"): "half_open",
    ("half_open", "succeeded"): "closed",
    ("half_open", "failed"): "open",
    ("half_open", "failed_too_often"): "open",
    ("half_open", "rest_is_over"): "half_open",  # the one that was let through never came back
}

FAILURES: Final = 3
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 120.0
PROBE_S: Final = 30.0
"""So long one that is let through may take before another is."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a CRM stands. `until`: when open, the end of its rest; when half open, when the next is let through."""

    state: State = "closed"
    failures: int = 0
    rest_s: float = 0.0
    until: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether somebody may ask now."""
        return self.state == "closed" or now >= self.until

    def asked(self, now: float) -> "Breaker":
        """Return how it stands once somebody who was admitted asks."""
        if self.state == "closed":
            return self
        return replace(self, state=TABLE[self.state, "rest_is_over"], until=now + PROBE_S)

    def succeeded(self) -> "Breaker":
        """Return how it stands after an answer of any kind."""
        assert TABLE[self.state, "succeeded"] == "closed"  # noqa: S101 - the table says so of every state
        return Breaker()

    def failed(self, now: float) -> "Breaker":
        """Return how it stands after no answer, or one that is broken."""
        failures = self.failures + 1
        state = TABLE[self.state, "failed_too_often" if failures >= FAILURES else "failed"]
        if state == "closed":
            return replace(self, failures=failures)
        if self.state == "open":
            return replace(self, failures=failures)  # asked before it opened: its rest is no longer for it
        rest_s = min(LONGEST_REST_S, 2 * self.rest_s or FIRST_REST_S)
        return Breaker(state, failures, rest_s, now + rest_s)
