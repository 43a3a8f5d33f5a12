"""The switchboard: each event goes to the part that knows it, and comes back as commands."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ivr_flows.flow import Flow
from ivr_flows.step import PromptsFinished
from ivr_flows.step import TimePassed as FlowTimePassed
from telephony import acd
from telephony.events import (
    AgentStateRequested,
    BindingChanged,
    CallbackBooked,
    CallbackCancelled,
    CallbackSnapshot,
    CallerFound,
    CallerVerified,
    CallSnapshot,
    CandidatesFound,
    CandidatesGathered,
    CandidatesReceived,
    Command,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogRinging,
    DialogUnreachable,
    DigitPressed,
    Event,
    FlowAnswered,
    HangupRequested,
    HoldRequested,
    HoursChanged,
    IceRestarted,
    InviteReceived,
    KeySignalled,
    KeysRequested,
    LegLost,
    LegMoved,
    LegOpened,
    LegQuality,
    LegRefused,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    PromptFinished,
    Publish,
    RecordingPauseRequested,
    RecordingResumeRequested,
    RecordingStopped,
    ReferProgressed,
    ReferReceived,
    ResumeRequested,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
    TellLamp,
    TextReceived,
    TimePassed,
    TransferRequested,
    TrunkChanged,
    UtteranceBegan,
    UtteranceDismissed,
    UtteranceRecognised,
    VoiceEnded,
    VoiceStarted,
)
from telephony.switchboard import (
    arrival,
    bridge,
    callbacks,
    calling_back,
    conference,
    desk,
    dial,
    direct,
    ending,
    failover,
    forward,
    ice,
    keys,
    lamps,
    listening,
    opening,
    outside,
    pickup,
    queueing,
    recording_pause,
    renegotiation,
    secret_keys,
    self_service,
    talk,
    texts,
    transfer,
    verifying,
    voicemail,
    waiting,
    whisper,
)
from telephony.switchboard.board import Board, SwitchboardSettings, summary
from telephony.switchboard.call import TALKS, Call

Takes = Callable[[Board, Any, float], None]

QUALITY: Final = ("mos", "loss", "jitter_ms", "round_trip_ms", "far_mos", "far_loss", "far_jitter_ms")
"""What of a leg's quality is told live."""


