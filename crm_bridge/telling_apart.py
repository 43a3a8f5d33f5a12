"""One question that tells people apart who share a number, and whom its answer fits. Pure.

Rule 1: an answer is compared as people give it, by keys or aloud: a date by day and month, with or without its year; a
long number by its last digits; a name whatever its case and accents; a name's first letter by the key it stands on.
Rule 2: a question is good where every candidate's answer is known and no answer of one would do for another.
Rule 3: a name is no secret. It says which of several people somebody is, and proves nothing (`PROVES_NOTHING`).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from crm_bridge.identity import fold

NAME: Final = "name"
INITIAL: Final = "name_initial"
BIRTHDAY: Final = "birthday"
PROVES_NOTHING: Final = frozenset({NAME, INITIAL})
PREFERRED: Final = (BIRTHDAY,)
"""What everybody knows of themselves by heart."""
LAST_DIGITS: Final = 4
"""So many of the last digits of a longer number do for it."""
NATIONAL: Final = 8
"""No phone's number in its country is shorter."""
KEYS: Final[Mapping[str, str]] = {
    letter: key
    for key, letters in {
        "2": "abc", "3": "def", "4": "ghi", "5": "jkl", "6": "mno", "7": "pqrs", "8": "tuv", "9": "wxyz",
    }.items()
    for letter in letters
}  # fmt: skip
"""The key of a phone on which a letter stands (ITU-T E.161)."""
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_WITHOUT_YEAR: Final = re.compile(r"--?(\d{1,2})-?(\d{1,2})")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\s*[/. -]\s*(\d{1,2})(?:\s*[/. -]\s*(\d{4}|\d{2}))?")
_KEYED: Final = re.compile(r"(\d{2})(\d{2})(\d{4}|\d{2})?")
_MARKS: Final = re.compile(r"[\s().,/#-]+")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_NUMBER: Final = re.compile(r"\+?\d+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be meant, by the id of a profile, and what they would answer: the values that are known of a
    field, any of which is right."""

    customer: str
    fields: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Day:
    """A day and month; `year` is 0 where it is not said, below 100 where two digits of it are."""

    day: int
    month: int
    year: int = 0


def best_field(candidates: Sequence[Candidate]) -> str:
    """Return the field that tells all candidates apart: their birthday before any number, a number before words, and
    what proves nothing last; "" where none does, or where there are not two."""
    if len(candidates) < 2:
        return ""
    known = set(candidates[0].fields).intersection(*(each.fields for each in candidates[1:]))
    good = [name for name in known if _tells_apart(candidates, name)]
    return min(good, key=lambda name: _rank(candidates, name), default="")


def verify(candidates: Iterable[Candidate], field: str, value: str) -> tuple[str, ...]:
    """Return the customers (one, none or several) of whom `value` is a field's. An empty answer is nobody's."""
    return tuple(each.customer for each in candidates if fits(field, value, each.fields.get(field, ())))


def fits(field: str, answer: str, known: Iterable[str]) -> bool:
    """Tell whether an answer is one of a field's known values."""
    return any(_is_same(field, answer, value) for value in known)


def initials(name: str) -> tuple[str, ...]:
    """Return the letters by which a name may begin: of the whole, and of the last word, which is the given name in
    Vietnam."""
    words = fold(name).split()
    return tuple(dict.fromkeys(word[0] for word in (words[:1] + words[-1:]) if word[0].isalnum()))


def day_of(text: str) -> Day | None:
    """Return the date that a text is: `1990-05-17`, `17/5/1990`, `17.5.`, or keys, `1705`, `17051990`, `170590`. None
    for what is no date."""
    bare = text.strip().rstrip(".#")
    if found := _ISO.fullmatch(bare):
        year, month, day = map(int, found.groups())
    elif found := _WITHOUT_YEAR.fullmatch(bare):
        year, (month, day) = 0, map(int, found.groups())
    elif found := _DAY_FIRST.fullmatch(bare) or _KEYED.fullmatch(bare):
        day, month, year = int(found[1]), int(found[2]), int(found[3] or 0)
    else:
        return None
    try:
        # Whoever says no year may be born on 29 February: that of a leap year.
        date(2000 if year < 100 else year, month, day)
    except ValueError:
        return None
    return Day(day, month, year)


def _is_same(field: str, answer: str, known: str) -> bool:
    if field == INITIAL:
        return _key(answer) == _key(known) != ""
    if field == BIRTHDAY or (_ISO.fullmatch(known.strip()) is not None):
        return _is_same_day(day_of(answer), day_of(known))
    number, digits = _digits(answer), _digits_in(known)
    return _is_same_number(number, digits) if number and digits else _is_same_text(answer, known)


def _is_same_day(answer: Day | None, known: Day | None) -> bool:
    if answer is None or known is None or (answer.day, answer.month) != (known.day, known.month):
        return False
    if not answer.year or not known.year:
        return True
    short = min(answer.year, known.year) < 100
    return answer.year % 100 == known.year % 100 if short else answer.year == known.year


def _is_same_number(answer: str, known: str) -> bool:
    """The whole number, or as many of its last digits as do for one; of a phone's, with 0 for its country."""
    if answer == known or (len(answer) >= LAST_DIGITS and known.endswith(answer)):
        return True
    return len(answer) >= NATIONAL and answer.startswith("0") and known.endswith(answer[1:])


def _is_same_text(answer: str, known: str) -> bool:
    return fold(answer) == fold(known) != ""


def _digits(text: str) -> str:
    """Return the digits of a number that is written with or without marks between them, "" for what is no number."""
    bare = _MARKS.sub("", text)
    return bare.lstrip("+") if _NUMBER.fullmatch(bare) and bare.isascii() else ""


def _digits_in(text: str) -> str:
    """Return the digits of a number, or of a code with letters in it that has enough of them to be told by; else ""."""
    inside = _NO_DIGIT.sub("", text)
    return inside if _digits(text) or len(inside) >= LAST_DIGITS else ""


def _key(letter: str) -> str:
    bare = fold(letter)[:1]
    return KEYS.get(bare, bare)


def _tells_apart(candidates: Sequence[Candidate], name: str) -> bool:
    """No answer of one candidate, as short as it may be given, would do for another."""
    return all(
        each.fields[name] and not any(fits(name, shortest, other.fields[name]) for shortest in _shortest(each, name))
        for each in candidates
        for other in candidates
        if other is not each
    )


def _shortest(candidate: Candidate, name: str) -> Iterable[str]:
    for value in candidate.fields[name]:
        day = day_of(value) if name == BIRTHDAY or _ISO.fullmatch(value.strip()) else None
        if day is not None:
            yield f"{day.day:02}{day.month:02}"
        else:
            yield value
            yield _digits_in(value)[-LAST_DIGITS:] or value


def _rank(candidates: Sequence[Candidate], name: str) -> tuple[int, str]:
    if name in PREFERRED:
        return PREFERRED.index(name), name
    if name in PROVES_NOTHING:
        return 20, name
    is_number = all(_digits(value) for each in candidates for value in each.fields[name])
    return (10 if is_number else 15), name
