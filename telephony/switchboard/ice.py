"""ICE of browsers in the course of a call: restarts (RFC 8839 section 4.4.1.1.1), and candidates that come late (RFC
8838). A restart takes its time at the media worker; the offer that asked for it waits meanwhile (`Board.restarts`)."""

from typing import Final

import msgspec

from telephony.events import (
    AddCandidates,
    CandidatesGathered,
    CandidatesReceived,
    RestartIce,
    SignalCandidates,
)
from telephony.switchboard import party as parties
from telephony.switchboard.board import Board
from telephony.switchboard.party import Party

MAX_CANDIDATES: Final = 40


def begin(board: Board, found: Party, dialog: str, offer: str) -> bool:
    """Have ICE restarted where an offer asks for it; its answer is due once `IceRestarted` is here."""
    if not parties.restarts_ice(found, offer):
        return False
    for leg in [each for each in board.restarts if each not in board.call_of_leg]:
        del board.restarts[leg]  # its call is over
    board.emit(RestartIce(found.leg))
    board.restarts[found.leg] = dialog, offer
    return True


def gathered(board: Board, event: CandidatesGathered, _now: float) -> None:
    """More candidates of ours: into whatever we say from now on, and by INFO to whom we have said the others."""
    found = next((each for each in parties_of(board, event.leg) if each.leg == event.leg), None)
    if found is None or found.media is None or found.media.webrtc is None or found.media.webrtc.ufrag != event.ufrag:
        return
    ours = found.media.webrtc
    known = (*ours.candidates, *event.candidates)[:MAX_CANDIDATES]
    web = msgspec.structs.replace(ours, candidates=known, complete=event.complete)
    found.media = msgspec.structs.replace(found.media, webrtc=web)
    if found.said:
        board.emit(SignalCandidates(found.dialog, event.ufrag, event.candidates, event.complete))


def received(board: Board, event: CandidatesReceived, _now: float) -> None:
    """More candidates of theirs."""
    found = party_of(board, event.dialog)
    if found is not None and found.media is not None and found.media.webrtc is not None and event.candidates:
        board.emit(AddCandidates(found.leg, event.ufrag, event.candidates))


def parties_of(board: Board, leg: str) -> list[Party]:
    """Return all parties of the call that a leg belongs to."""
    call, between = board.by_leg(leg), board.direct_by_leg(leg)
    if call is not None:
        return [each for each in (call, call.agent_leg, call.outsider) if each is not None]
    return list(between.sides) if between is not None else []


def party_of(board: Board, dialog: str) -> Party | None:
    """Return the party with a dialog."""
    call = board.by_dialog(dialog)
    if call is not None:
        if call.outsider is not None and call.outsider.dialog == dialog:
            return call.outsider
        return call if call.dialog == dialog else call.agent_leg
    between = board.direct_by_dialog(dialog)
    return between.side_of(dialog) if between is not None else None
