"""What callers, agents and other systems do in a simulation: shares of one, and times. Frozen and plain."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from ivr_flows.trials.scenario import World

Shape = Literal["fixed", "exponential", "lognormal"]
Shares = Mapping[str, float]
"""What may happen, and how often: the shares make one."""

RIGHT: Final = "right"
WRONG: Final = "wrong"
SILENT: Final = "silent"
HANGS_UP: Final = "hangs_up"

ARRIVALS_PER_H: Final = 120.0
CALLS: Final = 1000
AGENTS: Final = 8
SERVICE_LEVEL_S: Final = 20.0
WRAP_UP_S: Final = 10.0
MAX_WAITING: Final = 100


class Time(msgspec.Struct, frozen=True):
    """How long something takes, in seconds: always so, or drawn with that mean (and deviation, if lognormal)."""

    mean_s: float
    shape: Shape = "exponential"
    deviation_s: float = 0.0


class Kind(msgspec.Struct, frozen=True):
    """A kind of callers, and the world that they call into."""

    name: str
    share: float
    world: World


class QueueBehaviour(msgspec.Struct, frozen=True):
    """A queue and who serves it: so many agents of its own, or (0) those who serve all."""

    name: str
    agents: int = 0
    wrap_up_s: float = WRAP_UP_S
    max_waiting: int = MAX_WAITING
    service_level_s: float = SERVICE_LEVEL_S


class Behaviour(msgspec.Struct, frozen=True):
    """All of a simulation but the flow, the number of calls and the seed. `steps` are shares by place."""

    kinds: tuple[Kind, ...]
    queues: tuple[QueueBehaviour, ...]
    steps: Mapping[str, Shares] = {}
    arrivals_per_h: float = ARRIVALS_PER_H
    agents: int = AGENTS
    patience: Time = Time(180.0)
    thinking: Time = Time(2.0)
    handling: Time = Time(180.0)
    ringing: Time = Time(3.0, "fixed")
