"""What a phone says before it answers is heard by the one who called it."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    Join,
    LegOpened,
    OpenLeg,
    Progress,
    Reject,
    Ring,
)
from tests.telephony.switchboard.room import Room

NEAR = sdp.Capabilities("192.0.2.7", 7000, 9)
FAR, FORK = sdp.Capabilities("192.0.2.8", 8000, 5), sdp.Capabilities("192.0.2.9", 9000, 6)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(tmp_path)
    made.agents_register("an", "binh")
    return made


def dial(room: Room, offer: str = "") -> str:
    """`an` dials `binh`; return the dialog with `binh`'s phone."""
    text = sdp.offer(NEAR) if offer == "" else offer.strip()
    room.happened(InviteReceived("near", "an", "", False, "binh", text, "192.0.2.7:5060", user="an"))
    for opening in room.said(OpenLeg)[-2:]:
        room.happened(LegOpened(opening.leg, "127.0.0.1", next(room.ports)))
    return room.last(Invite).dialog


def described(room: Room, by: sdp.Capabilities) -> str:
    return sdp.answer(room.last(Invite).sdp, by).sdp


def where(room: Room) -> list[tuple[str, int]]:
    return [(command.address, command.port) for command in room.said(ConnectLeg)]


def test_it_is_heard_until_the_call_is_answered_and_on(room: Room) -> None:
    far = dial(room)
    room.happened(DialogRinging(far))
    assert room.last(Ring).dialog == "near"
    room.happened(DialogRinging(far, described(room, FAR)))
    progress = room.last(Progress)
    assert progress.dialog == "near"
    assert where(room) == [("192.0.2.8", 8000), ("192.0.2.7", 7000)]
    assert len({join.bridge for join in room.said(Join)}) == 1

    room.happened(DialogRinging(far))  # 180 after 183
    assert len(room.said(Ring)) == 1
    assert len(room.said(Progress)) == 1

    room.happened(DialogAnswered(far, described(room, FAR)))
    # RFC 3261 section 13.2.1: every answer to one offer is the same.
    assert room.last(Answer) == Answer("near", progress.sdp)
    room.happened(DialogConfirmed("near"))
    assert ("0.0.0.0", 0) not in where(room)
    room.happened(DialogEnded(far, "bye"))
    assert room.last(Hangup).dialog == "near"
    assert not room.switchboard.busy()


def test_of_several_branches_the_last_is_heard_and_the_one_that_answers_talks(room: Room) -> None:
    far = dial(room)
    room.happened(DialogRinging(far, described(room, FAR)))
    room.happened(DialogRinging(far, described(room, FORK)))
    assert where(room)[-1] == ("192.0.2.9", 9000)
    assert len(room.said(Progress)) == 1
    room.happened(DialogAnswered(far, described(room, FAR)))
    assert ("192.0.2.8", 8000) in where(room)[-2:]


def test_an_announcement_may_end_in_a_refusal(room: Room) -> None:
    far = dial(room)
    room.happened(DialogRinging(far, described(room, FAR)))
    room.happened(DialogEnded(far, "rejected", 404, "Not Found"))
    assert (room.last(Reject).dialog, room.last(Reject).status) == ("near", 404)
    assert not room.switchboard.busy()


@pytest.mark.parametrize("text", ["nonsense", "v=0\r\nm=audio 0 RTP/AVP 0\r\n"])
def test_what_cannot_be_heard_rings(room: Room, text: str) -> None:
    far = dial(room)
    room.happened(DialogRinging(far, text))
    assert room.last(Ring).dialog == "near"
    assert not room.said(Progress)
    assert not room.said(ConnectLeg)


def test_an_invite_without_an_offer_rings(room: Room) -> None:
    far = dial(room, " ")
    room.happened(DialogRinging(far, described(room, FAR)))
    assert room.last(Ring).dialog == "near"
    room.happened(DialogAnswered(far, described(room, FAR)))
    room.happened(DialogConfirmed("near", sdp.answer(room.last(Answer).sdp, NEAR).sdp))
    assert where(room)[-1] == ("192.0.2.7", 7000)
