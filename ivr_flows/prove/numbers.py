"""Sets of numbers, as an expression may have them: a few spans, of whole numbers alone or of any.

A bound is (number, nudge): nudge 1 is just above the number, -1 just below it, 0 the number itself. So an open span
needs no case of its own: bounds compare as tuples, and what follows (n, e) is (n, e + 1).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

Bound = tuple[float, int]
Span = tuple[Bound, Bound]

MAX_SPANS: Final = 12
LEAST: Final[Bound] = (-math.inf, 0)
MOST: Final[Bound] = (math.inf, 0)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A set of numbers: spans in order that do not touch; `whole` where all of them are whole."""

    spans: tuple[Span, ...] = ()
    whole: bool = False

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __contains__(self, number: float) -> bool:
        if self.whole and not (math.isinf(number) or float(number).is_integer()):
            return False
        return any(low <= (number, 0) <= high for low, high in self.spans)

    @property
    def low(self) -> float:
        return self.spans[0][0][0] if self.spans else math.inf

    @property
    def high(self) -> float:
        return self.spans[-1][1][0] if self.spans else -math.inf

    @property
    def only(self) -> float | None:
        """The number, where there is one alone."""
        low, high = (self.spans[0][0], self.spans[-1][1]) if self.spans else (LEAST, MOST)
        return low[0] if low == high else None

    def meet(self, other: "Numbers") -> "Numbers":
        whole = self.whole or other.whole
        return numbers(
            ((max(a[0], b[0]), min(a[1], b[1])) for a in self.spans for b in other.spans),
            whole,
        )

    def join(self, other: "Numbers") -> "Numbers":
        if self == other or not other:
            return self
        return numbers((*self.spans, *other.spans), self.whole and other.whole) if self else other

    def without(self, number: float) -> "Numbers":
        return self.meet(numbers(((LEAST, (number, -1)), ((number, 1), MOST)), whole=False))

    def within(self, low: float, high: float) -> "Numbers":
        """Return what comes of the numbers when those that are less, or more, are taken for the ends."""
        least, most = (low, 0), (high, 0)
        return numbers(((max(least, min(most, a)), max(least, min(most, b))) for a, b in self.spans), self.whole)

    def widened(self, later: "Numbers", stops: Iterable[float]) -> "Numbers":
        """Return a set that holds `later` too, its ends moved out to one of `stops` where they still move."""
        if not self or not later:
            return self.join(later)
        low, high = self.spans[0][0], self.spans[-1][1]
        if later.spans[0][0] < low:
            low = max((stop for stop in stops if stop <= later.low), default=-math.inf), 0
        if later.spans[-1][1] > high:
            high = min((stop for stop in stops if stop >= later.high), default=math.inf), 0
        return numbers(((low, high),), self.whole and later.whole)

    def plus(self, other: "Numbers") -> "Numbers":
        whole = self.whole and other.whole
        return numbers((_closed(a, b) for a in self.spans for b in other.spans), whole)

    def negative(self) -> "Numbers":
        return numbers((((-h, -e), (-low, -d)) for (low, d), (h, e) in self.spans), self.whole)

    def times(self, other: "Numbers") -> "Numbers":
        if not self or not other:
            return NO_NUMBERS
        ends = [_product(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return numbers((((min(ends), 0), (max(ends), 0)),), self.whole and other.whole)


def numbers(spans: Iterable[Span], whole: bool) -> Numbers:
    """Return the set of what is in any of the spans."""
    sorted_spans = sorted(span for span in (map(_whole, spans) if whole else spans) if span[0] <= span[1])
    joined: list[Span] = []
    for low, high in sorted_spans:
        if joined and low <= _after(joined[-1][1], whole):
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    if len(joined) > MAX_SPANS:
        joined = [(joined[0][0], joined[-1][1])]
    return Numbers(tuple(joined), whole)


def only(number: float) -> Numbers:
    """Return the set of one number."""
    return Numbers((((number, 0), (number, 0)),), whole=float(number).is_integer())


def between(low: float, high: float, whole: bool = True) -> Numbers:
    """Return the numbers from `low` to `high`, both included."""
    return numbers((((low, 0), (high, 0)),), whole)


def compared(operator: str, than: Numbers) -> Numbers:
    """Return the numbers x for which `x operator y` may hold for a y of `than`."""
    if not than:
        return NO_NUMBERS
    low, high = than.spans[0][0], than.spans[-1][1]
    match operator:
        case "lt":
            return numbers(((LEAST, _before(high)),), whole=False)
        case "lteq":
            return numbers(((LEAST, high),), whole=False)
        case "gt":
            return numbers(((_after(low, whole=False), MOST),), whole=False)
        case "gteq":
            return numbers(((low, MOST),), whole=False)
        case "eq":
            return than
        case _:
            return ANY_NUMBER if than.only is None else ANY_NUMBER.without(than.only)


def _before(bound: Bound) -> Bound:
    return bound if math.isinf(bound[0]) else (bound[0], bound[1] - 1)


def _after(bound: Bound, whole: bool) -> Bound:
    if whole and not math.isinf(bound[0]):
        return (bound[0] + 1, 0)
    return bound if math.isinf(bound[0]) else (bound[0], bound[1] + 1)


def _whole(span: Span) -> Span:
    """Move a span's ends inwards to whole numbers."""
    (low, down), (high, up) = span
    if not math.isinf(low):
        low, down = (math.floor(low) + 1 if down > 0 else math.ceil(low)), 0
    if not math.isinf(high):
        high, up = (math.ceil(high) - 1 if up < 0 else math.floor(high)), 0
    return (low, down), (high, up)


def _closed(a: Span, b: Span) -> Span:
    """Add two spans. What is open becomes closed: a sum may be rounded to its bound."""
    return (a[0][0] + b[0][0], 0), (a[1][0] + b[1][0], 0)


def _product(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def ends(sets: Iterable[Numbers]) -> Iterator[float]:
    """Yield the finite ends of spans, and their neighbours: where a count that grows may stop."""
    for each in sets:
        for span in each.spans:
            for number, _ in span:
                if not math.isinf(number):
                    yield from (number - 1, number, number + 1)


NO_NUMBERS: Final = Numbers()
ANY_NUMBER: Final = Numbers(((LEAST, MOST),))
ANY_WHOLE: Final = Numbers(((LEAST, MOST),), whole=True)
ANY_LENGTH: Final = Numbers((((0, 0), MOST),), whole=True)
SOME_LENGTH: Final = Numbers((((1, 0), MOST),), whole=True)
