"""Who might be the same person: weak evidence, for somebody to judge. Nothing is ever merged by it.

Rule 1: a name says nothing by itself; thousands share one. It takes a second ground beside it: an e-mail address much
like the other, or the same postal address (`attributes.address` of an interaction).
Rule 2: a claim that contradicts a stronger link is shown whatever the name: a message from one person's Zalo account
that gave another person's number was not believed, and may still be true. So is a row of another system's file.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import link, person, timeline
from crm_bridge.identity import fold
from crm_bridge.importing.tables import ImportNote
from crm_bridge.person import Person
from crm_bridge.tables import Customer, Identity, Interaction

Ground = Literal["same_name", "similar_email", "same_address", "contradicting_claim"]

MAX_NAMESAKES: Final = 10_000
"""Of a million people some name is that of more; the others are not looked at."""
MAX_ENTRIES: Final = 200
MAX_ADDRESSES: Final = 20_000
MIN_WORDS: Final = 2
MIN_MAILBOX_LENGTH: Final = 4
"""Shorter ones (`an`, `info`) are too common to say anything."""
COMMON_MAILBOXES: Final = frozenset({"info", "admin", "sales", "contact", "office", "support", "hello", "mail"})
_TAG = re.compile(r"\+.*")
_MARKS = re.compile(r"[._-]")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ContradictingClaim:
    """An identity that an interaction of the person gave, or a row of an import, and that is another's. Of
    `interaction` and `import_id` one is None."""

    kind: str
    value: str
    interaction: str | None
    import_id: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Somebody who might be the same person, and why. `parted`: they were one person once, until somebody split them
    or took the merge back. `apart` is the event by which somebody holds them for two people."""

    person: Person
    grounds: tuple[Ground, ...]
    claims: tuple[ContradictingClaim, ...]
    parted: bool
    apart: str | None = None


class Traces(NamedTuple):
    """What is known of a person that others may share: e-mail addresses, folded postal addresses."""

    emails: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


ANY: Final = Traces(frozenset({""}), frozenset({""}))


def are_similar(one: str, other: str) -> bool:
    """Tell whether two normalised e-mail addresses may well be one person's: the same mailbox at another host or
    written otherwise (`an.nguyen+shop@`, `annguyen@`), or a letter amiss in one of the two."""
    (mailbox, _, host), (other_mailbox, _, other_host) = one.partition("@"), other.partition("@")
    bare, other_bare = _bare(mailbox), _bare(other_mailbox)
    if min(len(bare), len(other_bare)) < MIN_MAILBOX_LENGTH or COMMON_MAILBOXES & {bare, other_bare}:
        return False
    return bare == other_bare or (host == other_host and is_a_letter_off(bare, other_bare))


def is_a_letter_off(one: str, other: str) -> bool:
    """Tell whether one letter more, less or other makes `one` of `other`."""
    short, long = sorted((one, other), key=len)
    if one == other or len(long) - len(short) > 1:
        return False
    at = next((index for index, letter in enumerate(short) if letter != long[index]), len(short))
    rest = short[at:] if len(short) < len(long) else short[at + 1 :]
    return rest == long[at + 1 :]


def second_grounds(one: Traces, other: Traces) -> list[Ground]:
    """Return what two people of one name share besides."""
    grounds: list[Ground] = []
    if any(are_similar(mine, theirs) for mine in one.emails for theirs in other.emails):
        grounds.append("similar_email")
    if one.addresses & other.addresses:
        grounds.append("same_address")
    return grounds


async def read(session: AsyncSession, who: Person) -> list[Suggestion]:
    """Return who might be the same person as `who`, the best grounded first, those who were judged last."""
    claims = await _claims(session, who)
    second = await _namesakes(session, who)
    named = {owner for _, owner in claims}
    links = [person.as_link(row) for row in await person.history(session, who.ids)]
    apart = link.held_apart(links)
    parted = frozenset[str]().union(*(link.once(links, profile) for profile in who.ids))
    found = []
    for each in await _people(session, {*second, *named} - set(who.ids)):
        its_claims = tuple(claim for claim, owner in claims if owner in each.ids)
        grounds: list[Ground] = ["same_name", *second[each.id]] if each.id in second else []
        if its_claims:
            grounds.append("contradicting_claim")
        judgement = link.judged(apart, who.ids, each.ids)
        found.append(Suggestion(each, tuple(grounds), its_claims, not parted.isdisjoint(each.ids), judgement))
    return sorted(found, key=lambda each: (each.apart is not None, -len(each.grounds), each.person.id))


