"""Orders that a CRM tells of, kept with the customer.

Rule 1: a CRM says the same each time it is asked. Only what it says differently from what it said before is news, so
that it does not overrule somebody who has corrected it since.
Rule 2: what it says of a number or an address that is only claimed is kept by nobody.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import fact_rows, facts, identity
from crm_bridge.connectors.cache import Found
from crm_bridge.connectors.exchange import Row
from crm_bridge.facts import MAX_KEY_LENGTH, Saying, Statement
from crm_bridge.state_words import order_state
from crm_bridge.tables import FactStatement, Identity

MAX_ORDERS = 50
MAX_CURRENCY_LENGTH = 3


async def keep(session: AsyncSession, crm: str, key: str, found: Found, region: str) -> bool:
    """Keep the orders of whoever a question (`phone:+84912345678`) found; say whether any was news. Writes without
    committing."""
    if not found.orders or found.person is None:
        return False
    kind, _, value = key.partition(":")
    home = await session.scalar(
        select(Identity.customer_id).where(Identity.kind == kind, Identity.value == value, Identity.assurance > 0)
    )
    if home is None or not _is_meant(found.person, kind, value, region):
        return False
    await fact_rows.hold(session, home)
    origin = f"crm:{crm}"
    said = await _said(session, home, origin)
    before = {key: facts.made_of("order", key, statements) for key, statements in said.items()}
    told = [facts.news(each, before.get(each.key)) for each in sayings(found.orders)]
    news = [each for each in told if each is not None]
    source = fact_rows.Source(found.as_of, crm, origin=origin)
    await fact_rows.say(session, home, news, source, found.as_of)
    return bool(news)


def sayings(rows: Sequence[Row]) -> list[Saying]:
    """Return what rows say of orders; one without a number, or an id in its place, says nothing."""
    found: dict[str, Saying] = {}
    for row in rows[:MAX_ORDERS]:
        key = (row.get("number") or row.get("id") or "").strip()
        if key and len(key) <= MAX_KEY_LENGTH and key.isprintable():
            found.setdefault(key, Saying("order", key, _fields(row)))
    return list(found.values())


def _fields(row: Row) -> dict[str, Any]:
    currency = row.get("currency", "").upper()
    fields = {
        "state": order_state(row.get("state", "")),
        "amount": facts.amount(row.get("total", "")),
        "currency": currency if len(currency) == MAX_CURRENCY_LENGTH and currency.isalpha() else "",
        "placed_at": _instant(row.get("placed_at", "")),
    }
    return {name: value for name, value in fields.items() if value}


def _instant(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _is_meant(person: Row, kind: str, value: str, region: str) -> bool:
    """Tell whether a CRM's person has the very identity that it was asked for, and is no near hit."""
    way: identity.Kind = "email" if kind == "email" else "phone"
    return identity.normalise(way, person.get(way, ""), region) == value


async def _said(session: AsyncSession, home: str, origin: str) -> dict[str, list[Statement]]:
    row = FactStatement
    rows = await session.execute(
        select(row.key, row.said, row.at, row.channel).where(
            row.customer_id == home, row.kind == "order", row.origin == origin
        )
    )
    found: dict[str, list[Statement]] = {}
    for key, said, at, channel in rows:
        found.setdefault(key, []).append(Statement(said, at, channel))
    return found
