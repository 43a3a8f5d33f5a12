"""Keys that nobody is to hear or see: what a caller types into a secret question of its flow (`ivr_flows.secrecy`).

Rule 1: whether a key is secret depends on where the flow stands before it takes it. So it is asked before the key is
handled, and the journal's line is written by what was said then.

Rule 2: the caller's leg is guarded before the question is played, and until the flow has left it. A call that ends is
guarded to its end.

Rule 3: somebody who types more digits than are asked for goes on typing for a moment. Those are secret as well.
"""

from typing import Final

from ivr_flows.flow import Gather
from ivr_flows.step import FlowInput, KeyPressed
from telephony.events import DigitPressed, Event, GuardKeys, KeySignalled
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

SURPLUS_S: Final = 1.0
"""So long a digit may still belong to an answer that was complete without it."""


def is_secret(board: Board, event: Event, now: float) -> bool:
    """Whether an event that has not been handled yet is a key that may be nobody's to see."""
    match event:
        case DigitPressed():
            call = board.by_leg(event.leg)
            return call is not None and event.leg == call.leg and _takes_secrets(call, now)
        case KeySignalled():
            call = board.by_dialog(event.dialog)
            return call is not None and event.dialog == call.dialog and _takes_secrets(call, now)
        case _:
            return False


def _takes_secrets(call: Call, now: float) -> bool:
    return now <= call.secret_until or call.step in call.secrecy.steps


def guard(board: Board, call: Call) -> None:
    """Guard the keys of a call whose flow has moved, or let them be heard again; nothing where it is so already."""
    if call.flow_state is None or call.flow_state.ended:
        return
    guarded = call.step in call.secrecy.guarded
    if guarded != call.guarded:
        call.guarded = guarded
        board.emit(GuardKeys(call.leg, guarded))


def note_surplus(call: Call, before: str, message: FlowInput, now: float) -> None:
    """Remember where a digit was the last of a secret answer; `before` is the step in which it came."""
    question = call.flow.steps[before]
    if isinstance(question, Gather) and question.secret and isinstance(message, KeyPressed) and call.step != before:
        call.secret_until = now + SURPLUS_S if message.digit != question.finish else 0.0