def _bare(mailbox: str) -> str:
    return _MARKS.sub("", _TAG.sub("", mailbox))


def _names(who: Person) -> set[str]:
    return {each.name_folded for each in who.profiles if len(each.name_folded.split()) >= MIN_WORDS}


async def _namesakes(session: AsyncSession, who: Person) -> dict[str, list[Ground]]:
    """Return the people of the same name who share something besides, by id, with what that is.

    A common name may be that of thousands: of nobody more is read than what can be compared.
    """
    mine = await _traces(session, dict.fromkeys(who.ids, who.id), ANY)
    compared = mine.get(who.id, Traces())
    if not any(compared):
        return {}
    whose = await _profiles_named(session, who)
    traces = await _traces(session, whose, compared)
    second = {id_: second_grounds(compared, theirs) for id_, theirs in traces.items()}
    return {id_: grounds for id_, grounds in second.items() if grounds}


async def _profiles_named(session: AsyncSession, who: Person) -> dict[str, str]:
    """Return the profiles of the others of whom one has a name of this person's, each with its person's id."""
    named = (
        select(Customer.id, Customer.person_id)
        .where(Customer.name_folded.in_(_names(who)), Customer.id.not_in(who.ids))
        .order_by(Customer.name_folded, Customer.id)
        .limit(MAX_NAMESAKES)
    )
    rows = list(await session.execute(named))
    merged = {head for _, head in rows if head is not None}
    together = select(Customer.id, Customer.person_id).where(Customer.person_id.in_(merged))
    rows += list(await session.execute(together)) if merged else []
    return {profile: head or profile for profile, head in rows}


async def _claims(session: AsyncSession, who: Person) -> list[tuple[ContradictingClaim, str]]:
    """Return the claims of the person's newest entries, and of imports, that contradict a stronger link, each with whom
    they name."""
    said = [
        (ContradictingClaim(each["kind"], each["value"], row.id), each["customer"])
        for row in await timeline.page(session, who.ids, limit=MAX_ENTRIES)
        for each in row.outcome.get("conflicts", ())
    ]
    imported = (
        select(Identity.kind, Identity.value, ImportNote.import_id, ImportNote.row, Identity.customer_id)
        .join(Identity, Identity.id == ImportNote.identity_id)
        .where(ImportNote.customer_id.in_(who.ids), ImportNote.kind == "contradiction")
        .order_by(ImportNote.id.desc())
        .limit(MAX_ENTRIES)
    )
    return said + [
        (ContradictingClaim(kind, value, None, import_id, row), owner)
        for kind, value, import_id, row, owner in await session.execute(imported)
    ]


async def _people(session: AsyncSession, profiles: Collection[str]) -> list[Person]:
    """Return the people of some profiles, each once."""
    found = await session.scalars(select(Customer).where(Customer.id.in_(profiles)).order_by(Customer.id))
    return list({each.id: each for each in await person.of_all(session, found.all())}.values())


async def _traces(session: AsyncSession, whose: Mapping[str, str], like: Traces) -> dict[str, Traces]:
    """Return what is known of people, by id, of that kind of which `like` has any. `whose` are their profiles."""
    emails: dict[str, set[str]] = {}
    addresses: dict[str, set[str]] = {}
    if like.emails:
        of_email = select(Identity.customer_id, Identity.value).where(Identity.kind == "email")
        for profile, value in await session.execute(of_email.where(Identity.customer_id.in_(whose))):
            emails.setdefault(whose[profile], set()).add(value)
    if like.addresses:
        said = Interaction.attributes["address"].as_string()
        newest = (
            select(Interaction.customer_id, said)
            .where(Interaction.customer_id.in_(whose), Interaction.channel != timeline.CALL, said.is_not(None))
            .order_by(Interaction.occurred_at.desc())
            .limit(MAX_ADDRESSES)
        )
        for profile, address in await session.execute(newest):
            if folded := _NO_WORD.sub(" ", fold(address)).strip():
                addresses.setdefault(whose[profile], set()).add(folded)
    found = {*emails, *addresses}
    return {each: Traces(frozenset(emails.get(each, ())), frozenset(addresses.get(each, ()))) for each in found}
