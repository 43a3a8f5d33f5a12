"""Who gets the keys that somebody presses in a talk."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    Command,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    DigitSource,
    HoldRequested,
    Invite,
    InviteReceived,
    KeySignalled,
    KeysRequested,
    LegOpened,
    OpenLeg,
    ResumeRequested,
    SendKeys,
    SessionOffered,
)
from telephony.switchboard import keys
from tests.telephony.switchboard.room import CALLER_OFFER, Room
from tests.telephony.switchboard.test_outside import GATEWAY, PHONE, Outside

HOLDING = sdp.offer(PHONE).replace("a=sendrecv", "a=sendonly")


@pytest.fixture
def room(tmp_path: Path) -> Outside:
    made = Outside(tmp_path)
    made.agents_register("an", "binh")
    return made


def press(room: Room, leg: str, digit: str = "5", source: DigitSource = "rfc4733") -> list[Command]:
    return room.happened(DigitPressed(leg, digit, source, 0))


def legs(room: Room, call: str) -> tuple[str, str]:
    """The two legs of a talk: the caller's, and that of whom it talks to."""
    found = room.switchboard.board.calls[call]
    other = found.agent_leg or found.outsider
    assert other is not None
    return found.leg, other.leg


def outbound(room: Outside) -> str:
    """`an` talks with somebody outside; return the call."""
    room.dial()
    call = room.saved().id
    room.answer()
    room.happened(DialogConfirmed("phone"))
    return call


def colleagues(room: Outside) -> tuple[str, str]:
    """`an` talks with `binh`; return both legs."""
    room.happened(InviteReceived("consult", "an", "", False, "binh", sdp.offer(PHONE), "192.0.2.7:5060", user="an"))
    opened = [each.leg for each in room.said(OpenLeg)[-2:]]
    for leg in opened:
        room.happened(LegOpened(leg, "127.0.0.1", next(room.ports)))
    room.answer()
    room.happened(DialogConfirmed("consult"))
    return opened[0], opened[1]


class TestAgentAndCaller:
    def test_an_agents_keys_go_to_the_caller_and_none_come_back(self, room: Outside) -> None:
        caller, agent = legs(room, room.talking())
        assert press(room, agent, "#") == [SendKeys(caller, "#")]
        assert press(room, caller, "#") == []

    def test_tones_are_in_the_voice_already(self, room: Outside) -> None:
        _, agent = legs(room, room.talking())
        assert press(room, agent, "1", "inband") == []

    def test_keys_by_info_go_the_same_way(self, room: Outside) -> None:
        call = room.talking()
        caller, agent = legs(room, call)
        assert room.happened(KeySignalled(agent, "7")) == [SendKeys(caller, "7")]
        assert room.happened(KeySignalled("d1", "7")) == []

    def test_nothing_is_pressed_to_somebody_on_hold(self, room: Outside) -> None:
        call = room.talking()
        caller, agent = legs(room, call)
        room.happened(HoldRequested(call, "an"))
        assert press(room, agent) == []
        room.happened(ResumeRequested(call, "an"))
        room.happened(SessionOffered("d1", HOLDING))
        assert press(room, agent) == []
        room.happened(SessionOffered("d1", CALLER_OFFER))
        assert press(room, agent) == [SendKeys(caller, "5")]

    def test_keys_after_the_talk_are_the_flows(self, room: Outside) -> None:
        call = room.talking()
        caller, agent = legs(room, call)
        room.happened(DialogEnded(agent, "bye"))
        assert press(room, agent) == []
        assert not any(isinstance(command, SendKeys) for command in press(room, caller))


class TestOutside:
    def test_an_agent_who_has_dialled_presses_for_whom_it_has_reached(self, room: Outside) -> None:
        call = outbound(room)
        outsider, agent = legs(room, call)
        assert press(room, agent, "2") == [SendKeys(outsider, "2")]
        assert press(room, outsider, "2") == []

    def test_what_answers_before_the_answer_hears_keys_too(self, room: Outside) -> None:
        invite = room.dial()
        assert invite is not None
        call = room.saved().id
        assert press(room, f"{call}.near") == []
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        assert press(room, f"{call}.near") == [SendKeys(f"{call}.far", "5")]

    def test_caller_and_party_outside_press_for_each_other(self, room: Outside) -> None:
        call = room.forwarded()
        caller, outsider = legs(room, call)
        assert press(room, caller) == []
        invite = room.last(Invite)
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        assert press(room, caller) == [SendKeys(outsider, "5")]
        room.happened(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        assert press(room, caller) == [SendKeys(outsider, "5")]
        assert press(room, outsider, "6") == [SendKeys(caller, "6")]
        assert press(room, outsider, "6", "inband") == []


class TestPhones:
    def test_colleagues_press_for_each_other(self, room: Outside) -> None:
        near, far = colleagues(room)
        assert press(room, near, "1") == [SendKeys(far, "1")]
        assert room.happened(KeySignalled(far, "2")) == [SendKeys(near, "2")]

    @pytest.mark.parametrize("place", [0, 1])
    def test_nothing_while_one_of_them_holds(self, room: Outside, place: int) -> None:
        both = colleagues(room)
        room.happened(SessionOffered("consult", HOLDING))
        assert press(room, both[place]) == []


class TestRequests:
    def test_the_agent_of_the_talk_presses_on_its_page(self, room: Outside) -> None:
        call = room.talking()
        caller, _ = legs(room, call)
        assert room.happened(KeysRequested(call, "an", "12#")) == [SendKeys(caller, "12#")]
        assert room.happened(KeysRequested(call, "binh", "1")) == []
        assert room.happened(KeysRequested("none", "an", "1")) == []

    def test_where_it_would_be_in_vain_it_says_why(self, room: Outside) -> None:
        call = room.talking()
        board = room.switchboard.board
        assert keys.why_not(board, call) == ""
        room.happened(SessionOffered("d1", HOLDING))
        assert "put you on hold" in keys.why_not(board, call)
        assert room.happened(KeysRequested(call, "an", "1")) == []
        room.happened(HoldRequested(call, "an"))
        assert "take the call off hold" in keys.why_not(board, call)
        assert room.happened(KeysRequested(call, "an", "1")) == []
