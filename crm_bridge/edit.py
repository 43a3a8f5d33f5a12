"""What somebody changes in a person by hand; each change is kept with who made it.

Rule 1: a change is written to the person's oldest profile, whose word stands first; what somebody takes away is taken
from every profile. Nothing else of the others changes, so that a merge can still be undone.
Rule 2: a person has the last word: what they say is newer than whatever was said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf, nextafter
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import fact_rows, facts, person
from crm_bridge.facts import Saying
from crm_bridge.identity import fold
from crm_bridge.tables import Customer

CHANNEL: Final = "hotline"
"""Where somebody of the house says it: pages, tools and programs of ours."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be: None leaves a value as it is, empty words empty it. `sayings` are of facts."""

    name: str | None = None
    language: str | None = None
    tags: Sequence[str] | None = None
    sayings: Sequence[Saying] = field(default_factory=tuple)


async def apply(session: AsyncSession, customer_id: str, change: Change, by: str, now: float) -> bool:
    """Change the person of a profile; say whether anything is different. Writes without committing.

    Raises `NoProfile`.
    """
    who = await person.whole(session, customer_id)
    for each in sorted(who.ids):
        await fact_rows.hold(session, each)
    who = await person.whole(session, customer_id)
    before = {"name": who.name, "language": who.language, "tags": who.tags}
    wanted = {"name": change.name, "language": change.language, "tags": change.tags}
    new = {
        name: list(value) if name == "tags" else value
        for name, value in wanted.items()
        if value is not None and value != before[name]
    }
    of_all = await fact_rows.of_all(session, who.ids)
    known = {(each.kind, each.key): each for each in facts.together(chain.from_iterable(of_all.values()))}
    said = [news for each in change.sayings if (news := facts.news(each, known.get((each.kind, each.key))))]
    if not new and not said:
        return False
    await _write(session, who, new, now)
    by_hand = [Saying("profile", facts.PROFILE, new)] if new else []
    # Of another profile, too, whatever is dated ahead.
    at = max([now, *(nextafter(each.at, inf) for each in known.values())])
    source = fact_rows.Source(at, CHANNEL, by=by)
    await fact_rows.say(session, who.id, [*by_hand, *said], source, now, last=True)
    await session.execute(update(Customer).where(Customer.id == who.id).values(updated_at=now))
    return True


async def _write(session: AsyncSession, who: person.Person, new: Mapping[str, Any], now: float) -> None:
    """Write name, language and tags. What is emptied, or taken away, is so in every profile."""
    for each in who.profiles:
        is_head = each.id == who.id
        values: dict[str, Any] = {}
        for name in ("name", "language"):
            if name in new and (is_head or not new[name]) and getattr(each, name) != new[name]:
                values[name] = new[name]
        if "tags" in new:
            tags = new["tags"] if is_head else [tag for tag in each.tags if tag in new["tags"]]
            if tags != each.tags:
                values["tags"] = tags
        if "name" in values:
            values["name_folded"] = fold(values["name"])
        if values:
            await session.execute(update(Customer).where(Customer.id == each.id).values(**values, updated_at=now))
