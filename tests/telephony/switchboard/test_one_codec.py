"""Both sides of a call are asked for one codec, so that nothing is translated; and what a re-INVITE makes of it."""

from pathlib import Path

import msgspec
import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    Codec,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    Invite,
    InviteReceived,
    LegOpened,
    OpenLeg,
    SessionOffered,
)
from tests.telephony.switchboard.room import Room

ORDER: tuple[Codec, ...] = ("PCMU", "PCMA", "G722", "opus")


def phone(*codecs: Codec) -> sdp.Capabilities:
    return sdp.Capabilities("192.0.2.7", 7000, 9, tuple(sdp.NUMBERS[each] for each in codecs))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path, codecs=tuple(sdp.NUMBERS[each] for each in ORDER))
    room.agents_register("an", "binh")
    return room


def dial(room: Room, speaks: sdp.Capabilities) -> None:
    """`an` dials `binh`."""
    room.happened(InviteReceived("near", "an", "", False, "binh", sdp.offer(speaks), "192.0.2.7:5060", user="an"))
    for opening in room.said(OpenLeg):
        room.happened(LegOpened(opening.leg, "127.0.0.1", next(room.ports)))


def talk(room: Room, near: sdp.Capabilities, far: sdp.Capabilities) -> None:
    dial(room, near)
    offer = room.last(Invite)
    room.happened(DialogAnswered(offer.dialog, sdp.answer(offer.sdp, far).sdp))
    room.happened(DialogConfirmed("near"))


def codecs(room: Room) -> set[Codec]:
    """What both legs were last connected with."""
    return set({each.leg: each.codec for each in room.said(ConnectLeg)}.values())


@pytest.mark.parametrize(
    ("near", "far", "spoken"),
    [
        (("PCMA", "PCMU"), ("PCMU", "PCMA"), "PCMA"),
        (("G722", "PCMA"), ("PCMU", "PCMA", "G722"), "PCMA"),
        (("G722", "opus"), ("G722", "PCMU"), "G722"),
        (("G722",), ("G722",), "G722"),
        (("opus", "G722"), ("opus", "G722"), "opus"),
    ],
)
def test_two_phones_with_one_codec_in_common_speak_it(
    room: Room, near: tuple[Codec, ...], far: tuple[Codec, ...], spoken: Codec
) -> None:
    talk(room, phone(*near), phone(*far))
    assert codecs(room) == {spoken}
    clock = 48_000 if spoken == "opus" else 8000
    assert {each.event_clock for each in room.said(ConnectLeg)} == {clock}
    assert sdp.read_answer(room.last(Answer).sdp, sdp.offer(phone(*near))).codec == spoken


def test_the_phone_that_is_called_is_offered_the_callers_first(room: Room) -> None:
    dial(room, phone("G722"))
    assert sdp.parse(room.last(Invite).sdp).media[0].formats[0] == "9"


def test_a_phone_is_offered_no_wide_band_where_there_is_none(room: Room) -> None:
    dial(room, phone("PCMA", "G722"))
    assert sdp.parse(room.last(Invite).sdp).media[0].formats == ("8", "0", "101")


def test_a_re_invite_changes_the_codec_and_a_hold_does_not(room: Room) -> None:
    near = phone("opus", "G722")
    talk(room, near, phone("G722"))
    room.happened(SessionOffered("near", sdp.offer(near).replace("a=sendrecv", "a=sendonly")))
    assert codecs(room) == {"G722"}
    assert sdp.parse(room.last(AnswerSession).sdp).media[0].formats[0] == "9"
    room.happened(SessionOffered("near", sdp.offer(msgspec.structs.replace(near, codecs=(sdp.OPUS,)))))
    assert room.last(ConnectLeg).codec == "opus"
