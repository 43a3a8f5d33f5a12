"""How fast a CRM is asked, and when something is asked again. Pure: time and chance are arguments."""

from dataclasses import dataclass, replace
from typing import Final

RETRIES: Final = 2
"""So often something that reads is asked again while somebody waits for it."""
FIRST_WAIT_S: Final = 0.2
JITTER: Final = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """A bucket of `burst` tokens that gains `per_s` a second; nothing is asked before `paused_until`, which the CRM has
    asked for."""

    per_s: float
    burst: int
    tokens: float
    at: float = 0.0
    paused_until: float = 0.0

    @classmethod
    def full(cls, per_s: float, burst: int) -> "Pace":
        """Return one that nobody has asked yet."""
        return cls(per_s, burst, float(burst))

    def wait_s(self, now: float) -> float:
        """Return how long the next request has to wait, 0 for not at all."""
        for_token = max(0.0, 1 - self._tokens(now)) / self.per_s
        return max(for_token, self.paused_until - now, 0.0)

    def took(self, now: float) -> "Pace":
        """Return it after a request that is made at `now`, or at the end of its wait, which `now` is before."""
        return replace(self, tokens=self._tokens(now) - 1, at=max(now, self.at))

    def paused(self, now: float, wait_s: float) -> "Pace":
        """Return it after the CRM has asked for `wait_s` of peace."""
        return replace(self, paused_until=max(self.paused_until, now + wait_s))

    def _tokens(self, now: float) -> float:
        return min(float(self.burst), self.tokens + max(0.0, now - self.at) * self.per_s)


def again_in_s(retries: int, asked_s: float, left_s: float, chance: float) -> float | None:
    """Return how long to wait before something is asked again, `retries` times asked again before; None for not at all.
    `asked_s` is what the CRM wants, `left_s` how long somebody still waits, `chance` 0 to 1."""
    wait_s = max(FIRST_WAIT_S * 2**retries * (1 + JITTER * chance), asked_s)
    return wait_s if retries < RETRIES and 2 * wait_s <= left_s else None
