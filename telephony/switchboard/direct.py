"""A call between two phones, without a flow and a queue: an agent asks a colleague, perhaps with a caller on hold, or
calls a number in the world outside.

The two legs have dialogs of their own. The one who dialled is answered when the other has answered, so that nobody
hears silence, and hears what the other's phone says before that. Both agents are engaged meanwhile, and get no offers.
"""

from dataclasses import dataclass
from typing import Final, Literal

from telephony import sdp
from telephony.acd import AgentDisengaged, AgentEngaged
from telephony.events import (
    Answer,
    CloseLeg,
    Codec,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    Join,
    LegOpened,
    OpenLeg,
    Play,
    Prompt,
    Reject,
    Ring,
    StopPlaying,
)
from telephony.switchboard import early, encryption, outbound, outside, party
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS
from telephony.switchboard.outbound import Outgoing
from telephony.switchboard.side import Side

DirectState = Literal["opening", "offering", "ringing", "answering", "talking", "ended"]
DirectInput = Literal["opened", "offered", "accepted", "answered", "confirmed", "reached", "ended"]

DIRECT: Final[dict[tuple[DirectState, DirectInput], DirectState]] = {
    ("opening", "opened"): "ringing",
    ("ringing", "answered"): "answering",
    ("answering", "confirmed"): "talking",
    # Of somebody who is called back: the agent's phone rings first (`telephony.switchboard.calling_back`).
    ("opening", "offered"): "offering",
    ("offering", "accepted"): "ringing",
    ("ringing", "reached"): "talking",
    ("offering", "ended"): "ended",
    ("opening", "ended"): "ended",
    ("ringing", "ended"): "ended",
    ("answering", "ended"): "ended",
    ("talking", "ended"): "ended",
}

RING_S: Final = 60.0
BUSY: Final = frozenset({"ringing", "talking"})
HOLD: Final = "hold"


@dataclass(slots=True)
class Direct:
    """The call: `near` dialled, `far` is called; `outgoing` is what there is to say of it where that is outside."""

    id: str
    near: Side
    far: Side
    state: DirectState = "opening"
    rang: bool = False
    playbacks: int = 0
    is_early: bool = False
    """Whether the one who dialled hears the other before it has answered."""
    outgoing: Outgoing | None = None
    booking: str = ""
    """The callback that it is an attempt of, "" for none: then nobody dialled, and `near` was called too."""

    def move(self, occurrence: DirectInput) -> None:
        """Go where the table says. Raises `KeyError` for an input that the state does not know."""
        self.state = DIRECT[self.state, occurrence]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.near, self.far

    def side_of(self, dialog: str) -> Side:
        """Return the side with this dialog."""
        return self.near if self.near.dialog == dialog else self.far

    def other(self, side: Side) -> Side:
        """Return the other one."""
        return self.far if side is self.near else self.near


def invited(board: Board, event: InviteReceived, now: float) -> None:
    """One of our users dials another."""
    states = {agent.agent: agent for agent in board.acd.agents()}
    called = states[event.dnis]
    if event.user == event.dnis or not called.reachable:
        board.emit(Reject(event.dialog, 480, "Temporarily Unavailable"))
        return
    if called.state in BUSY:
        board.emit(Reject(event.dialog, 486, "Busy Here"))
        return
    identity = board.new_id()
    far = Side(event.dnis, f"{identity}.far", f"{identity}.far", int(now), device=event.device)
    _begin(board, event, identity, far, now)


def dialled(board: Board, event: InviteReceived, now: float) -> None:
    """One of our users dials a number in the world outside."""
    identity = board.new_id()
    try:
        far = outside.outsider(board, event.dnis, event.user, f"{identity}.far", int(now))
    except outside.Refused as refused:
        board.emit(Reject(event.dialog, refused.status, ""))
        return
    between = _begin(board, event, identity, far, now)
    between.outgoing = outbound.begin(board, far, identity, event.user, now)


def _begin(board: Board, event: InviteReceived, identity: str, far: Side, now: float) -> Direct:
    near = Side(event.user, event.dialog, f"{identity}.near", int(now), event.sdp)
    between = Direct(identity, near, far)
    board.directs[identity] = between
    board.lamps_due |= {near.agent, far.agent}
    index(board, between)
    for side in between.sides:
        board.tell_queues(AgentEngaged(side.agent, identity), now)
    board.deadlines.set(identity, "ring", now + RING_S)
    board.deadlines.set(identity, "max_call", now + board.settings.max_call_s)
    talk = next((call.leg for call in board.calls.values() if call.agent == event.user and call.state in TALKS), "")
    board.emit(
        OpenLeg(near.leg, "webrtc" if sdp.is_webrtc(event.sdp) else "rtp", beside=talk),
        OpenLeg(far.leg, board.kind_of(far.agent), offers=True, beside=talk),
    )
    return between


def index(board: Board, between: Direct) -> None:
    """Have its dialogs and legs known as its own."""
    for side in between.sides:
        board.call_of_dialog[side.dialog] = board.call_of_leg[side.leg] = between.id


def leg_opened(board: Board, between: Direct, event: LegOpened) -> None:
    """Call the other's phone once both legs have their sockets."""
    side = between.near if event.leg == between.near.leg else between.far
    side.media = event
    if between.state == "opening" and all(each.media is not None for each in between.sides):
        between.move("opened")
        if between.far.number:
            outside.call(board, between.far, between.id, _wished(board, between))
        else:
            _invite(board, between)


