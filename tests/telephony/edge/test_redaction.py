"""What is written into the journal has no keys, and replays all the same."""

from pathlib import Path

import msgspec
import pytest

from telephony import sdp
from telephony.edge.redaction import without_digit, without_keys
from telephony.events import (
    Answer,
    CallerContext,
    CallerFound,
    Command,
    ConnectLeg,
    DialogConfirmed,
    DigitPressed,
    Event,
    InviteReceived,
    KeySignalled,
    KeysRequested,
    LegOpened,
    SaveCall,
    SendKeys,
    Srtp,
    SrtpKey,
    WebRtc,
)
from tests.telephony.sdp.offers import KEYS, key
from tests.telephony.switchboard.room import Room

OURS = next(each.key for each in KEYS if each.suite == "AEAD_AES_256_GCM")
THEIRS = key("AEAD_AES_256_GCM", 99)
OFFER = sdp.offer(
    sdp.Capabilities("192.0.2.7", 7000, 9, keys=(SrtpKey("AEAD_AES_256_GCM", THEIRS),), secure=True)
).replace(THEIRS, THEIRS + "|2^31")
WEB = WebRtc("ufrag", "p4ssw0rdp4ssw0rdp4ssw0", (), "sha-256 AA")


def run(room: Room, events: list[Event]) -> list[Command]:
    return [without_keys(command) for event in events for command in room.happened(event)]


def call(room: Room) -> tuple[list[Event], list[Command]]:
    """An encrypted call up to its ACK; return its events, and what they led to, unblanked."""
    identity = f"{1:032x}"
    events: list[Event] = [
        InviteReceived("d1", "0912345678", "", False, "1900", OFFER, "192.0.2.1:5060"),
        LegOpened(f"{identity}.caller", "127.0.0.1", 20000, None, KEYS),
        CallerFound(identity, "+84912345678", CallerContext()),
        DialogConfirmed("d1"),
    ]
    return events, [command for event in events for command in room.happened(event)]


def test_no_key_of_a_call_is_in_its_journal_and_it_replays(tmp_path: Path) -> None:
    events, commands = call(Room(tmp_path))
    secured = [command for command in commands if isinstance(command, ConnectLeg)]
    assert [command.srtp for command in secured] == [Srtp("AEAD_AES_256_GCM", OURS, THEIRS)] * 2
    (answer,) = [command for command in commands if isinstance(command, Answer)]
    assert OURS in answer.sdp

    written: list[Event | Command] = [without_keys(event) for event in events]
    written += [without_keys(command) for command in commands]
    text = msgspec.json.encode([message for message in written if not isinstance(message, SaveCall)]).decode()
    assert OURS not in text
    assert THEIRS not in text
    assert "inline:" + "A" * 59 + "=|2^31" in text

    blanked = [without_keys(event) for event in events]
    assert run(Room(tmp_path), blanked) == [without_keys(command) for command in commands]


@pytest.mark.parametrize(
    "message",
    [
        LegOpened("a", "192.0.2.1", 4000, WEB),
        ConnectLeg("a", "192.0.2.1", 4000, 0, webrtc=WEB),
        InviteReceived("d", "1", "", False, "2", f"v=0\r\na=ice-pwd:{WEB.password}\r\ns=-\r\n", "x"),
    ],
)
def test_passwords_of_ice_are_blanked(message: Event | Command) -> None:
    text = msgspec.json.encode(without_keys(message)).decode()
    assert WEB.password not in text
    assert "A" * 22 in text


def test_what_has_no_keys_is_as_it_was() -> None:
    for message in (
        DialogConfirmed("d", "v=0\r\n"),
        ConnectLeg("a", "192.0.2.1", 1, 0),
        LegOpened("a", "192.0.2.1", 1),
    ):
        assert without_keys(message) is message


def test_a_secret_digit_is_hidden_and_the_keys_that_end_it_are_not() -> None:
    assert without_digit(DigitPressed("a", "7", "inband", 5)) == DigitPressed("a", "•", "inband", 5)
    assert without_digit(KeySignalled("d", "A")) == KeySignalled("d", "•")
    for event in (KeySignalled("d", "#"), DigitPressed("a", "*", "inband", 5), DialogConfirmed("d")):
        assert without_digit(event) is event


def test_keys_that_are_pressed_for_somebody_are_hidden_whatever_they_are() -> None:
    assert without_keys(SendKeys("a", "4711#", 80)) == SendKeys("a", "••••#", 80)
    assert without_keys(KeysRequested("c", "an", "*9")) == KeysRequested("c", "an", "*•")
