"""Telephone numbers as people say them: digit by digit, in groups.

Vietnam's numbers are grouped as its people write them: mobile 4-3-3, Hà Nội and Hồ Chí Minh City 3-4-4, other provinces
4-4-3, 1800 and 1900 four and the rest.
"""

import re
from typing import Final

from ivr_flows.speaking.numbers import digits
from ivr_flows.speaking.reading import Spoken, Unreadable

SIGNS: Final[dict[Spoken, dict[str, str]]] = {
    "vi": {"+": "cộng", "*": "sao", "#": "thăng"},
    "en": {"+": "plus", "*": "star", "#": "hash"},
}
MAX_DIGITS: Final = 32
GROUPS: Final = (
    (re.compile(r"0[35789]\d{8}"), (4, 3, 3)),
    (re.compile(r"02[48]\d{8}"), (3, 4, 4)),
    (re.compile(r"02\d{9}"), (4, 4, 3)),
    (re.compile(r"1[89]00\d{4}"), (4, 4)),
    (re.compile(r"1[89]00\d{6}"), (4, 3, 3)),
)

_BETWEEN: Final = re.compile(r"[\s().\-/]")
_DIALLED: Final = re.compile(r"\+?[0-9*#]{1,32}")
_ABROAD: Final = re.compile(r"(?:\+|00)84(?=0?[1-9])0?|84(?=[35789]\d{8}$|2\d{9}$)")


def is_dialled(text: str) -> bool:
    """Whether a text is what one may dial."""
    return _DIALLED.fullmatch(_signs(text)) is not None


def _signs(text: str) -> str:
    return _BETWEEN.sub("", text[: 4 * MAX_DIGITS])


def phone(value: object, language: Spoken) -> str:
    """Say a telephone number; one of Vietnam begins with 0. Raises `Unreadable`."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not is_dialled(str(value)):
        raise Unreadable("the value is no telephone number")
    number = _signs(str(value))
    return ", ".join(" ".join(_said(sign, language) for sign in group) for group in _groups(_at_home(number)))


def _at_home(number: str) -> str:
    """A number of Vietnam as it is dialled there; 1800 and 1900 have no 0 before them."""
    rest = _ABROAD.sub("", number, count=1) if _ABROAD.match(number) else None
    if rest is None:
        return number
    return rest if re.fullmatch(r"1[89]00\d{4,6}", rest) else f"0{rest}"


def _groups(number: str) -> list[str]:
    for pattern, lengths in GROUPS:
        if pattern.fullmatch(number):
            starts = [sum(lengths[:index]) for index in range(len(lengths))]
            return [number[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    return _threes(number)


def _threes(number: str) -> list[str]:
    """Groups of three, the last of two to four; a plus belongs to the first."""
    plus, rest = number[: number.startswith("+")], number.removeprefix("+")
    groups = []
    while len(rest) > 4:
        groups.append(rest[:3])
        rest = rest[3:]
    groups.append(rest)
    return [plus + groups[0], *groups[1:]]


def _said(sign: str, language: Spoken) -> str:
    return SIGNS[language].get(sign) or digits(sign, language)[0]
