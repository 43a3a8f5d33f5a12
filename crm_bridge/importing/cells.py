"""What cells say: days, amounts, states, words. Each raises `ValueError` with cause and mend for what it cannot read;
pure."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from crm_bridge import facts
from crm_bridge.fact_shapes import MAX_PRODUCTS
from crm_bridge.facts import MAX_KEY_LENGTH
from crm_bridge.state_words import order_state, payment_state

MAX_WORD_LENGTH: Final = 100
MAX_ITEMS: Final = 1_000_000
OLDEST_YEAR: Final = 1900
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_NOT_MONEY: Final = re.compile(r"[^\d.,]")
# A sign that three digits follow parts thousands, any other one decimals.
_AMOUNT: Final = re.compile(r"(\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+|\d+)(?:[.,](\d{1,4}))?")
_BETWEEN: Final = re.compile(r"[;,|\n]")
_ZONES: Final[Mapping[str, timezone]] = {"VN": timezone(timedelta(hours=7))}


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
    return (at if at.tzinfo else at.replace(tzinfo=zone_of(region))).timestamp()


def zone_of(region: str) -> tzinfo:
    """Return the zone of a region's days."""
    return _ZONES.get(region, UTC)


def money(text: str) -> str:
    """Return an amount however its thousands are written: 1.250.000đ, 1,250,000.50, 12,50."""
    found = _AMOUNT.fullmatch(_NOT_MONEY.sub("", text))
    whole, rest = ("", "") if found is None else (found[1].replace(".", "").replace(",", ""), found[2] or "0")
    amount = facts.amount(f"{whole}.{rest}")
    if not amount or "-" in text:
        raise ValueError("is no amount; write it as 1250000")
    return amount


def state(text: str) -> str:
    """Return the state of an order."""
    found = order_state(text)
    if found is None:
        raise ValueError("is no state of an order; write placed, confirmed, shipped, delivered, cancelled or returned")
    return found


def paid(text: str) -> str:
    """Return the state of a payment."""
    found = payment_state(text)
    if found is None:
        raise ValueError("is no state of a payment; write paid, failed or refunded")
    return found


def currency(text: str) -> str:
    """Return a currency by its letters (ISO 4217)."""
    letters = "VND" if text in ("đ", "₫") else text.upper()
    if not re.fullmatch("[A-Z]{3}", letters):
        raise ValueError("is no currency; write VND or USD")
    return letters


def count(text: str) -> int:
    """Return how many things there are."""
    number = int(float(text)) if re.fullmatch(r"\d{1,7}(\.0+)?", text) else -1
    if not 0 <= number <= MAX_ITEMS:
        raise ValueError("is no number of things; write 2")
    return number


def products(text: str) -> list[str]:
    """Return what things are called."""
    return [word(part) for part in map(str.strip, _BETWEEN.split(text)) if part][:MAX_PRODUCTS]


def channel(text: str) -> str:
    """Return a channel's name."""
    return word(text).lower()


def word(text: str) -> str:
    """Return a few words."""
    return _within(text, MAX_WORD_LENGTH)


def key(text: str) -> str:
    """Return what a fact is known by."""
    return _within(text, MAX_KEY_LENGTH)


def _within(text: str, length: int) -> str:
    words = " ".join(text.split())
    if len(words) > length or not words.isprintable():
        raise ValueError(f"is longer than {length} characters, or not printable; write the words alone")
    return words
