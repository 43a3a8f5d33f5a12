"""Letters as bytes, read again by the library and by our own reader."""

import email
import email.policy
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from crm_bridge.mail.message import parse
from crm_bridge.notify.letter import compose
from crm_bridge.notify.parcel import Parcel
from tests.crm_bridge.notify.conftest import NOW

IDS = tuple(f"<{'x' * 90}.{number}@mail.example.vn>" for number in range(20))
PARCEL = Parcel("an@example.vn", "Đơn hàng của quý khách\nđã được gửi.", "Đơn hàng số 7 đã được gửi đi", "<1@shop.vn>")


def composed(parcel: Parcel = PARCEL) -> bytes:
    return compose(parcel, "care@shop.vn", "Cửa hàng", NOW)


def test_a_letter_says_who_whom_what_and_when() -> None:
    letter = email.message_from_bytes(composed(), policy=email.policy.default)
    assert letter["From"] == "Cửa hàng <care@shop.vn>"
    assert letter["To"] == "an@example.vn"
    assert letter["Subject"] == PARCEL.subject
    assert letter["Date"].datetime.timestamp() == NOW
    assert letter["Message-ID"] == "<1@shop.vn>"
    assert letter.get_content_charset() == "utf-8"
    assert letter.get_content().splitlines() == PARCEL.text.splitlines()
    assert "Auto-Submitted" not in letter
    assert composed().isascii()
    assert all(len(line) <= 78 for line in composed().splitlines())


def test_the_same_parcel_is_the_same_letter() -> None:
    assert composed() == composed()


def test_a_long_thread_is_folded_between_its_ids() -> None:
    parcel = Parcel("an@example.vn", "x", "y", "<1@shop.vn>", references=IDS)
    head = composed(parcel).partition(b"\r\n\r\n")[0].decode()
    assert f"In-Reply-To: {IDS[-1]}\r\n" in head
    assert re.search(r"^References:(?:[ \r\n]+<x+\.\d+@mail\.example\.vn>){20}\r\n", head, re.MULTILINE)
    read = parse(composed(parcel), received_at=NOW)
    assert (read.references[0], read.root, len(read.references)) == (IDS[-1], IDS[0], 20)


def test_what_a_flow_sends_is_answered_by_no_machine() -> None:
    automatic = Parcel("an@example.vn", "x", "y", "<1@shop.vn>", automatic=True, language="vi")
    assert not parse(composed(automatic), received_at=NOW).may_be_answered
    assert parse(composed(), received_at=NOW).may_be_answered
    assert b"Content-Language: vi\r\n" in composed(automatic)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\r\n\r\n"])
@pytest.mark.parametrize("part", ["to", "subject", "message_id"])
def test_nothing_becomes_a_field(break_: str, part: str) -> None:
    evil = {"to": "a@b.vn", "subject": "s", "message_id": "<1@b.vn>"}
    evil[part] += f"{break_}Bcc: all@example.vn"
    try:
        head = composed(replace(PARCEL, **evil)).partition(b"\r\n\r\n")[0]
    except ValueError:
        return
    assert b"\nBcc:" not in head.replace(b"\r", b"\n")


FIELD_NAMES = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@example("", "\n")
@given(TEXT, TEXT)
def test_whatever_is_written_the_fields_are_ours(text: str, subject: str) -> None:
    try:
        letter = composed(Parcel("an@example.vn", text, subject, "<1@shop.vn>"))
    except ValueError:
        assert not all(sign.isprintable() for sign in subject)
        return
    head = letter.partition(b"\r\n\r\n")[0]
    names = {line.partition(b":")[0].decode() for line in re.split(rb"\r\n(?![ \t])", head)}
    assert names == FIELD_NAMES
    assert b"\n" not in letter.replace(b"\r\n", b"")
    read = email.message_from_bytes(letter, policy=email.policy.default)
    came, sent = (each.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") for each in (read.get_content(), text))
    assert came == sent
