"""What filters take and give."""

from collections.abc import Callable, Sequence
from typing import Final

from ivr_flows.prove.numbers import ANY_WHOLE, SOME_LENGTH, between, only
from ivr_flows.prove.value import ANYTHING, DIGITS, Texts, Value, number, text

Given = Sequence[Value]
Answer = tuple[Value, str]
"""What a filter gives; and what is wrong: "takes …" of a wrong kind, else a sentence, empty for nothing."""


def filtered(name: str, base: Value, given: Given) -> Answer:
    """Return what a filter gives for a value. Of a filter that is not known here nothing is known."""
    rule = RULES.get(name)
    if rule is None:
        return ANYTHING, ""
    return rule(base, given)


def _takes(base: Value, kinds: set[str], what: str, result: Value) -> Answer:
    return result, f"takes {what}" if base.kinds - kinds else ""


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
    least = 0 if base.kinds == {"text"} and base.texts.has_form(DIGITS) and not given else float("-inf")
    return _takes(base, {"number", "text", "flag", "none"}, "a number or digits", number(between(least, float("inf"))))


def _round(base: Value, _: Given) -> Answer:
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
    return (ANYTHING, "takes a list") if base.kinds - {"list"} else _one(base, given)


def _join(base: Value, _: Given) -> Answer:
    return _takes(base, {"list"}, "a list", text())


def _letters(base: Value, _: Given) -> Answer:
    return _takes(base, {"text", "number"}, "a text", text())


def _trim(base: Value, _: Given) -> Answer:
    return _takes(base, {"text", "number"}, "a text", text())


def _spelt(base: Value, _: Given) -> Answer:
    return _takes(base, {"text", "number"}, "digits", text())


def _named(base: Value, _: Given) -> Answer:
    return _takes(base, {"text"}, "a text", text())


def _reads(what: str, kinds: set[str], forms: set[str]) -> Callable[[Value, Given], Answer]:
    """Speak a value that is a text only in one of some forms."""

    def rule(base: Value, _: Given) -> Answer:
        wrong = base.kinds - kinds - {"text"}
        any_form = base.texts.but and base.texts.form not in forms
        return text(Texts(but=True, length=SOME_LENGTH)), f"takes {what}" if wrong or any_form else ""

    return rule


RULES: Final[dict[str, Callable[[Value, Given], Answer]]] = {
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
    "trim": _trim,
    "digits": _spelt,
    "channel": _named,
    "number": _reads("a number", {"number"}, {DIGITS}),
    "money": _reads("an amount", {"number"}, {DIGITS}),
    "day": _reads("a date", {"moment", "number"}, {"date", DIGITS}),
    "time": _reads("a time", {"moment", "number"}, {"time"}),
    "moment": _reads("a time", {"moment", "number"}, set()),
    "duration": _reads("seconds", {"number"}, {DIGITS}),
}
