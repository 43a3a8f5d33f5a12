"""Numbers as trunks write them."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.numbering import NumberFormat, as_listed, read, write

FORMS: tuple[NumberFormat, ...] = ("e164", "digits", "national", "00")


@pytest.mark.parametrize(
    ("number", "form", "e164"),
    [
        ("+84912345678", "e164", "+84912345678"),
        ("0912345678", "e164", "+84912345678"),
        ("0084912345678", "e164", "+84912345678"),
        ("84912345678", "digits", "+84912345678"),
        ("0912345678", "digits", "+84912345678"),
        ("+84 (91) 234-56.78", "e164", "+84912345678"),
        ("+442079460000", "national", "+442079460000"),
        ("19001234", "national", "+8419001234"),
        ("100", "e164", ""),
        ("+84", "e164", ""),
        ("anonymous", "e164", ""),
        ("", "e164", ""),
    ],
)
def test_reads_what_trunks_send(number: str, form: NumberFormat, e164: str) -> None:
    assert read(number, "VN", form) == e164


@pytest.mark.parametrize(
    ("form", "own", "abroad"),
    [
        ("e164", "+84912345678", "+442079460000"),
        ("digits", "84912345678", "442079460000"),
        ("national", "0912345678", "00442079460000"),
        ("00", "0084912345678", "00442079460000"),
    ],
)
def test_writes_what_trunks_want(form: NumberFormat, own: str, abroad: str) -> None:
    assert write("+84912345678", "VN", form) == own
    assert write("+442079460000", "VN", form) == abroad


def test_what_is_no_number_of_the_world_is_left_alone() -> None:
    assert write("100", "VN", "national") == "100"
    assert as_listed("100", ["100", "*"], "VN") == "100"
    assert as_listed("sales", ["100"], "VN") == "sales"


def test_a_dialled_number_takes_the_form_in_which_the_settings_have_it() -> None:
    assert as_listed("+842473001234", ["02473001234", "*"], "VN") == "02473001234"
    assert as_listed("842473001234", ["+842473001234"], "VN", "digits") == "+842473001234"
    assert as_listed("02473009999", ["02473001234"], "VN") == "+842473009999"


EXAMPLES = [
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in ("VN", "GB", "DE", "US", "JP", "SG")
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]


@given(st.sampled_from(EXAMPLES), st.sampled_from(FORMS))
def test_what_is_written_is_read_again(number: str, form: NumberFormat) -> None:
    assert read(write(number, "VN", form), "VN", form) == number


@given(st.text(max_size=40), st.sampled_from(FORMS))
def test_no_text_breaks_it(text: str, form: NumberFormat) -> None:
    e164 = read(text, "VN", form)
    assert e164 == "" or (e164.startswith("+") and e164[1:].isdigit())
    write(text, "VN", form)
