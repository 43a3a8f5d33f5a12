"""The queues of the ACD: what is configured of one, and the calls that wait.

A call keeps its place from `CallQueued` until it is answered, leaves or times out; being offered, refused and offered
again does not move it.
"""

from dataclasses import dataclass, field
from typing import Final

from telephony.acd.strategy import StrategyName

REJECT_PAUSE_S: Final = 5.0
# With nobody else to ask, the same agent is asked again sooner, but never at once: a phone on do-not-disturb refuses
# within a millisecond, and the two would play ball at the speed of the wire.
REJECT_PAUSE_ALONE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What is configured of a queue; times in seconds. `agents` is `None` for every agent there is."""

    name: str
    ring_timeout_s: float = 15.0
    wrap_up_s: float = 10.0
    max_waiting: int = 100
    agents: tuple[str, ...] | None = None
    strategy: StrategyName = "longest_idle"

    def has(self, agent: str) -> bool:
        """Say whether `agent` serves this queue."""
        return self.agents is None or agent in self.agents


@dataclass(slots=True)
class WaitingCall:
    """A call in a queue. `place` orders calls: priority, then arrival, then the order in which they were queued."""

    call: str
    queue: QueueSettings
    place: tuple[int, float, int]
    limit_at: float
    offered_to: str = ""
    rejected_at: dict[str, float] = field(default_factory=dict)
    only: str = ""

    def is_for(self, agent: str) -> bool:
        """Say whether `agent` may be offered this call."""
        return self.only == agent if self.only else self.queue.has(agent)

    @property
    def since(self) -> float:
        """When the call began to wait."""
        return self.place[1]

    def may_ask(self, agent: str, now: float, pause_s: float) -> bool:
        """Say whether `agent` has not refused this very call within the last `pause_s` seconds."""
        rejected_at = self.rejected_at.get(agent)
        return rejected_at is None or now >= rejected_at + pause_s
