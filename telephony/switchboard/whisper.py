"""What an agent alone hears before a talk begins: who calls, and about what, as the caller's flow has it.

The agent's phone is answered, and the caller waits on, with music. To the queues it still rings: who hangs up now has
declined, and whoever calls off the offer (the caller, the queue's limit) does it as ever; but it rings as long as the
words take, whatever the queue's ring timeout.
"""

from typing import Final

from telephony.acd import OfferTaken
from telephony.events import Play
from telephony.switchboard import party
from telephony.switchboard.board import Board
from telephony.switchboard.call import AgentLeg, Call

LONGEST_S: Final = 30.0
GRACE_S: Final = 5.0
PLAYBACK: Final = "whisper"


def begin(board: Board, call: Call, agent_leg: AgentLeg, now: float) -> bool:
    """Let an agent who has answered hear the words that are set; return whether there are any."""
    if not call.whisper:
        return False
    agent_leg.briefed = True
    board.emit(party.connection(agent_leg))
    board.emit(Play(agent_leg.leg, PLAYBACK, call.whisper, barge_in=True))
    board.deadlines.set(call.id, "whisper", now + LONGEST_S)
    board.tell_queues(OfferTaken(call.id, agent_leg.agent, LONGEST_S + GRACE_S), now)
    return True


def is_on(call: Call) -> bool:
    """Whether an agent hears them now."""
    return call.agent_leg is not None and call.agent_leg.briefed


def over(board: Board, call: Call) -> None:
    """They have been heard: the next talk has none."""
    if call.agent_leg is not None:
        call.agent_leg.briefed = False
    call.whisper = ()
    board.deadlines.cancel(call.id, "whisper")
