"""Which of several ready agents gets a call.

A strategy sees the agents who may take the call, at least one, and picks one. To add one, write it here, name it in
`StrategyName` and `STRATEGIES`: the settings and the ACD know strategies by name only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from telephony.acd.agent import Agent

StrategyName = Literal["longest_idle"]
Strategy = Callable[[Sequence[Agent]], Agent]


def longest_idle(agents: Sequence[Agent]) -> Agent:
    """Return the agent who has been ready longest; of equals the first by name, so that a replay picks the same."""
    return min(agents, key=lambda agent: (agent.idle_since, agent.name))


STRATEGIES: Final[Mapping[StrategyName, Strategy]] = {"longest_idle": longest_idle}
