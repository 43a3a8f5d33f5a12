"""Who calls becomes known in the middle of a call: by an answer that fits one of those whom the caller may be.

Rule: from then on everything of the call is that profile's: what the flow knows, the page of the agent, the recording,
the timeline. What the answer does not prove is worth what the number was.
"""

from typing import Final

from msgspec.structs import replace

from telephony.events import CallerContext, CallerVerified, CandidatesFound
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

BY_NUMBER: Final = 1
"""The most that a caller's number is worth (`telephony.events.CallerContext`)."""


def candidates_found(board: Board, event: CandidatesFound, _now: float) -> None:
    """Keep whom the flow has found: the next question is about them."""
    call = board.calls.get(event.call)
    if call is not None:
        call.candidates = event.candidates


def verified(board: Board, event: CallerVerified, _now: float) -> None:
    """Take the caller for whom the answer fits."""
    call = board.calls.get(event.call)
    if call is None:
        return
    context = _no_less(call, event.context)
    call.context = context if event.proven else replace(context, assurance=_worth_of_number(call, context.customer))
    call.candidates = ()
    board.save(call)
    board.publish("call.caller_found", call)
    board.publish("call.verified", call, by=context.verified_by, assurance=call.context.assurance)


def _no_less(call: Call, context: CallerContext) -> CallerContext:
    """Who has proved more before is as sure after a further answer, as the same profile."""
    if context.customer != call.context.customer or context.assurance >= call.context.assurance:
        return context
    return replace(context, assurance=call.context.assurance)


def _worth_of_number(call: Call, customer: str) -> int:
    """What the number says of somebody who was told from others by a name: nothing of whom it does not mean."""
    is_meant = customer in call.context.candidates or customer == call.context.customer
    return min(call.context.assurance, BY_NUMBER) if is_meant else 0
