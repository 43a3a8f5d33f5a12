"""A caller who is given away to a number outside: the agent leaves, and caller and number are put together.

Meanwhile the caller hears music, or what the far end sends before it answers. Where nobody answers, the caller is the
first to be served by the next agent. A party whom the agent has called before (an attended transfer) is there at once.

For a flow that calls somebody (`dial`) it is the same, but where nobody answers, or the talk is over, the flow goes on.
"""

from typing import Final

from telephony import sdp
from telephony.acd import CallQueued, TalkEnded
from telephony.events import (
    DialogAnswered,
    DialogEnded,
    DialogRinging,
    Invite,
    Join,
    Leave,
    LegOpened,
    Note,
    OpenLeg,
    Prompt,
    TransferRequested,
)
from telephony.requests import DialOut, TransferCall
from telephony.switchboard import (
    asking,
    early,
    encryption,
    ending,
    outside,
    party,
    recording,
    recording_pause,
    talk,
    waiting,
)
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS, Call
from telephony.switchboard.side import Side

RING_S: Final = 60.0
BUSY: Final = frozenset({486, 600, 603})
NO_ANSWER: Final = frozenset({408, 480, 487})
"""What a phone says that nobody picks up, or that is not there."""
BY: Final = ending.OUTSIDER


def party_for(board: Board, call: Call, by: str, number: str) -> Side:
    """Return the party that an agent would give a caller to. Raises `outside.Refused`."""
    call.offers += 1
    side = outside.outsider(board, number, by, f"{call.id}.outside{call.offers}", call.session_id)
    dialled_first = call.dnis if call.direction == "inbound" else call.ani
    side.diverted = dialled_first if dialled_first.startswith("+") else side.trunks[0].caller_number
    side.passed = call.customer_number
    outside.show(side)
    return side


def requested(board: Board, event: TransferRequested, now: float) -> None:
    """The agent of a talk asks for it on the page."""
    call = board.calls.get(event.call)
    if call is None or call.state not in TALKS or call.agent_leg is None or call.agent_leg.agent != event.by:
        return
    try:
        side = party_for(board, call, event.by, event.number)
    except outside.Refused as refused:
        board.emit(Note(call.id, "failure", f"{event.number} is not called: {refused}"))
        board.publish("call.transfer_refused", call, by=event.by, to=f"number:{event.number}", cause=str(refused))
        return
    forward(board, call, event.by, side, now)


def forward(board: Board, call: Call, by: str, side: Side, now: float) -> None:
    """Give a talk's caller to a party outside."""
    _leave_agent(board, call, by, now)
    ring(board, call, side, call.waiting_music or (Prompt("music", "waiting"),), now + RING_S)
    board.publish("call.transferred", call, by=by, to=f"number:{side.number}")


def ring(board: Board, call: Call, side: Side, music: tuple[Prompt, ...], until: float) -> None:
    """Call a party for a caller, who hears music meanwhile, or where there is none a phone that rings."""
    call.outsider = side
    board.call_of_leg[side.leg] = call.id
    board.deadlines.set(call.id, "forward", until)
    call.waiting_music = music
    waiting.play_music(board, call)
    waiting.ring_out(board, call)
    board.emit(OpenLeg(side.leg, board.kind_of(side.agent), offers=True))
    board.save(call)


def _leave_agent(board: Board, call: Call, by: str, now: float) -> None:
    board.tell_queues(TalkEnded(call.id, by), now)
    if call.state == "talking":
        board.emit(Leave(call.leg))
    ending.drop_agent_leg(board, call)
    recording_pause.over(board, call)
    call.held_at = call.away_at = 0.0
    talk.set_sound(board, call, none=True)
    call.move("forwarded")
    call.agent, call.transferred_by = "", by
    call.talk_ended_at = now


def leg_opened(board: Board, call: Call, side: Side, event: LegOpened) -> None:
    """The leg of the party outside is open: call it."""
    side.media = event
    if side.agent:
        _invite(board, call, side)
    else:
        outside.call(board, side, call.id, party.spoken(call))


def _invite(board: Board, call: Call, side: Side) -> None:
    """Ring the phone of one of our users."""
    offer = party.offer(board, side, party.spoken(call), secure=encryption.offered_to(board, side.agent))
    board.emit(Invite(side.dialog, side.agent, call.customer_number or "anonymous", call.context.name, offer))


def ringing(board: Board, call: Call, side: Side, event: DialogRinging) -> None:
    """What the far end sends before it answers is heard: its own tone, or why nobody answers."""
    if call.state == "forwarding" and early.begins(board, side, event.sdp):
        waiting.stop_waiting_music(board, call)
        board.emit(Join(call.leg, call.id), Join(side.leg, call.id))


