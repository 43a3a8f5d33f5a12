"""Transfers that a phone asks for itself (REFER), and a talk that its agent moves to another phone (INVITE with
Replaces).

Blind: the caller goes to an agent or a queue by name, as from the desk. Attended: the agent has asked a colleague in a
call between phones, and puts caller and colleague together; both hear each other at once, the recording goes on, and
the colleague's desk shows the caller.
"""

from telephony import sdp
from telephony.acd import AgentDisengaged, TalkEnded, TalkTaken
from telephony.events import (
    CloseLeg,
    Hangup,
    InviteReceived,
    Join,
    OpenLeg,
    ReferReceived,
    Reject,
    ResumeRequested,
    TellRefer,
    TransferRequested,
)
from telephony.switchboard import direct, ending, forward, outside, party, pickup, recording_pause, talk
from telephony.switchboard.board import Board, context_body
from telephony.switchboard.call import TALKS, AgentLeg, Call
from telephony.switchboard.direct import Direct
from telephony.switchboard.side import Side

DONE, NOT_FOUND, DECLINED = 200, 404, 603


def referred(board: Board, event: ReferReceived, now: float) -> None:
    """Do what a phone asks for, and tell it what came of it. The agent of a talk may; whoever else asks may not."""
    call = board.by_dialog(event.dialog)
    if call is None or call.state not in TALKS or call.agent_leg is None or call.agent_leg.dialog != event.dialog:
        board.emit(TellRefer(event.dialog, DECLINED))
        return
    if event.replaces:
        _attended(board, call, event, now)
    else:
        _blind(board, call, event.dialog, event.number, now)


def _blind(board: Board, call: Call, dialog: str, to: str, now: float) -> None:
    agents = {agent.agent for agent in board.acd.agents()}
    by = call.agent_leg.agent if call.agent_leg is not None else ""
    if to not in agents and to not in board.acd.queue_names():
        _to_number(board, call, dialog, to, now)
        return
    if to == by:
        board.emit(TellRefer(dialog, NOT_FOUND))
        return
    board.emit(TellRefer(dialog, DONE))
    to_agent = to in agents
    talk.transfer(
        board, TransferRequested(call.id, by, agent=to if to_agent else "", queue="" if to_agent else to), now
    )


def _to_number(board: Board, call: Call, dialog: str, number: str, now: float) -> None:
    """The last word on the REFER goes out before the dialog is ended; a refusal leaves the talk as it is."""
    by = call.agent_leg.agent if call.agent_leg is not None else ""
    try:
        side = forward.party_for(board, call, by, number)
    except outside.Refused as refused:
        board.emit(TellRefer(dialog, refused.status))
        return
    board.emit(TellRefer(dialog, DONE))
    forward.forward(board, call, by, side, now)


def _attended(board: Board, call: Call, event: ReferReceived, now: float) -> None:
    between, other = board.direct_by_dialog(event.replaces), board.by_dialog(event.replaces)
    if other is not None and call.agent_leg is not None and forward.may_join(call, other, call.agent_leg.agent):
        board.emit(TellRefer(event.dialog, DONE))
        forward.join(board, call, other, now)
        return
    if between is None or between.booking or call.agent_leg is None:
        board.emit(TellRefer(event.dialog, DECLINED))
        return
    own = between.side_of(event.replaces)
    colleague = between.other(own)
    if own.agent != call.agent_leg.agent:
        board.emit(TellRefer(event.dialog, DECLINED))
    elif between.state != "talking":
        # It still rings there: the caller may wait for that just as well.
        direct.end(board, between, now)
        _blind(board, call, event.dialog, colleague.agent or colleague.number, now)
    else:
        board.emit(TellRefer(event.dialog, DONE))
        _put_together(board, call, between, colleague, now)


def _put_together(board: Board, call: Call, between: Direct, colleague: Side, now: float) -> None:
    """Caller and colleague talk, and the agent who asked is out of both calls."""
    leaving = between.other(colleague)
    direct.stop_sound(board, colleague)
    board.emit(Hangup(leaving.dialog), CloseLeg(leaving.leg))
    between.move("ended")
    direct.forget(board, between)
    board.tell_queues(AgentDisengaged(leaving.agent, between.id), now)
    board.tell_queues(TalkEnded(call.id, leaving.agent), now)
    ending.drop_agent_leg(board, call)
    call.agent_leg = AgentLeg(colleague.leg, colleague.agent, colleague.session_id, colleague.dialog, answered=True)
    party.succeed(call.agent_leg, colleague)
    board.call_of_dialog[colleague.dialog] = board.call_of_leg[colleague.leg] = call.id
    board.tell_queues(TalkTaken(colleague.agent, call.id, call.queue), now)
    board.tell_queues(AgentDisengaged(colleague.agent, between.id), now)
    was_held = call.state == "held"
    if was_held:
        call.move("resumed")
    recording_pause.over(board, call)
    call.held_at = call.away_at = 0.0
    call.agent, call.transferred_by = colleague.agent, leaving.agent
    talk.set_sound(board, call)
    if was_held:
        board.emit(Join(call.leg, call.id))
    board.emit(Join(colleague.leg, call.id))
    talk.phone_changed(board, call, now)
    board.save(call)
    to = f"agent:{colleague.agent}"
    board.publish("call.transferred", call, by=leaving.agent, to=to, context=context_body(call.context))
    board.publish("call.talking", call)


# --------------------------------------------------------------------------------------------- to another phone


def pulled(board: Board, event: InviteReceived, now: float) -> None:
    """An agent takes the talk of the page to the desk phone, or the other way round: the new phone is answered in the
    place of the old one. Nobody may do that with somebody else's talk, but with a call that only rings there."""
    call = board.by_dialog(event.replaces)
    if call is not None and pickup.rings(call, event.replaces):
        pickup.asked(board, call, event, now)
        return
    agent_leg = call.agent_leg if call is not None else None
    if call is None or agent_leg is None or call.state not in TALKS or agent_leg.dialog != event.replaces:
        board.emit(Reject(event.dialog, 481, "Call/Transaction Does Not Exist"))
        return
    if not event.user or agent_leg.agent != event.user or not event.sdp:
        board.emit(Reject(event.dialog, 403, "Forbidden"))
        return
    if party.is_holding(agent_leg):  # what the old phone holds is over with it: the new one has no button for that
        talk.resume(board, ResumeRequested(call.id, event.user), now)
    ending.drop_agent_leg(board, call)
    call.offers += 1
    leg = f"{call.id}.agent{call.offers}"
    call.agent_leg = AgentLeg(leg, event.user, call.session_id, event.dialog, stalled=True, returning=True)
    call.agent_leg.offer = event.sdp
    board.call_of_leg[leg] = board.call_of_dialog[event.dialog] = call.id
    board.emit(OpenLeg(leg, "webrtc" if sdp.is_webrtc(event.sdp) else "rtp"))
    talk.away(board, call, now)


def is_agent(board: Board, name: str) -> bool:
    """Whether there is an agent of this name."""
    return any(agent.agent == name for agent in board.acd.agents())
