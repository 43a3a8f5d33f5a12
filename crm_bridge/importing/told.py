"""What a row says of a customer besides who it is: birthday, preferred channel, an order, a payment, a visit, a wish;
pure.

Rule 1: a fact is known by a key that is the same whenever the file is read: its own number, or what tells it from
others of that customer. So the same file again says nothing new.
Rule 2: what a row cannot say whole is not guessed: a visit without a day would be one of today.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from crm_bridge import facts
from crm_bridge.facts import MAX_KEY_LENGTH, Saying
from crm_bridge.importing import cells
from crm_bridge.importing.headings import Field

_CURRENCIES: Final[Mapping[str, str]] = {"VN": "VND"}
NO_DAY: Final = "belongs to a visit of which no column says the day; add one that is called visit_at"
NO_PAYMENT: Final = "belongs to a payment that nothing tells from others; add its id, its order or its day"


@dataclass(frozen=True, slots=True)
class Told:
    """A saying of a row. `at` is when it was so; None where the row does not say: what is known stays then."""

    saying: Saying
    at: float | None = None


Take = Callable[[Field, Callable[[str], Any]], Any]
"""Reads the first usable value of a field, None for none; what is wrong with it is noted."""


def told(take: Take, region: str) -> tuple[Told, ...]:
    """Return what a row says."""
    order = take("order", cells.key) or ""
    parts = (
        _likes(take),
        _order(take, region, order),
        _payment(take, region, order),
        _visit(take, region),
        _need(take),
    )
    return tuple(each for part in parts for each in part)


def _likes(take: Take) -> tuple[Told, ...]:
    values = {
        "birthday": take("birthday", cells.birthday),
        "preferred_channel": take("preferred_channel", cells.channel),
    }
    said = _said(values)
    return (Told(Saying("profile", facts.PROFILE, said)),) if said else ()


def _order(take: Take, region: str, number: str) -> tuple[Told, ...]:
    if not number:
        return ()
    values = {
        **_sum(take, region, "order_amount", "order_currency"),
        "state": take("order_state", cells.state),
        "items": take("order_items", cells.count),
        "products": take("order_products", cells.products),
        "placed_at": take("order_placed_at", _instant(region)),
    }
    said = _said(values)
    return (Told(Saying("order", number, said), take("order_updated_at", _instant(region))),) if said else ()


def _payment(take: Take, region: str, order: str) -> tuple[Told, ...]:
    """Return a payment, and its state once more where the row says since when it is so. It pays for the order of the
    row, unless it names another."""
    values = {
        **_sum(take, region, "payment_amount", "payment_currency"),
        "state": take("payment_state", cells.paid),
        "method": take("payment_method", cells.word),
    }
    said, number = _said(values), take("payment", cells.key)
    if not said and not number:
        return ()
    at, paid_for = take("payment_at", _instant(region)), take("payment_order", cells.key) or order
    key = number or (_joined(paid_for, _day(at, region), said.get("amount")) if paid_for or at is not None else "")
    said |= {"order": paid_for} if paid_for else {}
    if not key or not said:
        _refuse(take, ("payment_amount", "payment_state", "payment_method"), NO_PAYMENT)
        return ()
    found = Told(Saying("payment", key, said), at)
    updated_at = take("payment_updated_at", _instant(region))
    if updated_at is None or "state" not in said:
        return (found,)
    return found, Told(replace(found.saying, said={"state": said["state"]}), updated_at)


def _visit(take: Take, region: str) -> tuple[Told, ...]:
    at, place, purpose = (
        take("visit_at", _instant(region)), take("visit_place", cells.word), take("visit_purpose", cells.word),
    )  # fmt: skip
    if at is None:
        _refuse(take, ("visit_place", "visit_purpose"), NO_DAY)
        return ()
    said = _said({"place": place, "purpose": purpose}) or {"place": None}
    return (Told(Saying("visit", _joined(_day(at, region), facts.need_key(place or "")), said), at),)


def _need(take: Take) -> tuple[Told, ...]:
    what = take("need", cells.key)
    return (Told(Saying("need", facts.need_key(what), {"what": what})),) if what else ()


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _sum(take: Take, region: str, amount: Field, currency: Field) -> dict[str, str | None]:
    """Return an amount and its currency, that of the region where nothing is said."""
    written = take(amount, cells.money)
    return {"amount": written, "currency": take(currency, cells.currency) or (written and _CURRENCIES.get(region))}


def _instant(region: str) -> Callable[[str], float]:
    return lambda text: cells.instant(text, region)


def _day(at: float | None, region: str) -> str:
    """Return an instant as the region's clocks show it; without the time at midnight, which files have for none."""
    if at is None:
        return ""
    try:
        local = datetime.fromtimestamp(at, cells.zone_of(region))
    except (ValueError, OverflowError, OSError):
        return ""  # the last day of all years, somewhere else
    return f"{local:%Y-%m-%d}" if not (local.hour or local.minute) else f"{local:%Y-%m-%d %H:%M}"


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)[:MAX_KEY_LENGTH]


def _refuse(take: Take, fields: tuple[Field, ...], why: str) -> None:
    """Note that what stands in these fields is not kept."""

    def refused(_: str) -> None:
        raise ValueError(why)

    for each in fields:
        take(each, refused)
