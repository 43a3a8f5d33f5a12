"""What the parts of the switchboard share: the calls, their indexes, and what is to be said next.

The parts never call each other in circles. What one of them has for the queues or for a flow is laid on the board
(`tell_queues`, `tell_flow`) and taken up by the switchboard's loop before it returns.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ivr_flows.calendar import Calendar
from ivr_flows.flow import Flow
from ivr_flows.step import FlowInput
from telephony.acd import Acd, AcdInput, AcdOutput
from telephony.clock import iso
from telephony.events import (
    CallerContext,
    CallSnapshot,
    Channels,
    Command,
    HoursChanged,
    LegKind,
    OpenLeg,
    Publish,
    Reason,
    SaveCall,
    Survey,
    TellLamp,
    TrunkChanged,
)
from telephony.sdp import PCMA, PCMU
from telephony.sip.timers import Deadlines
from telephony.switchboard.call import AgentLeg, Call
from telephony.switchboard.dialling import TrunkRules

if TYPE_CHECKING:
    from telephony.switchboard.callbacks import Booking
    from telephony.switchboard.direct import Direct

ANY_NUMBER: Final = "*"
SrtpPolicy = Literal["off", "optional", "required"]


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """How people are called back: `retries` after the first attempt, each `retry_after_s` later, and none any more when
    `expire_s` have passed since the promise. `hours` names the opening hours in which it is done, "" for always."""

    retries: int = 2
    retry_after_s: float = 900.0
    expire_s: float = 86400.0
    hours: str = ""


@dataclass(frozen=True, slots=True)
class SwitchboardSettings:
    """`numbers` maps a dialled number (or `*`) to a flow's name; times are in seconds.

    `media_address` is what phones are told to send voice to, where that is not the address bound (behind a NAT).
    """

    numbers: Mapping[str, str]
    media_address: str = ""
    codecs: tuple[int, ...] = (PCMU, PCMA)
    srtp: SrtpPolicy = "optional"
    """Whether voice of phones may, or must, be encrypted; a browser's always is."""
    timezone: str = "Asia/Ho_Chi_Minh"
    greet_after_s: float = 0.3
    find_caller_s: float = 1.5
    answer_s: float = 8.0
    max_call_s: float = 3 * 3600.0
    max_calls: int = 500
    away_s: float = 60.0
    """So long a caller waits for an agent whose page or network is gone."""
    trunks: tuple[TrunkRules, ...] = ()
    """In order of preference."""
    region: str = "VN"
    """Where a number without a country is."""
    language: str = ""
    """That of talks with somebody of whom no language is known."""
    record_channels: Channels = "stereo"
    max_room: int = 10
    """So many may be in a conference room."""
    flow_settings: Mapping[str, str] = field(default_factory=dict)
    """Values for flows, by name: addresses of services, say."""
    hours: Mapping[str, Calendar] = field(default_factory=dict)
    """When somebody is there, by the name that flows have for it."""
    queue_hours: Mapping[str, str] = field(default_factory=dict)
    """The hours that a queue keeps, by its name; one that is not here is always open."""
    callbacks: CallbackRules = CallbackRules()


