"""What an expression may be, as far as that is known before any call: sets of values of each kind.

Rule 1: a set is never too small. What is not known is in it; so what it shows to be impossible is impossible.

Rule 2: kinds are those of Jinja2's values: number, text, flag, none, list, record, moment, span (what is between two
moments). `anything` is a value of which not even the kind is known: nothing is said about what is done with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ivr_flows.answers import coerce
from ivr_flows.prove.numbers import (
    ANY_LENGTH,
    ANY_NUMBER,
    NO_NUMBERS,
    SOME_LENGTH,
    Numbers,
    between,
    only,
)

MAX_WORDS: Final = 24
DIGITS: Final = "digits"
BOTH: Final = frozenset({True, False})
NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Texts:
    """A set of texts: `words`, or with `but` all texts except `words`, of which only lengths in `length` count. `form`
    is what all of them are: digits, a phone, a date, a time; empty for anything."""

    words: frozenset[str] = frozenset()
    but: bool = False
    length: Numbers = ANY_LENGTH
    form: str = ""

    def __bool__(self) -> bool:
        return bool(self.length) and (self.but or bool(self.words))

    def meet(self, other: "Texts") -> "Texts":
        length = self.length.meet(other.length)
        form = self.form or other.form
        if self.but and other.but:
            return texts(self.words | other.words, True, length, form)
        if self.but or other.but:
            listed, left_out = (other, self) if self.but else (self, other)
            return texts(listed.words - left_out.words, False, length, form)
        return texts(self.words & other.words, False, length, form)

    def join(self, other: "Texts") -> "Texts":
        if self == other or not other:
            return self
        if not self:
            return other
        length = self.lengths().join(other.lengths())
        form = self.form if self.form == other.form else _common_form(self, other)
        if self.but and other.but:
            return Texts(self.words & other.words, True, length, form)
        if self.but or other.but:
            listed, left_out = (other, self) if self.but else (self, other)
            return Texts(left_out.words - listed.words, True, length, form)
        words = self.words | other.words
        if len(words) > MAX_WORDS:
            return Texts(frozenset(), True, length, form)
        return Texts(words, False, length, form)

    def lengths(self) -> Numbers:
        if self.but:
            return self.length
        found = NO_NUMBERS
        for word in self.words:
            found = found.join(only(len(word)))
        return found

    def has_form(self, form: str) -> bool:
        """Whether all of the texts are of a form."""
        return self.form == form or (not self.but and all(coerce(form, word) is not None for word in self.words))

    @property
    def only(self) -> str | None:
        return next(iter(self.words)) if not self.but and len(self.words) == 1 else None


def _common_form(one: Texts, other: Texts) -> str:
    return next((form for form in (one.form, other.form) if form and one.has_form(form) and other.has_form(form)), "")


def texts(words: Iterable[str], but: bool, length: Numbers, form: str) -> Texts:
    """Return a set of texts, without what its bounds rule out."""
    kept = frozenset(words)
    if not but:
        kept = frozenset(w for w in kept if len(w) in length and (form != DIGITS or coerce(DIGITS, w) is not None))
    elif length.only == 0:
        return Texts(frozenset({""}) - kept, False, length, form)
    elif "" in kept:
        return Texts(kept - {""}, True, length.meet(SOME_LENGTH), form)
    return Texts(kept, but, length, form)


NO_TEXT: Final = Texts()
ANY_TEXT: Final = Texts(but=True)


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression may be. `unset` where it may be undefined; `element` and `length` are a list's; `fields` a
    record's, and `kept` says that such a record is never empty. `tells` are the variables whose content is in it."""

    unset: bool = False
    none: bool = False
    flags: frozenset[bool] = frozenset()
    numbers: Numbers = NO_NUMBERS
    texts: Texts = NO_TEXT
    element: "Value | None" = None
    length: Numbers = NO_NUMBERS
    fields: tuple[tuple[str, "Value"], ...] | None = None
    kept: bool = False
    moment: bool = False
    span: bool = False
    anything: bool = False
    tells: frozenset[str] = NOBODY

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._kinds())

    def _kinds(self) -> Iterator[str]:
        if self.none:
            yield "none"
        if self.flags:
            yield "flag"
        if self.numbers:
            yield "number"
        if self.texts:
            yield "text"
        if self.element is not None and self.length:
            yield "list"
        if self.fields is not None:
            yield "record"
        if self.moment:
            yield "moment"
        if self.span:
            yield "span"
        if self.anything:
            yield "anything"

    def __bool__(self) -> bool:
        """Whether there is any such value, undefined included."""
        return self.unset or any(True for _ in self._kinds())

    def field(self, name: str) -> "Value | None":
        return next((value for known, value in self.fields or () if known == name), None)

    def truths(self) -> frozenset[bool]:
        """Return what the value may count as in a condition."""
        return frozenset(truth for truth in BOTH if self.counting(truth).is_defined())

    def is_defined(self) -> bool:
        return any(True for _ in self._kinds())

    def counting(self, truth: bool) -> "Value":
        """Return the part of the values that counts as true, or as false."""
        some = SOME_LENGTH if truth else only(0)
        return replace(
            self,
            unset=False,
            none=self.none and not truth,
            flags=self.flags & {truth},
            numbers=self.numbers.without(0) if truth else self.numbers.meet(only(0)),
            texts=self.texts.meet(Texts(but=True, length=some)),
            length=self.length.meet(some),
            fields=None if self.fields is not None and not truth and self.kept else self.fields,
            moment=self.moment and truth,
        )

    def meet(self, other: "Value") -> "Value":
        """Return what is in both. `tells` are the first's."""
        if self is other or other.anything:
            return replace(self, unset=self.unset and other.unset)
        if self.anything:
            return replace(other, unset=self.unset and other.unset, tells=self.tells)
        element, length = None, self.length.meet(other.length)
        if self.element is not None and other.element is not None:
            element = self.element.meet(other.element)
        fields = self.fields
        if self.fields is not None and other.fields is not None:
            known = dict(other.fields)
            fields = tuple((name, value.meet(known[name]) if name in known else value) for name, value in self.fields)
        return Value(
            unset=self.unset and other.unset,
            none=self.none and other.none,
            flags=self.flags & other.flags,
            numbers=self.numbers.meet(other.numbers),
            texts=self.texts.meet(other.texts),
            element=element,
            length=length,
            fields=fields if other.fields is not None else None,
            kept=self.kept or other.kept,
            moment=self.moment and other.moment,
            span=self.span and other.span,
            tells=self.tells,
        )

    def join(self, other: "Value") -> "Value":
        """Return what is in either; this value itself, where the other adds nothing."""
        if self is other:
            return self
        if other is UNSET:
            return self if self.unset else replace(self, unset=True)
        if self is UNSET:
            return other if other.unset else replace(other, unset=True)
        if self == other:
            return self
        found = Value(
            unset=self.unset or other.unset,
            none=self.none or other.none,
            flags=self.flags | other.flags,
            numbers=self.numbers.join(other.numbers),
            texts=self.texts.join(other.texts),
            element=_either(self.element, other.element),
            length=self.length.join(other.length),
            fields=_both_records(self.fields, other.fields),
            kept=(self.kept or self.fields is None) and (other.kept or other.fields is None),
            moment=self.moment or other.moment,
            span=self.span or other.span,
            anything=self.anything or other.anything,
            tells=self.tells | other.tells,
        )
        return self if found == self else found

    def widened(self, later: "Value", stops: Iterable[float]) -> "Value":
        """Return what holds `later` too, and comes to an end when it grows again and again."""
        if self is later or self == later:
            return self
        joined = self.join(later)
        length = joined.texts.length
        if joined.texts.but and length != self.texts.length and self.texts:
            length = ANY_LENGTH
        return replace(
            joined,
            numbers=self.numbers.widened(later.numbers, stops),
            texts=replace(joined.texts, length=length),
        )

    def telling(self, names: frozenset[str]) -> "Value":
        return self if names == self.tells else replace(self, tells=names)