class Switchboard:
    """`handle(event, now)` gives commands; `deadline()` says when to come back with `TimePassed`."""

    def __init__(
        self,
        settings: SwitchboardSettings,
        flows: Mapping[str, Flow],
        queues: acd.Acd,
        new_id: Callable[[], str],
    ) -> None:
        self._board = Board(settings, flows, queues, new_id)

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event, and what follows from it in the queues and the flows."""
        take = ON.get(type(event))
        if take is not None:
            take(self._board, event, now)
        if isinstance(event, DialogAnswered | DialogConfirmed | DialogReachable):
            failover.tell(self._board, event.dialog)
        self._settle(now)
        conference.settle(self._board)
        if callbacks.is_concerned(self._board, event, now):
            callbacks.look(self._board, now)
            self._settle(now)
        listening.tidy(self._board)
        lamps.tell(self._board)
        commands, self._board.commands = self._board.commands, []
        return commands

    def is_secret(self, event: Event, now: float) -> bool:
        """Whether an event is a key that nobody is to see. To be asked before the event is handled: a key may end the
        question that makes it secret."""
        return secret_keys.is_secret(self._board, event, now)

    def _settle(self, now: float) -> None:
        board = self._board
        while True:
            if board.acd_outputs:
                queueing.perform(board, board.acd_outputs.popleft(), now)
            elif board.flow_inputs:
                call, message = board.flow_inputs.popleft()
                self_service.proceed(board, call, message, now)
            else:
                return

    def deadline(self) -> float | None:
        """Return the instant at which something is due, or None."""
        board = self._board
        looks = None if math.isinf(board.look_at) or not board.bookings else board.look_at
        deadlines = (board.deadlines.next(), board.acd.deadline(), looks)
        return min((when for when in deadlines if when is not None), default=None)

    def secret(self, call: str, number: int, variable: str) -> str | int | float | bool | None:
        """Return what goes with a call's request of that number and is nobody's to see; None for nothing (any more)."""
        found = self._board.calls.get(call)
        return None if found is None else secret_keys.held(found, number, variable)

    def publish(self, flows: Mapping[str, Flow]) -> None:
        """Have calls that come from now on go through these flows; running ones keep theirs."""
        self._board.flows = flows

    def drain(self) -> None:
        """Take no new calls from now on; running ones go on."""
        self._board.draining = True

    @property
    def queues(self) -> acd.Acd:
        """The queues and agents, to look at; they change through events alone."""
        return self._board.acd

    def queue_facts(self, queue: str, now: float) -> acd.QueueFacts:
        """Return how a queue stands; it is open in its hours alone."""
        return opening.queue_facts(self._board, queue, now)

    def lamps(self) -> list[TellLamp]:
        """Return the lamp of every agent as it stands; what changes is commanded (`TellLamp`)."""
        return [lamps.lamp_of(self._board, agent) for agent in self._board.acd.agents()]

    def know(self, agent: str) -> list[TellLamp]:
        """Take a new agent; return the lamp of one who is."""
        known = self._board.acd.agent(agent) is not None
        self._board.acd.know(acd.AgentSettings(agent))
        return [] if known else [lamp for lamp in self.lamps() if lamp.agent == agent]

    def busy(self) -> bool:
        """Whether any call is running, or any recording is still being written."""
        return bool(self._board.calls or self._board.directs or self._board.open_recordings)

    def call(self, identity: str) -> CallSnapshot | None:
        """Return a running call with somebody outside, None for one that is not."""
        found = self._board.calls.get(identity)
        if found is not None:
            return found.snapshot()
        between = self._board.directs.get(identity)
        return between.outgoing.snapshot() if between is not None and between.outgoing is not None else None

    def calls(self) -> list[CallSnapshot]:
        """Return the running calls with somebody outside."""
        outgoing = [between.outgoing for between in self._board.directs.values() if between.outgoing is not None]
        return [*(call.snapshot() for call in self._board.calls.values()), *(each.snapshot() for each in outgoing)]

    @property
    def board(self) -> Board:
        """Everything that is known, to look at; it changes through events alone."""
        return self._board

    def callback(self, identity: str) -> CallbackSnapshot | None:
        """Return a promise that is still to be kept, None for one that is not."""
        booking = self._board.bookings.get(identity)
        return booking.kept if booking is not None else None

    def callback_place(self, identity: str, now: float) -> int | None:
        """Return the place of a promise in its queue, 1 is served next; None while it rests, is called or is over."""
        booking = self._board.bookings.get(identity)
        place = self._board.acd.place(booking.call, now) if booking is not None else None
        return place.position if place is not None else None

    def desk_call(self, agent: str) -> tuple[CallSnapshot, dict[str, object]] | None:
        """Return the call that an agent's page shows, with what the caller chose and said in the flow."""
        return desk.call_of(self._board, agent)

    def is_running(self, call: str) -> bool:
        """Whether a call has not ended."""
        return call in self._board.calls or call in self._board.directs

    def running(self) -> list[str]:
        """Return the ids of all running calls, those between phones included."""
        return [*self._board.calls, *self._board.directs]

    def call_of(self, message: msgspec.Struct) -> str:
        """Return the id of the call that an event or command is about, empty for none: its journal's name."""
        board = self._board
        for name, index in (("dialog", board.call_of_dialog), ("leg", board.call_of_leg)):
            value = getattr(message, name, None)
            if isinstance(value, str):
                # A leg's and an agent's dialog's names begin with their call's, so they are known after it ended.
                return index.get(value) or (value.partition(".")[0] if "." in value else "")
        recording = board.open_recordings.get(getattr(message, "recording", ""))
        if recording is not None:
            return recording[0]
        call = getattr(message, "call", "")
        return call.id if isinstance(call, CallSnapshot) else str(call or "")


def _leg_opened(board: Board, event: LegOpened, now: float) -> None:
    call, between = board.by_leg(event.leg), board.direct_by_leg(event.leg)
    if between is not None:
        (calling_back if between.booking else direct).leg_opened(board, between, event)
    if call is None:
        return
    if event.leg == call.leg:
        arrival.leg_opened(board, call, event, now)
    elif call.outsider is not None and event.leg == call.outsider.leg:
        forward.leg_opened(board, call, call.outsider, event)
    else:
        queueing.leg_opened(board, call, event, now)


def _leg_refused(board: Board, event: LegRefused, now: float) -> None:
    call, between = board.by_leg(event.leg), board.direct_by_leg(event.leg)
    if between is not None:
        calling_back.end_direct(board, between, now, status=503)
    if call is None:
        return
    if event.leg == call.leg:
        arrival.leg_refused(board, call, event, now)
    elif call.outsider is not None and event.leg == call.outsider.leg:
        forward.leg_refused(board, call, now)
    else:
        queueing.leg_refused(board, call, event, now)


def _dialog_ended(board: Board, event: DialogEnded, now: float) -> None:
    board.unreachable.discard(event.dialog)
    call, between = board.by_dialog(event.dialog), board.direct_by_dialog(event.dialog)
    if between is not None:
        (calling_back if between.booking else direct).dialog_ended(board, between, event, now)
    if call is None:
        return
    if event.dialog == call.dialog:
        ending.caller_gone(board, call, event, now)
    elif call.outsider is not None and event.dialog == call.outsider.dialog:
        forward.dialog_ended(board, call, call.outsider, event, now)
    elif call.agent_leg is not None and call.agent_leg.answered:
        bridge.agent_gone(board, call, now)
    else:
        queueing.agent_refused(board, call, event, now)


