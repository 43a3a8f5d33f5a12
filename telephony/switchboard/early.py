"""Early media: what a far end that we call says before it answers (183, RFC 3261 section 13.2.1; RFC 3960).

A ring-back tone, an announcement, a voice menu: whoever called hears it, and is heard, as in the talk that may follow.
Where the far end's INVITE was forked, each branch may say something: the last one is heard, until one answers.
"""

from telephony import sdp
from telephony.events import Join, Progress
from telephony.switchboard import party
from telephony.switchboard.board import Board
from telephony.switchboard.party import Party
from telephony.switchboard.side import Side


def begins(board: Board, far: Side, text: str) -> bool:
    """Take what a far end that we called, and that nobody dialled, sends early, if anything; return whether it is heard
    from now on."""
    if not text:
        return False
    try:
        party.accept(far, text)
    except sdp.SdpError:
        return False
    board.emit(party.connection(far))
    heard_before, far.heard = far.heard, True
    return not heard_before


def connect(board: Board, near: Party, offer: str, far: Party, text: str, bridge: str) -> bool:
    """Let `near`, who dialled with `offer`, hear what `far` sends early, described by `text`, the answer to our offer;
    return whether that is so from now on.

    It is not where either description cannot be used: then `near` hears its own phone ring. An INVITE without an offer
    gets none before it is answered. Voice goes to `near` before its ACK, so it has to be somebody whom we know to be
    there: one of our users, by digest or over its own connection.
    """
    if not offer or near.media is None:
        return False
    try:
        party.accept(far, text)
        begins = near.agreed is None
        ours = party.answer(board, near, offer, party.spoken(far))
    except sdp.SdpError:
        return False
    board.emit(party.connection(far))
    if begins:
        joined = Join(near.leg, bridge), Join(far.leg, bridge)
        board.emit(party.connection(near), *joined, Progress(near.dialog, ours.sdp))
    return True
