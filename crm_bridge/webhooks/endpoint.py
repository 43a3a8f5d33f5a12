"""Who is told, and of what. Light: the settings import it."""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

EventType = Literal[
    "call.ended",
    "interaction.created",
    "interaction.updated",
    "recording.transcribed",
    "customer.merged",
    "customer.split",
    "customer.erased",
]
TYPES: Final[tuple[EventType, ...]] = get_args(EventType)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody who is told. `keys` sign, the new one first; `retries_s` are the waits before each further attempt;
    `private` allows addresses that are not of the public internet, and http."""

    name: str
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    events: frozenset[EventType]
    retries_s: tuple[float, ...]
    timeout_s: float
    at_once: int
    private: bool