def _dialog_ringing(board: Board, event: DialogRinging, _now: float) -> None:
    between, call = board.direct_by_dialog(event.dialog), board.by_dialog(event.dialog)
    if between is not None:
        (calling_back if between.booking else direct).ringing(board, between, event)
    elif call is not None and call.outsider is not None and event.dialog == call.outsider.dialog:
        forward.ringing(board, call, call.outsider, event)
    else:
        queueing.agent_ringing(board, event)


def _whispered(board: Board, call: Call, now: float) -> None:
    """The agent knows who it is, or has waited for that long enough: the talk begins."""
    agent_leg = call.agent_leg
    if agent_leg is not None and whisper.is_on(call):
        whisper.over(board, call)
        (pickup.take if pickup.is_taken(call) else bridge.take)(board, call, agent_leg, now)


def _prompt_finished(board: Board, event: PromptFinished, now: float) -> None:
    call = board.by_leg(event.leg)
    if call is None:
        return
    if event.leg != call.leg:
        if event.playback == whisper.PLAYBACK:
            _whispered(board, call, now)
    elif event.playback.startswith(voicemail.PLAYBACK):
        voicemail.beeped(board, call, event, now)
    elif event.playback == call.waiting_playback:
        waiting.waiting_prompt_finished(board, call, event)
    elif (playback := self_service.flow_playback(event.playback)) is not None:
        board.tell_flow(call, PromptsFinished(playback, event.ending))


def _media_stalled(board: Board, event: MediaStalled, now: float) -> None:
    call = board.by_leg(event.leg)
    if call is not None and event.leg != call.leg:
        talk.stalled(board, call, now)


def _leg_quality(board: Board, event: LegQuality, _now: float) -> None:
    """Tell how a leg of a call does: the caller's, or that of whom it talks to."""
    call = board.by_leg(event.leg)
    if call is not None:
        figures = {name: getattr(event, name) for name in QUALITY}
        side = "caller" if event.leg == call.leg else "agent"
        board.emit(Publish("call.quality", {"call": summary(call), "side": side, **figures}, kept=False))


def _media_resumed(board: Board, event: MediaResumed, _now: float) -> None:
    call = board.by_leg(event.leg)
    if call is not None and event.leg != call.leg:
        talk.resumed(board, call)


def _dialog_unreachable(board: Board, event: DialogUnreachable, _now: float) -> None:
    board.unreachable.add(event.dialog)
    call = board.by_dialog(event.dialog)
    if call is not None and event.dialog != call.dialog:
        talk.unreachable(call)


def _dialog_reachable(board: Board, event: DialogReachable, _now: float) -> None:
    board.unreachable.discard(event.dialog)
    call = board.by_dialog(event.dialog)
    if call is not None and event.dialog != call.dialog:
        talk.reachable(call)


def _media_timed_out(board: Board, event: MediaTimedOut, now: float) -> None:
    call, between = board.by_leg(event.leg), board.direct_by_leg(event.leg)
    if between is not None and between.state not in ("ringing", "offering"):  # early media may be silent: it just rings
        calling_back.end_direct(board, between, now)
    if call is None:
        return
    if event.leg != call.leg and call.agent_leg is not None and call.agent_leg.unreachable:
        return  # it may be reloading, and has its own time for that
    if event.leg == call.leg:
        ending.end(board, call, "no audio from the caller", now)
    elif call.outsider is not None and event.leg == call.outsider.leg:
        if call.state == "forwarding":
            return  # likewise
        forward.gone(board, call, now, by=f"no audio from {forward.BY}")
    elif call.agent_leg is not None and call.agent_leg.answered:
        bridge.agent_gone(board, call, now, by="no audio from the agent", dialog_open=True)


def _agent_state_requested(board: Board, event: AgentStateRequested, now: float) -> None:
    if event.state == "ready":
        board.tell_queues(acd.AgentReady(event.agent), now)
    else:
        board.tell_queues(acd.AgentNotReady(event.agent, event.reason), now)


def _binding_changed(board: Board, event: BindingChanged, now: float) -> None:
    for kind, phones in ((event.webrtc, board.browsers), (event.secure, board.secured)):
        (phones.add if kind else phones.discard)(event.user)
    if not event.secure:
        board.savp.discard(event.user)
    if event.contacts:
        talk.registered_anew(board, event.user, now)
    board.tell_queues(acd.AgentReachable(event.user, event.contacts > 0), now)