def _either(one: Value | None, other: Value | None) -> Value | None:
    if one is None or other is None:
        return other if one is None else one
    return one.join(other)


def _both_records(
    one: tuple[tuple[str, Value], ...] | None, other: tuple[tuple[str, Value], ...] | None
) -> tuple[tuple[str, Value], ...] | None:
    if one is None or other is None or one == other:
        return other if one is None else one
    first, second = dict(one), dict(other)
    missing = Value(unset=True)
    names = dict.fromkeys((*first, *second))
    return tuple((name, first.get(name, missing).join(second.get(name, missing))) for name in names)


def number(which: Numbers = ANY_NUMBER) -> Value:
    return Value(numbers=which)


def text(which: Texts = ANY_TEXT) -> Value:
    return Value(texts=which)


def words(*known: str) -> Value:
    """One of these texts."""
    return Value(texts=Texts(frozenset(known)))


def digits(shortest: int, longest: int) -> Value:
    return Value(texts=Texts(but=True, length=between(shortest, longest), form=DIGITS))


def flag(truths: frozenset[bool] = BOTH) -> Value:
    return Value(flags=truths)


def record(fields: Mapping[str, Value], kept: bool = False) -> Value:
    return Value(fields=tuple(fields.items()), kept=kept)


def many(element: Value, length: Numbers = ANY_LENGTH) -> Value:
    return Value(element=element, length=length)


def constant(known: object) -> Value:
    """Return the value of a literal."""
    match known:
        case None:
            return NONE
        case bool():
            return flag(frozenset({known}))
        case int() | float():
            return number(only(known))
        case str():
            return words(known)
        case list() | tuple():
            element = Value()
            for each in known:
                element = element.join(constant(each))
            return many(element, only(len(known)))
        case Mapping():
            return record({str(name): constant(value) for name, value in known.items()})
    return ANYTHING


NONE: Final = Value(none=True)
MOMENT: Final = Value(moment=True)
SPAN: Final = Value(span=True)
ANYTHING: Final = Value(anything=True)
UNSET: Final = Value(unset=True)