def answered(board: Board, call: Call, side: Side, event: DialogAnswered, now: float) -> None:
    """The party outside is there."""
    if call.state != "forwarding":
        return
    try:
        party.accept(side, event.sdp)
    except sdp.SdpError:
        failed(board, call, now)
        return
    board.deadlines.cancel(call.id, "forward")
    waiting.stop_waiting_music(board, call)
    call.move("reached")
    call.talk_started_at, call.talk_ended_at = now, 0.0
    if call.asked is None:
        call.queue_left_at = call.queue_left_at or now
    elif isinstance(call.asked.request, TransferCall):
        asking.give_away(call)
    board.emit(party.connection(side))
    if not side.heard:
        board.emit(Join(call.leg, call.id), Join(side.leg, call.id))
    recording.begin(board, call, now)
    board.lamps_due |= {side.agent} - {""}
    board.save(call)
    board.publish("call.talking", call)


def dialog_ended(board: Board, call: Call, side: Side, event: DialogEnded, now: float) -> None:
    """The party outside hung up, or could not be reached."""
    if call.state == "outside":
        gone(board, call, now, dialog_open=False)
    elif side.agent and encryption.is_to_be_offered_again(board, side, side.agent, event):
        _invite(board, call, side)
    elif not outside.call_again(board, side, call.id, event, party.spoken(call)):
        outcome = "busy" if event.status in BUSY else "no_answer" if event.status in NO_ANSWER else "failed"
        failed(board, call, now, dialog_open=False, outcome=outcome)


def gone(board: Board, call: Call, now: float, *, by: str = BY, dialog_open: bool = True) -> None:
    """The party outside has left the talk: the call ends, unless a flow has called it and goes on."""
    if call.asked is None:
        ending.drop_outsider(board, call, now, dialog_open=dialog_open)
        ending.end(board, call, by, now)
        return
    board.emit(Leave(call.leg))
    recording.talk_over(board, call)
    ending.drop_outsider(board, call, now, dialog_open=dialog_open)
    call.move("returned")
    call.talk_ended_by, call.talk_ended_at = by, now
    board.save(call)
    board.publish("call.talk_ended", call, by=by)
    asking.answer(board, call, "answered")


def leg_refused(board: Board, call: Call, now: float) -> None:
    """No socket for the party outside."""
    failed(board, call, now, dialog_open=False)


def outcome_of(call: Call, outcome: str) -> str:
    """Return the exit of a flow that has called somebody; one that gives the call away has but `failed`."""
    return outcome if call.asked is not None and isinstance(call.asked.request, DialOut) else "failed"


def failed(board: Board, call: Call, now: float, *, dialog_open: bool = True, outcome: str = "failed") -> None:
    """Nobody was reached: a flow that has called them goes on. Else the caller has waited long enough, and is the first
    for the next agent."""
    if call.state != "forwarding" or call.outsider is None:
        return
    if call.outsider.heard:
        board.emit(Leave(call.leg))
    ending.drop_outsider(board, call, now, dialog_open=dialog_open)
    if call.asked is not None:
        waiting.stop_waiting_music(board, call)
        call.move("returned")
        board.save(call)
        asking.answer(board, call, outcome_of(call, outcome))
        return
    call.move("unreached")
    waiting.stop_ringing(board, call)
    call.queue, call.queued_at, call.queue_left_at = board.queue_of(call), now, 0.0
    if not call.waiting_playback:
        waiting.play_music(board, call)
    board.save(call)
    board.publish("call.queued", call)
    board.tell_queues(CallQueued(call.id, call.queue, call.queue_limit_s, talk.FIRST), now)


def due(board: Board, call: Call, now: float) -> None:
    """The party outside has not answered."""
    failed(board, call, now, outcome="no_answer")


def may_join(call: Call, other: Call, agent: str) -> bool:
    """Whether an agent may put the far ends of two calls together: both talk with that agent, and one of them was
    called outside."""
    both = all(
        each.state in TALKS and each.agent_leg is not None and each.agent_leg.agent == agent for each in (call, other)
    )
    return both and call is not other and "outbound" in (call.direction, other.direction)


def join(board: Board, call: Call, other: Call, now: float) -> None:
    """An attended transfer: whom the agent has called outside is put together with the one who waits for that. The call
    that came in goes on, or else the one that began first."""
    if (other.direction, other.started_at) < (call.direction, call.started_at):
        call, other = other, call
    by = call.agent_leg.agent if call.agent_leg is not None else ""
    trunks = tuple(rules for rules in board.settings.trunks if rules.name == other.trunk)
    side = Side("", other.dialog, other.leg, other.session_id, number=other.customer_number, trunks=trunks)
    party.succeed(side, other)
    talk.set_sound(board, other, none=True)
    ending.hand_over(board, other, f"transferred by {by}", now)
    _leave_agent(board, call, by, now)
    call.move("reached")
    call.talk_started_at, call.talk_ended_at = now, 0.0
    call.outsider = side
    board.call_of_dialog[side.dialog] = board.call_of_leg[side.leg] = call.id
    board.emit(Join(call.leg, call.id), Join(side.leg, call.id))
    board.save(call)
    board.publish("call.transferred", call, by=by, to=f"number:{side.number}")
    board.publish("call.talking", call)