def _hangup_requested(board: Board, event: HangupRequested, now: float) -> None:
    call, between = board.calls.get(event.call), board.directs.get(event.call)
    if between is not None:
        calling_back.end_direct(board, between, now, by=event.by)
    if call is None:
        return
    if event.by == "agent" and call.state in TALKS:
        bridge.agent_gone(board, call, now, dialog_open=True)
    else:
        ending.end(board, call, event.by, now, status=480)


def _transfer_requested(board: Board, event: TransferRequested, now: float) -> None:
    (forward.requested if event.number else talk.transfer)(board, event, now)


def _time_passed(board: Board, _event: TimePassed, now: float) -> None:
    board.tell_queues(acd.TimePassed(), now)
    while (due := board.deadlines.pop(now)) is not None:
        of, what = due
        call, between = board.calls.get(str(of)), board.directs.get(str(of))
        if call is not None:
            _DUE[what](board, call, now)
        elif between is not None:  # nobody picked up, or it has lasted too long
            calling_back.end_direct(board, between, now)


def _recording_stopped(board: Board, event: RecordingStopped, now: float) -> None:
    call = board.calls.get(board.open_recordings.get(event.recording, ("", ""))[0])
    ending.recording_stopped(board, event)
    if call is not None:
        voicemail.broken(board, call, event.recording, now)


def _flow_due(board: Board, call: Call, _now: float) -> None:
    board.tell_flow(call, FlowTimePassed())


def _voice_started(board: Board, event: VoiceStarted, now: float) -> None:
    voicemail.voice(board, event, now)
    listening.voice_started(board, event, now)


def _voice_ended(board: Board, event: VoiceEnded, now: float) -> None:
    voicemail.voice(board, event, now)
    listening.voice_ended(board, event, now)


def _max_call_due(board: Board, call: Call, now: float) -> None:
    ending.end(board, call, "the longest call allowed", now)


_DUE: Final[dict[str, Callable[[Board, Call, float], None]]] = {
    "flow": _flow_due,
    "find_caller": arrival.answer_when_ready,
    "answer": arrival.unanswered,
    "greet": self_service.begin,
    "max_call": _max_call_due,
    "away": talk.lost_for_good,
    "forward": forward.due,
    "conference": conference.leave,
    "whisper": _whispered,
    "message": voicemail.due,
    "refer": dial.not_referred,
    "part": self_service.part,
    "guard": self_service.guard_due,
}

ON: Final[dict[type[Event], Takes]] = {
    InviteReceived: arrival.invited,
    CallerFound: arrival.caller_found,
    CandidatesFound: verifying.candidates_found,
    CallerVerified: verifying.verified,
    FlowAnswered: self_service.answered,
    DialogConfirmed: arrival.confirmed,
    DialogRinging: _dialog_ringing,
    SessionOffered: renegotiation.offered,
    SessionAnswered: renegotiation.answered,
    IceRestarted: renegotiation.ice_restarted,
    CandidatesGathered: ice.gathered,
    CandidatesReceived: ice.received,
    ReferReceived: transfer.referred,
    ReferProgressed: dial.referred,
    KeySignalled: keys.signalled,
    KeysRequested: keys.requested,
    DialogAnswered: bridge.agent_answered,
    DialogEnded: _dialog_ended,
    LegOpened: _leg_opened,
    LegRefused: _leg_refused,
    LegMoved: failover.moved,
    LegLost: failover.lost,
    SessionRefused: failover.refused,
    DigitPressed: keys.pressed,
    PromptFinished: _prompt_finished,
    MediaTimedOut: _media_timed_out,
    MediaStalled: _media_stalled,
    MediaResumed: _media_resumed,
    LegQuality: _leg_quality,
    DialogUnreachable: _dialog_unreachable,
    DialogReachable: _dialog_reachable,
    RecordingPauseRequested: recording_pause.pause,
    RecordingResumeRequested: recording_pause.resume,
    HoldRequested: talk.hold,
    ResumeRequested: talk.resume,
    TransferRequested: _transfer_requested,
    TrunkChanged: outside.trunk_changed,
    RecordingStopped: _recording_stopped,
    HoursChanged: opening.changed,
    CallbackBooked: callbacks.booked,
    CallbackCancelled: callbacks.cancelled,
    AgentStateRequested: _agent_state_requested,
    BindingChanged: _binding_changed,
    HangupRequested: _hangup_requested,
    TextReceived: texts.received,
    VoiceStarted: _voice_started,
    VoiceEnded: _voice_ended,
    UtteranceBegan: listening.began,
    UtteranceRecognised: listening.recognised,
    UtteranceDismissed: listening.dismissed,
    TimePassed: _time_passed,
}
