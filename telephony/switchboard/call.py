"""One call: its state table and everything the switchboard remembers of it.

Rule 1: a call's state changes through `CALL` alone; an input that is not in the table is a mistake of ours.
Rule 2: states of SIP dialogs, playback and queues live where they belong; here stands only what joins them.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from ivr_flows.flow import Flow, Queue
from ivr_flows.secrecy import Secrecy, secrecy_of
from ivr_flows.step import FlowState, KeyPressed
from telephony.events import CallerContext, CallSnapshot, LegOpened, Listen, Prompt
from telephony.requests import AnyRequest
from telephony.sdp import Negotiated
from telephony.switchboard.side import Side

CallState = Literal[
    "arriving",
    "answering",
    "in_flow",
    "queued",
    "ringing",
    "talking",
    "held",
    "forwarding",
    "outside",
    "conferring",
    "ended",
]
CallInput = Literal[
    "answered",
    "confirmed",
    "queued",
    "offered",
    "offer_ended",
    "bridged",
    "held",
    "resumed",
    "transferred",
    "returned",
    "forwarded",
    "reached",
    "unreached",
    "conferred",
    "ended",
]
TALKS: Final[frozenset[CallState]] = frozenset({"talking", "held"})

CALL: Final[dict[tuple[CallState, CallInput], CallState]] = {
    ("arriving", "answered"): "answering",
    ("answering", "confirmed"): "in_flow",
    ("in_flow", "queued"): "queued",
    ("queued", "offered"): "ringing",
    ("ringing", "offer_ended"): "queued",
    ("ringing", "bridged"): "talking",
    ("talking", "held"): "held",
    ("held", "resumed"): "talking",
    # To another agent or queue, or to the next agent because this one was lost.
    ("talking", "transferred"): "queued",
    ("held", "transferred"): "queued",
    # Out of the queue without an agent, or back from one: the flow goes on.
    ("queued", "returned"): "in_flow",
    ("ringing", "returned"): "in_flow",
    ("talking", "returned"): "in_flow",
    ("held", "returned"): "in_flow",
    # Given away to a number outside: called, put together with it, or back in the queue.
    ("talking", "forwarded"): "forwarding",
    ("held", "forwarded"): "forwarding",
    ("forwarding", "reached"): "outside",
    ("forwarding", "unreached"): "queued",
    # Called for the flow, which goes on after it.
    ("in_flow", "forwarded"): "forwarding",
    ("forwarding", "returned"): "in_flow",
    ("outside", "returned"): "in_flow",
    # In a room with others, for the flow likewise.
    ("in_flow", "conferred"): "conferring",
    ("conferring", "returned"): "in_flow",
    ("conferring", "ended"): "ended",
    ("forwarding", "ended"): "ended",
    ("outside", "ended"): "ended",
    ("arriving", "ended"): "ended",
    ("answering", "ended"): "ended",
    ("in_flow", "ended"): "ended",
    ("queued", "ended"): "ended",
    ("ringing", "ended"): "ended",
    ("talking", "ended"): "ended",
    ("held", "ended"): "ended",
}


@dataclass(slots=True)
class AgentLeg:
    """The leg to an agent who is offered, or has taken, the call. Its dialog has the leg's name, unless it is the
    agent's phone that called (see `telephony.switchboard.transfer`).

    `stalled` (no audio), `unreachable` (no signalling) and `returning` (called back into a running talk) are explained
    in `telephony.switchboard.talk`. Between two attempts to return there is no leg, and `leg` is empty.
    """

    leg: str
    agent: str
    session_id: int
    dialog: str = ""
    media: LegOpened | None = None
    agreed: Negotiated | None = None
    version: int = 0
    said: str = ""
    moved: bool = False
    offer: str = ""
    """What the phone offered, where it is the phone that called."""
    rang: bool = False
    engaged: bool = False
    """Its agent picks up what rang at a colleague's, and is engaged until the two are together."""
    briefed: bool = False
    """Its agent has picked up, and hears first who it is (`telephony.switchboard.whisper`)."""
    answered: bool = False
    stalled: bool = False
    unreachable: bool = False
    returning: bool = False

    def __post_init__(self) -> None:
        self.dialog = self.dialog or self.leg


MOST_VOICES: Final = 16
"""So many spurts may be in what is said without a pause."""
ENDED_TICKS: Final = 20
"""A voice has been silent for so long when it is told that it ended."""
LATE_TICKS: Final = 10
"""One has been there for about so long when it is told that it began."""


