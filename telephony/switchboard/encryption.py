"""Whether a phone that we call is offered SRTP, and in which of the two ways that phones know.

Keys go into the signalling, so they are offered to phones registered over TLS alone (unless SRTP is a must everywhere).
Most take them beside RTP/AVP and go without where they cannot. One that has SRTP as a must of its own refuses that, and
is called once more with RTP/SAVP, at once; it is remembered for as long as it stays registered.
"""

from typing import Final

from telephony.events import DialogEnded
from telephony.switchboard.board import Board
from telephony.switchboard.party import Party, Secure

NOT_ACCEPTABLE: Final = frozenset({415, 488, 606})
AGAIN: Final = ".savp"


def offered_to(board: Board, agent: str) -> Secure:
    """Return how an agent's phone is offered SRTP."""
    if agent not in board.secured or board.settings.srtp == "off":
        return "no"
    return "must" if agent in board.savp else "may"


def is_to_be_offered_again(board: Board, party: Party, agent: str, event: DialogEnded) -> bool:
    """Whether a phone that refused the call shall be called once more, with RTP/SAVP; its party then has a new dialog
    and nothing agreed on, in the leg that it has."""
    if event.ending != "rejected" or event.status not in NOT_ACCEPTABLE:
        return False
    if offered_to(board, agent) != "may" or event.dialog.endswith(AGAIN):
        board.savp.discard(agent)  # it is not that, or not any more
        return False
    board.savp.add(agent)
    call = board.call_of_dialog.pop(party.dialog)
    party.dialog += AGAIN
    board.call_of_dialog[party.dialog] = call
    party.agreed, party.said, party.version, party.moved = None, "", 0, False
    return True
