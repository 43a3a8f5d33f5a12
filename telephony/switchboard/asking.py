"""What a flow asks of its own call (a number to be dialled, a message to be taken), and the answer to it.

Rule: each is answered once, by `answer`, with the name of an exit, unless the call ends before, or is given away: then
its flow is over.
"""

from ivr_flows.state import Answered
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call


def answer(board: Board, call: Call, outcome: str) -> None:
    """Let the flow go on: what it has asked is done, or cannot be."""
    asked, call.asked = call.asked, None
    if asked is not None:
        board.tell_flow(call, Answered(asked.number, outcome))


def give_away(call: Call) -> None:
    """Somebody else has the call now: when they leave, it ends."""
    call.asked, call.given_away = None, True
