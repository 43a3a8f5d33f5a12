"""Identities that several people use, a family's number or a switchboard's: a person says so, shown which seem so.

Rule 1: what is shared identifies nobody (`match`, `context`): it makes its owner and its users candidates.
Rule 2: nothing moves. Whose an identity is stays as it is, and saying that it is shared is taken back by saying so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import candidates, person, timeline
from crm_bridge.identity import Kind, fold
from crm_bridge.person import NoProfile, Person
from crm_bridge.tables import Customer, Identity, IdentityUser

MIN_NAMES: Final = 3
"""So many people seem to use what they gave."""
MAX_ENTRIES: Final = 200


class NoIdentity(LookupError):
    """Nobody is known by this identity."""


@dataclass(frozen=True, slots=True)
class SeemsShared:
    """An identity of a person that entries gave under several names."""

    kind: str
    value: str
    names: tuple[str, ...]


async def share(
    session: AsyncSession, customer_id: str, kind: Kind, value: str, *, source: str, evidence: str, now: float
) -> bool:
    """Keep that an identity (normalised) is shared, and that this customer is one of those who use it; say whether that
    is new. Writes without committing. Raises `NoProfile` and `NoIdentity`."""
    who, row = await _both(session, customer_id, kind, value)
    is_new = row.shared_at is None
    row.shared_at = now if row.shared_at is None else row.shared_at
    if row.customer_id not in who.ids:
        user = await candidates.add_user(session, kind, value, customer_id, source=source, evidence=evidence, at=now)
        is_new = is_new or user
    await session.flush()
    return is_new


async def unshare(session: AsyncSession, customer_id: str, kind: Kind, value: str) -> bool:
    """Take back that an identity is shared, where it is this customer's own; else that they use it. Say whether that
    changes anything. Writes without committing. Raises `NoProfile` and `NoIdentity`."""
    who, row = await _both(session, customer_id, kind, value)
    if row.customer_id in who.ids:
        was, row.shared_at = row.shared_at, None
        await session.flush()
        return was is not None
    of_theirs = (IdentityUser.kind == kind, IdentityUser.value == value, IdentityUser.customer_id.in_(who.ids))
    gone = await session.scalars(delete(IdentityUser).where(*of_theirs).returning(IdentityUser.id))
    return bool(gone.all())


async def seems_shared(session: AsyncSession, who: Person) -> list[SeemsShared]:
    """Return the identities of a person that are not known to be shared, and that several names go with: of the newest
    entries that were matched by them, of the other people who use them, and the person's own."""
    own = await session.scalars(
        select(Identity)
        .where(Identity.customer_id.in_(who.ids), Identity.shared_at.is_(None))
        .order_by(Identity.kind, Identity.value)
    )
    names: dict[tuple[str, str], list[str]] = {(row.kind, row.value): [who.name] for row in own}
    for entry in await timeline.page(session, who.ids, limit=MAX_ENTRIES):
        by, name = entry.outcome.get("matched_by"), entry.attributes.get("name")
        if by and isinstance(name, str) and (key := (by["kind"], by["value"])) in names:
            names[key].append(name)
    users = await session.execute(
        select(IdentityUser.kind, IdentityUser.value, Customer.name)
        .join(Customer, Customer.id == IdentityUser.customer_id)
        .join(Identity, (Identity.kind == IdentityUser.kind) & (Identity.value == IdentityUser.value))
        .where(Identity.customer_id.in_(who.ids), Customer.id.not_in(who.ids))
        .order_by(IdentityUser.at, IdentityUser.id)
    )
    for kind, value, name in users:
        if (kind, value) in names:
            names[kind, value].append(name)
    found = (SeemsShared(kind, value, distinct(said)) for (kind, value), said in names.items())
    return [each for each in found if len(each.names) >= MIN_NAMES]


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are of different people: `An` may well be `Nguyễn Văn An`, and is not counted beside it."""
    known: list[tuple[frozenset[str], str]] = []
    for name in sorted(dict.fromkeys(names), key=lambda each: (-len(each.split()), each)):
        words = frozenset(fold(name).split())
        if words and not any(words <= longer for longer, _ in known):
            known.append((words, name))
    return tuple(name for _, name in known)


async def _both(session: AsyncSession, customer_id: str, kind: str, value: str) -> tuple[Person, Identity]:
    who = await person.read(session, customer_id)
    if who is None:
        raise NoProfile(customer_id)
    of = select(Identity).where(Identity.kind == kind, Identity.value == value).with_for_update()
    row = await session.scalar(of.execution_options(populate_existing=True))
    if row is None:
        raise NoIdentity("nobody is known by this identity: an event or an import gives it first")
    return who, row
