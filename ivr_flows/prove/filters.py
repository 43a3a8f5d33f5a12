"""What filters take and give.

Rule: what a filter may fail at in a call is wrong here, as far as is known of the value; so it is with what stands in
its brackets.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Final

from ivr_flows.flow import MOST_NUMBER
from ivr_flows.prove.numbers import ANY_NUMBER, ANY_WHOLE, SOME_LENGTH, Numbers, between, only
from ivr_flows.prove.value import ANYTHING, DIGITS, Texts, Value, number, text
from ivr_flows.speaking.phones import phone
from ivr_flows.speaking.reading import Unreadable, date_of, datetime_of, number_of, seconds_of, time_of

Given = Sequence[Value]
Answer = tuple[Value, str]
"""What a filter gives; and what is wrong: "takes …" of a wrong kind, "in brackets …",
else a sentence; empty for nothing."""

INSTANTS: Final = between(-62_000_000_000, 253_000_000_000, whole=False)
"""Seconds since 1970 that are of a year from 5 to 9987."""
SPOKEN_DIGITS: Final = between(1, 30)
"""How many digits are said as one number (`ivr_flows.speaking.reading`)."""
MOST_REAL: Final = 300
"""Numbers of so many digits can still be reckoned with as real ones."""
DIALLED: Final = between(1, 32)


def filtered(name: str, base: Value, given: Given) -> Answer:
    """Return what a filter gives for a value. Of a filter that is not known here nothing is known."""
    rule = RULES.get(name)
    if rule is None:
        return ANYTHING, ""
    found, why = rule(base, given)
    return found, why or _brackets(name, base, given)


def _takes(base: Value, kinds: set[str], what: str, result: Value) -> Answer:
    return result, f"takes {what}" if base.kinds - kinds else ""


# ------------------------------------------------------------------------------------------------- Jinja2's own


def _brackets(name: str, base: Value, given: Given) -> str:
    """Return what is wrong with what stands in a filter's brackets."""
    what, kinds = BRACKETS.get(name, ("nothing", ()))
    fits = len(given) <= len(kinds) and not any(map(_is_other, given, kinds))
    if fits and name == "round" and len(given) > 1:
        fits = not given[1].texts.but and given[1].texts.words <= ROUNDINGS
    if fits and name == "join" and len(given) > 1:
        fits = _has_field(base.element, given[1].texts.only)
    return "" if fits else f"in brackets may stand {what} alone"


def _is_other(value: Value, kinds: set[str]) -> bool:
    """Whether a value may be of another kind; a number must be whole."""
    return not value.anything and bool(value.kinds - kinds or (value.numbers and not value.numbers.whole))


def _has_field(element: Value | None, name: str | None) -> bool:
    return element is None or (
        element.kinds == {"record"} and name is not None and element.field(name) not in (None, Value(unset=True))
    )


def _abs(base: Value, _: Given) -> Answer:
    numbers = base.numbers.meet(between(0, float("inf"), whole=False))
    numbers = numbers.join(base.numbers.negative().meet(between(0, float("inf"), whole=False)))
    return _takes(base, {"number"}, "a number", number(numbers) if numbers else number())


def _int(base: Value, given: Given) -> Answer:
    known = base.texts.only if base.kinds == {"text"} else None
    if known is not None and known.isascii() and known.isdigit():
        return number(only(int(known))), ""
    if base.kinds == {"number"} and base.numbers.whole:
        return number(base.numbers), ""
    least, most = float("-inf"), float("inf")
    if base.kinds == {"text"} and base.texts.has_form(DIGITS) and not given:
        least, longest = 0, base.texts.lengths().high
        most = 10 ** int(longest) - 1 if longest <= MOST_REAL else most
    return _takes(base, {"number", "text", "flag", "none"}, "a number or digits", number(between(least, most)))


def _round(base: Value, given: Given) -> Answer:
    if len(given) > 1 and not -math.inf < base.numbers.low <= base.numbers.high < math.inf:
        return number(), "takes a number that has an end"
    return _takes(base, {"number"}, "a number", number(base.numbers) if base.numbers.whole else number())


def _length(base: Value, _: Given) -> Answer:
    length = base.length if base.element is not None else base.length.meet(only(0))
    if base.texts:
        length = length.join(base.texts.lengths())
    if base.fields is not None:
        length = length.join(between(0, float("inf")))
    return _takes(base, {"list", "text", "record"}, "a list or a text", number(length) if length else number(ANY_WHOLE))


def _one(base: Value, _: Given) -> Answer:
    if base.kinds - {"list", "text"}:
        return ANYTHING, "takes a list or a text"
    found = (base.element or Value()).join(text(Texts(but=True, length=only(1))) if base.texts else Value())
    least = min(base.length.low, base.texts.lengths().low)
    why = "" if least >= 1 else "there may be nothing in it; ask first for its length"
    return found if found.is_defined() else ANYTHING, why


