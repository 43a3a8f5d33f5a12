"""What goes into the ACD and what comes out of it.

Inputs are past participles, outputs imperatives or facts for the switchboard, as in `telephony.events`. A `call` and an
`agent` are opaque names; an agent's name is also the user of its registered phone.
"""

from typing import Literal

import msgspec

from telephony.events import AgentState, TimePassed

DeclineCause = Literal["rejected", "no_answer", "failed"]
WithdrawCause = Literal["no_answer", "caller_left", "timed_out", "not_ready", "unreachable"]
RefusalCause = Literal["full", "closed", "unknown_queue"]


class CallQueued(msgspec.Struct, frozen=True, tag=True):
    """A call enters a queue. It may wait `limit_s` seconds (infinity: for ever).

    `priority` 1 is served first, 5 is usual. `waiting_since` (seconds since the epoch, 0 for now) gives a call its old
    place back when it has to queue again through no fault of the caller's. `only` names the one agent to whom it may be
    offered, whatever queues that agent serves; `avoid` those who have just given it away, and are asked a little later.
    `promised`: it has its place, however full the queue is. `closed`: nobody is there for the queue at this hour.
    """

    call: str
    queue: str
    limit_s: float
    priority: int = 5
    waiting_since: float = 0.0
    only: str = ""
    avoid: tuple[str, ...] = ()
    promised: bool = False
    closed: bool = False


class CallLeft(msgspec.Struct, frozen=True, tag=True):
    """The caller hung up or was taken elsewhere, whether waiting, offered or talking."""

    call: str


class AgentReady(msgspec.Struct, frozen=True, tag=True):
    """The agent wants calls: at once, or as soon as the phone is registered, or after the present call."""

    agent: str


class AgentNotReady(msgspec.Struct, frozen=True, tag=True):
    """The agent wants no further call. While talking, it takes effect after the call."""

    agent: str
    reason: str = ""


class AgentReachable(msgspec.Struct, frozen=True, tag=True):
    """The agent's phone is registered (said again at each refresh), or is not any more."""

    agent: str
    reachable: bool


class OfferAnswered(msgspec.Struct, frozen=True, tag=True):
    """The agent's phone answered the offered call."""

    call: str
    agent: str


class OfferTaken(msgspec.Struct, frozen=True, tag=True):
    """The agent's phone answered, and the agent hears first who it is: the offer stands for `for_s` seconds more, and
    is answered or declined after that."""

    call: str
    agent: str
    for_s: float


class OfferDeclined(msgspec.Struct, frozen=True, tag=True):
    """The agent's phone ended the offer: refused it, stopped ringing, or could not be reached."""

    call: str
    agent: str
    cause: DeclineCause


class AgentEngaged(msgspec.Struct, frozen=True, tag=True):
    """The agent is in a call that no queue knows of (a call between phones): nothing is to be offered meanwhile."""

    agent: str
    call: str


class AgentDisengaged(msgspec.Struct, frozen=True, tag=True):
    """That call is over."""

    agent: str
    call: str


class TalkTaken(msgspec.Struct, frozen=True, tag=True):
    """The agent, engaged until now, takes over a talk that came by a queue (an attended transfer)."""

    agent: str
    call: str
    queue: str


class TalkEnded(msgspec.Struct, frozen=True, tag=True):
    """Agent and caller are apart."""

    call: str
    agent: str


class OfferCall(msgspec.Struct, frozen=True, tag=True):
    """Ring the agent's phone for this call."""

    call: str
    agent: str


class WithdrawOffer(msgspec.Struct, frozen=True, tag=True):
    """Stop ringing. An answer that crosses this on the wire must be hung up: the call is not that agent's any more."""

    call: str
    agent: str
    cause: WithdrawCause


class CallTimedOut(msgspec.Struct, frozen=True, tag=True):
    """The call waited as long as it may and is out of the queue."""

    call: str


class CallRefused(msgspec.Struct, frozen=True, tag=True):
    """The queue does not take the call."""

    call: str
    cause: RefusalCause


class AgentChanged(msgspec.Struct, frozen=True, tag=True):
    """An agent as the row and the pages should show it now.

    `reason` says why the agent is not ready, or, in any other state, why it will not be ready afterwards; empty means
    that it takes calls when it can. `since` is when the present state began (seconds since the epoch).
    """

    agent: str
    state: AgentState
    reason: str
    since: float
    call: str


class AgentSnapshot(msgspec.Struct, frozen=True):
    """An agent for the API and for `Acd.restore`; `idle_since` is 0 unless ready. `until` is when ringing or after-call
    work ends by itself, 0 for other states."""

    agent: str
    state: AgentState
    reason: str = ""
    since: float = 0.0
    call: str = ""
    reachable: bool = False
    idle_since: float = 0.0
    until: float = 0.0


class Place(msgspec.Struct, frozen=True):
    """A call's place in its queue: 1 is served next. `estimated_wait_s` is None where nobody is staffed."""

    position: int
    estimated_wait_s: float | None


class QueueFacts(msgspec.Struct, frozen=True):
    """A queue at one instant.

    `open` says that a call would be taken; `staffed` counts agents who are ready or at work, `ready` those who could
    take a call now. `estimated_wait_s` is for a call that came now; `None` when nobody is staffed: there is no honest
    number then.
    """

    open: bool
    waiting: int
    longest_wait_s: float
    ready: int
    staffed: int
    estimated_wait_s: float | None


AcdInput = (
    CallQueued
    | CallLeft
    | AgentReady
    | AgentNotReady
    | AgentReachable
    | OfferAnswered
    | OfferTaken
    | OfferDeclined
    | AgentEngaged
    | AgentDisengaged
    | TalkTaken
    | TalkEnded
    | TimePassed
)
AcdOutput = OfferCall | WithdrawOffer | CallTimedOut | CallRefused | AgentChanged
