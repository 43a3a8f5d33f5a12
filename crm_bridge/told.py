"""What a customer told us, so that nobody asks again: the newest value of each field, with its time and channel.

Rule 1: a name is one that flows use for a variable; a value is a line of text. What is neither is left out.
Rule 2: only what is known to be the customer's counts: what somebody claims to be, or typed into a form with another's
number, would answer a question for the person whom they name.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import CustomerField

MAX_FIELDS: Final = 50
MAX_VALUE_LENGTH: Final = 500
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


def usable(fields: object) -> dict[str, str]:
    """Return those of an event's fields that can be remembered."""
    if not isinstance(fields, Mapping):
        return {}
    lines = ((name, _line(value)) for name, value in fields.items() if isinstance(name, str) and _NAME.fullmatch(name))
    return dict([(name, line) for name, line in lines if line][:MAX_FIELDS])


async def remember(
    session: AsyncSession, customer_id: str, fields: Mapping[str, str], *, channel: str, at: float
) -> None:
    """Keep what a customer told, `at` this instant; what was told later stays. Writes without committing."""
    for name in sorted(fields):  # an order that all writers share
        key = (CustomerField.customer_id == customer_id, CustomerField.name == name)
        newer = {"value": fields[name], "channel": channel, "at": at}
        row = {"id": new_id(), "customer_id": customer_id, "name": name, **newer}
        if not await insert_if_free(session, CustomerField, row):
            await session.execute(update(CustomerField).where(*key, CustomerField.at <= at).values(**newer))


def _line(value: Any) -> str:
    text = "" if isinstance(value, bool) or not isinstance(value, str | int | float) else str(value).strip()
    return text if text.isprintable() and len(text) <= MAX_VALUE_LENGTH else ""
