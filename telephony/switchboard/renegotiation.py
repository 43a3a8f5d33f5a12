"""What a far end offers in the middle of a call: hold and resume from a desk phone, another codec, another address.

A phone's hold button is the agent's hold: the caller hears music. A caller's own hold changes nothing but where voice
flows; the call goes on.
"""

import msgspec

from telephony import sdp
from telephony.events import (
    AnswerSession,
    IceRestarted,
    RefuseSession,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
)
from telephony.switchboard import direct, failover, ice, talk
from telephony.switchboard import party as parties
from telephony.switchboard.board import Board
from telephony.switchboard.party import Party


def offered(board: Board, event: SessionOffered, now: float) -> None:
    """Answer an offer, or make one where it is asked for."""
    found = ice.party_of(board, event.dialog)
    if found is None or found.media is None:
        board.emit(RefuseSession(event.dialog, 481))
    elif not event.sdp:
        board.emit(AnswerSession(event.dialog, parties.offer(board, found, parties.spoken(found))))
    elif not ice.begin(board, found, event.dialog, event.sdp):
        _answer(board, found, event, now)


def ice_restarted(board: Board, event: IceRestarted, now: float) -> None:
    """Answer the offer that asked for it; where it cannot be, all stays as it was."""
    dialog, offer = board.restarts.pop(event.leg, ("", ""))
    found = ice.party_of(board, dialog) if dialog else None
    if found is None or found.media is None or found.leg != event.leg:
        return
    if event.webrtc is None:
        board.emit(RefuseSession(dialog, 500, 0, event.cause))
        return
    found.media = msgspec.structs.replace(found.media, webrtc=event.webrtc)
    _answer(board, found, SessionOffered(dialog, offer), now)


def _answer(board: Board, found: Party, event: SessionOffered, now: float) -> None:
    held = parties.is_holding(found)
    try:
        agreed = parties.answer(board, found, event.sdp, parties.spoken(_other_of(board, event.dialog)))
    except sdp.SdpError as error:
        board.emit(RefuseSession(event.dialog, 488, error.warning, str(error)))
        return
    board.emit(parties.connection(found), AnswerSession(event.dialog, agreed.sdp))
    if parties.is_holding(found) != held:
        _changed(board, event.dialog, now)


def answered(board: Board, event: SessionAnswered, now: float) -> None:
    """Take the answer to an offer of ours; one that cannot be met leaves all as it was."""
    found = ice.party_of(board, event.dialog)
    if found is None or found.media is None:
        return
    held = parties.is_holding(found)
    try:
        parties.accept(found, event.sdp)
    except sdp.SdpError:
        failover.refused(board, SessionRefused(event.dialog, 488), now)
        return
    found.moved = False
    board.emit(parties.connection(found))
    if parties.is_holding(found) != held:
        _changed(board, event.dialog, now)


def _changed(board: Board, dialog: str, now: float) -> None:
    """Follow a phone that holds now, or does not any more. Whatever else it changes leaves a hold of the page as it
    is."""
    call = board.by_dialog(dialog)
    if call is not None and call.agent_leg is not None and call.agent_leg.dialog == dialog:
        talk.phone_changed(board, call, now)
    elif (between := board.direct_by_dialog(dialog)) is not None:
        direct.phone_changed(board, between)


def _other_of(board: Board, dialog: str) -> Party | None:
    """Return whom the party of a dialog talks with."""
    call = board.by_dialog(dialog)
    if call is not None:
        return call.agent_leg or call.outsider if call.dialog == dialog else call
    between = board.direct_by_dialog(dialog)
    return between.other(between.side_of(dialog)) if between is not None else None