def _greatest(base: Value, given: Given) -> Answer:
    if base.kinds - {"list"}:
        return ANYTHING, "takes a list"
    kinds = base.element.kinds if base.element is not None else frozenset()
    if len(kinds) > 1 or kinds - {"number", "text", "flag", "moment", "anything"}:
        return ANYTHING, "takes a list of numbers, or of texts"
    return _one(base, given)


def _join(base: Value, _: Given) -> Answer:
    return _takes(base, {"list"}, "a list", text())


def _letters(base: Value, _: Given) -> Answer:
    return _takes(base, {"text", "number"}, "a text", text())


# --------------------------------------------------------------------------------------------- those that speak


def _spelt(base: Value, _: Given) -> Answer:
    return _takes(base, {"text", "number"}, "digits", text())


def _named(base: Value, _: Given) -> Answer:
    return _takes(base, {"text"}, "a text", text())


def _reads(
    what: str,
    forms: Mapping[str, Numbers],
    numbers: Numbers,
    reads: Callable[[str], object],
    kinds: frozenset[str] = frozenset(),
) -> Callable[[Value, Given], Answer]:
    """Speak a value: texts of some forms and lengths, or that can be read; numbers of a set; what is of other kinds."""

    def can_be_said(texts: Texts) -> bool:
        if not texts.but:
            return all(map(_read_by(reads), texts.words))
        wanted = forms.get(texts.form)
        return wanted is not None and texts.lengths().meet(wanted) == texts.lengths()

    def rule(base: Value, _: Given) -> Answer:
        wrong = base.kinds - kinds - {"text", "number"}
        if base.texts and not can_be_said(base.texts):
            wrong |= {"text"}
        if base.numbers and base.numbers.meet(numbers) != base.numbers:
            wrong |= {"number"}
        return text(Texts(but=True, length=SOME_LENGTH)), f"takes {what}" if wrong else ""

    return rule


def _read_by(read: Callable[[str], object]) -> Callable[[str], bool]:
    def is_read(word: str) -> bool:
        try:
            read(word)
        except Unreadable:
            return False
        return True

    return is_read


MOMENTS: Final = frozenset({"moment"})
WHOLE_FROM_0: Final = between(0, MOST_NUMBER)
FROM_0: Final = between(0, MOST_NUMBER, whole=False)
SECONDS_DIGITS: Final = between(1, 15)
RULES: Final[Mapping[str, Callable[[Value, Given], Answer]]] = {
    "abs": _abs,
    "int": _int,
    "round": _round,
    "length": _length,
    "count": _length,
    "first": _one,
    "last": _one,
    "max": _greatest,
    "min": _greatest,
    "join": _join,
    "lower": _letters,
    "upper": _letters,
    "trim": _letters,
    "digits": _spelt,
    "channel": _named,
    "number": _reads("a number", {DIGITS: SPOKEN_DIGITS}, ANY_NUMBER, number_of),
    "money": _reads("an amount", {DIGITS: SPOKEN_DIGITS}, ANY_NUMBER, number_of),
    "day": _reads("a date", {"date": SOME_LENGTH}, INSTANTS, lambda word: date_of(word, UTC), MOMENTS),
    "time": _reads("a time", {"time": SOME_LENGTH}, INSTANTS, lambda word: time_of(word, UTC), MOMENTS),
    "moment": _reads("a time with its date", {}, INSTANTS, lambda word: datetime_of(word, UTC), MOMENTS),
    "phone": _reads(
        "a telephone number, and not none", {"phone": SOME_LENGTH, DIGITS: DIALLED}, WHOLE_FROM_0,
        lambda word: phone(word, "en"),
    ),
    "duration": _reads(
        "seconds, 0 or more", {DIGITS: SECONDS_DIGITS}, FROM_0, seconds_of, frozenset({"span"})
    ),
}  # fmt: skip
ROUNDINGS: Final = frozenset({"common", "ceil", "floor"})
BRACKETS: Final[Mapping[str, tuple[str, Sequence[set[str]]]]] = {
    "int": ("the number to take otherwise, and a base", ({"number"}, {"number"})),
    "join": ("what stands between, and a field's name", ({"text", "number"}, {"text"})),
    "max": ("a flag", ({"flag"},)),
    "min": ("a flag", ({"flag"},)),
    "round": ("how many decimals, and 'common', 'ceil' or 'floor'", ({"number"}, {"text"})),
    "trim": ("a text", ({"text"},)),
    "money": ("a currency", ({"text"},)),
    "duration": ("'exactly' or 'about'", ({"text"},)),
}
"""What may stand in a filter's brackets, in words and by kinds."""