def _wished(board: Board, between: Direct) -> Codec | None:
    """Return what the one who dialled would speak best."""
    return party.favourite(board, between.near, between.near.offer)


def _invite(board: Board, between: Direct) -> None:
    near, far = between.sides
    offer = party.offer(board, far, _wished(board, between), secure=encryption.offered_to(board, far.agent))
    board.emit(Invite(far.dialog, far.agent, near.agent, "", offer, device=far.device))


def ringing(board: Board, between: Direct, event: DialogRinging) -> None:
    """The other's phone rings, or says something already: that is heard then, whatever rings besides."""
    near, far = between.sides
    if between.state != "ringing":
        return
    between.rang = True
    board.lamps_due |= {side.agent for side in between.sides}
    if event.sdp and early.connect(board, near, near.offer, far, event.sdp, between.id):
        between.is_early = far.heard = True
    elif not between.is_early:
        board.emit(Ring(near.dialog))


def answered(board: Board, between: Direct, event: DialogAnswered, now: float) -> None:
    """The other picked up: so do we."""
    near, far = between.sides
    if between.state != "ringing":
        return
    try:
        party.accept(far, event.sdp)
        ours = _say_to(board, near, party.spoken(far))
    except sdp.SdpError:
        end(board, between, now, status=488)
        return
    between.move("answered")
    board.lamps_due |= {near.agent, far.agent}
    board.deadlines.cancel(between.id, "ring")
    board.emit(party.connection(far))
    if near.agreed is not None:
        board.emit(party.connection(near, nowhere=not between.is_early))
    board.emit(Answer(near.dialog, ours))


def _say_to(board: Board, near: Side, prefer: Codec | None) -> str:
    """Return our answer to the one who dialled, or our offer where there was none. Raises `SdpError`."""
    if near.offer:
        return party.answer(board, near, near.offer, prefer).sdp
    return party.offer(board, near, prefer)


def confirmed(board: Board, between: Direct, event: DialogConfirmed, now: float) -> None:
    """The one who dialled hears us: the two are put together."""
    near, far = between.sides
    if between.state != "answering":
        return
    if near.agreed is None:
        try:
            party.accept(near, event.sdp)
        except sdp.SdpError:
            end(board, between, now)
            return
    between.move("confirmed")
    board.emit(party.connection(near), Join(near.leg, between.id), Join(far.leg, between.id))
    if between.outgoing is not None:
        forget(board, between)
        index(board, between)
        board.deadlines.set(between.id, "max_call", between.outgoing.started_at + board.settings.max_call_s)
        outbound.answered(board, between.outgoing, near, far, now)
        return
    phone_changed(board, between)


def phone_changed(board: Board, between: Direct) -> None:
    """While one side holds, the other hears music."""
    if between.state != "talking":
        return
    for side in between.sides:
        waits = party.is_holding(between.other(side)) and not party.is_holding(side)
        if waits and not side.sound:
            between.playbacks += 1
            side.sound = f"direct.{between.playbacks}"
            board.emit(Play(side.leg, side.sound, (Prompt("music", HOLD),), barge_in=False, loop=True))
        elif side.sound and not waits:
            stop_sound(board, side)


def stop_sound(board: Board, side: Side) -> None:
    """The waiting is over for this side."""
    if side.sound:
        board.emit(StopPlaying(side.leg, side.sound))
        side.sound = ""


def dialog_ended(board: Board, between: Direct, event: DialogEnded, now: float) -> None:
    """One of them hung up, refused, or is gone."""
    far = between.far
    is_far = between.state == "ringing" and event.dialog == far.dialog
    if is_far and far.agent and encryption.is_to_be_offered_again(board, far, far.agent, event):
        _invite(board, between)
        return
    if is_far and outside.call_again(board, far, between.id, event, _wished(board, between)):
        return
    status, by = why_over(between, event)
    end(board, between, now, status=status, gone=event.dialog, by=by)


def why_over(between: Direct, event: DialogEnded) -> tuple[int, str]:
    """Return the status that the one who dialled is told, and who ended it: the agent, or nobody."""
    status = event.status if event.ending == "rejected" and event.status else 480
    return status, "agent" if event.dialog == between.near.dialog else ""


def end(board: Board, between: Direct, now: float, *, status: int = 480, gone: str = "", by: str = "") -> None:
    """End the call for both; `gone` is a dialog that is over already, `status` what one not answered yet is told, `by`
    who ended it, for the row of a call to the world outside; empty where nobody was reached."""
    if between.state == "ended":
        return
    was = between.state
    between.move("ended")
    for side in between.sides:
        if side.dialog != gone:
            early = side is between.near and was in {"opening", "ringing"}
            board.emit(Reject(side.dialog, status, "") if early else Hangup(side.dialog))
        board.emit(CloseLeg(side.leg))
        board.tell_queues(AgentDisengaged(side.agent, between.id), now)
    if between.outgoing is not None:
        outbound.ended(board, between.outgoing, by or f"not reached: {status}", now)
    forget(board, between)


def forget(board: Board, between: Direct) -> None:
    """Leave no trace on the board but what a side's new call has put there."""
    board.directs.pop(between.id, None)
    board.lamps_due |= {side.agent for side in between.sides}
    for side in between.sides:
        for known, name in ((board.call_of_dialog, side.dialog), (board.call_of_leg, side.leg)):
            if known.get(name) == between.id:
                del known[name]
    board.deadlines.cancel_all(between.id)
