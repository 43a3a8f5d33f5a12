"""What a caller says to a question: words to a choice, or to digits. Pure.

A recogniser writes what it heard without case or marks; so both sides are compared without them.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from ivr_flows.expression import DIGIT_WORDS
from ivr_flows.flow import Flow, Gather, Menu

YES: Final[Mapping[str, tuple[str, ...]]] = {
    "vi": ("đúng", "đúng rồi", "phải", "có", "vâng", "dạ", "ừ", "chính xác"),
    "en": ("yes", "yeah", "yep", "correct", "right", "that's right"),
    "ko": ("네", "예", "맞아요", "맞습니다"),
}
NO: Final[Mapping[str, tuple[str, ...]]] = {
    "vi": ("không", "không phải", "sai", "sai rồi", "chưa đúng"),
    "en": ("no", "nope", "wrong", "not right"),
    "ko": ("아니요", "아니오", "아니에요", "아닙니다"),
}
ALSO_DIGITS: Final[Mapping[str, Mapping[str, str]]] = {
    "vi": {"mốt": "1", "tư": "4", "lăm": "5", "nhăm": "5", "bẩy": "7", "linh": "0", "lẻ": "0"},
    "en": {"oh": "0", "o": "0", "nought": "0"},
    "ko": {
        "영": "0",
        "공": "0",
        "일": "1",
        "이": "2",
        "삼": "3",
        "사": "4",
        "오": "5",
        "육": "6",
        "칠": "7",
        "팔": "8",
        "구": "9",
    },
}


def plain(text: str) -> str:
    """Return words as they are compared: composed, lower case, letters and digits only, single spaces."""
    kept = (sign if sign.isalnum() or sign in "'" else " " for sign in unicodedata.normalize("NFC", text).casefold())
    return " ".join("".join(kept).split())


# What a flow's author wrote is compared again in every call; what callers say is not kept.
_written = lru_cache(maxsize=4096)(plain)


def choice_of(menu: Menu, language: str, text: str) -> str:
    """Return the key of the choice that was said; empty for none, or for several.

    A phrase may stand anywhere in what was said; of two choices whose phrases both do, the longer phrase is meant.
    """
    said = f" {plain(text)} "
    found: dict[str, int] = {}
    for key, choice in menu.choices.items():
        phrases = [_written(phrase) for phrase in choice.phrases.get(language, ())]
        lengths = [len(phrase) for phrase in phrases if f" {phrase} " in said]
        if lengths:
            found[key] = max(lengths)
    if not found:
        return digits_of(text, language) if digits_of(text, language) in menu.choices else ""
    longest = max(found.values())
    keys = [key for key, length in found.items() if length == longest]
    return keys[0] if len(keys) == 1 else ""


def digits_of(text: str, language: str) -> str:
    """Return digits that were said one by one; empty where anything else was said as well."""
    words = _digit_words(language)
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


def expected(question: Menu | Gather, language: str, *, confirming: bool, free: bool) -> tuple[str, ...] | None:
    """Return what may be said to a question: what a recogniser is to listen for, as `plain` has it. Empty where it may
    be anything (`free`: the answer is a text), None where nothing that is said would be an answer."""
    base = language.partition("-")[0]
    phrases: list[str] = []
    if isinstance(question, Menu):
        spoken = [phrase for choice in question.choices.values() for phrase in choice.phrases.get(language, ())]
        digits = [word for word, digit in _digit_words(language).items() if digit in question.choices]
        phrases = [*spoken, *digits] if spoken else []
    elif confirming and question.speech:
        phrases = [*YES.get(base, ()), *NO.get(base, ())]
    elif question.speech and not question.secret:
        if free:
            return ()
        phrases = list(_digit_words(language))
    return tuple(dict.fromkeys(_written(phrase) for phrase in phrases)) or None


def languages_heard(flow: Flow) -> frozenset[str]:
    """Return the languages in which a flow, or one that it may come to, has a question that may be answered by
    voice."""
    return frozenset(
        language
        for part in (flow, *flow.flows.values())
        for step in part.steps.values()
        if isinstance(step, Menu | Gather)
        for language in part.languages
        if expected(step, language, confirming=False, free=True) is not None
    )


@cache
def _digit_words(language: str) -> Mapping[str, str]:
    base = language.partition("-")[0]
    words = {word: str(digit) for digit, word in enumerate(DIGIT_WORDS.get(base, ())[:10])}
    return MappingProxyType({**words, **ALSO_DIGITS.get(base, {})})
