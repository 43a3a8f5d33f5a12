"""Whom a flow calls, for a caller who waits for that: a number outside, or one of our users' phones.

From the INVITE on it is what happens to a caller who is given away by an agent (`forward`); but where an agent's caller
would wait for the next agent, or the call would end, the flow goes on. A flow gives its caller away likewise, for good;
a trunk that can put the caller through by itself (REFER) is asked to, and then both are out of here.

Rule: what is dialled may come from a caller's keys. The trunk's rules decide as for everybody (`dialling`); besides,
no flow ever calls an emergency number, or one of our own, which would lead back here and round in circles.
"""

from typing import Final

from telephony.acd import AgentEngaged, CallQueued
from telephony.events import Note, Prompt, Refer, ReferProgressed, RefuseNumber
from telephony.requests import DialOut, TransferCall
from telephony.switchboard import asking, direct, ending, forward, outside, talk, waiting
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call
from telephony.switchboard.dialling import dialled, is_emergency
from telephony.switchboard.side import Side

BUSY, UNAVAILABLE = 486, 480
OUTCOMES: Final = {BUSY: "busy", UNAVAILABLE: "no_answer"}
FINAL, REFUSED = 200, 300
REFER_S: Final = 30.0
"""So long a trunk has time to put a caller through to a number by itself."""
WAITING: Final = (Prompt("music", "waiting"),)


def dial(board: Board, call: Call, request: DialOut, now: float) -> None:
    """Call a number; the flow goes on when the talk is over, or there was none."""
    side = _wanted(board, call, request.number)
    if side is not None:
        _call(board, call, side, request.timeout_s, request.music, now)


def transfer(board: Board, call: Call, request: TransferCall, now: float) -> None:
    """Give the call away, to a number or an agent; the flow goes on where that fails."""
    if request.agent:
        _offer(board, call, request.agent, now)
        return
    side = _wanted(board, call, request.number)
    if (
        side is not None
        and side.number
        and any(each.refers for each in board.settings.trunks if each.name == call.trunk)
    ):
        call.referring = side
        board.emit(Refer(call.dialog, side.number))
        board.deadlines.set(call.id, "refer", now + REFER_S)
    elif side is not None:
        _call(board, call, side, forward.RING_S, (), now)


def referred(board: Board, event: ReferProgressed, now: float) -> None:
    """The trunk says what came of it: it has put the two together by itself, or we do."""
    call = board.calls.get(board.call_of_dialog.get(event.dialog, ""))
    if call is None or call.dialog != event.dialog or call.referring is None or event.status < FINAL:
        return
    if event.status < REFUSED:
        ending.end(board, call, ending.REFERRED, now)
    else:
        not_referred(board, call, now)


def not_referred(board: Board, call: Call, now: float) -> None:
    """The trunk does not, or says nothing: call the number ourselves."""
    side, call.referring = call.referring, None
    board.deadlines.cancel(call.id, "refer")
    if side is not None and call.state == "in_flow":
        _call(board, call, side, forward.RING_S, (), now)


def _wanted(board: Board, call: Call, number: str) -> Side | None:
    """Return the party that is to be called, None where the flow was told that there is none."""
    try:
        return _side(board, call, number)
    except outside.Refused as refused:
        board.emit(Note(call.id, "failure", f"nobody is called: {refused}"))
        asking.answer(board, call, forward.outcome_of(call, OUTCOMES.get(refused.status, "failed")))
        return None


def _call(board: Board, call: Call, side: Side, timeout_s: float, music: tuple[Prompt, ...], now: float) -> None:
    call.move("forwarded")
    call.talk_ended_by = ""
    if side.agent:
        board.call_of_dialog[side.dialog] = call.id
        board.lamps_due.add(side.agent)
        board.tell_queues(AgentEngaged(side.agent, call.id), now)
    forward.ring(board, call, side, music, now + timeout_s)
    board.publish("call.calling", call, to=f"agent:{side.agent}" if side.agent else f"number:{side.number}")


def _side(board: Board, call: Call, number: str) -> Side:
    """Return the party that is to be called. Raises `outside.Refused`."""
    agent = board.acd.agent(number)
    if agent is not None:
        if not agent.reachable:
            raise outside.Refused(UNAVAILABLE, "the user's phone is not registered")
        if agent.state in direct.BUSY:
            raise outside.Refused(BUSY, "the user is in a call")
        call.offers += 1
        leg = f"{call.id}.outside{call.offers}"
        return Side(agent.agent, leg, leg, call.session_id)
    by, cause = f"flow {call.flow.name}", _why_never(board, number)
    if cause:
        board.emit(RefuseNumber(by, number, cause))
        raise outside.Refused(outside.FORBIDDEN, cause)
    return forward.party_for(board, call, by, number)


def _why_never(board: Board, number: str) -> str:
    """Return why no flow may call a number, whatever the trunks may; empty where it may."""
    region = board.settings.region
    called = dialled(number, region)
    if is_emergency(called, region):
        return "an emergency number, which no flow calls"
    if called and called in {dialled(own, region) for own in board.settings.numbers}:
        return "a number of our own: give the call to its flow by `transfer: {flow: …}`"
    return ""


def _offer(board: Board, call: Call, agent: str, now: float) -> None:
    """Offer the call to one agent alone."""
    known, queue = board.acd.agent(agent), board.queue_of(call)
    if known is None or not queue:
        board.emit(Note(call.id, "failure", "the call is not transferred: there is no such agent, or no queue"))
        asking.answer(board, call, "failed")
        return
    if not known.reachable:
        asking.answer(board, call, "no_answer")
        return
    call.move("queued")
    call.queue, call.directed_to, call.queue_limit_s = queue, agent, talk.DIRECTED_S
    call.queued_at, call.queue_left_at = now, 0.0
    call.waiting_music, call.music_playing = WAITING, False
    waiting.play_music(board, call)
    board.save(call)
    board.publish("call.queued", call)
    board.tell_queues(CallQueued(call.id, queue, talk.DIRECTED_S, talk.TRANSFERRED, only=agent), now)
