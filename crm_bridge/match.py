"""Whose event is this? Exact on normalised identities; one person, one profile, however many events come at once.

Rule 1: what is known decides. If the known identities of an event point to one customer, the others are linked to
that customer, each with its source and evidence.
Rule 2: no silent merge. If they point to different customers, the event goes to the customer of the strongest, and
the contradiction is returned for a person to judge; no existing identity moves. Profiles that somebody put together
contradict each other no more.
Rule 3: a claim joins the history and proves nothing. A new link is worth no more than the one it leans on, and no
event raises what a link is worth.
Rule 4: what is known to be shared identifies nobody. It decides only where an event has nothing else, and proves
nothing then; whoever an event proves to be of is remembered as somebody who uses it.
Rule 5: two events of one new person at the same instant make one profile. The unique constraint on (kind, value)
decides who was first; the other takes its profile back and looks again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Select, and_, delete, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.identity import Kind
from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import Customer, Identity, IdentityUser

ATTEMPTS: Final = 5
CLAIMED_CONFIDENCE: Final = 0.5
SIGNED_ASSURANCE: Final = 2

# What a channel itself carries of the person: anything else in its events is a claim.
CARRIED_BY: Final[dict[str, Kind]] = {
    "call": "phone",
    "phone": "phone",
    "sms": "phone",
    "email": "email",
    "zalo": "zalo",
    "facebook": "facebook",
    "messenger": "facebook",
    "webchat": "web",
}
SHARED_BY_HOUSES: Final[frozenset[str]] = frozenset({"phone", "email"})
"""Kinds that several people may use: of the others, each is one account or one browser."""


class MatchContended(RuntimeError):
    """Other writers took an identity of the event again and again: roll back and try the event anew."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A normalised identity in an event, and what it is worth there (see `crm_bridge.tables.Identity`)."""

    kind: Kind
    value: str
    assurance: int
    confidence: float

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.value


@dataclass(frozen=True, slots=True)
class Conflict:
    """An identity of the event that belongs to another person than the one the event went to; `customer` is theirs."""

    kind: str
    value: str
    customer: str


@dataclass(frozen=True, slots=True)
class Match:
    """The customer of an event. `matched_by` is the identity that decided, None for a customer it created.

    `assurance` is what the event proves of that customer: no more than the deciding identity, and than its link;
    `confidence` is that of this link. `shared`: what several people use decided, for want of anything else.
    """

    customer: str
    created: bool
    matched_by: Claim | None
    conflicts: tuple[Conflict, ...] = ()
    assurance: int = 0
    confidence: float = 1.0
    shared: bool = False


def claim(channel: str, kind: Kind, value: str) -> Claim:
    """Return what a normalised identity is worth in an event of `channel`.

    Another system's own id (`external`) comes from that system, never from the mouth of a customer.
    """
    carried = kind == "external" or CARRIED_BY.get(channel) == kind
    return Claim(kind, value, assurance=1 if carried else 0, confidence=1.0 if carried else CLAIMED_CONFIDENCE)


def claim_by(signed: Kind | None, kind: Kind, value: str) -> Claim:
    """Return what a normalised identity is worth in an event that a far end signed, or that anybody could have sent.

    `signed` is the kind that the signature vouches for, None for an event without one. Everything else is a claim,
    whatever the channel is called.
    """
    if kind == signed:
        return Claim(kind, value, assurance=SIGNED_ASSURANCE, confidence=1.0)
    return Claim(kind, value, assurance=0, confidence=CLAIMED_CONFIDENCE)


async def find_or_create(
    session: AsyncSession, claims: Sequence[Claim], *, source: str, evidence: str, now: float
) -> Match:
    """Return the customer that `claims` (at least one) belong to, and make one if nobody is known by any of them.

    Writes without committing. Raises `MatchContended`.
    """
    if not claims:
        raise ValueError("an event without an identity belongs to nobody: match it by at least one")
    distinct = tuple({each.key: each for each in claims}.values())
    for _ in range(ATTEMPTS):
        owners = await _owners(session, distinct)
        shared = {key: row for key, row in owners.items() if row.shared_at is not None}
        own = [each for each in distinct if each.key not in shared]
        if not own:
            by = distinct[0]
            return Match(shared[by.key].customer_id, created=False, matched_by=by, confidence=0.0, shared=True)
        known = {key: row for key, row in owners.items() if key not in shared}
        if known:
            match = await _join(session, own, known, source=source, evidence=evidence, now=now)
        else:
            customer = await _create(session, own, source=source, evidence=evidence, now=now)
            match = Match(customer, created=True, matched_by=None)
        if match.customer:
            await _note_users(session, match, own, shared, source=source, evidence=evidence, now=now)
            return match
    raise MatchContended(f"{ATTEMPTS} attempts to match an event of channel {source} were overtaken by other writers")


async def _owners(session: AsyncSession, claims: Iterable[Claim]) -> dict[tuple[str, str], Identity]:
    """Return the rows of those identities that are known, by (kind, value)."""
    found = await session.scalars(_owning(claims).execution_options(populate_existing=True))
    return {(row.kind, row.value): row for row in found}


