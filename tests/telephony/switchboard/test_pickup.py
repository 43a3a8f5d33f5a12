"""An agent takes the call that rings at a colleague's phone."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    AgentStateRequested,
    Answer,
    CallSnapshot,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Hangup,
    Invite,
    InviteReceived,
    Join,
    LegRefused,
    OpenLeg,
    Record,
    Reject,
    SaveAgent,
    SaveCall,
    TellLamp,
)
from tests.telephony.switchboard.room import Room

PHONE = sdp.Capabilities("192.0.2.7", 7000, 9)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def ringing(room: Room) -> str:
    """A call that rings at `an`'s; `binh` is not ready, but there. Return the dialog with `an`'s phone."""
    room.agents_register()
    room.happened(AgentStateRequested("binh", "not_ready", "break"))
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    dialog = room.last(Invite).dialog
    room.happened(DialogRinging(dialog))
    return dialog


def pick_up(room: Room, dialog: str, user: str = "binh", offer: str | None = None) -> None:
    text = sdp.offer(PHONE) if offer is None else offer
    room.happened(InviteReceived("pick", user, "", False, "an", text, "192.0.2.7:5060", user=user, replaces=dialog))


def picked(room: Room) -> str:
    """`binh` has taken the call; return the dialog with `an`'s phone."""
    dialog = ringing(room)
    pick_up(room, dialog)
    room.open_leg()
    room.happened(DialogConfirmed("pick"))
    return dialog


def states(room: Room) -> dict[str, str]:
    """Return the agents' states as they were saved last."""
    return {saved.agent: saved.state for saved in room.said(SaveAgent)}


def last_call(room: Room) -> CallSnapshot:
    return room.last(SaveCall).call


class TestTaking:
    def test_colleague_stops_ringing_and_the_two_talk(self, room: Room) -> None:
        dialog = picked(room)
        assert Hangup(dialog) in room.commands
        assert [answer.dialog for answer in room.said(Answer)] == ["d1", "pick"]
        assert (last_call(room).state, last_call(room).agent) == ("talking", "binh")
        assert states(room) == {"an": "ready", "binh": "talking"}
        assert {join.leg for join in room.said(Join)} == {f"{last_call(room).id}.caller", room.last(OpenLeg).leg}
        assert len(room.said(Record)) == 1

    def test_colleagues_answer_that_crosses_is_hung_up(self, room: Room) -> None:
        dialog = ringing(room)
        pick_up(room, dialog)
        before = len(room.commands)
        room.happened(DialogAnswered(dialog, sdp.offer(PHONE)))
        assert room.commands[before:] == [Hangup(dialog)]

    def test_after_the_talk_there_is_after_call_work_of_its_queue(self, room: Room) -> None:
        picked(room)
        room.happened(DialogEnded("pick", "bye"))
        assert states(room)["binh"] == "after_call_work"

    def test_lamps_follow(self, room: Room) -> None:
        picked(room)
        lamps = {lamp.agent: [call.state for call in lamp.calls] for lamp in room.said(TellLamp)}
        assert lamps == {"an": [], "binh": ["confirmed"]}

    def test_caller_who_gives_up_meanwhile_ends_it(self, room: Room) -> None:
        pick_up(room, ringing(room))
        room.happened(DialogEnded("d1", "cancelled"))
        assert Hangup("pick") in room.commands
        assert states(room) == {"an": "ready", "binh": "not_ready"}


class TestRefusal:
    @pytest.mark.parametrize("user", ["an", "nobody", ""])
    def test_who_may_not(self, room: Room, user: str) -> None:
        dialog = ringing(room)
        pick_up(room, dialog, user)
        assert room.last(Reject) == Reject("pick", 403, "Forbidden")
        assert last_call(room).state == "ringing"

    def test_without_an_offer(self, room: Room) -> None:
        pick_up(room, ringing(room), offer="")
        assert room.last(Reject).status == 403

    def test_who_talks_already(self, room: Room) -> None:
        picked(room)
        call = room.in_menu("d2")
        room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
        room.open_leg()
        pick_up(room, room.last(Invite).dialog)
        assert room.last(Reject).status == 403


class TestFailure:
    def waits_again(self, room: Room) -> None:
        """The call is offered to `an` again, who is still there."""
        assert states(room)["binh"] == "not_ready"
        room.wait(1.0)
        assert (last_call(room).state, last_call(room).agent) == ("ringing", "an")
        room.open_leg()
        room.agent_answers()
        assert last_call(room).state == "talking"

    def test_phone_that_picks_up_and_leaves(self, room: Room) -> None:
        pick_up(room, ringing(room))
        room.open_leg()
        room.happened(DialogEnded("pick", "cancelled"))
        self.waits_again(room)

    def test_no_socket(self, room: Room) -> None:
        pick_up(room, ringing(room))
        room.happened(LegRefused(room.last(OpenLeg).leg, "no ports"))
        assert Hangup("pick") in room.commands
        self.waits_again(room)

    def test_nothing_in_common(self, room: Room) -> None:
        pick_up(room, ringing(room), offer=sdp.offer(PHONE).replace("RTP/AVP 0 8", "RTP/AVP 18 9"))
        room.open_leg()
        assert (room.last(Reject).dialog, room.last(Reject).status) == ("pick", 488)
        self.waits_again(room)
