"""Keys that nobody is to hear or see: what a caller types into a secret question of its flow (`ivr_flows.secrecy`).

Rule 1: whether a key is secret depends on where the flow stands before it takes it. So it is asked before the key is
handled, and the journal's line is written by what was said then.

Rule 2: the caller's leg is guarded before the question is played, and until its keys are secret no more. A call that
ends is guarded to its end.

Rule 3: somebody who types more digits than are asked for, or too late, goes on typing for a moment. Those are secret as
well.

Rule 4: in clear are only keys that a flow may take. What somebody types in a talk may be a card's number, for a payment
line or for nobody.
"""

from collections.abc import Mapping
from typing import Final

from ivr_flows.flow import Gather, question_of
from ivr_flows.graph import places
from ivr_flows.step import FlowInput, KeyPressed, QueueLeft, TimePassed
from telephony.events import DigitPressed, Event, GuardKeys, KeySignalled
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call, CallState

SURPLUS_S: Final = 1.0
"""So long a digit may still belong to an answer that was complete without it."""
OF_A_FLOW: Final[frozenset[CallState]] = frozenset({"arriving", "answering", "in_flow"})
"""Where a flow takes the caller's keys, or will."""


def is_secret(board: Board, event: Event, now: float) -> bool:
    """Whether an event that has not been handled yet is a key that may be nobody's to see."""
    match event:
        case DigitPressed():
            call = board.by_leg(event.leg)
            return call is None or event.leg != call.leg or _takes_secrets(call, now)
        case KeySignalled():
            call = board.by_dialog(event.dialog)
            return call is None or event.dialog != call.dialog or _takes_secrets(call, now)
        case _:
            return False


def _takes_secrets(call: Call, now: float) -> bool:
    if call.state not in OF_A_FLOW and not call.takes_keys:
        return True
    if call.flow_state is None:
        return bool(call.secrecy.steps)  # typed ahead, for whatever question
    return now <= call.secret_until or call.step in call.secrecy.steps


def guard(board: Board, call: Call, now: float) -> None:
    """Guard the keys of a call whose flow has moved, or let them be heard again; nothing where it is so already."""
    if call.flow_state is None or call.flow_state.ended:
        return
    asks = call.step in call.secrecy.guarded
    guarded = asks or (call.guarded and now < call.secret_until)
    if guarded and not asks:
        board.deadlines.set(call.id, "guard", call.secret_until)
    else:
        board.deadlines.cancel(call.id, "guard")
    if guarded != call.guarded:
        call.guarded = guarded
        board.emit(GuardKeys(call.leg, guarded))


def held(call: Call, number: int, variable: str) -> str | int | float | bool | None:
    """Return what is to be sent with a request of a call's flow: what the flow that asks holds secretly in one of its
    variables. None for nothing, and where it waits for that answer no more: another may hold another secret by then."""
    asks = call.flow_state.heard if call.flow_state is not None else None
    if asks is None or (asks.phase, asks.requests) != ("requesting", number) or variable not in call.secrecy.variables:
        return None
    value = asks.variables.get(variable)
    return None if isinstance(value, Mapping) else value


def note_surplus(call: Call, before: str, message: FlowInput, now: float) -> None:
    """Remember where a flow has left a step whose keys are secret, `before`, by an input: more of them may come."""
    if call.step == before or before not in call.secrecy.steps:
        return
    question = question_of(places(call.flow)[before])
    if not isinstance(question, Gather):
        call.secret_until = now + SURPLUS_S
    elif isinstance(message, KeyPressed) and message.digit == question.finish:
        call.secret_until = 0.0
    else:
        # Who was too slow for the question, or in the middle of it when an agent came, may be typing.
        pause = question.between_keys_s if isinstance(message, TimePassed | QueueLeft) else 0.0
        call.secret_until = now + max(SURPLUS_S, pause)
