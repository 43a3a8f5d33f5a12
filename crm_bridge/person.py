"""A person: one profile, or several that somebody put together. Rows stay with the profile they were made for.

Rule 1: `customer_links` is the truth and only ever grows (but for an erasure, docs/privacy.md). `customers.person_id`
is worked out from it (`crm_bridge.link`) and is NULL for a profile that is alone, so that whoever was never merged
costs no look-up more.
Rule 2: no identity, interaction, case, call or recording moves. Whoever reads asks for the profiles of a person.
Rule 3: a person's id is that of its oldest profile, in whatever order the profiles came together. The id of every
profile of a person finds the whole person.
Rule 4: writers of links take turns, so that the order of the events is one that all of them saw.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from sqlalchemy import ColumnElement, CompoundSelect, and_, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge import link
from crm_bridge.link import Effect, Link, LinkKind, Persons
from crm_bridge.rows import new_id
from crm_bridge.tables import Customer, CustomerLink

MAX_PROFILES: Final = 100
"""More profiles are not one person but a mistake of a program, and every one of them is read with each look-up."""
CLAIM: Final = "claim"
"""The source of a merge that nobody judged: `crm_bridge.joining`."""
_TURN: Final = 0x6C696E6B  # PostgreSQL's advisory lock of whoever writes links


class NoProfile(LookupError):
    """There is no profile of this id."""


class NoLink(LookupError):
    """There is no event of this id."""


class LinkRefused(ValueError):
    """The event would say nothing, or make something that cannot be; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Person:
    """The profiles of a person, the oldest first (at least one). What one lacks, the next may have. `guests` are those
    that a claim alone has put with the others."""

    profiles: tuple[Customer, ...]
    guests: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return self.profiles[0].id

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.profiles)

    @property
    def name(self) -> str:
        return next((each.name for each in self.profiles if each.name), "")

    @property
    def language(self) -> str:
        return next((each.language for each in self.profiles if each.language), "")

    @property
    def tags(self) -> list[str]:
        return list(dict.fromkeys(tag for each in self.profiles for tag in each.tags))

    @property
    def updated_at(self) -> float:
        return max(each.updated_at for each in self.profiles)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why somebody merges, splits or undoes: `evidence` in words, the `source` it came by, and who it was."""

    evidence: str
    source: str
    by: str


@dataclass(frozen=True, slots=True)
class Linked:
    """What became of an event. `persons` are the profiles of all whom it concerns, as they are now, the oldest first.
    `repeated`: it was there already."""

    row: CustomerLink
    effect: Effect
    persons: tuple[tuple[str, ...], ...]
    repeated: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """What listeners are told of it."""
        return {"link": self.row.id, "persons": [{"id": each[0], "profiles": list(each)} for each in self.persons]}


def together(customer_id: str) -> CompoundSelect[str]:
    """Return a query for the ids of all profiles of the person of `customer_id`, to be used with `in_`. Of an id that
    is nobody's it is that id alone."""
    same = aliased(Customer)
    others = select(same.id).join(Customer, Customer.person_id == same.person_id).where(Customer.id == customer_id)
    return select(literal(customer_id)).union(others)


async def of(session: AsyncSession, profile: Customer) -> Person:
    """Return the person of a profile; one read, and none for a profile that is alone."""
    if profile.person_id is None:
        return Person((profile,))
    return (await of_all(session, [profile]))[0]


async def of_all(session: AsyncSession, profiles: Sequence[Customer]) -> list[Person]:
    """Return the person of each of `profiles`, in their order; one read for all that were ever merged."""
    wanted = {each.person_id for each in profiles if each.person_id is not None}
    members: dict[str, list[Customer]] = {each: [] for each in wanted}
    guests: set[str] = set()
    if wanted:
        found = await session.execute(
            select(Customer, _claimed_to_be_another())
            .where(Customer.person_id.in_(wanted))
            .order_by(Customer.created_at, Customer.id)
            .execution_options(populate_existing=True)
        )
        for row, is_guest in found:
            members[str(row.person_id)].append(row)
            guests |= {row.id} if is_guest else set()
    people = {id_: Person(tuple(rows), frozenset({each.id for each in rows} & guests)) for id_, rows in members.items()}
    return [Person((each,)) if each.person_id is None else people[each.person_id] for each in profiles]


async def names(session: AsyncSession, profiles: Collection[str]) -> dict[str, str]:
    """Return what the persons of profiles are called, by the profiles that there are."""
    rows = (await session.scalars(select(Customer).where(Customer.id.in_(profiles)))).all() if profiles else []
    return {row.id: who.name for row, who in zip(rows, await of_all(session, rows), strict=True)}


