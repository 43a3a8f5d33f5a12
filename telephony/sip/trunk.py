"""A trunk: its registration with the far end, and whether its addresses are there. Both are tables.

Rule 1: what becomes of a registration stands in `REGISTRATION`, what becomes of an address in `REACH`; `trunk_layer`
performs them. What is not in a table came too late, and changes nothing.

Rule 2: a refusal (wrong password, unknown user) and silence are told apart: after the one another try is of no use for
a while, and shuts accounts out; after the other the next address is tried at once, and the whole again before long.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from telephony.events import TargetState, TrunkChanged, TrunkState
from telephony.sip.address import Address, Flow
from telephony.sip.transaction_layer import Transaction
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import Uri, bracketed

RETRY_S: Final = (5.0, 300.0)
"""After silence: the first wait, and the longest; each is twice the one before (RFC 5626 section 4.5)."""
REFUSED_S: Final = (60.0, 1800.0)
"""The same after a refusal."""
MOST_RETRY_AFTER_S: Final = REFUSED_S[1]
"""A registrar that wants us to stay away for longer is asked earlier all the same: it may be wrong."""
FORGIVEN_S: Final = 60.0
"""An address that nobody probes is not down for longer than this: nothing else would ever find it up again."""
REFRESH_SHARE: Final = (0.75, 0.1)
"""A registration is refreshed after so much of the time granted, and up to so much more."""
JITTER_OCTETS: Final = 4


class State(StrEnum):
    """Where a registration stands."""

    IDLE = "idle"  # a trunk that does not register
    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"  # registered, and asking for more time
    FAILED = "failed"
    LEAVING = "leaving"  # the removal is out


class Input(StrEnum):
    """What may happen to a registration."""

    START = "located"
    SUCCESS = "2xx"
    AGAIN = "401, 407, 423, next target"
    REFUSED = "refused"
    SILENT = "no target answers"
    REFRESH_DUE = "refresh timer"
    RETRY_DUE = "retry timer"
    LOST = "registrar lost"
    STOP = "LeaveTrunks"


class Action(StrEnum):
    """What a registration does."""

    SEND = "REGISTER"
    SEND_REMOVAL = "REGISTER, expires 0"
    AWAIT_REFRESH = "start refresh timer"
    AWAIT_RETRY = "start retry timer"
    AWAIT_MERCY = "start long retry timer"
    FORGET = "stop timers"


Row = tuple[State, tuple[Action, ...]]
_S, _I, _A = State, Input, Action

REGISTRATION: Final[dict[tuple[State, Input], Row]] = {
    (_S.UNREGISTERED, _I.START): (_S.REGISTERING, (_A.SEND,)),
    (_S.REGISTERING, _I.AGAIN): (_S.REGISTERING, (_A.SEND,)),
    (_S.REGISTERING, _I.SUCCESS): (_S.REGISTERED, (_A.AWAIT_REFRESH,)),
    (_S.REGISTERING, _I.REFUSED): (_S.FAILED, (_A.AWAIT_MERCY,)),
    (_S.REGISTERING, _I.SILENT): (_S.FAILED, (_A.AWAIT_RETRY,)),
    (_S.REGISTERED, _I.REFRESH_DUE): (_S.REFRESHING, (_A.SEND,)),
    # Its connection is gone, or a probe has found its registrar dead: calls to us would not arrive.
    (_S.REGISTERED, _I.LOST): (_S.REGISTERING, (_A.FORGET, _A.SEND)),
    (_S.REFRESHING, _I.AGAIN): (_S.REFRESHING, (_A.SEND,)),
    (_S.REFRESHING, _I.SUCCESS): (_S.REGISTERED, (_A.AWAIT_REFRESH,)),
    (_S.REFRESHING, _I.REFUSED): (_S.FAILED, (_A.AWAIT_MERCY,)),
    (_S.REFRESHING, _I.SILENT): (_S.FAILED, (_A.AWAIT_RETRY,)),
    (_S.FAILED, _I.RETRY_DUE): (_S.REGISTERING, (_A.SEND,)),
    # Other addresses than those that failed: they are worth a try at once.
    (_S.FAILED, _I.START): (_S.REGISTERING, (_A.FORGET, _A.SEND)),
    (_S.UNREGISTERED, _I.STOP): (_S.UNREGISTERED, ()),
    (_S.FAILED, _I.STOP): (_S.UNREGISTERED, (_A.FORGET,)),
    **{
        (state, _I.STOP): (_S.LEAVING, (_A.FORGET, _A.SEND_REMOVAL))
        for state in (_S.REGISTERING, _S.REGISTERED, _S.REFRESHING)
    },
    (_S.LEAVING, _I.AGAIN): (_S.LEAVING, (_A.SEND_REMOVAL,)),
    **{(_S.LEAVING, end): (_S.UNREGISTERED, ()) for end in (_I.SUCCESS, _I.REFUSED, _I.SILENT)},
}


class Reach(StrEnum):
    """Whether an address is there."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Sign(StrEnum):
    """What an address gives to know of itself."""

    ANSWER = "any response"
    SILENCE = "none, 408, 503"
    TIME = "unprobed for a while"


REACH: Final[dict[tuple[Reach, Sign], Reach]] = {
    (Reach.UNKNOWN, Sign.ANSWER): Reach.UP,
    (Reach.UNKNOWN, Sign.SILENCE): Reach.DOWN,
    (Reach.UP, Sign.SILENCE): Reach.DOWN,
    (Reach.DOWN, Sign.ANSWER): Reach.UP,
    (Reach.DOWN, Sign.TIME): Reach.UNKNOWN,
}

