"""How the phone repeats itself, and what its requests look like."""

import pytest

from hotline.phone.dialog import Dialog, Repeater, end_of, key_of, uri_of
from telephony.sip.message import Request, parse_datagram

KEY = ("call", "1 INVITE")


class Wire:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.gave_up: list[str] = []
        self.repeater = Repeater(self.sent.append, self.gave_up.append)

    def pass_time(self, seconds: float) -> None:
        for step in range(round(seconds * 20) + 1):
            self.repeater.repeat(step / 20)


def test_a_message_is_sent_until_it_is_given_up() -> None:
    wire = Wire()
    wire.repeater.send(b"INVITE", KEY, 0.0)
    wire.pass_time(20.0)
    assert wire.sent == [b"INVITE"] * 5  # at 0, 0.5, 1.5, 3.5 and 7.5 s
    assert wire.gave_up == ["INVITE"]
    assert not wire.repeater.clear()


def test_an_answer_ends_it() -> None:
    wire = Wire()
    wire.repeater.send(b"INVITE", KEY, 0.0)
    wire.pass_time(0.6)
    wire.repeater.settle(KEY)
    wire.pass_time(20.0)
    assert len(wire.sent) == 2
    assert wire.gave_up == []
    wire.repeater.settle(KEY)


def test_clearing_tells_whether_anything_was_waited_for() -> None:
    wire = Wire()
    assert not wire.repeater.clear()
    wire.repeater.send(b"INVITE", KEY, 0.0)
    assert wire.repeater.clear()
    wire.pass_time(20.0)
    assert wire.gave_up == []


def test_a_request_in_a_dialog_is_what_our_own_parser_expects() -> None:
    dialog = Dialog("call", '"Lan" <sip:lan@h>;tag=a', "<sip:1900@h>;tag=b", "sip:hotline@127.0.0.1:5060", 7)
    text = dialog.request("BYE", "127.0.0.1:4000", "z9hG4bKx")
    assert key_of(text) == ("call", "7 BYE")
    parsed = parse_datagram(text.encode())
    assert isinstance(parsed, Request)
    assert (parsed.method, parsed.cseq.number, parsed.call_id) == ("BYE", 7, "call")
    assert (parsed.from_.tag, parsed.to.tag) == ("a", "b")


def test_a_message_without_its_key_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="without Call-ID or CSeq"):
        key_of("BYE sip:h SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n")


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("<sip:a@h:5062;transport=udp>;expires=60", "sip:a@h:5062;transport=udp"),
        ('"A" <sip:a@h>', "sip:a@h"),
        ("sip:a@h;expires=60", "sip:a@h"),
    ],
)
def test_the_uri_of_a_contact(contact: str, uri: str) -> None:
    assert uri_of(contact) == uri


def test_an_end_keeps_its_own_tag() -> None:
    assert end_of({"raw": "<sip:a@h>", "tag": "x"}, "y") == "<sip:a@h>;tag=x"
    assert end_of({"raw": "<sip:a@h>", "tag": ""}, "y") == "<sip:a@h>;tag=y"
    assert end_of({"raw": "<sip:a@h>", "tag": ""}) == "<sip:a@h>"
