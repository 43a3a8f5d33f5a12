"""What colleagues' phones are told of an agent, as calls come and go."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    AgentStateRequested,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Invite,
    InviteReceived,
    LampCall,
    LegOpened,
    OpenLeg,
    TellLamp,
)
from tests.telephony.switchboard.room import Room
from tests.telephony.switchboard.test_outside import Outside

PHONE = sdp.Capabilities("192.0.2.7", 7000, 9)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def told(room: Room, agent: str) -> list[tuple[str, list[str]]]:
    """Return what was told of an agent: the state, and the states of its calls."""
    return [(lamp.state, [call.state for call in lamp.calls]) for lamp in room.said(TellLamp) if lamp.agent == agent]


def last(room: Room, agent: str) -> TellLamp:
    return [lamp for lamp in room.said(TellLamp) if lamp.agent == agent][-1]


def offered(room: Room) -> str:
    """A call that waits for `an` to pick up; return its id."""
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    return call


def dial(room: Room) -> None:
    """`an` dials `binh`, and both legs are open."""
    room.agents_register()
    before = len(room.said(OpenLeg))
    sdp_text = sdp.offer(PHONE)
    room.happened(InviteReceived("consult", "an", "", False, "binh", sdp_text, "192.0.2.7:5060", user="an"))
    for opening in room.said(OpenLeg)[before:]:
        room.happened(LegOpened(opening.leg, "127.0.0.1", next(room.ports)))


class TestCallOfACaller:
    def test_from_offer_to_after_call_work(self, room: Room) -> None:
        call = offered(room)
        room.happened(DialogRinging(room.last(Invite).dialog))
        room.agent_answers()
        room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
        room.wait(20.0)
        assert told(room, "an") == [
            ("ready", []),
            ("ringing", ["trying"]),
            ("ringing", ["early"]),
            ("talking", ["confirmed"]),
            ("after_call_work", []),
            ("ready", []),
        ]
        assert call in {each.id for lamp in room.said(TellLamp) for each in lamp.calls}

    def test_what_rings_names_its_dialog_and_who_calls(self, room: Room) -> None:
        call = offered(room)
        dialog = room.last(Invite).dialog
        room.happened(DialogRinging(dialog))
        assert last(room, "an").calls == (LampCall(call, "early", True, "+84912345678", "Lan", dialog=dialog),)

    def test_lamp_goes_out_where_the_caller_gives_up(self, room: Room) -> None:
        offered(room)
        room.happened(DialogEnded("d1", "cancelled"))
        assert told(room, "an")[-1] == ("ready", [])

    def test_lamp_goes_out_where_the_agent_refuses(self, room: Room) -> None:
        offered(room)
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", 486))
        assert told(room, "an")[-1] == ("ready", [])

    def test_nothing_is_told_twice(self, room: Room) -> None:
        room.agents_register("an", "an", "an")
        assert len(told(room, "an")) == 1


class TestCallBetweenColleagues:
    def test_both_lamps(self, room: Room) -> None:
        dial(room)
        invite = room.last(Invite)
        room.happened(DialogRinging(invite.dialog))
        room.happened(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, PHONE).sdp))
        room.happened(DialogConfirmed("consult"))
        room.happened(DialogEnded("consult", "bye"))
        for agent in ("an", "binh"):
            assert told(room, agent)[-4:] == [
                ("talking", ["trying"]),
                ("talking", ["early"]),
                ("talking", ["confirmed"]),
                ("ready", []),
            ]

    def test_each_is_told_of_the_other(self, room: Room) -> None:
        dial(room)
        (near,), (far,) = last(room, "an").calls, last(room, "binh").calls
        assert (near.number, near.incoming, near.colleague) == ("binh", False, True)
        assert (far.number, far.incoming, far.colleague) == ("an", True, True)

    def test_somebody_outside_who_is_asked_stays_a_second_call_once_there(self, tmp_path: Path) -> None:
        room = Outside(tmp_path)
        room.talking()
        assert room.dial("0987654321") is not None
        assert [call.state for call in last(room, "an").calls] == ["confirmed", "trying"]
        room.answer()
        room.happened(DialogConfirmed("phone"))
        assert [call.state for call in last(room, "an").calls] == ["confirmed", "confirmed"]
        room.happened(DialogEnded("phone", "bye"))
        assert [call.incoming for call in last(room, "an").calls] == [True]

    def test_question_in_the_middle_of_a_talk_is_a_second_call(self, room: Room) -> None:
        room.talking()
        dial(room)
        assert [call.colleague for call in last(room, "an").calls] == [False, True]
        room.happened(DialogEnded("consult", "cancelled"))
        assert [call.colleague for call in last(room, "an").calls] == [False]


class TestState:
    def test_reason_goes_along(self, room: Room) -> None:
        room.agents_register("an")
        room.happened(AgentStateRequested("an", "not_ready", "lunch"))
        assert (last(room, "an").state, last(room, "an").reason) == ("not_ready", "lunch")

    def test_every_lamp_as_it_stands(self, room: Room) -> None:
        room.agents_register("an")
        assert {lamp.agent: lamp.state for lamp in room.switchboard.lamps()} == {"an": "ready", "binh": "offline"}

    def test_a_new_agent_has_one(self, room: Room) -> None:
        assert [lamp.agent for lamp in room.switchboard.know("chi")] == ["chi"]
        assert room.switchboard.know("chi") == []