_TOLD: Final[dict[State, TrunkState]] = {
    State.IDLE: "idle",
    State.UNREGISTERED: "unregistered",
    State.REGISTERING: "registering",
    State.REGISTERED: "registered",
    State.REFRESHING: "registered",
    State.LEAVING: "registered",
    State.FAILED: "failed",
}


class Way:
    """One address of a trunk; `target` is what the settings call it."""

    __slots__ = ("address", "reach", "target")

    def __init__(self, target: Uri, address: Address) -> None:
        self.target = target
        self.address = address
        self.reach = Reach.UNKNOWN

    def gave(self, sign: Sign) -> bool:
        """Take a sign of life or of none; whether it changes anything."""
        before, self.reach = self.reach, REACH.get((self.reach, sign), self.reach)
        return before is not self.reach


class Challenge(msgspec.Struct):
    """A challenge that was answered once, and is good for more: the answer's field, and how often it was used."""

    field: str
    value: str
    count: int = 0


class Exchange:
    """A REGISTER or OPTIONS of a trunk, and the way it went."""

    __slots__ = ("method", "transaction", "trunk", "way")

    def __init__(self, trunk: "Trunk", way: Way, method: str) -> None:
        self.trunk = trunk
        self.way = way
        self.method = method
        self.transaction: Transaction | None = None


class Prober:
    """A way that is asked every now and then; it owns the timer of that."""

    __slots__ = ("trunk", "way")

    def __init__(self, trunk: "Trunk", way: Way) -> None:
        self.trunk = trunk
        self.way = way


class Trunk:
    """A trunk at work.

    `ways` are its addresses in order of preference. `at` is the one that the registration goes to, or is with, and
    `left` are those that it may yet be tried at. `call_id` and `cseq` stay the same for all its REGISTERs (RFC 3261
    section 10.2); `flow` is the connection that it was granted over, and `granted` the addresses that have granted it,
    each until when: calls come from there, whatever the DNS says by now. `exchange` is the REGISTER that counts: one
    that was given up may still be answered. `challenges` is how many were answered in the attempt that is under way.
    """

    __slots__ = (
        "at",
        "call_id",
        "challenge",
        "challenges",
        "cseq",
        "exchange",
        "expires_s",
        "failures",
        "flow",
        "granted",
        "granted_s",
        "left",
        "reason",
        "removing",
        "retry_after_s",
        "service_route",
        "settings",
        "state",
        "stopped",
        "told",
        "ways",
    )

    def __init__(self, settings: TrunkSettings, call_id: str) -> None:
        self.settings = settings
        self.state = State.UNREGISTERED if settings.register else State.IDLE
        self.ways: tuple[Way, ...] = ()
        self.at: Way | None = None
        self.left: list[Way] = []
        self.call_id = call_id
        self.cseq = 0
        self.expires_s = settings.expires_s
        self.granted: dict[Address, float] = {}
        self.granted_s = 0.0
        self.retry_after_s = 0.0
        self.failures = 0
        self.challenge: Challenge | None = None
        self.challenges = 0
        self.exchange: Exchange | None = None
        self.service_route: tuple[str, ...] = ()
        self.flow: Flow | None = None
        self.reason = ""
        self.removing = False
        self.stopped = False
        self.told: TrunkChanged | None = None

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self.settings.name

    @property
    def is_registered(self) -> bool:
        """Whether the far end knows where we are."""
        return self.state in {State.REGISTERED, State.REFRESHING}

    def in_order(self) -> list[Way]:
        """Return the ways as they are to be tried: where we are registered first, those that are down last."""
        registered_at = self.at if self.is_registered else None
        return sorted(self.ways, key=lambda way: (way.reach is Reach.DOWN, way is not registered_at))

    def domain_at(self, target: Uri) -> str:
        """Return the domain of our identity there."""
        return bracketed(self.settings.domain) or target.host

    def snapshot(self) -> TrunkChanged:
        """Return how it stands. It is up unless it is known not to be: a trunk that neither registers nor probes is."""
        reachable = any(way.reach is not Reach.DOWN for way in self.ways)
        may_call = self.state is State.IDLE or self.is_registered
        targets = tuple(TargetState(way.target.write(), written(way.address), way.reach.value) for way in self.ways)
        # A trunk that has failed has, until it is registered again, however often it tries.
        state: TrunkState = "failed" if self.failures and self.state is State.REGISTERING else _TOLD[self.state]
        return TrunkChanged(self.name, state, reachable and may_call, self.reason, targets)


def written(address: Address) -> str:
    """Return an address for people."""
    return f"{bracketed(address[0])}:{address[1]}"


def spread(token: Callable[[int], str]) -> float:
    """Return a number from 0 to 1, at random: many that fail at the same time shall not come back at the same time."""
    return int(token(JITTER_OCTETS), 16) % 1_000_001 / 1_000_000


def back_off_s(bounds: tuple[float, float], failures: int, token: Callable[[int], str]) -> float:
    """Return how long to wait after so many failures in a row: between half of the doubled wait and the whole."""
    first, longest = bounds
    wait_s = min(longest, first * 2.0 ** min(max(failures - 1, 0), 20))
    return wait_s * (0.5 + spread(token) / 2)


def refresh_s(granted_s: float, token: Callable[[int], str]) -> float:
    """Return when to ask for more of the time granted."""
    share, more = REFRESH_SHARE
    return max(1.0, granted_s * (share + more * spread(token)))
