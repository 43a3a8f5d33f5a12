"""Subscriptions to the state of our agents (RFC 6665), the notifier's side: their states as a table.

Rule 1: what a subscription does stands in the table; `subscription_layer` performs it. A missing row is an input that
came too late, and a SUBSCRIBE without a row is answered 481.

Rule 2: there is no pending state. Whether somebody may watch is known when the SUBSCRIBE is here, or it is refused.

Rule 3: what has changed since the last NOTIFY is not queued. While a NOTIFY is out, or the last one is too recent,
changes wait, and the next one carries the state as it then is.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from telephony.events import LampCall, TellLamp
from telephony.sip import dialog_info, pidf
from telephony.sip.dialog import Path
from telephony.sip.outbox import Address
from telephony.sip.uri import NameAddr, Uri


class State(StrEnum):
    """Where a subscription stands."""

    INIT = "init"  # its SUBSCRIBE is in hand, and will be accepted
    ACTIVE = "active"  # the watcher has what there is to know
    NOTIFYING = "notifying"  # active; a NOTIFY is out
    PACING = "pacing"  # active; the last NOTIFY is too recent for another
    CLOSING = "closing"  # the final NOTIFY is out
    TERMINATED = "terminated"


class Input(StrEnum):
    """What may happen to a subscription."""

    SUBSCRIBE = "SUBSCRIBE"  # the one that begins it, or a refresh
    UNSUBSCRIBE = "SUBSCRIBE with Expires 0"  # before anything else: a fetch
    CHANGED = "state changed"
    PACE_OVER = "pace timer"
    PACE_OVER_NEWS = "pace timer, and news"
    NOTIFIED = "2xx"
    LATER = "Retry-After"
    REFUSED = "300-699 or silence"
    EXPIRED = "expiry"
    DEACTIVATED = "shutdown"
    LOST = "connection lost"


class Action(StrEnum):
    """What a subscription does; performed in the order of the row."""

    ACCEPT = "200"
    START_EXPIRY = "start expiry"
    STOP_EXPIRY = "stop expiry"
    NOTIFY = "NOTIFY"
    NOTIFY_TIMEOUT = "NOTIFY terminated, timeout"
    NOTIFY_DEACTIVATED = "NOTIFY terminated, deactivated"
    START_PACE = "start pace"
    START_RETRY = "wait as told"


Row = tuple[State, tuple[Action, ...]]
Table = dict[tuple[State, Input], Row]

_S, _I, _A = State, Input, Action

SUBSCRIPTION: Final[Table] = {
    (_S.INIT, _I.SUBSCRIBE): (_S.NOTIFYING, (_A.ACCEPT, _A.START_EXPIRY, _A.NOTIFY)),
    # RFC 6665 section 4.4.3: a fetch; its one NOTIFY is the last.
    (_S.INIT, _I.UNSUBSCRIBE): (_S.CLOSING, (_A.ACCEPT, _A.NOTIFY_TIMEOUT)),
    (_S.ACTIVE, _I.CHANGED): (_S.NOTIFYING, (_A.NOTIFY,)),
    (_S.NOTIFYING, _I.CHANGED): (_S.NOTIFYING, ()),
    (_S.PACING, _I.CHANGED): (_S.PACING, ()),
    (_S.CLOSING, _I.CHANGED): (_S.CLOSING, ()),
    (_S.NOTIFYING, _I.NOTIFIED): (_S.PACING, (_A.START_PACE,)),
    # Section 4.2.2: the watcher is there, and asks for a moment.
    (_S.NOTIFYING, _I.LATER): (_S.PACING, (_A.START_RETRY,)),
    (_S.PACING, _I.PACE_OVER): (_S.ACTIVE, ()),
    (_S.PACING, _I.PACE_OVER_NEWS): (_S.NOTIFYING, (_A.NOTIFY,)),
    **{
        row: outcome
        for state in (_S.ACTIVE, _S.NOTIFYING, _S.PACING)
        for row, outcome in {
            # Section 4.2.1.2: a NOTIFY follows every 200 at once, however recent the last one is.
            (state, _I.SUBSCRIBE): (_S.NOTIFYING, (_A.ACCEPT, _A.START_EXPIRY, _A.NOTIFY)),
            (state, _I.UNSUBSCRIBE): (_S.CLOSING, (_A.ACCEPT, _A.STOP_EXPIRY, _A.NOTIFY_TIMEOUT)),
            (state, _I.EXPIRED): (_S.CLOSING, (_A.NOTIFY_TIMEOUT,)),
            (state, _I.DEACTIVATED): (_S.CLOSING, (_A.STOP_EXPIRY, _A.NOTIFY_DEACTIVATED)),
            # Section 4.2.2: who does not know the subscription, or does not answer, has none.
            (state, _I.REFUSED): (_S.TERMINATED, ()),
            (state, _I.LOST): (_S.TERMINATED, ()),
        }.items()
    },
    (_S.CLOSING, _I.NOTIFIED): (_S.TERMINATED, ()),
    (_S.CLOSING, _I.LATER): (_S.TERMINATED, ()),
    (_S.CLOSING, _I.REFUSED): (_S.TERMINATED, ()),
    (_S.CLOSING, _I.LOST): (_S.TERMINATED, ()),
}

EXPIRY: Final = Input.EXPIRED.value
PACE: Final = Input.PACE_OVER.value
OVER: Final = frozenset({State.CLOSING, State.TERMINATED})


class Subscription(Path):
    """One watcher's subscription, in a dialog of its own. `watcher` is the user whose phone it is, `agent` who is
    watched, at `host`; `event` is the value of Event. `shown` is what the last NOTIFY said, None for nothing that
    counts; `notice` is the last NOTIFY, `notices` how many there were."""

    __slots__ = (
        "agent",
        "event",
        "expires_at",
        "host",
        "notice",
        "notices",
        "package",
        "remote_seq",
        "retry_s",
        "shown",
        "state",
        "watcher",
    )

    def __init__(self, package: "Package", event: str, watcher: str, agent: str, host: str, peer: Address) -> None:
        self.package = package
        self.event = event
        self.watcher = watcher
        self.agent = agent
        self.host = host
        self.peer = peer
        self.state = State.INIT
        self.call_id = self.local_tag = self.remote_tag = ""
        self.local = self.remote = NameAddr(Uri())
        self.local_seq = 0
        self.remote_seq = -1
        self.target = Uri()
        self.routes: tuple[str, ...] = ()
        self.expires_at = 0.0
        self.retry_s = 0.0
        self.shown: object = None
        self.notice: Notice | None = None
        self.notices = 0


class Notice:
    """A NOTIFY that is out, and whose: the owner of its transaction."""

    __slots__ = ("subscription",)

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription


class Package(msgspec.Struct, frozen=True):
    """An event package. `pace_s` is the time between two NOTIFYs that nobody asked for. `essence` is what has to change
    for a NOTIFY to be due, and `write` the document that shows it."""

    name: str
    content_type: str
    pace_s: float
    essence: Callable[[TellLamp], object]
    write: Callable[[Subscription, TellLamp, dialog_info.Named], bytes]


def _write_dialog_info(subscription: Subscription, lamp: TellLamp, named: dialog_info.Named) -> bytes:
    shown: tuple[LampCall, ...] = subscription.shown if isinstance(subscription.shown, tuple) else ()
    running = {call.id for call in lamp.calls}
    return dialog_info.write_dialog_info(
        lamp,
        [call for call in shown if call.id not in running],
        host=subscription.host,
        version=subscription.notices,
        named=named,
        own=subscription.watcher == lamp.agent,
    )


def _write_pidf(subscription: Subscription, lamp: TellLamp, _named: dialog_info.Named) -> bytes:
    return pidf.write_pidf(lamp, host=subscription.host)


# The paces are those of RFC 4235 section 3.10 and RFC 3856 section 6.10.
PACKAGES: Final = {
    package.name: package
    for package in (
        Package("dialog", dialog_info.CONTENT_TYPE, 1.0, lambda lamp: lamp.calls, _write_dialog_info),
        Package("presence", pidf.CONTENT_TYPE, 5.0, lambda lamp: (lamp.state, lamp.reason, lamp.since), _write_pidf),
    )
}
ALLOW_EVENTS: Final = ", ".join([*PACKAGES, "refer"])
