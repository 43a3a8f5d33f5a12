"""What a call was, once it is over: its way, what was heard, and what did not come true. Frozen and plain."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from ivr_flows.flow import Held
from ivr_flows.state import Failure
from ivr_flows.trials.marks import Exit
from telephony.events import Prompt
from telephony.requests import SendMessage

BY_CALLER: Final = "caller"
"""Why a call ends that the caller ends."""
AWAY: Final = "transferred"
"""Why a call ends that is given away."""


class Moment(NamedTuple):
    """Something on the way of a call, for people: seconds from its begin, what, and the words of it."""

    at_s: float
    what: str
    text: str


class Disappointment(msgspec.Struct, frozen=True):
    """A line of the scenario that did not come true, and what was there instead."""

    line: int
    text: str
    instead: tuple[str, ...] = ()


class Played(msgspec.Struct, frozen=True):
    """A call that is over. `steps` is its way, `exits` those that it took, in order, `left` the one by which its flow
    returned; `queues` those it waited in."""

    steps: tuple[str, ...]
    exits: tuple[Exit, ...]
    left: str
    variables: Mapping[str, Held]
    case: str
    language: str
    ended: str
    heard: tuple[str, ...]
    queues: tuple[str, ...]
    messages: tuple[SendMessage, ...]
    notes: tuple[str, ...]
    scores: tuple[int, ...]
    failures: tuple[Failure, ...]
    way: tuple[Moment, ...]
    lasted_s: float
    disappointment: Disappointment | None = None


def words_of(prompt: Prompt) -> str:
    """Return a prompt as a scenario speaks of it: its words, or the name of its file or music."""
    return prompt.value.rpartition("/")[2] if prompt.kind == "file" else prompt.value
