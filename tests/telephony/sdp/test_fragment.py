"""What an INFO of trickle ICE says, written and read."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import WebRtc
from telephony.sdp import fragment
from tests.telephony.sdp.test_webrtc import CHROMIUM, OURS, WEB

LATE = "2 1 udp 1694498815 198.51.100.7 4000 typ srflx raddr 192.0.2.1 rport 4000"


def test_what_is_written_is_read() -> None:
    description = sdp.answer(CHROMIUM, OURS).sdp
    text = fragment.write(description, "u1", (LATE,), complete=True)
    assert fragment.read(text) == ("u1", (LATE,), True)
    assert text.startswith("a=ice-ufrag:u1\r\na=ice-pwd:" + "p" * 22 + "\r\nm=audio ")
    assert "\r\na=mid:0\r\n" in text


def test_candidates_of_another_session_are_not_told() -> None:
    assert fragment.write(sdp.answer(CHROMIUM, OURS).sdp, "u0", (LATE,), complete=False) == ""


def test_nobody_knows_whose_candidates_these_are() -> None:
    with pytest.raises(sdp.SdpError):
        fragment.read(f"a=candidate:{LATE}\r\n")


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(sdp.SdpError):
        fragment.read(text)
    with contextlib.suppress(sdp.SdpError):
        fragment.read("a=ice-ufrag:u\r\na=candidate:" + text)


def test_no_more_is_taken_than_a_far_end_can_have() -> None:
    _, candidates, _ = fragment.read("a=ice-ufrag:u\n" + f"a=candidate:{LATE}\n" * 1000)
    assert len(candidates) == 40


def test_the_end_of_candidates_is_said_when_it_is_known() -> None:
    assert "a=end-of-candidates\r\n" in sdp.offer(OURS)
    more: WebRtc = msgspec.structs.replace(WEB, complete=False)
    assert "a=end-of-candidates" not in sdp.offer(msgspec.structs.replace(OURS, webrtc=more))
    assert "a=ice-options:trickle\r\n" in sdp.offer(OURS)