def _owning(claims: Iterable[Claim]) -> Select[Identity]:
    # Not `(kind, value) IN (…)`: for more than one pair SQLite reads the whole table then, and no index.
    return select(Identity).where(
        or_(false(), *(and_(Identity.kind == each.kind, Identity.value == each.value) for each in claims))
    )


async def _join(
    session: AsyncSession,
    claims: Sequence[Claim],
    owners: dict[tuple[str, str], Identity],
    *,
    source: str,
    evidence: str,
    now: float,
) -> Match:
    """Link what is new to the customer of the strongest known identity, and note what contradicts it."""
    decisive = decide(claims, owners)
    customer = owners[decisive.key].customer_id
    unknown = [through(each, decisive, owners[decisive.key]) for each in claims if each.key not in owners]
    if unknown:
        taken = [
            each
            for each in in_locking_order(unknown)
            if not await _link(session, customer, each, source=source, evidence=evidence, now=now)
        ]
        await session.execute(update(Customer).where(Customer.id == customer).values(updated_at=now))
        owners |= await _owners(session, taken) if taken else {}
    known = [owners[each.key] for each in claims if each.key in owners]
    conflicts = await _conflicts(session, customer, known)
    link = owners[decisive.key]
    proven = min(decisive.assurance, link.assurance)
    return Match(customer, False, decisive, conflicts, assurance=proven, confidence=link.confidence)


async def _note_users(
    session: AsyncSession,
    match: Match,
    own: Sequence[Claim],
    shared: Iterable[tuple[str, str]],
    *,
    source: str,
    evidence: str,
    now: float,
) -> None:
    """Remember that the customer of an event uses what belongs to others or to several, where the event proves to be of
    that customer."""
    foreign = {*shared, *((each.kind, each.value) for each in match.conflicts if each.kind in SHARED_BY_HOUSES)}
    if not match.assurance and not (match.created and any(each.assurance for each in own)):
        return
    for kind, value in sorted(foreign):
        row = {"id": new_id(), "kind": kind, "value": value, "customer_id": match.customer, "source": source}
        await insert_if_free(session, IdentityUser, row | {"evidence": evidence, "at": now})


async def _conflicts(session: AsyncSession, customer: str, known: Sequence[Identity]) -> tuple[Conflict, ...]:
    """Return which of the known identities are another person's; without other owners that takes no read."""
    owners = {row.customer_id for row in known} | {customer}
    if len(owners) == 1:
        return ()
    whose = select(Customer.id, func.coalesce(Customer.person_id, Customer.id)).where(Customer.id.in_(owners))
    person = dict((await session.execute(whose)).all())
    return tuple(
        Conflict(row.kind, row.value, person[row.customer_id])
        for row in known
        if person[row.customer_id] != person[customer]
    )


async def _create(session: AsyncSession, claims: Sequence[Claim], *, source: str, evidence: str, now: float) -> str:
    """Make a customer with these identities; "" if somebody else got one of them first."""
    customer = new_id()
    await session.execute(insert(Customer).values(id=customer, created_at=now, updated_at=now))
    for each in in_locking_order(claims):
        if not await _link(session, customer, each, source=source, evidence=evidence, now=now):
            # Nobody has seen the profile yet: it was made in this very transaction.
            await session.execute(delete(Identity).where(Identity.customer_id == customer))
            await session.execute(delete(Customer).where(Customer.id == customer))
            return ""
    return customer


async def _link(session: AsyncSession, customer: str, each: Claim, *, source: str, evidence: str, now: float) -> bool:
    return await insert_if_free(
        session,
        Identity,
        {
            "id": new_id(),
            "customer_id": customer,
            "kind": each.kind,
            "value": each.value,
            "assurance": each.assurance,
            "source": source,
            "evidence": evidence,
            "confidence": each.confidence,
            "created_at": now,
        },
    )


# ------------------------------------------------------------------------------------------------------- rules, pure


class Worth(Protocol):
    """What a link is worth: a row of `identities`, or what is going to be one."""

    @property
    def assurance(self) -> int:
        """0 to 3."""

    @property
    def confidence(self) -> float:
        """0 to 1."""


def decide(claims: Sequence[Claim], owners: Mapping[tuple[str, str], Worth]) -> Claim:
    """Return the claim whose owner an event goes to: of those that are known (at least one), the strongest."""
    return max((each for each in claims if each.key in owners), key=lambda each: _strength(each, owners[each.key]))


def _strength(each: Claim, row: Worth) -> tuple[int, bool, int, float]:
    """Return what to compare known identities by; of equals, `max` keeps the one that the event named first. Of
    what is worth the same in the event a browser says least: whoever signs in at one is not who sat there before."""
    return each.assurance, each.kind != "web", row.assurance, row.confidence


def through(each: Claim, decisive: Claim, row: Worth) -> Claim:
    """Return what a new link is worth: no more than the link it leans on. Whoever types a victim's number joins the
    victim's history as a claim, is trusted with nothing, and what they claim besides is worth less still."""
    return Claim(
        each.kind,
        each.value,
        assurance=min(each.assurance, decisive.assurance, row.assurance),
        confidence=each.confidence * min(decisive.confidence, row.confidence),
    )


def in_locking_order(claims: Iterable[Claim]) -> list[Claim]:
    """Return claims in an order all writers share: two that insert the same keys crosswise would wait for each other
    for ever."""
    return sorted(claims, key=lambda each: each.key)
