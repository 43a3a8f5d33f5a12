"""Calls in queues: what the ACD puts out becomes invitations, withdrawals and the flow's queue exits."""

from typing import assert_never

from ivr_flows.state import QueueOutcome
from ivr_flows.step import QueueLeft
from telephony.acd import (
    AcdOutput,
    AgentChanged,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    OfferCall,
    OfferDeclined,
    WithdrawOffer,
)
from telephony.acd.messages import DeclineCause
from telephony.clock import iso
from telephony.events import DialogEnded, DialogRinging, Invite, LegOpened, LegRefused, Publish, SaveAgent
from telephony.switchboard import (
    asking,
    callbacks,
    calling_back,
    declining,
    encryption,
    ending,
    party,
    pickup,
    recording,
    talk,
    waiting,
    whisper,
)
from telephony.switchboard.board import Board, context_body
from telephony.switchboard.call import AgentLeg, Call


def perform(board: Board, output: AcdOutput, now: float) -> None:
    """Do what the queues decided."""
    match output:
        case OfferCall():
            _offer(board, output, now)
        case WithdrawOffer():
            _withdraw(board, output, now)
        case CallTimedOut():
            _leave_queue(board, output.call, "timeout", now)
        case CallRefused():
            _refused(board, output, now)
        case AgentChanged():
            board.lamps_due.add(output.agent)
            board.emit(
                SaveAgent(output.agent, output.state, output.reason, output.since, output.call),
                Publish(
                    "agent.changed",
                    {
                        "agent": output.agent,
                        "state": output.state,
                        "reason": output.reason,
                        "since": iso(output.since) if output.since else None,
                        "call_id": output.call or None,
                    },
                ),
            )
        case _:
            assert_never(output)


def _offer(board: Board, output: OfferCall, now: float) -> None:
    if calling_back.offer(board, output, now):
        return
    call = board.calls.get(output.call)
    if call is None or call.state != "queued":
        # The call is gone, which is no fault of the agent's.
        board.tell_queues(CallLeft(output.call), now)
        return
    call.move("offered")
    call.agent = output.agent
    board.open_agent_leg(call, output.agent)
    waiting.ring_out(board, call)
    board.save(call)
    # Before the phone rings: the agent is to know who calls before answering.
    board.publish("call.offered", call, agent=output.agent, context=context_body(call.context))


def leg_opened(board: Board, call: Call, event: LegOpened, now: float) -> None:
    """The agent's leg has its socket: ring the phone, offering the caller's codec first."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    agent_leg.media = event
    if agent_leg.offer:
        if pickup.is_taken(call):
            pickup.leg_opened(board, call, now)
        else:
            talk.answer_phone(board, call)
        return
    _invite(board, call, agent_leg)


def _invite(board: Board, call: Call, agent_leg: AgentLeg) -> None:
    secure = encryption.offered_to(board, agent_leg.agent)
    offer = party.offer(board, agent_leg, party.spoken(call), secure=secure)
    name, number = call.context.name, call.customer_number or "anonymous"
    board.emit(Invite(agent_leg.dialog, agent_leg.agent, number, name, offer, call.id, agent_leg.returning))


def leg_refused(board: Board, call: Call, _event: LegRefused, now: float) -> None:
    """No socket for the agent's leg: the offer failed, the caller goes on waiting."""
    if call.agent_leg is not None and call.agent_leg.returning:
        talk.not_returned(board, call)
        return
    _decline(board, call, "failed", now)


def agent_ringing(board: Board, event: DialogRinging) -> None:
    """The phone rings."""
    call = board.by_dialog(event.dialog)
    if call is not None and call.agent_leg is not None:
        call.agent_leg.rang = True
        board.lamps_due.add(call.agent_leg.agent)
        board.publish("call.ringing", call)


def agent_refused(board: Board, call: Call, event: DialogEnded, now: float) -> None:
    """The agent's dialog ended before it was answered."""
    agent_leg = call.agent_leg
    if agent_leg is not None and encryption.is_to_be_offered_again(board, agent_leg, agent_leg.agent, event):
        _invite(board, call, agent_leg)
        return
    if call.agent_leg is not None and call.agent_leg.returning:
        talk.not_returned(board, call, dialog_open=False)
        return
    cause = "rejected" if whisper.is_on(call) else declining.cause_of(event)
    _decline(board, call, cause, now, dialog_open=False)


def _decline(board: Board, call: Call, cause: DeclineCause, now: float, *, dialog_open: bool = True) -> None:
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    if pickup.is_taken(call):
        pickup.failed(board, call, now, dialog_open=dialog_open)
        return
    ending.drop_agent_leg(board, call, dialog_open=dialog_open)
    back_in_queue(board, call, cause)
    board.tell_queues(OfferDeclined(call.id, agent_leg.agent, cause), now)
    _open_to_all(board, call, now, "failed" if cause == "failed" else "no_answer")


def _open_to_all(board: Board, call: Call, now: float, outcome: str = "no_answer") -> None:
    """The one agent to whom the call was transferred does not take it: whoever serves its queue may. Where a flow gave
    it to that agent, the flow goes on."""
    if call.asked is not None:
        board.tell_queues(CallLeft(call.id), now)
        _return(board, call, now)
        asking.answer(board, call, outcome)
    elif call.directed_to:
        declined_by, call.directed_to = call.directed_to, ""
        board.tell_queues(CallLeft(call.id), now)
        avoid = (call.transferred_by, declined_by)
        again = CallQueued(call.id, call.queue, call.queue_limit_s, talk.TRANSFERRED, call.queued_at, avoid=avoid)
        board.tell_queues(again, now)


def _withdraw(board: Board, output: WithdrawOffer, now: float) -> None:
    calling_back.withdrawn(board, output)
    call = board.calls.get(output.call)
    if call is None or call.agent_leg is None or call.agent_leg.agent != output.agent or call.state != "ringing":
        return
    ending.drop_agent_leg(board, call)
    back_in_queue(board, call, output.cause)
    _open_to_all(board, call, now)


def back_in_queue(board: Board, call: Call, cause: str) -> None:
    """The offer came to nothing; the call waits on, in its place."""
    agent, call.agent = call.agent, ""
    call.move("offer_ended")
    waiting.stop_ringing(board, call)
    board.save(call)
    board.publish("call.offer_ended", call, agent=agent, cause=cause)


def _refused(board: Board, output: CallRefused, now: float) -> None:
    booking = callbacks.of_call(board, output.call)
    if booking is not None:
        callbacks.given_up(board, booking, f"there is no queue {booking.kept.queue}", now)
        return
    _leave_queue(board, output.call, "full" if output.cause == "full" else "closed", now)


def _leave_queue(board: Board, call_id: str, outcome: QueueOutcome, now: float) -> None:
    call = board.calls.get(call_id)
    if call is None or call.state not in {"queued", "ringing"}:
        return
    if call.directed_to and outcome == "timeout":
        _open_to_all(board, call, now)
        return
    recording.talk_over(board, call)
    ending.drop_agent_leg(board, call)
    _return(board, call, now)
    if call.asked is not None:
        asking.answer(board, call, "no_answer" if outcome == "timeout" else "failed")
    else:
        board.tell_flow(call, QueueLeft(outcome))


def _return(board: Board, call: Call, now: float) -> None:
    """Take a call out of its queue, back into its flow."""
    waiting.stop_waiting_music(board, call)
    call.move("returned")
    call.agent = call.directed_to = ""
    call.queue_left_at = now
    board.save(call)