async def whole(session: AsyncSession, customer_id: str) -> Person:
    """Return the person of a profile that there is, by its id; one read. Raises `NoProfile`."""
    head = select(Customer.person_id).where(Customer.id == customer_id).scalar_subquery()
    found = await session.execute(
        select(Customer, _claimed_to_be_another())
        .where(or_(Customer.id == customer_id, Customer.person_id == head))
        .order_by(Customer.created_at, Customer.id)
        .execution_options(populate_existing=True)
    )
    rows = [(row, is_guest) for row, is_guest in found]
    if not rows:
        raise NoProfile(customer_id)
    guests = {row.id for row, is_guest in rows if is_guest} if len(rows) > 1 else set()
    return Person(tuple(row for row, _ in rows), frozenset(guests))


def _claimed_to_be_another() -> ColumnElement[bool]:
    """Tell, in a query, whether a claim put the profile with another, which nobody took back or confirmed."""
    confirmed = aliased(CustomerLink)
    by_claim = and_(CustomerLink.customer_id == Customer.id, CustomerLink.source == CLAIM, _is_live_merge(CustomerLink))
    by_somebody = and_(
        or_(confirmed.customer_id == Customer.id, confirmed.other_id == Customer.id),
        confirmed.source != CLAIM,
        _is_live_merge(confirmed),
    )
    return and_(exists().where(by_claim), ~exists().where(by_somebody))


def _is_live_merge(row: type[CustomerLink]) -> ColumnElement[bool]:
    undo = aliased(CustomerLink)
    return and_(row.kind == "merge", ~exists().where(undo.kind == "undo", undo.undoes == row.id))


async def read(session: AsyncSession, customer_id: str) -> Person | None:
    """Return the person whom a profile's id stands for, None if there is no such profile."""
    profile = await session.get(Customer, customer_id, populate_existing=True)
    return None if profile is None else await of(session, profile)


# ------------------------------------------------------------------------------------------------------ events


async def merge(session: AsyncSession, one: str, other: str, grounds: Grounds, now: float) -> Linked:
    """Make one person of the persons of two profiles. The same merge again changes nothing.

    Writes without committing. Raises `NoProfile` and `LinkRefused`.
    """
    if one == other:
        raise LinkRefused("a profile cannot be merged with itself: name another one in `with`")
    await _turn(session)
    for each in (one, other):
        await _existing(session, each)
    rows = await history(session, {one, other})
    links = [as_link(row) for row in rows]
    before = link.persons(links)
    # What a claim has put together somebody may still confirm.
    said = [as_link(row) for row in rows if row.source != CLAIM or grounds.source == CLAIM]
    known = link.repeated(said, link.live(links), before, one, other)
    if known is not None:
        row = next(each for each in rows if each.id == known)
        return Linked(row, "none", await _heads(session, before, {one, other}), repeated=True)
    return await _append(session, rows, "merge", one, other, None, grounds, now)


async def hold_apart(session: AsyncSession, one: str, other: str, grounds: Grounds, now: float) -> Linked:
    """Keep that two people are not the same: nobody merges them until that is undone. The same again changes nothing.

    Writes without committing. Raises `NoProfile` and `LinkRefused`.
    """
    await _turn(session)
    whole = await of(session, await _existing(session, one))
    theirs = await of(session, await _existing(session, other))
    if other in whole.ids:
        raise LinkRefused("these two are one person now: split one off, or undo what put them together")
    rows = await history(session, {one, other})
    known = link.judged(link.held_apart([as_link(row) for row in rows]), whole.ids, theirs.ids)
    if known is not None:
        row = next(each for each in rows if each.id == known)
        return Linked(row, "none", (whole.ids, theirs.ids), repeated=True)
    return await _append(session, rows, "apart", one, other, None, grounds, now)


async def split(session: AsyncSession, customer_id: str, profile: str, grounds: Grounds, now: float) -> Linked:
    """Take one profile out of the person of `customer_id`; the rest of the person stays together.

    Writes without committing. Raises `NoProfile` and `LinkRefused`.
    """
    await _turn(session)
    found = await of(session, await _existing(session, customer_id))
    if profile not in found.ids:
        raise LinkRefused("the profile in `profile` is not one of this person: name one of its `profiles`")
    if len(found.ids) == 1:
        raise LinkRefused("this person has one profile only: there is nothing to take apart")
    return await _append(session, await history(session, {profile}), "split", profile, None, None, grounds, now)


async def undo(session: AsyncSession, link_id: str, grounds: Grounds, now: float) -> Linked:
    """Take back a merge, a split or an undo: everybody is who they would be if it had never been.

    Writes without committing. Raises `NoLink` and `LinkRefused`.
    """
    await _turn(session)
    row = await session.get(CustomerLink, link_id, populate_existing=True)
    if row is None:
        raise NoLink("there is no such link; GET /api/v1/customers/{id}/links lists those of a person")
    rows = await history(session, as_link(row).profiles)
    if link_id not in link.live([as_link(each) for each in rows]):
        raise LinkRefused("this link is undone already: undo the undo in its stead to have it again")
    return await _append(session, rows, "undo", row.customer_id, row.other_id, link_id, grounds, now)


