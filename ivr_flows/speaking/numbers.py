"""Numbers in words: cardinals of both languages, English ordinals up to 31 and years."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from ivr_flows.speaking.reading import MAX_NUMBER, Spoken, Unreadable

VI: Final = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
EN: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
EN_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
EN_SCALES: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
EN_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth",
}  # fmt: skip
MINUS: Final = {"vi": "âm", "en": "minus"}
POINT: Final = {"vi": "phẩy", "en": "point"}


def number(value: Decimal, language: Spoken) -> str:
    """Say a number; decimals one by one: "một phẩy năm", "one point five". One from 10^15 on is said digit by digit."""
    whole, _, decimals = f"{abs(value):f}".partition(".")
    decimals = decimals.rstrip("0")
    words = digits(whole, language) if abs(value) >= MAX_NUMBER else [cardinal(int(whole), language)]
    if decimals:
        words += [POINT[language], *digits(decimals, language)]
    if value < 0 and (decimals or int(whole)):
        words.insert(0, MINUS[language])
    return " ".join(words)


def digits(text: str, language: Spoken) -> list[str]:
    """Say digits one by one."""
    known = VI if language == "vi" else EN
    return [known[int(digit)] for digit in text]


def cardinal(value: int, language: Spoken) -> str:
    """Say a whole number that is not negative and less than 10^18. Raises `Unreadable` for others."""
    if not 0 <= value < 10**18:
        raise Unreadable("the number is too large to be said")
    return " ".join(_vietnamese(value) if language == "vi" else _english(value)) or (VI if language == "vi" else EN)[0]


# ------------------------------------------------------------------------------------------------ Vietnamese


def _vietnamese(value: int, follows: bool = False) -> Iterator[str]:
    """`follows`: something larger was said before, so hundreds that are not there are said too."""
    billions, rest = divmod(value, 10**9)
    if billions:
        yield from _vietnamese(billions, follows)
        yield "tỷ"
    for size, scale in ((10**6, "triệu"), (10**3, "nghìn"), (1, "")):
        group, rest = divmod(rest, size)
        if group:
            yield from _vietnamese_group(group, follows or value >= 1000 * size)
            if scale:
                yield scale


def _vietnamese_group(group: int, follows: bool) -> Iterator[str]:
    hundreds, rest = divmod(group, 100)
    tens, ones = divmod(rest, 10)
    if hundreds or follows:
        yield from (VI[hundreds], "trăm")
    if tens == 1:
        yield "mười"
    elif tens:
        yield from (VI[tens], "mươi")
    elif ones and (hundreds or follows):
        yield "linh"
    if ones:
        yield _vietnamese_ones(tens, ones)


def _vietnamese_ones(tens: int, ones: int) -> str:
    if ones == 5 and tens:
        return "lăm"
    if tens >= 2:
        return {1: "mốt", 4: "tư"}.get(ones, VI[ones])
    return VI[ones]


# --------------------------------------------------------------------------------------------------- English


def _english(value: int) -> Iterator[str]:
    said = False
    for size, scale in EN_SCALES:
        group, value = divmod(value, size)
        if group:
            yield from _english_group(group)
            yield scale
            said = True
    if value:
        if said and value < 100:
            yield "and"
        yield from _english_group(value)


def _english_group(group: int) -> Iterator[str]:
    thousands, group = divmod(group, 1000)  # of trillions alone
    if thousands:
        yield from (*_english_group(thousands), "thousand")
    hundreds, rest = divmod(group, 100)
    if hundreds:
        yield from (EN[hundreds], "hundred")
    if rest:
        if hundreds or thousands:
            yield "and"
        yield _below_hundred(rest)


def _below_hundred(value: int) -> str:
    if value < 20:
        return EN[value]
    tens, ones = divmod(value, 10)
    return f"{EN_TENS[tens]}-{EN[ones]}" if ones else EN_TENS[tens]


def ordinal(value: int) -> str:
    """Say which one of a row in English, from the first to the 99th."""
    head, dash, last = _below_hundred(value).rpartition("-")
    return head + dash + EN_ORDINALS.get(last, f"{last}th")


def english_year(value: int) -> str:
    """Say a year: twenty twenty-six, nineteen hundred, nineteen oh five, two thousand and five."""
    century, rest = divmod(value, 100)
    if value < 1000 or value % 1000 < 10:
        return cardinal(value, "en")
    if not rest:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {'oh ' if rest < 10 else ''}{_below_hundred(rest)}"
