"""What may be compared with what, and how kinds are called."""

from collections.abc import Set
from typing import Final

from ivr_flows.prove.assume import ORDERS
from ivr_flows.prove.value import Value

NAMES: Final = {
    "none": "nothing", "flag": "a flag", "number": "a number", "text": "a text", "list": "a list", "record": "a record",
    "moment": "a time", "span": "a duration",
}  # fmt: skip
ORDERED: Final = frozenset({"number", "text", "moment", "span"})
"""The kinds of which one may be less than another."""
HOLDING: Final = frozenset({"list", "text", "record"})
"""The kinds in which something may be."""


def why_not_compared(operator: str, left: Value, right: Value) -> str:
    """Return what is wrong with a comparison, as what follows its own words; empty for nothing."""
    if left.anything or right.anything:
        return ""
    if operator in ("in", "notin"):
        return _why_not_held(left, right)
    both = left.kinds | right.kinds
    if operator in ORDERS:
        fits = left.kinds == right.kinds and len(both) == 1 and both <= ORDERED
    else:
        fits = bool(left.kinds & right.kinds) or "none" in both
    return "" if fits else f" compares {described(left.kinds)} with {described(right.kinds)}{hint(both)}"


def _why_not_held(left: Value, right: Value) -> str:
    if right.kinds - HOLDING:
        return f": nothing is in {described(right.kinds - HOLDING)}"
    if "text" in right.kinds and left.kinds - {"text"}:
        return f": only a text is in a text, not {described(left.kinds - {'text'})}"
    if right.element and not right.element.anything and not left.kinds & right.element.kinds:
        return f": the list has {described(right.element.kinds)}, not {described(left.kinds)}"
    return ""


def described(kinds: Set[str]) -> str:
    """Return kinds in words."""
    return " or ".join(sorted(NAMES.get(kind, kind) for kind in kinds)) or "nothing"


def hint(kinds: Set[str]) -> str:
    """Return how kinds that do not fit are made to, as words that follow others; empty where that is not known."""
    if "text" in kinds and ("number" in kinds or len(kinds) == 1):
        return "; digits are a text: compare them with one in quotes, or reckon with | int"
    return ""
