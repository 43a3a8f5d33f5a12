"""The agents of the ACD: their states as a table.

Rule 1: everything that moves an agent from state to state is in `AGENT`. A step that is not there is a late or repeated
input, and changes nothing.

Rule 2: `rest` is no state: it stands for the one of offline, not_ready and ready that the agent's phone (`reachable`)
and its wish (`reason`) ask for.

Rule 3: `reason` is the wish. Empty: the agent takes calls when it can. Anything else: it does not, and why. It may be
set in every state, and decides where the agent comes to rest.

Rule 4: ringing and after_call_work are leases: they end at `lease_until`, whatever else happens. So does not_ready for
`UNREACHABLE`, which nobody asked for. A talk lasts as long as its call.

Rule 5: `engaged` are the calls that no queue knows of, besides or in place of the one that a queue gave. While there is
one, the agent comes to no rest and to no after-work: whatever would end there goes on as a talk in it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from telephony.acd.messages import AgentChanged, AgentSnapshot
from telephony.events import AgentState

AgentInput = Literal[
    "reached",
    "lost",
    "asked_ready",
    "asked_not_ready",
    "offered",
    "answered",
    "rejected",
    "unanswered",
    "failed",
    "withdrawn",
    "talk_ended",
    "lease_ended",
    "engaged",
    "disengaged",
]

AGENT: Final[Mapping[tuple[AgentState, AgentInput], AgentState | Literal["rest"]]] = {
    ("offline", "reached"): "rest",
    ("offline", "lost"): "offline",
    ("offline", "asked_ready"): "offline",
    ("offline", "asked_not_ready"): "offline",
    ("not_ready", "reached"): "rest",
    ("not_ready", "lost"): "offline",
    ("not_ready", "asked_ready"): "rest",
    ("not_ready", "asked_not_ready"): "not_ready",
    ("not_ready", "lease_ended"): "rest",
    ("ready", "reached"): "ready",
    ("ready", "lost"): "offline",
    ("ready", "asked_ready"): "ready",
    ("ready", "asked_not_ready"): "not_ready",
    ("ready", "offered"): "ringing",
    ("ringing", "reached"): "ringing",
    ("ringing", "lost"): "offline",
    ("ringing", "asked_ready"): "ringing",
    ("ringing", "asked_not_ready"): "not_ready",
    ("ringing", "answered"): "talking",
    ("ringing", "rejected"): "rest",
    ("ringing", "unanswered"): "not_ready",
    ("ringing", "failed"): "not_ready",
    ("ringing", "withdrawn"): "rest",
    # A call that no queue knows of. Who is in one is busy, and has no after-work of it.
    ("offline", "engaged"): "talking",
    ("not_ready", "engaged"): "talking",
    ("ready", "engaged"): "talking",
    ("after_call_work", "engaged"): "talking",
    ("talking", "disengaged"): "rest",
    # A registration that comes or goes during a talk or its after-work says nothing about either.
    ("talking", "reached"): "talking",
    ("talking", "lost"): "talking",
    ("talking", "asked_ready"): "talking",
    ("talking", "asked_not_ready"): "talking",
    ("talking", "talk_ended"): "after_call_work",
    ("after_call_work", "reached"): "after_call_work",
    ("after_call_work", "lost"): "after_call_work",
    ("after_call_work", "asked_ready"): "rest",
    ("after_call_work", "asked_not_ready"): "after_call_work",
    ("after_call_work", "lease_ended"): "rest",
}

NO_ANSWER: Final = "no_answer"
UNREACHABLE: Final = "unreachable"
REJECTING: Final = "rejecting"
UNSPECIFIED: Final = "unspecified"


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What is configured of an agent.

    After `max_rejections` refusals in a row (a phone left on do-not-disturb) the agent is set not_ready. After a failed
    offer the phone is tried again when it registers, or after `retry_unreachable_s` seconds.
    """

    name: str
    max_rejections: int = 3
    retry_unreachable_s: float = 30.0


@dataclass(slots=True)
class Agent:
    """One agent. Instants are seconds since the epoch; `lease_until` is infinity outside of a lease."""

    settings: AgentSettings
    state: AgentState = "offline"
    reason: str = ""
    since: float = 0.0
    idle_since: float = 0.0
    call: str = ""
    queue: str = ""
    reachable: bool = False
    lease_until: float = math.inf
    talk_started_at: float = 0.0
    rejections: int = 0
    engaged: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The agent's name, which is its phone's user."""
        return self.settings.name

    def rest(self) -> AgentState:
        """Return the state in which the agent belongs when it has no call."""
        if not self.reachable:
            return "offline"
        return "not_ready" if self.reason else "ready"

    def take(self, taken: AgentInput, now: float) -> bool:
        """Go where the table says; return whether the table knows the step."""
        listed = AGENT.get((self.state, taken))
        if listed is None:
            return False
        state = self.rest() if listed == "rest" else listed
        if self.engaged and state not in ("ringing", "talking"):
            state, self.call, self.queue = "talking", self.engaged[0], ""
        if state != self.state:
            self._enter(state, now, keeps_idle_time=taken == "withdrawn")
        elif state == "not_ready":
            self.lease_until = math.inf  # the agent's own reason has taken the place of `UNREACHABLE`
        return True

    def _enter(self, state: AgentState, now: float, *, keeps_idle_time: bool) -> None:
        self.state, self.since, self.lease_until = state, now, math.inf
        if state == "ready" and not keeps_idle_time:
            self.idle_since = now
        if state in ("offline", "not_ready", "ready"):
            self.call = self.queue = ""

    def changed(self) -> AgentChanged:
        """Return the agent as an output."""
        return AgentChanged(self.name, self.state, self.reason, self.since, self.call)

    def snapshot(self) -> AgentSnapshot:
        """Return the agent for the API."""
        idle_since = self.idle_since if self.state == "ready" else 0.0
        until = self.lease_until if self.state in ("ringing", "after_call_work") else 0.0
        return AgentSnapshot(
            self.name,
            self.state,
            self.reason,
            self.since,
            self.call,
            self.reachable,
            idle_since,
            0.0 if math.isinf(until) else until,
        )
