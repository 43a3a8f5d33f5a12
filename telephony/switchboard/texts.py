"""Texts of callers (MESSAGE): in a call, or to a number as one would call it. They go onto the customer's timeline."""

import msgspec

from telephony.events import AnswerText, SaveText, TextReceived
from telephony.switchboard.board import ANY_NUMBER, Board


def received(board: Board, event: TextReceived, _now: float) -> None:
    """Have a text kept, or refuse it with the status that is due.

    In a call it is of whoever calls, whatever it says itself. Without one its number is claimed, unless a trunk vouches
    for it.
    """
    call = board.by_dialog(event.dialog) if event.dialog else None
    if event.dialog:
        if call is None or call.dialog != event.dialog or not call.number:
            # An agent's phone has its colleagues to write to; of a withheld number there is no timeline.
            board.emit(AnswerText(event.message, 403))
            return
        dnis = call.ani if call.direction == "outbound" else call.dnis
        number, claimed = call.customer_number or call.number, call.claimed
    else:
        status = _refusal(board, event)
        if status:
            board.emit(AnswerText(event.message, status))
            return
        number, claimed, dnis = event.number, not event.vouched, event.dnis
    kept = SaveText(event.message, number, claimed, dnis, event.kind, event.text, event.external_id)
    board.emit(kept if call is None else msgspec.structs.replace(kept, call=call.id))


def _refusal(board: Board, event: TextReceived) -> int:
    numbers = board.settings.numbers
    if board.draining:
        return 503
    if (numbers.get(event.dnis) or numbers.get(ANY_NUMBER)) not in board.flows:
        return 404
    return 403 if event.withheld or not event.number else 0
