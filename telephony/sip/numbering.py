"""Telephone numbers as trunks write them, and as we do: E.164 with a plus.

What is no telephone number of the world (an extension, a short code, a word) is left as it is.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat

NumberFormat = Literal["e164", "digits", "national", "00"]
"""`e164` +84912345678, `digits` 84912345678, `national` 0912345678 (abroad 00...), `00` 0084912345678."""

_SEPARATORS: Final = re.compile(r"[\s\-.()/]")
_WRITTEN: Final = re.compile(r"\+?[0-9]{2,20}")
_DIGITS: Final = re.compile(r"[^0-9]")
_INTERNATIONAL: Final = "00"


def read(number: str, region: str, form: NumberFormat = "e164") -> str:
    """Return a number in E.164, or "" for what is none. Read are all forms; `form` says which is meant where digits
    could be two: with `digits` a number without any prefix begins with its country's code."""
    written = _SEPARATORS.sub("", number)
    if not _WRITTEN.fullmatch(written):
        return ""
    if written.startswith("+"):
        return _valid(written, None)
    if written.startswith(_INTERNATIONAL):
        return _valid(f"+{written[len(_INTERNATIONAL) :]}", None)
    return (_valid(f"+{written}", None) if form == "digits" else "") or _valid(written, region)


def write(number: str, region: str, form: NumberFormat) -> str:
    """Return a number in E.164 as a trunk wants it; anything else comes back as it is."""
    if not number.startswith("+") or form == "e164":
        return number
    if form == "national":
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return number
        if parsed.country_code == phonenumbers.country_code_for_region(region):
            return _DIGITS.sub("", phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))
    return number[1:] if form == "digits" else _INTERNATIONAL + number[1:]


def as_listed(number: str, known: Iterable[str], region: str, form: NumberFormat = "e164") -> str:
    """Return a dialled number in the form in which `known` has it: people write their own numbers as they like. One
    that is not among them comes back in E.164, or as it came where it is no number of the world."""
    listed = list(known)
    if number in listed:
        return number
    e164 = read(number, region, form)
    if not e164:
        return number
    return next((each for each in listed if read(each, region) == e164), e164)


def _valid(written: str, region: str | None) -> str:
    try:
        parsed = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if phonenumbers.is_valid_number(parsed) else ""