@dataclass(slots=True)
class Listening:
    """What a caller is listened to for. `voices` are when the media plane heard one, in ticks, the last of them perhaps
    without an end. `uttering` is since when the recogniser hears something; `told` says that the flow knows of it."""

    command: Listen
    place: str
    voices: deque[tuple[int, int | None]] = field(default_factory=lambda: deque(maxlen=MOST_VOICES))
    uttering: int | None = None
    told: bool = False

    @property
    def command_and_place(self) -> tuple[Listen, str]:
        """By which it is told from another."""
        return self.command, self.place

    def voice_began(self, tick: int) -> None:
        """Somebody speaks, as the media plane hears it."""
        self.voices.append((tick, None))

    def voice_ended(self, tick: int) -> None:
        """Nobody speaks."""
        if self.voices:
            since, _ = self.voices.pop()
            self.voices.append((since, tick))

    def is_voice(self, start: int, end: int | None = None) -> bool:
        """Whether a voice was there in some ticks, as far as is known."""
        return any(
            (over is None or over - ENDED_TICKS >= start) and (end is None or since <= end + LATE_TICKS)
            for since, over in self.voices
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a flow has asked of its call, and waits for: the answer has the `number`."""

    number: int
    request: AnyRequest


@dataclass(slots=True)
class Message:
    """A message that is being left for a queue. `recording` is empty while its beep is heard; `spoken`: somebody has
    said something."""

    queue: str
    limit_s: float
    playback: str
    recording: str = ""
    began_at: float = 0.0
    spoken: bool = False


@dataclass(slots=True)
class Call:
    """What the customer experiences, from INVITE to the last BYE."""

    id: str
    dialog: str
    leg: str
    offer: str
    number: str
    dnis: str
    flow: Flow
    started_at: float
    claimed: bool = False
    direction: Literal["inbound", "outbound"] = "inbound"
    trunk: str = ""
    """The trunk that it came by."""
    state: CallState = "arriving"
    ani: str = ""
    context: CallerContext = field(default_factory=CallerContext)
    found: bool = False
    candidates: tuple[str, ...] = ()
    """Whom the flow found by what the caller said, instead of those whom the number may mean."""
    media: LegOpened | None = None
    agreed: Negotiated | None = None
    version: int = 0
    said: str = ""
    moved: bool = False
    flow_state: FlowState | None = None
    queue: str = ""
    queue_limit_s: float = 0.0
    directed_to: str = ""
    """The one agent for whom the call waits in its queue, after a transfer."""
    waiting_music: tuple[Prompt, ...] = ()
    waiting_playback: str = ""
    music_playing: bool = False
    hears_ringing: bool = False
    """Whether what is played to a waiting caller is the tone of a phone that rings."""
    parting: bool = False
    """Whether it hears the tone after which it ends."""
    agent_leg: AgentLeg | None = None
    outsider: Side | None = None
    """The party outside to whom the call was given away, or whom its flow has called: perhaps one of our users."""
    room: str = ""
    """The conference room that it is in."""
    message: Message | None = None
    referring: Side | None = None
    """Whom its trunk was asked to put it through to."""
    asked: Asked | None = None
    given_away: bool = False
    """Whether its flow has given it away: it does not go on there any more."""
    agent: str = ""
    offers: int = 0
    playbacks: int = 0
    early_keys: list[KeyPressed] = field(default_factory=list)
    whisper: tuple[Prompt, ...] = ()
    """What its flow wants the agent of the next talk to hear first."""
    hold: tuple[Prompt, ...] = ()
    """What its flow wants to be heard on hold; nothing for the usual music."""
    notes: list[str] = field(default_factory=list)
    """What its flow wrote down for the agent."""
    callback_note: str = ""
    """What was noted when somebody was promised this call back."""
    sound: str = ""
    """What the caller hears in a talk besides the agent: `hold`, `comfort` or nothing."""
    sound_playback: str = ""
    recording: str = ""
    recording_at: float = 0.0
    """When it began."""
    recorded: Literal["talks", "all", "nothing"] = "talks"
    """What of the call is recorded, as its flow has it (`telephony.switchboard.recording`)."""
    hushed: bool = False
    """Whether its flow has paused the recording."""
    words: str = ""
    """What its flow said last."""
    transferred_by: str = ""
    held_at: float = 0.0
    away_at: float = 0.0
    paused_at: float = 0.0
    talk_ended_by: str = ""
    answered_at: float = 0.0
    queued_at: float = 0.0
    queue_left_at: float = 0.0
    talk_started_at: float = 0.0
    talk_ended_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""
    secrecy: Secrecy = field(init=False)
    """What of its flow is secret."""
    guarded: bool = False
    """Nobody hears the caller's keys (`telephony.switchboard.secret_keys`)."""
    listening: Listening | None = None
    secret_until: float = 0.0
    """Until when a key may still belong to a secret answer that was complete without it, or given up."""

    def __post_init__(self) -> None:
        self.secrecy = secrecy_of(self.flow)

    def move(self, occurrence: CallInput) -> None:
        """Go where the table says. Raises `KeyError` for an input that the state does not know."""
        self.state = CALL[self.state, occurrence]

    @property
    def step(self) -> str:
        """The place at which the flow stands, or the one that is heard in a queue; before it begins, its first."""
        return self.flow.start if self.flow_state is None else self.flow_state.heard.place

    @property
    def hears_a_flow(self) -> bool:
        """Whether it hears a flow in its queue."""
        return self.flow_state is not None and self.flow_state.waiting is not None

    @property
    def waits_in_a_flow(self) -> bool:
        """Whether the flow that is heard while waiting is one of its own."""
        if self.flow_state is None:
            return False
        step = self.flow.part(self.flow_state.flow).steps[self.flow_state.step]
        return isinstance(step, Queue) and bool(step.wait_flow)

    @property
    def takes_keys(self) -> bool:
        """Whether its keys answer a flow."""
        return self.is_in_flow and (self.state not in ("queued", "ringing") or self.hears_a_flow)

    @property
    def is_in_flow(self) -> bool:
        """Whether a flow takes what happens to the caller: in self-service, in a queue, before the call is answered."""
        if self.state in ("arriving", "answering"):
            return self.flow_state is not None
        return self.state == "in_flow" or (self.state in ("queued", "ringing") and self.flow_state is not None)

    @property
    def session_id(self) -> int:
        """What our descriptions to the caller are numbered by."""
        return int(self.started_at)

    @property
    def customer_number(self) -> str:
        """The customer's, whoever called whom; in E.164, empty for one that is not known."""
        return self.dnis if self.direction == "outbound" else self.ani

    @property
    def may_be(self) -> tuple[str, ...]:
        """Whom the caller may be, by profiles: whom the flow found, whom the number may mean, or its one owner."""
        known = (self.context.customer,) if self.context.customer else ()
        return self.candidates or self.context.candidates or known

    @property
    def language(self) -> str:
        """The language the call is in: the flow's choice once it runs, the profile's before."""
        if self.flow_state is not None:
            return self.flow_state.language
        return self.context.language if self.context.language in self.flow.languages else self.flow.languages[0]

    @property
    def case(self) -> str:
        """The open case that the call goes on with: the flow's variable `case`, where it names one of the caller's, or
        that of the flow that led to it."""
        if self.flow_state is None:
            return ""
        if self.flow_state.case:
            return self.flow_state.case
        chosen = self.flow_state.variables.get("case", self.flow_state.chosen)
        return next((case.id for case in self.context.open_cases if case.id == chosen), "")

    @property
    def asked_again(self) -> tuple[str, ...]:
        """What the flow asked although it was known and fresh."""
        return self.flow_state.asked_again if self.flow_state is not None else ()

    def snapshot(self) -> CallSnapshot:
        """Return the call as its row shows it."""
        return CallSnapshot(
            id=self.id,
            state=self.state,
            number=self.number,
            ani=self.ani,
            dnis=self.dnis,
            customer=self.context.customer,
            context=self.context,
            language=self.language,
            flow=self.flow.name,
            flow_path=self.flow_state.path if self.flow_state is not None else (),
            queue=self.queue,
            agent=self.agent,
            recording=self.recording,
            case=self.case,
            started_at=self.started_at,
            answered_at=self.answered_at,
            queued_at=self.queued_at,
            queue_left_at=self.queue_left_at,
            talk_started_at=self.talk_started_at,
            talk_ended_at=self.talk_ended_at,
            ended_at=self.ended_at,
            ended_by=self.ended_by,
            held_at=self.held_at,
            away_at=self.away_at,
            transferred_by=self.transferred_by,
            direction=self.direction,
            trunk=self.trunk,
            paused_at=self.paused_at,
            told=self.flow_state.told if self.flow_state is not None else {},
            asked_again=self.asked_again,
        )