@dataclass(slots=True)
class Board:
    """The calls in progress and the commands that the event in hand has led to."""

    settings: SwitchboardSettings
    flows: Mapping[str, Flow]
    acd: Acd
    new_id: Callable[[], str]
    calls: dict[str, Call] = field(default_factory=dict)
    directs: dict[str, "Direct"] = field(default_factory=dict)
    call_of_dialog: dict[str, str] = field(default_factory=dict)
    call_of_leg: dict[str, str] = field(default_factory=dict)
    # A recording's end is reported after its call is gone.
    open_recordings: dict[str, tuple[str, str]] = field(default_factory=dict)
    stopping: set[str] = field(default_factory=set)
    """Recordings whose stop is on its way: a second one would be refused, and taken for their end."""
    browsers: set[str] = field(default_factory=set)
    """Agents whose phone is a browser's."""
    trunks: dict[str, TrunkChanged] = field(default_factory=dict)
    """How each trunk stands, as last told."""
    emergencies: dict[str, HoursChanged] = field(default_factory=dict)
    """By the name of opening hours, how their emergency switch was turned last."""
    secured: set[str] = field(default_factory=set)
    """Agents whose phone is registered over TLS."""
    savp: set[str] = field(default_factory=set)
    """Those whose phone takes no call without SRTP: see `telephony.switchboard.encryption`."""
    bookings: dict[str, "Booking"] = field(default_factory=dict)
    """Who is to be called back (`telephony.switchboard.callbacks`)."""
    look_at: float = math.inf
    """When to look at them again."""
    restarts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By leg, the dialog and the offer that wait for ICE to be restarted (`telephony.switchboard.ice`)."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """Of calls, by their ids."""
    commands: list[Command] = field(default_factory=list)
    acd_outputs: deque[AcdOutput] = field(default_factory=deque)
    flow_inputs: deque[tuple[Call, FlowInput]] = field(default_factory=deque)
    unreachable: set[str] = field(default_factory=set)
    """Dialogs whose far end cannot be told anything for the moment: a page is reloaded, a network is lost."""
    lamps_due: set[str] = field(default_factory=set)
    """Agents of whom something has changed that lamps show."""
    lamps: dict[str, TellLamp] = field(default_factory=dict)
    """What was told of each agent last."""
    listening: set[str] = field(default_factory=set)
    """Calls whose caller is listened to."""
    rooms_due: set[str] = field(default_factory=set)
    """Conference rooms that somebody came into or left."""
    draining: bool = False
    arrivals: dict[bool, tuple[float, float]] = field(default_factory=dict)
    """How many calls were taken of late, and at when: of our own users and trunks (True), and of strangers."""

    def by_dialog(self, dialog: str) -> Call | None:
        """Return the running call that a dialog belongs to."""
        return self.calls.get(self.call_of_dialog.get(dialog, ""))

    def by_leg(self, leg: str) -> Call | None:
        """Return the running call that a leg belongs to."""
        return self.calls.get(self.call_of_leg.get(leg, ""))

    def direct_by_dialog(self, dialog: str) -> "Direct | None":
        """Return the call between phones that a dialog belongs to."""
        return self.directs.get(self.call_of_dialog.get(dialog, ""))

    def direct_by_leg(self, leg: str) -> "Direct | None":
        """Return the call between phones that a leg belongs to."""
        return self.directs.get(self.call_of_leg.get(leg, ""))

    def emit(self, *commands: Command) -> None:
        """Add commands, in the order in which they are to be performed."""
        self.commands.extend(commands)

    def save(self, call: Call) -> None:
        """Have the call's row written as it now stands."""
        self.emit(SaveCall(call.snapshot()))

    def publish(self, type_: str, call: Call | CallSnapshot, **more: object) -> None:
        """Tell listeners of something in a call."""
        self.emit(Publish(type_, {"call": summary(call), **more}))

    def tell_queues(self, message: AcdInput, now: float) -> None:
        """Give the queues an input; their outputs are taken up before the switchboard returns."""
        self.acd_outputs.extend(self.acd.handle(message, now))

    def tell_flow(self, call: Call, message: FlowInput) -> None:
        """Give a call's flow an input, likewise."""
        self.flow_inputs.append((call, message))

    def open_agent_leg(self, call: Call, agent: str) -> AgentLeg:
        """Have a leg opened for an agent's phone, under a name of its own; the phone rings once it is open."""
        call.offers += 1
        leg = AgentLeg(f"{call.id}.agent{call.offers}", agent, call.session_id)
        call.agent_leg = leg
        self.call_of_leg[leg.leg] = self.call_of_dialog[leg.dialog] = call.id
        self.emit(OpenLeg(leg.leg, self.kind_of(agent), offers=True))
        return leg

    def queue_of(self, call: Call) -> str:
        """Return the queue in which a call waits that is to have another agent: its own, or the first there is for one
        of ours, which was in none. Empty where there are no queues."""
        return call.queue or next(iter(self.acd.queue_names()), "")

    def kind_of(self, agent: str) -> LegKind:
        """What kind of leg an agent's phone needs."""
        return "webrtc" if agent in self.browsers else "rtp"


def summary(call: Call | CallSnapshot) -> dict[str, object]:
    """Return what listeners are told of a call; the whole of it is on `GET /api/v1/calls/{id}`."""
    return {
        "id": call.id,
        "state": call.state,
        "ani": call.ani,
        "dnis": call.dnis,
        "customer": call.context.customer or None,
        "queue": call.queue or None,
        "agent": call.agent or None,
        "started_at": iso(call.started_at),
    }


def _dated(value: Survey | Reason | None) -> dict[str, object] | None:
    return None if value is None else {**msgspec.to_builtins(value), "at": iso(value.at)}


def context_body(context: CallerContext) -> dict[str, object]:
    """Return a caller's context as the API shows it: plain JSON values, instants in ISO 8601."""
    return {
        **msgspec.to_builtins(context),
        "open_cases": [{**msgspec.to_builtins(case), "opened_at": iso(case.opened_at)} for case in context.open_cases],
        "last_interactions": [
            {**msgspec.to_builtins(last), "occurred_at": iso(last.occurred_at)} for last in context.last_interactions
        ],
        "fields": [{**msgspec.to_builtins(each), "at": iso(each.at)} for each in context.fields],
        "last_by_channel": [
            {**msgspec.to_builtins(last), "occurred_at": iso(last.occurred_at)} for last in context.last_by_channel
        ],
        "orders": [
            {**msgspec.to_builtins(each), "placed_at": iso(each.placed_at), "at": iso(each.at)}
            for each in context.orders
        ],
        "needs": [
            {**msgspec.to_builtins(each), "since": iso(each.since), "at": iso(each.at)} for each in context.needs
        ],
        "survey": _dated(context.survey),
        "reason": _dated(context.reason),
    }
