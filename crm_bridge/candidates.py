"""Whom an identity may mean: whoever owns it, and whoever else is known to use it.

Rule 1: an identity has one owner. Others who use it stand beside it (`identity_users`): a person or an import said so,
or an event that proved to be theirs gave it. What proves nothing makes nobody a candidate: or else whoever types
somebody's address with a number of their own could try to be that somebody by telephone.
Rule 2: what is compared with an answer is what others than callers told: a caller who has proved nothing could
otherwise write the answer first and give it afterwards. So fields that were told in calls are left out.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import fact_rows, facts, person
from crm_bridge.match import CLAIMED_CONFIDENCE
from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import Customer, CustomerField, Identity, IdentityUser
from crm_bridge.telling_apart import BIRTHDAY, INITIAL, NAME, Candidate, initials

MAX_USERS: Final = 20
CALLS: Final = frozenset({"call", "phone"})
ORDER: Final = "order"
KEYED: Final = frozenset({"phone", "external"})
"""Kinds of identities that somebody can say or type."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom an identity may mean: a profile of each person, the owner's first. `is_shared`: somebody knows that it
    identifies none of them."""

    profiles: tuple[str, ...]
    is_shared: bool


async def of_identity(session: AsyncSession, kind: str, value: str) -> Whose:
    """Return whom an identity (normalised) may mean, nobody for one that is not known."""
    head = func.coalesce(Customer.person_id, Customer.id)
    owners = await session.execute(
        select(Identity.customer_id, head, Identity.shared_at)
        .join(Customer, Customer.id == Identity.customer_id)
        .where(Identity.kind == kind, Identity.value == value)
    )
    users = await session.execute(
        select(IdentityUser.customer_id, head)
        .join(Customer, Customer.id == IdentityUser.customer_id)
        .where(IdentityUser.kind == kind, IdentityUser.value == value)
        .order_by(IdentityUser.at, IdentityUser.id)
        .limit(MAX_USERS)
    )
    pairs, is_shared = [], False
    for profile, who, shared_at in owners:
        pairs.append((profile, who))
        is_shared = shared_at is not None
    return Whose(one_each([*pairs, *((profile, who) for profile, who in users)]), is_shared)


def one_each(profiles: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return one profile, the first, of each person; pairs are of a profile and its person."""
    first: dict[str, str] = {}
    for profile, who in profiles:
        first.setdefault(who, profile)
    return tuple(first.values())


async def read(session: AsyncSession, profiles: Collection[str], number: str = "") -> list[Candidate]:
    """Return what is known of whom an answer may fit, by the ids of their profiles; nobody for one that is gone.
    `number` is the caller's, whose digits prove nothing."""
    found = []
    for profile in profiles:
        try:
            who = await person.whole(session, profile)
        except person.NoProfile:
            continue
        # What a guest told is worth nothing, and who is verified is none.
        own = [each for each in who.ids if each not in who.guests] or [profile]
        fields = await _told(session, own)
        known = select(Identity.kind, Identity.value).where(
            Identity.customer_id.in_(own), Identity.kind.in_(KEYED), Identity.confidence >= CLAIMED_CONFIDENCE
        )
        for kind, value in await session.execute(known):
            if value != number:
                fields.setdefault(kind, set()).add(value)
        if who.name:
            fields[NAME], fields[INITIAL] = {who.name}, set(initials(who.name))
        found.append(Candidate(profile if profile in own else own[0], fields))
    return found


async def _told(session: AsyncSession, profiles: Collection[str]) -> dict[str, set[str]]:
    """Return what some profiles told: the newest word of each field, the numbers of their orders, their birthday."""
    fields: dict[str, set[str]] = {}
    newest = (
        select(CustomerField.name, CustomerField.value, CustomerField.channel)
        .where(CustomerField.customer_id.in_(profiles))
        .order_by(CustomerField.at.desc(), CustomerField.id)
    )
    seen: set[str] = set()
    for name, value, channel in await session.execute(newest):
        if name not in seen and channel not in CALLS:
            fields[name] = {value}
        seen.add(name)
    known = [each for each in await fact_rows.read(session, profiles) if each.channel not in CALLS]
    for order in facts.orders(known):
        fields.setdefault(ORDER, set()).add(order.number)
    if birthday := facts.of_profile(known, BIRTHDAY):
        fields[BIRTHDAY] = {birthday}
    return fields


async def add_user(
    session: AsyncSession, kind: str, value: str, customer_id: str, *, source: str, evidence: str, at: float
) -> bool:
    """Keep that a profile uses an identity; say whether that is new. Writes without committing."""
    row = {
        "id": new_id(),
        "kind": kind,
        "value": value,
        "customer_id": customer_id,
        "source": source[:64],
        "evidence": evidence[:500],
        "at": at,
    }
    return await insert_if_free(session, IdentityUser, row)
