"""Caller and agent together: joined, recorded, and parted again."""

from ivr_flows.step import QueueLeft
from telephony import sdp
from telephony.acd import OfferAnswered, OfferDeclined, TalkEnded
from telephony.events import DialogAnswered, Hangup, Join, Leave
from telephony.switchboard import (
    asking,
    calling_back,
    direct,
    ending,
    forward,
    party,
    queueing,
    recording,
    talk,
    waiting,
    whisper,
)
from telephony.switchboard.board import Board
from telephony.switchboard.call import AgentLeg, Call


def agent_answered(board: Board, event: DialogAnswered, now: float) -> None:
    """The agent picked up: the music stops, both hear each other, and the recording begins with the same tick."""
    between, call = board.direct_by_dialog(event.dialog), board.by_dialog(event.dialog)
    if between is not None:
        (calling_back if between.booking else direct).answered(board, between, event, now)
        return
    if call is not None and call.outsider is not None and call.outsider.dialog == event.dialog:
        forward.answered(board, call, call.outsider, event, now)
        return
    if call is None:
        board.emit(Hangup(event.dialog))  # the offer was over before its answer came; nobody is to talk to silence
        return
    if call.agent_leg is None or call.agent_leg.dialog != event.dialog:
        return
    if call.agent_leg.returning:
        talk.returned(board, call, event)
        return
    if call.state != "ringing":
        return
    agent_leg = call.agent_leg
    try:
        party.accept(agent_leg, event.sdp)
    except sdp.SdpError:
        ending.drop_agent_leg(board, call)
        queueing.back_in_queue(board, call, "failed")
        board.tell_queues(OfferDeclined(call.id, agent_leg.agent, "failed"), now)
        return
    if not whisper.begin(board, call, agent_leg, now):
        take(board, call, agent_leg, now)


def take(board: Board, call: Call, agent_leg: AgentLeg, now: float) -> None:
    """The agent to whom the call was offered has it."""
    board.tell_queues(OfferAnswered(call.id, agent_leg.agent), now)
    begin_talk(board, call, agent_leg, now)


def begin_talk(board: Board, call: Call, agent_leg: AgentLeg, now: float) -> None:
    """Put caller and agent together."""
    agent_leg.answered = True
    call.move("bridged")
    call.directed_to = call.talk_ended_by = ""
    if call.asked is not None:
        asking.give_away(call)
    call.queue_left_at = call.talk_started_at = now
    call.talk_ended_at = 0.0
    waiting.over(board, call, now)
    board.emit(
        party.connection(agent_leg),
        Join(call.leg, call.id),
        Join(agent_leg.leg, call.id),
    )
    recording.begin(board, call, now)  # that of the talk before a transfer goes on
    board.save(call)
    board.publish("call.talking", call)


def agent_gone(board: Board, call: Call, now: float, *, by: str = "agent", dialog_open: bool = False) -> None:
    """The agent hung up, or is not heard any more: the caller goes on in the flow, at the queue step's `answered`."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    board.emit(Leave(call.leg))
    recording.talk_over(board, call)
    ending.drop_agent_leg(board, call, dialog_open=dialog_open)
    talk.set_sound(board, call, none=True)
    call.held_at = call.away_at = 0.0
    call.move("returned")
    call.talk_ended_by = by
    call.talk_ended_at = now
    board.tell_queues(TalkEnded(call.id, agent_leg.agent), now)
    board.save(call)
    board.publish("call.talk_ended", call, by=by)
    board.tell_flow(call, QueueLeft("answered"))
