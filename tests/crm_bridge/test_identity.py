"""Every spelling of one identity is one string; what identifies nobody is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.identity import VIETNAM_2018, Kind, email, fold, normalise, opaque, phone

KINDS: tuple[Kind, ...] = ("phone", "email", "zalo", "facebook", "external")
MOBILE_PREFIXES = ("32", "38", "56", "58", "59", "70", "79", "81", "85", "88", "89", "90", "91", "96", "98")

mobiles = st.builds(
    lambda prefix, rest: prefix + rest, st.sampled_from(MOBILE_PREFIXES), st.from_regex(r"\A[0-9]{7}\Z")
)
separators = st.sampled_from(["", " ", ".", "-", "  ", "\u00a0", "/"])
prefixes = st.sampled_from(["0", "84", "+84", "0084", "", "+84(0)", "+84 0", "840", "(+84) "])
wrappers = st.sampled_from(
    [
        "{}",
        " {} ",
        "tel:{}",
        "sip:{}@10.0.0.1:5060;user=phone",
        "<sip:{}@host>;tag=7",
        '"An" <tel:{}>',
        "\u202a{}\u202c",
    ]
)


def spelled(national: str, prefix: str, separator: str, wrapper: str) -> str:
    groups = separator.join([prefix, national[:2], national[2:5], national[5:]]).lstrip(separator or None)
    return wrapper.format(groups)


@given(mobiles, prefixes, separators, wrappers)
def test_all_spellings_of_a_number_are_one_value(national: str, prefix: str, separator: str, wrapper: str) -> None:
    assert phone(spelled(national, prefix, separator, wrapper)) == f"+84{national}"


@given(st.sampled_from(sorted(VIETNAM_2018.items())), st.from_regex(r"\A[0-9]{7}\Z"), prefixes, separators, wrappers)
def test_a_number_of_before_2018_is_the_number_of_today(
    change: tuple[str, str], rest: str, prefix: str, separator: str, wrapper: str
) -> None:
    old, new = change
    assert phone(spelled(old + rest, prefix, separator, wrapper)) == phone(f"0{new}{rest}") == f"+84{new}{rest}"


@given(st.sampled_from(KINDS), st.text())
def test_normalising_twice_changes_nothing(kind: Kind, value: str) -> None:
    once = normalise(kind, value)
    assert normalise(kind, once) == once


@given(st.text(alphabet="+0123456789 .-()/", max_size=20), st.sampled_from(["VN", "US", "DE", "SG"]))
def test_a_phone_is_e164_or_nothing_and_stays_so_in_any_region(number: str, region: str) -> None:
    once = phone(number, region)
    assert once == "" or (once[0] == "+" and once[1:].isascii() and once[1:].isdigit() and 8 <= len(once) <= 16)
    assert phone(once, "VN") == once


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("028 3812 3456", "VN", "+842838123456"),
        ("+1 415-555-2671", "VN", "+14155552671"),
        ("0014155552671", "VN", "+14155552671"),
        ("415 555 2671", "US", "+14155552671"),
        ("0084912345678", "US", "+84912345678"),
        ("+84 168 123 4567", "US", "+84381234567"),
        ("tel:+84-912-345-678;phone-context=example.com", "VN", "+84912345678"),
        ("sip:%2B84912345678@host", "VN", "+84912345678"),
        ("０９１２３４５６７８", "VN", "+84912345678"),
    ],
)
def test_numbers(number: str, region: str, expected: str) -> None:
    assert phone(number, region) == expected


@pytest.mark.parametrize(
    "number",
    [
        "",
        " ",
        "+",
        "anonymous",
        "sip:anonymous@anonymous.invalid",
        "Restricted",
        "an",
        "113",
        "1001",
        "0000000000",
        "1900 1234",
        "1800 1091",
        "+1 800 555 0199",
        "0912345",
        "09123456789012345678",
        "028 3812 3456 ext 12",
        "tel:+842838123456;ext=12",
        "1-800-FLOWERS",
        "0168123456",
        "(",
    ],
)
def test_what_identifies_nobody(number: str) -> None:
    assert phone(number) == ""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("An.Nguyen@Example.VN", "an.nguyen@example.vn"),
        (" an@example.vn ", "an@example.vn"),
        ("An Nguyễn <an@example.vn>", "an@example.vn"),
        ("mailto:an@example.vn?subject=hi", "an@example.vn"),
        ("an@bücher.example", "an@xn--bcher-kva.example"),
        ("an@example.vn.", "an@example.vn"),
        ("an+shop@example.vn", "an+shop@example.vn"),
        ("an", ""),
        ("an@", ""),
        ("@example.vn", ""),
        ("an@localhost", ""),
        ("an @example.vn", ""),
        ("an@exa mple.vn", ""),
        ("an@example..vn", ""),
        ("a@b.vn, c@d.vn", ""),
        ("a" * 65 + "@example.vn", ""),
        ("an@" + "a" * 64 + ".vn", ""),
        ("an@" + "a." * 125 + "vn", ""),
    ],
)
def test_addresses(address: str, expected: str) -> None:
    assert email(address) == expected


def test_ids_of_other_systems_keep_their_case() -> None:
    assert opaque(" 7A4f ") == "7A4f"
    assert opaque("a\x00b") == opaque("a\nb") == opaque("x" * 256) == opaque("\ud800") == ""


def test_names_fold() -> None:
    assert fold("  Nguyễn Văn  Đức ") == fold("NGUYEN van duc") == "nguyen van duc"
    assert fold("Straße") == "strasse"


@given(st.text(max_size=300))
def test_folding_twice_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)
    assert len(fold(name)) <= 200
