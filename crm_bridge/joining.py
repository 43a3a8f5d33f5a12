"""A claim that puts two profiles together: whoever chats says hello first and gives a number later.

Rule 1: that order, too, makes one person. A profile that is nothing but accounts of a network, whose owner the channel
vouches for, and who gives the number or the address of one other person, is merged with that person: by an event like
any other, of the source `claim`, that can be undone.
Rule 2: a claim proves nothing. In that person the claimant's profile is a guest: its accounts are worth what a claim is
worth, and whoever calls by an identity of it is told nothing of the others (`Person.guests`).
Rule 3: what speaks against it is shown to a person instead (`crm_bridge.suggestion`): a claimant who has a number or an
address already, another account of the same network that is known for the person's own, identities of several people,
and two whom somebody took apart before, or holds for two people.
Rule 4: a visitor of a website, of whom nothing but browsers is known, becomes whoever signs in there: an event that
proves to be of a person and names the browser merges the two, and the visitor is no guest.
"""

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import link, person
from crm_bridge.match import CLAIMED_CONFIDENCE, Match
from crm_bridge.person import CLAIM, Grounds, Linked, LinkRefused, Person
from crm_bridge.tables import Customer, Identity

BROWSER: Final = "web"
NETWORKS: Final = frozenset({"zalo", "facebook", BROWSER})
"""Kinds that name an account, by which nobody can be called or written to but through that network; a browser is one,
of which a person may have many."""
SIGN_IN: Final = "sign-in"
"""The source of a merge that rule 4 makes."""
CONTACTS: Final = frozenset({"phone", "email"})


def is_claimed(match: Match) -> bool:
    """Tell whether an event's own account gave the number or the address of exactly one other person."""
    by = match.matched_by
    return (
        by is not None
        and by.kind in NETWORKS
        and match.assurance > 0
        and len({each.customer for each in match.conflicts}) == 1
        and {each.kind for each in match.conflicts} <= CONTACTS
    )


def contradicts(claimant: Iterable[Identity], others: Iterable[Identity], network: str) -> bool:
    """Tell whether what is known of either speaks against their being one person. `network` is the claimant's."""
    return any(each.kind not in NETWORKS for each in claimant) or any(
        each.kind == network != BROWSER and each.assurance > 0 for each in others
    )


def is_sign_in(match: Match) -> bool:
    """Tell whether an event proves to be of somebody, at a browser that is known of exactly one other."""
    by = match.matched_by
    return (
        by is not None
        and by.kind != BROWSER
        and match.assurance > 0
        and len({each.customer for each in match.conflicts}) == 1
        and {each.kind for each in match.conflicts} == {BROWSER}
    )


async def join(session: AsyncSession, match: Match, evidence: str, now: float) -> Linked | None:
    """Merge the customer of an event with the person whose number it gave, where rule 1 says so, or with the visitor
    that they were, where rule 4 does; None elsewhere.

    Writes without committing.
    """
    by = match.matched_by
    if is_sign_in(match):
        return await _signed_in(session, match, evidence, now)
    if by is None or not is_claimed(match):
        return None
    home = await session.get_one(Customer, match.customer, populate_existing=True)
    other = await person.read(session, match.conflicts[0].customer)
    if home.person_id is not None or other is None:
        return None
    mine, theirs = await _identities(session, [home.id]), await _identities(session, other.ids)
    if contradicts(mine, theirs, by.kind):
        return None
    links = [person.as_link(row) for row in await person.history(session, [home.id])]
    if not link.once(links, home.id).isdisjoint(other.ids):
        return None
    try:
        return await person.merge(session, home.id, other.id, Grounds(evidence[:500], CLAIM, ""), now)
    except LinkRefused:  # somebody holds them apart, or there are so many profiles that it is a mistake already
        return None


async def _signed_in(session: AsyncSession, match: Match, evidence: str, now: float) -> Linked | None:
    visitor = await person.read(session, match.conflicts[0].customer)
    if visitor is None or len(visitor.ids) > 1:
        return None
    if any(each.kind != BROWSER for each in await _identities(session, visitor.ids)):
        return None
    links = [person.as_link(row) for row in await person.history(session, visitor.ids)]
    if match.customer in link.once(links, visitor.id):
        return None
    try:
        return await person.merge(session, visitor.id, match.customer, Grounds(evidence[:500], SIGN_IN, ""), now)
    except LinkRefused:
        return None


def worth(row: Identity, who: Person) -> tuple[int, float]:
    """Return assurance and confidence of an identity as one of its person's."""
    if row.customer_id in who.guests:
        return 0, min(row.confidence, CLAIMED_CONFIDENCE)
    return row.assurance, row.confidence


async def _identities(session: AsyncSession, profiles: Collection[str]) -> list[Identity]:
    return list(await session.scalars(select(Identity).where(Identity.customer_id.in_(profiles))))
