"""Which phones are offered SRTP, and in which way."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    BindingChanged,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    Hangup,
    Invite,
    InviteReceived,
    LegOpened,
    OpenLeg,
    Reject,
    SaveCall,
    SessionOffered,
    SrtpKey,
)
from telephony.switchboard.board import SrtpPolicy
from tests.telephony.sdp.offers import KEYS, key
from tests.telephony.switchboard.room import Room

SUITE = "AES_CM_128_HMAC_SHA1_80"
PHONE = sdp.Capabilities("192.0.2.7", 7000, 9)
KEYED = sdp.offer(PHONE).replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:1 {SUITE} inline:{key(SUITE, 99)}\r\n"


def room(folder: Path, policy: SrtpPolicy = "optional") -> Room:
    return Room(folder, srtp=policy)


def open_all(made: Room) -> None:
    opened: set[str] = set()
    for opening in made.said(OpenLeg):
        if opening.leg not in opened:
            opened.add(opening.leg)
            made.happened(LegOpened(opening.leg, "127.0.0.1", next(made.ports), None, KEYS))


def rings_at(made: Room, *, secure: bool) -> Invite:
    """A call that rings at `an`'s phone."""
    made.happened(BindingChanged("an", 1, secure=secure), after_s=1.0)
    call = made.ring_in(offer=KEYED)
    made.happened(LegOpened(f"{call}.caller", "127.0.0.1", 20000, None, KEYS))
    made.known_caller(call)
    made.happened(DialogConfirmed("d1"))
    made.wait(0.3)
    made.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    made.happened(LegOpened(made.last(OpenLeg).leg, "127.0.0.1", 20002, None, KEYS))
    return made.last(Invite)


def profile(text: str) -> tuple[str, int]:
    media = sdp.parse(text).media[0]
    return media.protocol, len(media.attributes("crypto"))


def test_a_caller_s_keys_are_answered_and_the_leg_encrypted(tmp_path: Path) -> None:
    made = room(tmp_path)
    rings_at(made, secure=False)
    assert profile(made.last(Answer).sdp) == ("RTP/SAVP", 1)
    legs = [command.srtp for command in made.said(ConnectLeg) if command.leg.endswith(".caller")]
    assert [srtp.suite for srtp in legs if srtp is not None] == [SUITE, SUITE]


@pytest.mark.parametrize(
    ("policy", "secure", "offered"),
    [
        ("optional", False, ("RTP/AVP", 0)),
        ("optional", True, ("RTP/AVP", 3)),
        ("required", False, ("RTP/SAVP", 3)),
        ("required", True, ("RTP/SAVP", 3)),
    ],
)
def test_a_phone_is_offered_keys_over_tls_and_where_they_are_a_must(
    policy: SrtpPolicy, secure: bool, offered: tuple[str, int], tmp_path: Path
) -> None:
    assert profile(rings_at(room(tmp_path, policy), secure=secure).sdp) == offered


def test_off_is_off(tmp_path: Path) -> None:
    made = room(tmp_path, "off")
    made.ring_in(offer=KEYED)
    open_all(made)
    made.known_caller(made.last(SaveCall).call.id)
    assert (made.last(Reject).status, made.last(Reject).warning) == (488, 302)


def test_a_phone_that_wants_rtp_savp_is_called_again_and_remembered(tmp_path: Path) -> None:
    made = room(tmp_path)
    first = rings_at(made, secure=True)
    made.happened(DialogEnded(first.dialog, "rejected", 488))
    second = made.last(Invite)
    assert second.dialog != first.dialog
    assert profile(second.sdp) == ("RTP/SAVP", 3)
    theirs = sdp.Capabilities("192.0.2.7", 7000, 9, keys=_other_keys())
    made.happened(DialogAnswered(second.dialog, sdp.answer(second.sdp, theirs).sdp))
    assert made.state() == "talking"
    assert made.last(SaveCall).call.agent == "an"
    connected = made.last(ConnectLeg)
    assert connected.srtp is not None
    # Held and taken back by its own button, in the second dialog.
    made.happened(SessionOffered(second.dialog, KEYED.replace("a=sendrecv", "a=sendonly")))
    assert made.state() == "held"
    made.happened(DialogEnded(second.dialog, "bye"))
    made.wait(15)

    made.happened(InviteReceived("consult", "binh", "", False, "an", KEYED, "192.0.2.7:5060", user="binh"))
    for opening in made.said(OpenLeg)[-2:]:
        made.happened(LegOpened(opening.leg, "127.0.0.1", next(made.ports), None, KEYS))
    assert profile(made.last(Invite).sdp) == ("RTP/SAVP", 3)


def test_one_that_takes_neither_is_not_called_a_third_time(tmp_path: Path) -> None:
    made = room(tmp_path)
    first = rings_at(made, secure=True)
    made.happened(DialogEnded(first.dialog, "rejected", 488))
    made.happened(DialogEnded(made.last(Invite).dialog, "rejected", 488))
    assert len(made.said(Invite)) == 2
    assert made.state() == "queued"


def test_a_colleague_who_wants_rtp_savp_is_called_again_too(tmp_path: Path) -> None:
    made = room(tmp_path)
    for agent in ("an", "binh"):
        made.happened(BindingChanged(agent, 1, secure=True))
    made.happened(InviteReceived("near", "an", "", False, "binh", KEYED, "192.0.2.7:5060", user="an"))
    open_all(made)
    first = made.last(Invite)
    made.happened(DialogEnded(first.dialog, "rejected", 488))
    second = made.last(Invite)
    assert profile(second.sdp) == ("RTP/SAVP", 3)
    made.happened(DialogEnded("near", "cancelled", 487))
    assert [command.dialog for command in made.said(Hangup)] == [second.dialog]
    assert not made.switchboard.busy()


def _other_keys() -> tuple[SrtpKey, ...]:
    return tuple(SrtpKey(each.suite, key(each.suite, 55)) for each in KEYS)
