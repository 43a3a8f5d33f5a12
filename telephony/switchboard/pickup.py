"""Call pickup: an agent takes a call that rings at a colleague's phone (INVITE with Replaces, as a lamp names it).

The call leaves its queue for that agent, who is engaged from then on; the colleague's phone stops ringing, without a
mark of refusal. It may be taken by whoever serves its queue and is in no other call. Where the agent's phone then
fails, the call is back in its queue, in its old place.
"""

from telephony import sdp
from telephony.acd import AgentDisengaged, AgentEngaged, CallLeft, CallQueued, TalkTaken
from telephony.events import Answer, InviteReceived, OpenLeg, Reject
from telephony.switchboard import bridge, ending, party, queueing, talk, whisper
from telephony.switchboard.board import Board, context_body
from telephony.switchboard.call import AgentLeg, Call

FREE = frozenset({"offline", "ready", "not_ready", "after_call_work"})
NOT_ACCEPTABLE = 488


def rings(call: Call, dialog: str) -> bool:
    """Whether a call rings, in this dialog, at the phone of an agent to whom it was offered."""
    agent_leg = call.agent_leg
    if call.state != "ringing" or agent_leg is None or agent_leg.dialog != dialog:
        return False
    return not (agent_leg.engaged or agent_leg.briefed)


def is_taken(call: Call) -> bool:
    """Whether somebody is about to pick the call up."""
    return call.agent_leg is not None and call.agent_leg.engaged


def asked(board: Board, call: Call, event: InviteReceived, now: float) -> None:
    """An agent wants the call that rings at a colleague's."""
    agent = board.acd.agent(event.user)
    may = agent is not None and agent.state in FREE and board.acd.serves(event.user, call.queue)
    if not may or not event.sdp or event.user == call.agent:
        board.emit(Reject(event.dialog, 403, "Forbidden"))
        return
    ending.drop_agent_leg(board, call)
    board.tell_queues(CallLeft(call.id), now)
    board.tell_queues(AgentEngaged(event.user, call.id), now)
    call.offers += 1
    leg = f"{call.id}.agent{call.offers}"
    call.agent = event.user
    call.agent_leg = AgentLeg(leg, event.user, call.session_id, event.dialog, offer=event.sdp, engaged=True)
    board.call_of_leg[leg] = board.call_of_dialog[event.dialog] = call.id
    board.emit(OpenLeg(leg, "webrtc" if sdp.is_webrtc(event.sdp) else "rtp"))
    board.save(call)
    board.publish("call.offered", call, agent=event.user, context=context_body(call.context))


def leg_opened(board: Board, call: Call, now: float) -> None:
    """Answer the phone that picks up."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    try:
        agreed = party.answer(board, agent_leg, agent_leg.offer, party.spoken(call))
    except sdp.SdpError as error:
        board.emit(Reject(agent_leg.dialog, NOT_ACCEPTABLE, str(error)))
        failed(board, call, now, dialog_open=False)
        return
    board.emit(party.connection(agent_leg, nowhere=True), Answer(agent_leg.dialog, agreed.sdp))


def connected(board: Board, call: Call, now: float) -> None:
    """The phone hears us: caller and agent talk, after what the agent is to hear first."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    if not whisper.begin(board, call, agent_leg, now):
        take(board, call, agent_leg, now)


def take(board: Board, call: Call, agent_leg: AgentLeg, now: float) -> None:
    """The agent who picked it up has it."""
    agent_leg.engaged = False
    board.tell_queues(TalkTaken(agent_leg.agent, call.id, call.queue), now)
    board.tell_queues(AgentDisengaged(agent_leg.agent, call.id), now)
    bridge.begin_talk(board, call, agent_leg, now)


def failed(board: Board, call: Call, now: float, *, dialog_open: bool = True) -> None:
    """The phone that was to pick up is gone again: the call waits on, in its place."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    ending.drop_agent_leg(board, call, dialog_open=dialog_open)
    queueing.back_in_queue(board, call, "failed")
    call.directed_to = ""
    board.tell_queues(AgentDisengaged(agent_leg.agent, call.id), now)
    waits_for_s = max(0.0, call.queued_at + call.queue_limit_s - now)
    again = CallQueued(call.id, call.queue, waits_for_s, talk.TRANSFERRED, call.queued_at, avoid=(agent_leg.agent,))
    board.tell_queues(again, now)
