"""ICE restarts and late candidates of a browser that calls."""

from pathlib import Path
from typing import cast

import msgspec
import pytest

from telephony import sdp
from telephony.events import (
    AddCandidates,
    Answer,
    AnswerSession,
    CandidatesGathered,
    CandidatesReceived,
    ConnectLeg,
    DialogConfirmed,
    DialogEnded,
    IceRestarted,
    LegMoved,
    LegOpened,
    OfferSession,
    OpenLeg,
    RefuseSession,
    RestartIce,
    SessionOffered,
    SignalCandidates,
    WebRtc,
)
from tests.telephony.switchboard.room import Room

OURS = WebRtc("u", "p" * 22, ("1 1 udp 1 192.0.2.1 4000 typ host",), "sha-256 " + ":".join(["AB"] * 32))
PAGE = WebRtc("v", "q" * 22, ("1 1 udp 1 192.0.2.7 4000 typ host",), "sha-256 " + ":".join(["CD"] * 32))
AGAIN = msgspec.structs.replace(OURS, ufrag="u2", password="r" * 22)
MOVED = msgspec.structs.replace(PAGE, ufrag="v2", password="s" * 22)
LATE = "2 1 udp 1 198.51.100.7 4000 typ srflx"


def offer(page: WebRtc, version: int = 1) -> str:
    return sdp.offer(sdp.Capabilities("192.0.2.7", 4000, 9, webrtc=page, version=version))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A page that calls, and hears the menu."""
    room = Room(tmp_path)
    call = room.ring_in("d1", offer(PAGE))
    leg = room.last(OpenLeg)
    assert leg.kind == "webrtc"
    room.happened(LegOpened(leg.leg, "192.0.2.1", 4000, OURS))
    room.known_caller(call)
    room.happened(DialogConfirmed("d1"))
    return room


def leg_of(room: Room) -> str:
    return room.last(OpenLeg).leg


def ufrag(text: str) -> str:
    return cast(WebRtc, sdp.transport_of(text)).ufrag


def test_an_offer_with_another_user_name_is_answered_when_ice_is_restarted(room: Room) -> None:
    before = room.last(ConnectLeg)
    assert room.happened(SessionOffered("d1", offer(MOVED, 2))) == [RestartIce(leg_of(room))]
    room.happened(IceRestarted(leg_of(room), AGAIN))
    answered = room.last(AnswerSession)
    assert ufrag(answered.sdp) == "u2"
    connected = cast(WebRtc, room.last(ConnectLeg).webrtc)
    assert (connected.ufrag, connected.password) == ("v2", "s" * 22)
    # The DTLS association is the same: certificate and roles stay.
    assert connected.fingerprint == PAGE.fingerprint
    assert connected.setup == cast(WebRtc, before.webrtc).setup
    assert "a=setup:active" in answered.sdp
    # And once more, as a network may change twice.
    again = msgspec.structs.replace(MOVED, ufrag="v3")
    assert room.happened(SessionOffered("d1", offer(again, 3))) == [RestartIce(leg_of(room))]


def test_what_changes_nothing_of_ice_restarts_nothing(room: Room) -> None:
    room.happened(SessionOffered("d1", offer(PAGE, 2).replace("a=sendrecv", "a=sendonly")))
    assert room.said(RestartIce) == []
    assert ufrag(room.last(AnswerSession).sdp) == "u"


def test_a_restart_that_cannot_be_is_refused_and_the_talk_stays(room: Room) -> None:
    room.happened(SessionOffered("d1", offer(MOVED, 2)))
    connected = room.said(ConnectLeg)
    room.happened(IceRestarted(leg_of(room), None, "no UDP port is free"))
    assert room.last(RefuseSession) == RefuseSession("d1", 500, 0, "no UDP port is free")
    assert room.said(ConnectLeg) == connected


def test_another_certificate_takes_a_restart(room: Room) -> None:
    other = msgspec.structs.replace(PAGE, fingerprint="sha-256 " + ":".join(["EF"] * 32))
    room.happened(SessionOffered("d1", offer(other, 2)))
    assert room.last(RefuseSession).status == 488
    other = msgspec.structs.replace(other, ufrag="v2")
    room.happened(SessionOffered("d1", offer(other, 3)))
    room.happened(IceRestarted(leg_of(room), AGAIN))
    assert cast(WebRtc, room.last(ConnectLeg).webrtc).fingerprint == other.fingerprint


def test_a_restart_whose_call_or_worker_is_gone_is_nobodys(room: Room) -> None:
    room.happened(SessionOffered("d1", offer(MOVED, 2)))
    leg = leg_of(room)
    room.happened(DialogEnded("d1", "bye"))
    assert room.happened(IceRestarted(leg, AGAIN)) == []
    assert room.happened(IceRestarted("stranger", AGAIN)) == []


def test_a_restart_whose_worker_is_gone_is_refused_and_made_up_for(room: Room) -> None:
    room.happened(SessionOffered("d1", offer(MOVED, 2)))
    said = room.happened(LegMoved(leg_of(room), "127.0.0.1", 24000, AGAIN))
    assert said[0] == RefuseSession("d1", 491)
    assert room.switchboard._board.restarts == {}
    (offered,) = [each for each in said if isinstance(each, OfferSession)]
    assert (offered.dialog, AGAIN.fingerprint in offered.sdp, "a=setup:actpass" in offered.sdp) == ("d1", True, True)


def test_late_candidates_go_both_ways(room: Room) -> None:
    leg = leg_of(room)
    assert room.happened(CandidatesReceived("d1", "v", (LATE,))) == [AddCandidates(leg, "v", (LATE,))]
    assert room.happened(CandidatesReceived("d1", "v", (), True)) == []
    assert room.happened(CandidatesReceived("stranger", "v", (LATE,))) == []
    told = room.happened(CandidatesGathered(leg, "u", (LATE,), False))
    assert told == [SignalCandidates("d1", "u", (LATE,), False)]
    assert room.happened(CandidatesGathered(leg, "other", (LATE,), True)) == []


def test_candidates_that_come_before_our_description_are_in_it(tmp_path: Path) -> None:
    room = Room(tmp_path)
    call = room.ring_in("d1", offer(PAGE))
    leg = room.last(OpenLeg).leg
    room.happened(LegOpened(leg, "192.0.2.1", 4000, msgspec.structs.replace(OURS, complete=False)))
    assert room.happened(CandidatesGathered(leg, "u", (LATE,), True)) == []
    room.known_caller(call)
    answer = room.last(Answer).sdp
    assert f"a=candidate:{LATE}\r\n" in answer
    assert "a=end-of-candidates\r\n" in answer
