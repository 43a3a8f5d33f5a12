"""Calls whose media worker is gone: their far ends are told where their legs are now (RFC 3264 section 8.3.1).

The worker that took a leg over goes on with all that it was told (`telephony.edge.standing`). The far end sends to the
old address until it has taken an offer with the new one; a dialog that cannot have one yet, because nobody has answered
or acknowledged, gets it as soon as it can.
"""

from typing import Final

from telephony.events import (
    LegLost,
    LegMoved,
    LegOpened,
    LegRefused,
    Note,
    OfferSession,
    RefuseSession,
    SessionRefused,
)
from telephony.switchboard import bridge, calling_back, ending, forward, ice, queueing
from telephony.switchboard import party as parties
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call, CallState
from telephony.switchboard.party import Party

UNTOLD: Final[frozenset[CallState]] = frozenset({"arriving", "answering"})


def moved(board: Board, event: LegMoved, _now: float) -> None:
    """A leg is in another worker: what we say of it from now on is new, and whoever has been told the old is told."""
    found = next((each for each in ice.parties_of(board, event.leg) if each.leg == event.leg), None)
    if found is None:
        return
    before, found.media = found.media, LegOpened(event.leg, event.address, event.port, event.webrtc, event.keys)
    waiting, _ = board.restarts.pop(event.leg, ("", ""))
    if waiting:  # an ICE restart of theirs, which its worker took along; ours makes up for it
        board.emit(RefuseSession(waiting, 491))
    if found.said:
        found.moved = True
        tell(board, found.dialog)
        if before is not None and event.webrtc is None and (before.address, before.port) == (event.address, event.port):
            found.moved = False  # it is heard as before, whatever it makes of the offer


def tell(board: Board, dialog: str) -> None:
    """Offer the new address to whom it is due, and who can take an offer by now."""
    found = ice.party_of(board, dialog)
    if found is None or not found.moved or dialog in board.unreachable or not _is_confirmed(board, found):
        return
    board.emit(OfferSession(dialog, parties.offer(board, found, parties.spoken(found))))
    found.moved = True  # until it is answered


def refused(board: Board, event: SessionRefused, now: float) -> None:
    """Whoever does not follow cannot be heard any more. One that could not be reached is told when it is back."""
    found = ice.party_of(board, event.dialog)
    if found is not None and found.moved and event.dialog not in board.unreachable:
        _end(board, found, f"failure: the far end did not follow to another media worker ({event.status})", now)


def lost(board: Board, event: LegLost, now: float) -> None:
    """There is no media for a leg any more."""
    found = next((each for each in ice.parties_of(board, event.leg) if each.leg == event.leg), None)
    if found is not None:
        _end(board, found, f"failure: {event.cause}", now)


def _end(board: Board, found: Party, by: str, now: float) -> None:
    """Go on without a party, as after its hanging up: a caller whose agent is gone has the flow, or the queue."""
    call, between = board.by_leg(found.leg), board.direct_by_leg(found.leg)
    if between is not None:
        calling_back.end_direct(board, between, now, status=500)
    if call is None:
        return
    board.emit(Note(call.id, "failure", by))
    if found is call.agent_leg and not call.agent_leg.answered:
        queueing.leg_refused(board, call, LegRefused(found.leg, by), now)
    elif found is call.agent_leg:
        bridge.agent_gone(board, call, now, by=by, dialog_open=True)
    elif found is call.outsider and call.state == "forwarding":
        forward.failed(board, call, now)
    elif found is call.outsider and call.asked is not None:
        forward.gone(board, call, now, by=by)
    else:
        ending.end(board, call, by, now, status=500)


def _is_confirmed(board: Board, found: Party) -> bool:
    """Whether an offer may be made in a party's dialog: its INVITE is answered, and acknowledged."""
    call, between = board.by_leg(found.leg), board.direct_by_leg(found.leg)
    if between is not None:
        if between.booking and found is between.near:
            return between.state in ("ringing", "talking")
        return between.state == "talking" or (found is between.far and between.state == "answering")
    return call is not None and _is_confirmed_in(call, found)


def _is_confirmed_in(call: Call, found: Party) -> bool:
    if found is call:
        return call.state not in UNTOLD
    if found is call.agent_leg:
        return call.agent_leg.answered or call.agent_leg.briefed
    return call.state == "outside"
