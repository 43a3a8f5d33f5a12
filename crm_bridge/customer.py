"""People: reading a whole person, finding people, filling what is empty in a profile.

A person whose profiles somebody put together is read and found as one, by whichever of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm_bridge import person
from crm_bridge.identity import Kind, fold
from crm_bridge.person import Person
from crm_bridge.tables import Case, Customer, Identity, IdentityUser


@dataclass(frozen=True, slots=True)
class Profile:
    """A person with everything that is theirs but the timeline; open cases first, then the newest. `uses` are what they
    use of others."""

    person: Person
    identities: tuple[Identity, ...]
    cases: tuple[Case, ...]
    uses: tuple[IdentityUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody typed to find a person: words of a name, or an identity, which `identities` are by kind."""

    text: str
    identities: tuple[tuple[Kind, str], ...]

    @property
    def words(self) -> list[str]:
        """The words as of a name. A number or an address is nobody's name, and is found by indexes alone."""
        is_name = {kind for kind, _ in self.identities}.isdisjoint(("phone", "email"))
        return fold(self.text).split() if is_name else []


async def read(session: AsyncSession, customer_id: str) -> Profile | None:
    """Return the person of a profile, or None if there is no such customer."""
    found = await person.read(session, customer_id)
    return None if found is None else (await _profiles(session, [found]))[0]


async def find(
    session: AsyncSession,
    identities: Sequence[tuple[Kind, str]],
    name: str = "",
    *,
    anyhow: Written | None = None,
    after: tuple[str, str] | None = None,
    limit: int,
) -> list[Profile]:
    """Return the people who own every one of `identities` (normalised) and of whom a profile's name holds every word of
    `name`, whatever its case and diacritics; with `anyhow`, also who owns one of its identities or is called by its
    words. They come by the name of their oldest profile; `after` is the (name_folded, id) of the last one seen. A
    visitor of whom nothing but browsers is known is nobody yet, and is found by those alone."""
    # One row a person: the profile that is alone, or the oldest.
    conditions: list[ColumnElement[bool]] = [or_(Customer.person_id.is_(None), Customer.person_id == Customer.id)]
    conditions += [_owns(kind, value) for kind, value in identities] or ([] if anyhow else [_is_somebody()])
    if words := fold(name).split():
        conditions.append(_is_called(words))
    if anyhow is not None:
        called = [_is_called(anyhow.words)] if anyhow.words else []
        conditions.append(or_(false(), *called, *(_owns(kind, value) for kind, value in anyhow.identities)))
    if after is not None:
        conditions.append(tuple_(Customer.name_folded, Customer.id) > after)
    found = await session.scalars(
        select(Customer).where(*conditions).order_by(Customer.name_folded, Customer.id).limit(limit)
    )
    return await _profiles(session, await person.of_all(session, found.all()))


def _is_somebody() -> ColumnElement[bool]:
    """Tell whether a profile is more than a visitor: known by a name, by somebody, or by anything but a browser."""
    its = Identity.customer_id == Customer.id
    return or_(
        Customer.name_folded != "",
        Customer.person_id.is_not(None),
        exists().where(its, Identity.kind != "web"),
        ~exists().where(its),
    )


def _owns(kind: Kind, value: str) -> ColumnElement[bool]:
    owner = aliased(Customer)
    return Customer.id.in_(
        select(func.coalesce(owner.person_id, owner.id))
        .join(Identity, Identity.customer_id == owner.id)
        .where(Identity.kind == kind, Identity.value == value)
    )


def _is_called(words: Sequence[str]) -> ColumnElement[bool]:
    other = aliased(Customer)
    # A range of the index: SQLite uses none for IS NOT NULL.
    of_another_profile = select(other.person_id).where(
        other.person_id > "", *(other.name_folded.contains(word, autoescape=True) for word in words)
    )
    its_own = and_(*(Customer.name_folded.contains(word, autoescape=True) for word in words))
    return or_(its_own, Customer.id.in_(of_another_profile))


async def fill(
    session: AsyncSession, customer_id: str, *, name: str, language: str, tags: Sequence[str], now: float
) -> None:
    """Write `name` and `language` where the profile has none, and add `tags` that it lacks. What is there stays."""
    if name:
        empty = (Customer.id == customer_id, Customer.name == "")
        await session.execute(update(Customer).where(*empty).values(name=name, name_folded=fold(name), updated_at=now))
    if language:
        empty = (Customer.id == customer_id, Customer.language == "")
        await session.execute(update(Customer).where(*empty).values(language=language, updated_at=now))
    if tags:
        had = (await session.scalars(select(Customer.tags).where(Customer.id == customer_id))).one()
        missing = [tag for tag in dict.fromkeys(tags) if tag not in had]
        if missing:
            await session.execute(
                update(Customer).where(Customer.id == customer_id).values(tags=[*had, *missing], updated_at=now)
            )


async def _profiles(session: AsyncSession, people: Sequence[Person]) -> list[Profile]:
    """Return everything of `people`, in their order."""
    whose = {profile: each.id for each in people for profile in each.ids}
    identities: dict[str, list[Identity]] = {each.id: [] for each in people}
    cases: dict[str, list[Case]] = {each.id: [] for each in people}
    uses: dict[str, list[IdentityUser]] = {each.id: [] for each in people}
    if whose:
        for identity in await session.scalars(
            select(Identity).where(Identity.customer_id.in_(whose)).order_by(Identity.created_at, Identity.id)
        ):
            identities[whose[identity.customer_id]].append(identity)
        for used in await session.scalars(
            select(IdentityUser).where(IdentityUser.customer_id.in_(whose)).order_by(IdentityUser.at, IdentityUser.id)
        ):
            uses[whose[used.customer_id]].append(used)
        for case in await session.scalars(
            select(Case)
            .where(Case.customer_id.in_(whose))
            .order_by(Case.state.desc(), Case.opened_at.desc(), Case.id)  # "open" sorts after "closed"
        ):
            cases[whose[case.customer_id]].append(case)
    return [Profile(each, tuple(identities[each.id]), tuple(cases[each.id]), tuple(uses[each.id])) for each in people]
