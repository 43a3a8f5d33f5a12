"""`ivr_flows.speaking.numbers`: every number is read back from its words."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ivr_flows.speaking.numbers import cardinal, english_year, number, ordinal
from ivr_flows.speaking.reading import Spoken, Unreadable

VI_ONES = {
    "không": 0, "một": 1, "mốt": 1, "hai": 2, "ba": 3, "bốn": 4, "tư": 4, "năm": 5, "lăm": 5, "sáu": 6, "bảy": 7,
    "tám": 8, "chín": 9,
}  # fmt: skip
VI_SCALES = {"nghìn": 10**3, "triệu": 10**6}
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
EN_SMALL = {word: value for value, word in enumerate(SMALL.split())}
EN_TENS = {word: 20 + 10 * index for index, word in enumerate(TENS.split())}
EN_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def heard_in_vietnamese(words: str) -> int:
    """Understand words as a listener does: from left to right, nothing known of how they were made."""
    billions = total = group = 0
    last: int | None = None
    for word in words.split():
        if word == "tỷ":
            billions = (billions + total + group + (last or 0)) * 10**9
            total, group, last = 0, 0, None
        elif word in VI_SCALES:
            total += (group + (last or 0)) * VI_SCALES[word]
            group, last = 0, None
        elif word == "trăm":
            group, last = group + (last or 0) * 100, None
        elif word == "mươi":
            group, last = group + (last or 0) * 10, None
        elif word == "mười":
            group += 10
        elif word != "linh":
            assert last is None, f"two digits beside each other: {words}"
            last = VI_ONES[word]
    return billions + total + group + (last or 0)


def heard_in_english(words: str) -> int:
    total = group = 0
    for word in words.replace("-", " ").split():
        if word in EN_SCALES:
            total += group * EN_SCALES[word]
            group = 0
        elif word == "hundred":
            group *= 100
        elif word != "and":
            group += EN_SMALL[word] if word in EN_SMALL else EN_TENS[word]
    return total + group


@settings(deadline=None)
@given(st.integers(0, 10**12) | st.integers(0, 10_000))
@example(10**12)
@example(10**9 + 5)
@example(10**6 + 5)
def test_what_is_said_is_heard(value: int) -> None:
    vietnamese, english = cardinal(value, "vi"), cardinal(value, "en")
    assert heard_in_vietnamese(vietnamese) == value
    assert heard_in_english(english) == value
    assert not any(sign.isdigit() for sign in vietnamese + english)


@settings(deadline=None)
@given(st.integers(0, 10**14))
def test_words_differ_where_numbers_do(value: int) -> None:
    assert cardinal(value, "vi") != cardinal(value + 1, "vi")
    assert cardinal(value, "en") != cardinal(value + 1, "en")


def test_the_first_ten_thousand_are_all_heard() -> None:
    assert [heard_in_vietnamese(cardinal(value, "vi")) for value in range(10_000)] == list(range(10_000))
    assert [heard_in_english(cardinal(value, "en")) for value in range(10_000)] == list(range(10_000))


@pytest.mark.parametrize(
    ("value", "vietnamese", "english"),
    [
        ("0", "không", "zero"),
        ("4", "bốn", "four"),
        ("10", "mười", "ten"),
        ("14", "mười bốn", "fourteen"),
        ("15", "mười lăm", "fifteen"),
        ("21", "hai mươi mốt", "twenty-one"),
        ("24", "hai mươi tư", "twenty-four"),
        ("25", "hai mươi lăm", "twenty-five"),
        ("101", "một trăm linh một", "one hundred and one"),
        ("104", "một trăm linh bốn", "one hundred and four"),
        ("105", "một trăm linh năm", "one hundred and five"),
        ("110", "một trăm mười", "one hundred and ten"),
        ("111", "một trăm mười một", "one hundred and eleven"),
        ("555", "năm trăm năm mươi lăm", "five hundred and fifty-five"),
        ("1005", "một nghìn không trăm linh năm", "one thousand and five"),
        ("1500", "một nghìn năm trăm", "one thousand five hundred"),
        ("21000", "hai mươi mốt nghìn", "twenty-one thousand"),
        ("1000005", "một triệu không trăm linh năm", "one million and five"),
        ("1250000", "một triệu hai trăm năm mươi nghìn", "one million two hundred and fifty thousand"),
        ("2000000000", "hai tỷ", "two billion"),
        ("1000000000000", "một nghìn tỷ", "one trillion"),
        ("-21", "âm hai mươi mốt", "minus twenty-one"),
        ("-0.0", "không", "zero"),
        ("1.5", "một phẩy năm", "one point five"),
        ("3.14", "ba phẩy một bốn", "three point one four"),
        ("-0.05", "âm không phẩy không năm", "minus zero point zero five"),
        ("1.50", "một phẩy năm", "one point five"),
        ("1E+3", "một nghìn", "one thousand"),
    ],
)
def test_known_numbers(value: str, vietnamese: str, english: str) -> None:
    assert number(Decimal(value), "vi") == vietnamese
    assert number(Decimal(value), "en") == english


@pytest.mark.parametrize("language", ["vi", "en"])
def test_there_is_an_end_to_numbers(language: Spoken) -> None:
    assert cardinal(10**18 - 1, language)
    for value in (-1, 10**18):
        with pytest.raises(Unreadable):
            cardinal(value, language)


def test_english_ordinals() -> None:
    said = " ".join(ordinal(value) for value in (1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 20, 21, 22, 23, 29, 30, 31))
    assert said == (
        "first second third fourth fifth eighth ninth eleventh twelfth thirteenth twentieth twenty-first twenty-second "
        "twenty-third twenty-ninth thirtieth thirty-first"
    )


@pytest.mark.parametrize(
    ("year", "said"),
    [
        (2026, "twenty twenty-six"),
        (2010, "twenty ten"),
        (2005, "two thousand and five"),
        (2000, "two thousand"),
        (1999, "nineteen ninety-nine"),
        (1905, "nineteen oh five"),
        (1900, "nineteen hundred"),
        (2100, "twenty-one hundred"),
    ],
)
def test_english_years(year: int, said: str) -> None:
    assert english_year(year) == said
