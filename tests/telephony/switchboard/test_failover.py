"""Calls whose media worker is gone: every far end is told once, as soon as it can be, where its leg is now."""

from pathlib import Path
from typing import cast

import msgspec
import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogReachable,
    DialogUnreachable,
    DigitPressed,
    Hangup,
    Invite,
    LegLost,
    LegMoved,
    LegOpened,
    OfferSession,
    OpenLeg,
    Reject,
    SaveCall,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
    WebRtc,
)
from tests.telephony.switchboard.room import CALLER_OFFER, Room
from tests.telephony.switchboard.test_ice import OURS, PAGE, offer

PHONE = sdp.Capabilities("192.0.2.1", 4000, 1)
NEW = WebRtc("u9", "z" * 22, ("1 1 udp 1 192.0.2.1 4100 typ host",), "sha-256 " + ":".join(["EF"] * 32))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def moved(room: Room, leg: str, port: int = 31000) -> list[OfferSession]:
    return [each for each in room.happened(LegMoved(leg, "127.0.0.1", port)) if isinstance(each, OfferSession)]


def told(offered: OfferSession) -> int:
    """Return the port that a far end is told."""
    return int(next(line for line in offered.sdp.splitlines() if line.startswith("m=audio")).split()[1])


def test_both_of_a_talk_are_told_and_followed(room: Room) -> None:
    call = room.talking()
    (to_caller,) = moved(room, f"{call}.caller")
    (to_agent,) = moved(room, f"{call}.agent1", 31002)
    assert (to_caller.dialog, told(to_caller)) == ("d1", 31000)
    assert (to_agent.dialog, told(to_agent)) == (f"{call}.agent1", 31002)
    assert to_caller.sdp.count("m=audio") == 1
    said = room.happened(SessionAnswered("d1", sdp.answer(to_caller.sdp, PHONE).sdp))
    (connected,) = [each for each in said if isinstance(each, ConnectLeg)]
    assert (connected.leg, connected.address, connected.port) == (f"{call}.caller", "192.0.2.1", 4000)
    assert room.state() == "talking"


def test_a_caller_in_the_menu_is_told(room: Room) -> None:
    call = room.in_menu()
    assert [told(each) for each in moved(room, f"{call}.caller")] == [31000]


