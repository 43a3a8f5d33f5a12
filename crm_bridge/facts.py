"""What a customer ordered, paid, visited, needs, thinks and likes: facts, each made of what was said of it. Pure.

Rule 1: a statement is never changed. A fact is what its statements make of it: of each field the newest word stands,
in whatever order and however often they come. So a late event changes nothing that is newer, a statement that is taken
back leaves what was before it, and the facts of two profiles are put together as those of one are.
Rule 2: of two words of one instant the greater text stands: all readers agree, whoever was first.
Rule 3: a field that says None was said to be none of; a field that is missing was never spoken of.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, get_args

from crm_bridge.identity import fold as folded_text
from telephony.events import Need, Order, Survey

Kind = Literal["order", "payment", "visit", "need", "survey", "profile"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
OrderState = Literal["placed", "confirmed", "shipped", "delivered", "cancelled", "returned"]
PaymentState = Literal["paid", "failed", "refunded"]
NeedState = Literal["open", "met", "dropped"]
SurveyKind = Literal["csat", "nps", "ces"]
Sentiment = Literal["good", "neutral", "bad"]

ON_THE_WAY: Final[frozenset[str]] = frozenset({"placed", "confirmed", "shipped"})
"""States of an order that its customer waits for."""
NOT_BOUGHT: Final[frozenset[str]] = frozenset({"cancelled", "returned"})
MAX_KEY_LENGTH: Final = 200
PROFILE: Final = "self"
"""The key of the one fact that is about the customer."""
OWN: Final = ""
"""The key of a fact that is nothing but the event that says it; it becomes that of the event."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What somebody says of a fact: its kind, its key among the customer's, and fields as JSON takes them."""

    kind: Kind
    key: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """A saying as it was kept: `at` is when it was so, `channel` where it was said."""

    said: Mapping[str, Any]
    at: float
    channel: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What statements make: the fields, when each was said last, when the first and the last word came, and the channel
    of the last."""

    kind: str
    key: str
    said: Mapping[str, Any]
    told: Mapping[str, float]
    first_at: float
    at: float
    channel: str

    def get(self, name: str) -> Any:
        """Return a field, None where nothing is known of it."""
        return self.said.get(name)

    def text(self, name: str) -> str:
        """Return a field of words, empty where nothing is known of it."""
        return str(self.said.get(name) or "")


@dataclass(slots=True)
class _Making:
    said: dict[str, Any] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, value: Any, at: float) -> None:
        before = self.told.get(name)
        if before is None or (at, _canonical(value)) > (before, _canonical(self.said[name])):
            self.said[name], self.told[name] = value, at


def made_of(kind: str, key: str, statements: Sequence[Statement]) -> Fact:
    """Return the fact that statements (at least one) make."""
    making = _Making()
    for each in statements:
        for name, value in each.said.items():
            making.take(name, value, each.at)
    last = max(statements, key=lambda each: (each.at, each.channel))
    first_at = min(each.at for each in statements)
    return Fact(kind, key, making.said, making.told, first_at, last.at, last.channel)


def together(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts of several profiles as those of one person, the newest first."""
    found: dict[tuple[str, str], Fact] = {}
    for each in facts:
        key = each.kind, each.key
        found[key] = _joined(found[key], each) if key in found else each
    return sorted(found.values(), key=lambda each: (-each.at, each.kind, each.key))


def _joined(one: Fact, other: Fact) -> Fact:
    making = _Making()
    for fact in (one, other):
        for name, value in fact.said.items():
            making.take(name, value, fact.told[name])
    last = max(one, other, key=lambda each: (each.at, each.channel))
    first_at = min(one.first_at, other.first_at)
    return Fact(one.kind, one.key, making.said, making.told, first_at, last.at, last.channel)


def news(saying: Saying, fact: Fact | None, *, fill: bool = False) -> Saying | None:
    """Return what of a saying is not known of a fact, None for nothing. `fill`: what is known stays."""
    if fact is None:
        said = {name: value for name, value in saying.said.items() if value is not None}
        return Saying(saying.kind, saying.key, said) if said else None
    said = {
        name: value
        for name, value in saying.said.items()
        if (fact.get(name) is None if fill else name not in fact.said or fact.said[name] != value)
    }
    return Saying(saying.kind, saying.key, said) if said else None


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------- as values


def need_key(what: str) -> str:
    """Return the key of a need: the same words, whatever their case and accents, are the same need."""
    return " ".join(folded_text(what).split())[:MAX_KEY_LENGTH]


def amount(text: str) -> str:
    """Return a decimal number as facts keep it, empty for what is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return ""
    if not number.is_finite() or number < 0 or number.adjusted() > MAX_DIGITS:
        return ""
    return format(abs(number).normalize(), "f")  # -0 is 0


MAX_DIGITS: Final = 17


def order(fact: Fact) -> Order:
    """Return a fact as an order."""
    return Order(
        number=fact.key,
        state=fact.text("state"),
        amount=fact.text("amount"),
        currency=fact.text("currency"),
        items=int(fact.get("items") or 0),
        products=tuple(fact.get("products") or ()),
        placed_at=float(fact.first_at if fact.get("placed_at") is None else fact.get("placed_at")),
        channel=fact.channel,
        at=fact.at,
    )


def need(fact: Fact) -> Need:
    """Return a fact as a need."""
    since = fact.get("since")
    return Need(
        what=fact.text("what"),
        state=fact.text("state") or "open",
        since=float(fact.first_at if since is None else since),
        channel=fact.channel,
        at=fact.at,
    )


def survey(fact: Fact) -> Survey:
    """Return a fact as a customer's answer to a survey."""
    kind, score, of = fact.text("kind") or "csat", int(fact.get("score") or 0), int(fact.get("of") or 5)
    return Survey(kind=kind, score=score, of=of, sentiment=sentiment(kind, score, of), channel=fact.channel, at=fact.at)


def sentiment(kind: str, score: int, of: int) -> Sentiment:
    """Return what a score says. Of `nps` 9 and 10 are promoters and 0 to 6 detractors; of all else the upper and the
    lower two fifths count."""
    if kind == "nps":
        return "good" if score >= 9 else "bad" if score <= 6 else "neutral"
    share = score / of if of else 0.0
    return "good" if share > 0.6 else "bad" if share <= 0.4 else "neutral"


def orders(facts: Iterable[Fact]) -> list[Order]:
    """Return the orders among facts, the newest word first."""
    return [order(each) for each in facts if each.kind == "order"]


def needs(facts: Iterable[Fact]) -> list[Need]:
    """Return the needs among facts, those that nobody has met first, then the newest word."""
    found = [need(each) for each in facts if each.kind == "need"]
    return sorted(found, key=lambda each: each.state != "open")


def last_survey(facts: Iterable[Fact]) -> Survey | None:
    """Return the newest answer to a survey."""
    return next((survey(each) for each in facts if each.kind == "survey"), None)


def of_profile(facts: Iterable[Fact], name: str) -> str:
    """Return a field of the fact that is about the customer."""
    return next((each.text(name) for each in facts if each.kind == "profile"), "")
