"""What becomes of callers' texts."""

from pathlib import Path

import msgspec
import pytest

from telephony.events import AnswerText, DialogConfirmed, Invite, SaveText, TextReceived
from tests.telephony.switchboard.room import Room
from tests.telephony.switchboard.test_outside import NUMBER, Outside


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def text(dialog: str = "", number: str = "0912345678", *, withheld: bool = False, dnis: str = "1900") -> TextReceived:
    return TextReceived("m1", dialog, number, withheld, dnis, "text/plain", "Xin chào", "t1")


def test_without_a_call_the_number_is_claimed(room: Room) -> None:
    room.happened(text())
    assert room.said(SaveText) == [
        SaveText("m1", "0912345678", True, "1900", "text/plain", "Xin chào", "t1"),
    ]


def test_a_trunk_vouches_for_it(room: Room) -> None:
    room.happened(msgspec.structs.replace(text(), vouched=True))
    assert not room.last(SaveText).claimed


def test_in_a_call_it_is_the_callers_whatever_it_says_itself(room: Room) -> None:
    call = room.in_menu()
    room.happened(text("d1", "0999999999", dnis="elsewhere"))
    (kept,) = room.said(SaveText)
    assert (kept.number, kept.claimed, kept.dnis, kept.call) == ("+84912345678", False, "1900", call)


@pytest.mark.parametrize("withheld", [True, False])
def test_of_nobody(room: Room, withheld: bool) -> None:
    room.happened(text(number="", withheld=withheld))
    assert room.said(AnswerText) == [AnswerText("m1", 403)]


def test_of_an_agent_in_a_call(room: Room) -> None:
    room.talking()
    room.happened(text(room.last(Invite).dialog))
    assert room.said(AnswerText) == [AnswerText("m1", 403)]


def test_in_a_call_that_we_made_it_is_of_whom_we_called(tmp_path: Path) -> None:
    room = Outside(tmp_path)
    room.agents_register("an")
    invite = room.dial()
    assert invite is not None
    room.answer()
    room.happened(DialogConfirmed("phone"))
    room.happened(text(invite.dialog, "0999999999", dnis="elsewhere"))
    (kept,) = room.said(SaveText)
    assert (kept.number, kept.claimed, kept.dnis) == (NUMBER, False, "+842873001234")


def test_of_a_call_that_is_over(room: Room) -> None:
    room.happened(text("gone"))
    assert room.said(AnswerText) == [AnswerText("m1", 403)]


def test_while_the_server_stops(room: Room) -> None:
    room.switchboard.drain()
    room.happened(text())
    assert room.said(AnswerText) == [AnswerText("m1", 503)]


def test_to_a_number_that_leads_nowhere(room: Room) -> None:
    room.switchboard._board.flows = {}
    room.happened(text())
    assert room.said(AnswerText) == [AnswerText("m1", 404)]