def test_whoever_has_not_been_answered_is_told_with_the_answer(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    assert moved(room, f"{call}.caller") == []
    room.known_caller(call)
    assert "m=audio 31000 " in room.last(Answer).sdp
    assert [each for each in room.happened(DialogConfirmed("d1")) if isinstance(each, OfferSession)] == []


def test_whoever_has_not_acknowledged_is_told_then(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    assert room.said(Answer)
    assert moved(room, f"{call}.caller") == []
    (offered,) = [each for each in room.happened(DialogConfirmed("d1")) if isinstance(each, OfferSession)]
    assert told(offered) == 31000


def test_an_agent_s_phone_that_rings_is_told_when_it_answers(room: Room) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    assert moved(room, f"{call}.agent1", 31002) == []
    (offered,) = [each for each in room.agent_answers() if isinstance(each, OfferSession)]
    assert (offered.dialog, told(offered)) == (f"{call}.agent1", 31002)
    assert room.state() == "talking"


def test_a_browser_is_connected_by_what_it_answers_alone(room: Room) -> None:
    call = room.ring_in("d1", offer(PAGE))
    room.happened(LegOpened(room.last(OpenLeg).leg, "192.0.2.1", 4000, OURS))
    room.known_caller(call)
    said = room.happened(LegMoved(f"{call}.caller", "192.0.2.1", 4100, NEW))
    assert not [each for each in said if isinstance(each, OfferSession)]
    confirmed = room.happened(DialogConfirmed("d1"))
    (connected,) = [each for each in confirmed if isinstance(each, ConnectLeg)]
    assert (connected.webrtc, connected.port) == (None, 0)  # its user name and certificate were for the other worker
    (offered,) = [each for each in confirmed if isinstance(each, OfferSession)]
    assert cast(WebRtc, sdp.transport_of(offered.sdp)).ufrag == "u9"
    assert "a=setup:actpass" in offered.sdp
    page = msgspec.structs.replace(PAGE, ufrag="v9")
    answer = sdp.answer(offered.sdp, sdp.Capabilities("192.0.2.7", 4000, 9, webrtc=page)).sdp
    (connected,) = [each for each in room.happened(SessionAnswered("d1", answer)) if isinstance(each, ConnectLeg)]
    assert cast(WebRtc, connected.webrtc).ufrag == "v9"


def test_whoever_offers_meanwhile_is_told_by_the_answer(room: Room) -> None:
    call = room.talking()
    room.happened(LegMoved(f"{call}.caller", "127.0.0.1", 31000))
    said = room.happened(SessionOffered("d1", CALLER_OFFER))
    assert [each.port for each in said if isinstance(each, ConnectLeg)] == [4000]
    assert room.happened(SessionRefused("d1", 491)) == []


def test_an_agent_who_does_not_follow_leaves_the_caller_to_the_flow(room: Room) -> None:
    call = room.talking()
    (offered,) = moved(room, f"{call}.agent1")
    room.happened(SessionRefused(offered.dialog, 488))
    assert room.state() == "in_flow"
    assert [each.dialog for each in room.said(Hangup)] == [f"{call}.agent1"]


def test_an_agent_whose_ringing_phone_has_no_leg_any_more_is_passed_over(room: Room) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    room.happened(LegLost(f"{call}.agent1", "full"))
    assert room.state() == "queued"


def test_a_page_that_is_being_reloaded_is_told_when_it_is_back(room: Room) -> None:
    call = room.talking()
    agent = f"{call}.agent1"
    (offered,) = moved(room, agent)
    room.happened(DialogUnreachable(agent))
    assert room.happened(SessionRefused(offered.dialog, 500)) == []
    assert moved(room, agent, 31006) == []
    (again,) = [each for each in room.happened(DialogReachable(agent)) if isinstance(each, OfferSession)]
    assert told(again) == 31006
    assert room.state() == "talking"


def test_where_the_port_could_be_kept_a_refusal_means_nothing(room: Room) -> None:
    call = room.talking()
    (offered,) = moved(room, f"{call}.caller", 20000)
    assert told(offered) == 20000
    room.happened(SessionRefused("d1", 488))
    assert room.state() == "talking"


def test_a_caller_who_does_not_follow_ends_the_call(room: Room) -> None:
    call = room.talking()
    (offered,) = moved(room, f"{call}.caller")
    room.happened(SessionRefused(offered.dialog, 488))
    assert room.last(SaveCall).call.ended_by == "failure: the far end did not follow to another media worker (488)"
    assert {each.dialog for each in room.said(Hangup)} == {"d1", f"{call}.agent1"}


def test_a_refusal_of_anything_else_leaves_all_as_it_was(room: Room) -> None:
    room.talking()
    assert room.happened(SessionRefused("d1", 488)) == []
    assert room.state() == "talking"


def test_a_leg_that_nobody_takes_over_ends_its_call(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.happened(LegLost(f"{call}.caller", "the media worker died"))
    assert room.last(Reject).status == 500
    assert room.last(SaveCall).call.ended_by == "failure: the media worker died"


def test_legs_of_nobody_are_nobodys(room: Room) -> None:
    assert room.happened(LegMoved("stranger", "127.0.0.1", 1)) == []
    assert room.happened(LegLost("stranger", "")) == []


def test_the_port_is_told_again_where_it_moves_again(room: Room) -> None:
    call = room.talking()
    moved(room, f"{call}.caller")
    (again,) = moved(room, f"{call}.caller", 31004)
    assert told(again) == 31004


def test_an_agent_who_answers_after_two_moves_is_told_the_last(room: Room) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    moved(room, f"{call}.agent1", 31002)
    moved(room, f"{call}.agent1", 31004)
    answer = sdp.answer(room.last(Invite).sdp, sdp.Capabilities("192.0.2.2", 6000, 1)).sdp
    said = room.happened(DialogAnswered(f"{call}.agent1", answer))
    assert [told(each) for each in said if isinstance(each, OfferSession)] == [31004]
