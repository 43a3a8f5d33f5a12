"""The model of a test file: who calls into what world, what they do, and what is expected. Frozen and plain.

Every part that can be disappointed knows its line in the file.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from ivr_flows.facts import Facts
from ivr_flows.flow import Held
from ivr_flows.state import QueueOutcome
from telephony.events import CallerContext

ANSWERED_AFTER_S: Final = 20.0
TALK_S: Final = 60.0
REPLY_AFTER_S: Final = 0.2
CONFIDENCE: Final = 0.9
PHONE: Final = "+84900000000"
"""Who calls, where a scenario does not say."""
GAP: Final = "..."
"""In `steps:`, any steps or none."""


class Deed(msgspec.Struct, frozen=True, tag_field="deed"):
    """Something that the caller does, or hears."""

    line: int


class Hears(Deed, frozen=True, tag="hears"):
    """The words are heard, after what was heard before, and before the next question waits for the caller."""

    text: str


class HearsNot(Deed, frozen=True, tag="hears_not"):
    """The words are not heard from here to the next `hears`, or to the end."""

    text: str


class Presses(Deed, frozen=True, tag="press"):
    """Keys, once a question has been put and waits."""

    keys: str


class Interrupts(Deed, frozen=True, tag="interrupts"):
    """Keys at once, whatever is being said."""

    keys: str


class Says(Deed, frozen=True, tag="says"):
    """Words, once a question waits that may be answered by voice; with `interrupts` over the question, as soon as it is
    put. `confidence` is the recogniser's, 0 to 1."""

    text: str
    confidence: float = CONFIDENCE
    interrupts: bool = False


class Silent(Deed, frozen=True, tag="silent"):
    """So many questions get no answer."""

    times: int = 1


class Waits(Deed, frozen=True, tag="waits"):
    """Time goes by."""

    seconds: float


class HangsUp(Deed, frozen=True, tag="hangs_up"):
    """The caller hangs up, at once."""


AnyDeed = Hears | HearsNot | Presses | Interrupts | Says | Silent | Waits | HangsUp
NAMES: Final[Mapping[str, type[AnyDeed]]] = {
    "hears": Hears,
    "hears_not": HearsNot,
    "press": Presses,
    "interrupts": Interrupts,
    "says": Says,
    "silent": Silent,
    "waits": Waits,
    "hangs_up": HangsUp,
}


class Visit(msgspec.Struct, frozen=True):
    """What comes of waiting in a queue: an agent after `after_s` who talks for `talk_s`, or none. `timeout` comes when
    the queue's limit does."""

    outcome: QueueOutcome = "answered"
    after_s: float = ANSWERED_AFTER_S
    talk_s: float = TALK_S


class Reply(msgspec.Struct, frozen=True):
    """What the world says to a request, and when. `values` are what came of it: of a web service, the JSON answer.
    `caller` is who the caller is from then on, where that changes."""

    outcome: str
    values: Any = None
    after_s: float = REPLY_AFTER_S
    caller: CallerContext | None = None


class World(msgspec.Struct, frozen=True):
    """Everything but the caller's deeds. `replies` are for a kind of request (`lookup`), those of `http` for a pattern
    of addresses. The last visit of a queue and the last reply stand for all that follow."""

    facts: Facts = Facts()
    at: float = 0.0
    visits: Mapping[str, tuple[Visit, ...]] = {}
    replies: Mapping[str, tuple[Reply, ...]] = {}
    http: Mapping[str, tuple[Reply, ...]] = {}
    parameters: Mapping[str, Held] = {}


ExpectedKind = Literal[
    "steps", "variables", "exit", "queue", "case", "language", "notified", "noted", "scored", "ends", "hears",
    "hears_not",
]  # fmt: skip


class Expected(msgspec.Struct, frozen=True):
    """One thing expected of a call that is over: the text of it, or texts, or values by name."""

    kind: ExpectedKind
    line: int
    texts: tuple[str, ...] = ()
    values: Mapping[str, Held] = {}


class Scenario(msgspec.Struct, frozen=True):
    """One call."""

    name: str
    line: int
    world: World
    deeds: tuple[AnyDeed, ...]
    expected: tuple[Expected, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether the caller says anything."""
        return any(isinstance(deed, Says) for deed in self.deeds)


class Trials(msgspec.Struct, frozen=True):
    """A test file: the flow's name and its scenarios, in their order."""

    file: str
    flow: str
    scenarios: tuple[Scenario, ...]
