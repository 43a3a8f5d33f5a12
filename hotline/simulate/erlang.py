"""What queueing theory says of a queue without impatience: M/M/c, known as Erlang C. Pure."""

import math
from typing import NamedTuple


class ErlangC(NamedTuple):
    """The share of callers who wait, their mean wait (all callers, seconds), and the agents' occupancy."""

    waits: float
    mean_wait_s: float
    occupancy: float

    def within(self, seconds: float, agents: int, handling_s: float) -> float:
        """Return the share of callers who wait so long at most (the service level)."""
        spare = agents * (1 - self.occupancy)
        return 1 - self.waits * math.exp(-spare * seconds / handling_s)


def erlang_c(arrivals_per_s: float, handling_s: float, agents: int) -> ErlangC | None:
    """Return the figures of a queue; None for one that grows for ever.

    Erlang B by its recursion, which does not overflow, and C from it: C = B / (1 - rho (1 - B)).
    """
    load = arrivals_per_s * handling_s
    if agents < 1 or load >= agents:
        return None
    blocked = 1.0
    for servers in range(1, agents + 1):
        blocked = load * blocked / (servers + load * blocked)
    occupancy = load / agents
    waits = blocked / (1 - occupancy * (1 - blocked))
    return ErlangC(waits, waits * handling_s / (agents - load), occupancy)
