"""What a client adds to a reply is taken away again; what the writer wrote stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.mail.own_words import matter, own_words

QUOTED = "> Chào anh,\n> đơn 7 đã gửi.\n>\n> Shop"
PLAIN = "Chào anh,\nđơn 7 đã gửi."

MARKED = {
    "Gmail": "Vào Th 2, 16 thg 11, 2026 vào lúc 10:00 Shop <help@shop.vn> đã viết:\n\n" + QUOTED,
    "Gmail, wrapped": "Vào Th 2, 16 thg 11, 2026 vào lúc 10:00 Cửa hàng An Khang <\nhelp@shop.vn> đã viết:\n\n"
    + QUOTED,
    "Gmail of old": "Lúc 10:00 ngày 16 tháng 11 năm 2026, Shop <help@shop.vn> đã viết:\n" + QUOTED,
    "Gmail in English": "On Mon, Nov 16, 2026 at 10:00 AM Shop <help@shop.vn> wrote:\n\n" + QUOTED,
    "Gmail, dated": "2026-11-16 10:00 GMT+07:00 Shop <help@shop.vn>:\n\n" + QUOTED,
    "Apple Mail": "On 16 Nov 2026, at 10:00, Shop <help@shop.vn> wrote:\n\n" + QUOTED,
    "Thunderbird": "Vào 16/11/2026 10:00, Shop đã viết:\n" + QUOTED,
    "Yahoo": "Vào Thứ Hai, 16 tháng 11, 2026 lúc 10:00:00 GMT+7, Shop <help@shop.vn> đã viết:\n\n" + PLAIN,
    "Yahoo in English": "On Monday, November 16, 2026 at 10:00:00 AM GMT+7, Shop <help@shop.vn> wrote:\n\n" + PLAIN,
    "Outlook": "Từ: Shop <help@shop.vn>\nĐã gửi: Thứ Hai, 16 Tháng Mười Một 2026 10:00\nĐến: An\nChủ đề: Đơn 7\n\n"
    + PLAIN,
    "Outlook in English": "From: Shop <help@shop.vn>\nSent: Monday, November 16, 2026 10:00\nTo: An\nSubject: x\n\n"
    + PLAIN,
    "Outlook, bold": "*From:* Shop\n*Date:* Monday\n*To:* An\n*Subject:* x\n" + PLAIN,
    "Outlook on the web": "________________________________\nFrom: Shop\nSent: Monday\nTo: An\nSubject: x\n\n" + PLAIN,
    "Outlook of old": "-----Original Message-----\nFrom: Shop\n" + PLAIN,
    "Vietnamese original": "----- Thư gốc -----\n" + PLAIN,
    "plain": QUOTED,
}


@pytest.mark.parametrize("client", MARKED)
def test_what_is_answered_is_taken_away(client: str) -> None:
    assert own_words("Tôi chưa nhận được.\nCảm ơn!\n\n" + MARKED[client]) == "Tôi chưa nhận được.\nCảm ơn!"


def test_answers_point_by_point_stay() -> None:
    text = "On 16 Nov 2026, at 10:00, Shop <help@shop.vn> wrote:\n\n> Which colour?\n\nRed.\n\n> Which size?\n\nM."
    assert own_words(text) == "Red.\n\nM."


def test_an_answer_below_the_quotation_stays() -> None:
    assert own_words(MARKED["Thunderbird"] + "\n\nVẫn chưa có.") == "Vẫn chưa có."


@pytest.mark.parametrize(
    "signature",
    ["-- \nAn\n0912 345 678", "--\nAn", "Sent from my iPhone", "Được gửi từ iPhone của tôi", "Get Outlook for Android"],
)
def test_signatures_are_taken_away(signature: str) -> None:
    assert own_words("Xin chào\n\n" + signature + "\n\n" + MARKED["Gmail"]) == "Xin chào"


def test_what_is_passed_on_is_what_is_meant() -> None:
    passed_on = "---------- Forwarded message ---------\nFrom: Shop\nDate: x\nSubject: y\nTo: An\n\nđơn 7"
    assert own_words("Xem bên dưới\n\n" + passed_on) == "Xem bên dưới\n\n" + passed_on


def test_where_nothing_is_left_it_is_all_of_it() -> None:
    assert own_words(MARKED["Outlook"]) == MARKED["Outlook"]
    assert own_words("-- \nAn") == "--\nAn"


@pytest.mark.parametrize(
    "text",
    [
        "On Monday I called and nobody answered.",
        "Vào ngày 16 tôi đã viết thư cho shop.",
        "Từ: Hà Nội tôi đặt hàng",
        "From: here it looks fine",
        "a -- b",
        "5 > 3",
    ],
)
def test_ordinary_sentences_stay(text: str) -> None:
    assert own_words(text + "\nCảm ơn") == text + "\nCảm ơn"


@given(st.text(alphabet="ab >-_\n:", max_size=200) | st.text(max_size=200))
def test_a_text_never_grows_and_its_own_words_stay_its_own(text: str) -> None:
    words = own_words(text)
    assert len(words) <= len(text)
    assert (words == "") == (text.strip() == "")


@pytest.mark.parametrize(
    ("subject", "rest"),
    [("Re: TL: Đơn 7", "Đơn 7"), ("Trả lời: RE[2]: Đơn 7", "Đơn 7"), ("Reply", "Reply"), ("FWD:x", "x"), ("Re:", "")],
)
def test_the_matter_of_a_subject(subject: str, rest: str) -> None:
    assert matter(subject) == rest
