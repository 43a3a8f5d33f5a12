"""Answering a call: by itself as soon as it can be, or when its flow says so."""

from telephony import sdp
from telephony.events import Answer
from telephony.switchboard import ending, party
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call


def answer(board: Board, call: Call, now: float) -> None:
    """Answer a call that has not been answered."""
    if call.state != "arriving":
        return
    try:
        # An INVITE without an offer gets ours; the ACK then brings the answer (RFC 3261 section 13.2.1).
        ours = party.answer(board, call, call.offer).sdp if call.offer else party.offer(board, call)
    except sdp.SdpError as error:
        ending.end(board, call, f"no common media: {error}", now, status=488, warning=error.warning)
        return
    call.answered_at = now
    call.move("answered")
    board.deadlines.cancel(call.id, "answer")
    # Heard from now on, spoken to from the ACK on: an INVITE alone, its source forged, must not aim a stream at anyone.
    # A browser has to prove itself by ICE before that.
    if call.agreed is not None:
        board.emit(party.connection(call, nowhere=True))
    board.emit(Answer(call.dialog, ours))
    board.save(call)
    board.publish("call.answered", call)
