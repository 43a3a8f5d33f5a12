"""What a row says of a customer besides who it is: birthday, preferred channel, an order, a wish; pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from crm_bridge import facts
from crm_bridge.fact_shapes import MAX_PRODUCTS
from crm_bridge.facts import MAX_KEY_LENGTH, Saying
from crm_bridge.importing.headings import Field
from crm_bridge.order_words import order_state

MAX_WORD_LENGTH: Final = 100
MAX_ITEMS: Final = 1_000_000
OLDEST_YEAR: Final = 1900
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_NOT_MONEY: Final = re.compile(r"[^\d.,]")
# A sign that three digits follow parts thousands, any other one decimals.
_AMOUNT: Final = re.compile(r"(\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+|\d+)(?:[.,](\d{1,4}))?")
_BETWEEN: Final = re.compile(r"[;,|\n]")
_ZONES: Final[Mapping[str, timezone]] = {"VN": timezone(timedelta(hours=7))}
_CURRENCIES: Final[Mapping[str, str]] = {"VN": "VND"}


@dataclass(frozen=True, slots=True)
class Told:
    """A saying of a row. `at` is when it was so; None where the row does not say: what is known stays then."""

    saying: Saying
    at: float | None = None


Take = Callable[[Field, Callable[[str], Any]], Any]
"""Reads the first usable value of a field, None for none; what is wrong with it is noted."""


def told(take: Take, region: str) -> tuple[Told, ...]:
    """Return what a row says."""
    found = [_likes(take), _order(take, region), _need(take)]
    return tuple(each for each in found if each is not None)


def _likes(take: Take) -> Told | None:
    values = {"birthday": take("birthday", birthday), "preferred_channel": take("preferred_channel", _channel)}
    said = {name: value for name, value in values.items() if value}
    return Told(Saying("profile", facts.PROFILE, said)) if said else None


def _order(take: Take, region: str) -> Told | None:
    number = take("order", _key)
    if not number:
        return None

    def at(text: str) -> float:
        return instant(text, region)

    amount = take("order_amount", money)
    currency = take("order_currency", _currency) or (_CURRENCIES.get(region, "") if amount else "")
    values = {
        "state": take("order_state", _state),
        "amount": amount,
        "currency": currency,
        "items": take("order_items", _count),
        "products": take("order_products", _products),
        "placed_at": take("order_placed_at", at),
    }
    said = {name: value for name, value in values.items() if value}
    return Told(Saying("order", number, said), take("order_updated_at", at)) if said else None


def _need(take: Take) -> Told | None:
    what = take("need", _key)
    return Told(Saying("need", facts.need_key(what), {"what": what})) if what else None


# ------------------------------------------------------------------------------------------- values; ValueError: wrong


def birthday(text: str) -> str:
    """Return `17/05/1990`, `17/5` or ISO 8601 as facts keep a birthday."""
    found = _DAY_FIRST.fullmatch(text)
    try:
        if found is None:
            day = date.fromisoformat(text[:10])
        elif found[3] is None:
            return f"--{date(2000, int(found[2]), int(found[1])):%m-%d}"
        else:
            day = date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        raise ValueError("is no birthday; write it as 1990-05-17 or 17/05/1990") from None
    if day.year < OLDEST_YEAR:
        raise ValueError("is no birthday; write it as 1990-05-17 or 17/05/1990")
    return day.isoformat()


def instant(text: str, region: str) -> float:
    """Return a day or an instant, without a zone that of the region."""
    found = _DAY_FIRST.fullmatch(text)
    try:
        if found is not None and found[3] is not None:
            day, month, year, hour, minute, second = (int(each or 0) for each in found.groups())
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - its zone comes below
        else:
            at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no date; write it as 2026-11-16 or 16/11/2026 10:30") from None
    return (at if at.tzinfo else at.replace(tzinfo=_ZONES.get(region, UTC))).timestamp()


def money(text: str) -> str:
    """Return an amount however its thousands are written: 1.250.000đ, 1,250,000.50, 12,50."""
    found = _AMOUNT.fullmatch(_NOT_MONEY.sub("", text))
    whole, rest = ("", "") if found is None else (found[1].replace(".", "").replace(",", ""), found[2] or "0")
    amount = facts.amount(f"{whole}.{rest}")
    if not amount or "-" in text:
        raise ValueError("is no amount; write it as 1250000")
    return amount


def _state(text: str) -> str:
    state = order_state(text)
    if state is None:
        raise ValueError("is no state of an order; write placed, confirmed, shipped, delivered, cancelled or returned")
    return state


def _currency(text: str) -> str:
    currency = "VND" if text in ("đ", "₫") else text.upper()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError("is no currency; write VND or USD")
    return currency


def _count(text: str) -> int:
    count = int(float(text)) if re.fullmatch(r"\d{1,7}(\.0+)?", text) else -1
    if not 0 <= count <= MAX_ITEMS:
        raise ValueError("is no number of things; write 2")
    return count


def _products(text: str) -> list[str]:
    return [_word(part) for part in map(str.strip, _BETWEEN.split(text)) if part][:MAX_PRODUCTS]


def _channel(text: str) -> str:
    return _word(text).lower()


def _word(text: str) -> str:
    return _within(text, MAX_WORD_LENGTH)


def _key(text: str) -> str:
    return _within(text, MAX_KEY_LENGTH)


def _within(text: str, length: int) -> str:
    word = " ".join(text.split())
    if len(word) > length or not word.isprintable():
        raise ValueError(f"is longer than {length} characters, or not printable; write the words alone")
    return word
