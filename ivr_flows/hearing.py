"""What a caller says to a question: words to a choice, or to digits. Pure.

A recogniser writes what it heard without case or marks; so both sides are compared without them.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

from ivr_flows.expression import DIGIT_WORDS
from ivr_flows.flow import Menu

YES: Final[Mapping[str, tuple[str, ...]]] = {
    "vi": ("đúng", "đúng rồi", "phải", "có", "vâng", "dạ", "ừ", "chính xác"),
    "en": ("yes", "yeah", "yep", "correct", "right", "that's right"),
}
NO: Final[Mapping[str, tuple[str, ...]]] = {
    "vi": ("không", "không phải", "sai", "sai rồi", "chưa đúng"),
    "en": ("no", "nope", "wrong", "not right"),
}
ALSO_DIGITS: Final[Mapping[str, Mapping[str, str]]] = {
    "vi": {"mốt": "1", "tư": "4", "lăm": "5", "nhăm": "5", "bẩy": "7", "linh": "0", "lẻ": "0"},
    "en": {"oh": "0", "o": "0", "nought": "0"},
}


def plain(text: str) -> str:
    """Return words as they are compared: composed, lower case, letters and digits only, single spaces."""
    kept = (sign if sign.isalnum() or sign in "'" else " " for sign in unicodedata.normalize("NFC", text).casefold())
    return " ".join("".join(kept).split())


def choice_of(menu: Menu, language: str, text: str) -> str:
    """Return the key of the choice that was said; empty for none, or for several.

    A phrase may stand anywhere in what was said; of two choices whose phrases both do, the longer phrase is meant.
    """
    said = f" {plain(text)} "
    found: dict[str, int] = {}
    for key, choice in menu.choices.items():
        lengths = [len(plain(phrase)) for phrase in choice.phrases.get(language, ()) if f" {plain(phrase)} " in said]
        if lengths:
            found[key] = max(lengths)
    if not found:
        return digits_of(text, language) if digits_of(text, language) in menu.choices else ""
    longest = max(found.values())
    keys = [key for key, length in found.items() if length == longest]
    return keys[0] if len(keys) == 1 else ""


def digits_of(text: str, language: str) -> str:
    """Return digits that were said one by one; empty where anything else was said as well."""
    base = language.partition("-")[0]
    words = {word: str(digit) for digit, word in enumerate(DIGIT_WORDS.get(base, ())[:10])}
    words |= ALSO_DIGITS.get(base, {})
    found = ""
    for word in plain(text).split():
        digit = word if word.isascii() and word.isdigit() else words.get(word, "")
        if not digit:
            return ""
        found += digit
    return found


def agreement(text: str, language: str) -> bool | None:
    """Return whether somebody said yes, or no; None for neither."""
    said, base = plain(text), language.partition("-")[0]
    if said in NO.get(base, ()):
        return False
    return True if said in YES.get(base, ()) else None
