"""What is agreed on with one far end in the course of a call."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import LegOpened, WebRtc
from telephony.switchboard import party
from telephony.switchboard.board import Board
from telephony.switchboard.side import Side
from tests.telephony.switchboard.room import Room

PRINT = ":".join(["AB"] * 32)
OURS = WebRtc("u1", "p" * 22, ("1 1 udp 2130706431 192.0.2.1 4000 typ host",), f"sha-256 {PRINT}")
BROWSER = sdp.Capabilities("192.0.2.9", 5000, 9, webrtc=WebRtc("u2", "q" * 22, (), f"sha-256 {PRINT}"))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Room(tmp_path).switchboard._board


def side() -> Side:
    return Side("an", "d1", "leg", 7, media=LegOpened("leg", "192.0.2.1", 4000, OURS))


def role(text: str) -> str:
    (setup,) = sdp.parse(text).media[0].attributes("setup")
    return setup


@pytest.mark.parametrize("calls", ["we", "they"])
def test_a_browser_may_offer_again_and_again_without_a_change_of_dtls_roles(board: Board, calls: str) -> None:
    one = side()
    if calls == "we":
        party.accept(one, sdp.answer(party.offer(board, one), BROWSER).sdp)
        expected = "passive"
    else:
        expected = role(party.answer(board, one, sdp.offer(BROWSER)).sdp)
        assert expected == "active"
    for direction in ("sendonly", "sendrecv", "sendonly", "sendrecv"):
        again = sdp.offer(BROWSER).replace("a=sendrecv", f"a={direction}")
        assert role(again) == "actpass"
        assert role(party.answer(board, one, again).sdp) == expected