async def history(session: AsyncSession, profiles: Collection[str]) -> list[CustomerLink]:
    """Return every event that bears on who these profiles are, oldest first: theirs, and those of all profiles that
    were ever put together with them, however far. Whom they are held apart from is named, and goes no further."""
    known: set[str] = set()
    found: dict[str, CustomerLink] = {}
    wanted = set(profiles)
    while wanted:
        known |= wanted
        rows = await session.scalars(
            select(CustomerLink).where(
                or_(CustomerLink.customer_id.in_(wanted), CustomerLink.other_id.in_(wanted)),
            )
        )
        found |= {row.id: row for row in rows}
        links = [as_link(row) for row in _in_order(found.values())]
        aside = link.judgements(links)
        wanted = {profile for each in links if each.id not in aside for profile in each.profiles} - known
    return _in_order(found.values())


def _in_order(rows: Iterable[CustomerLink]) -> list[CustomerLink]:
    return sorted(rows, key=lambda row: (row.at, row.id))


def as_link(row: CustomerLink) -> Link:
    """Return a row as the event it keeps."""
    return Link(row.id, _KINDS[row.kind], row.customer_id, row.other_id, row.undoes)


_KINDS: Final[dict[str, LinkKind]] = {each: each for each in get_args(LinkKind)}


async def _append(
    session: AsyncSession,
    rows: Sequence[CustomerLink],
    kind: LinkKind,
    customer_id: str,
    other_id: str | None,
    undoes: str | None,
    grounds: Grounds,
    now: float,
) -> Linked:
    """Write an event after those of `rows`, all that bear on its profiles, and what follows from it."""
    row = CustomerLink(
        id=new_id(),
        kind=kind,
        customer_id=customer_id,
        other_id=other_id,
        undoes=undoes,
        evidence=grounds.evidence,
        source=grounds.source,
        by=grounds.by,
        # The order is that of the instants, and a clock may stand still or be set back.
        at=max(now, math.nextafter(rows[-1].at, math.inf)) if rows else now,
    )
    links = [as_link(each) for each in (*rows, row)]
    before, after = link.persons(links[:-1]), link.persons(links)
    _respect_judgements({each.id: each for each in rows}, links, after)
    changed = {profile for profile, whole in after.items() if whole != before.get(profile, frozenset({profile}))}
    if any(len(after[profile]) > MAX_PROFILES for profile in changed):
        raise LinkRefused(f"one person would have more than {MAX_PROFILES} profiles: split off what is not theirs")
    session.add(row)
    await session.flush()
    await _point(session, {after[profile] for profile in changed})
    concerned = changed | as_link(row).profiles
    return Linked(row, link.effect(before, after), await _heads(session, after, concerned))


def _respect_judgements(rows: Mapping[str, CustomerLink], links: Sequence[Link], after: Persons) -> None:
    """Raise `LinkRefused` where two would become one person whom somebody holds apart, by whatever way."""
    for each in link.held_apart(links):
        if each.other in after[each.customer]:
            row = rows[each.id]
            raise LinkRefused(
                f"{row.by or 'somebody'} holds them for different people ({row.evidence}): undo that first, "
                f"POST /api/v1/merges/{row.id}/undo"
            )


async def _point(session: AsyncSession, wholes: Iterable[frozenset[str]]) -> None:
    """Write `person_id` of everybody whose person has changed."""
    for whole in wholes:
        ordered = await _by_age(session, whole)
        head = ordered[0] if len(ordered) > 1 else None
        await session.execute(update(Customer).where(Customer.id.in_(whole)).values(person_id=head))


async def _heads(session: AsyncSession, together: Persons, profiles: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the profiles of everybody concerned; nobody for those that are erased."""
    wholes = {together[profile] for profile in profiles}
    found = [tuple(await _by_age(session, whole)) for whole in wholes]
    return tuple(sorted(each for each in found if each))


async def _by_age(session: AsyncSession, whole: frozenset[str]) -> list[str]:
    found = await session.scalars(
        select(Customer.id).where(Customer.id.in_(whole)).order_by(Customer.created_at, Customer.id)
    )
    return list(found)


async def _existing(session: AsyncSession, customer_id: str) -> Customer:
    profile = await session.get(Customer, customer_id, populate_existing=True)
    if profile is None:
        raise NoProfile(customer_id)
    return profile


async def _turn(session: AsyncSession) -> None:
    """Wait until nobody else writes links. SQLite has one writer anyhow; its transactions begin with the lock."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(_TURN)))
