"""People: reading a whole profile, finding profiles, filling what is empty in one."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.identity import Kind, fold
from crm_bridge.tables import Case, Customer, Identity


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer with everything that is theirs but the timeline; open cases first, then the newest."""

    customer: Customer
    identities: tuple[Identity, ...]
    cases: tuple[Case, ...]


async def read(session: AsyncSession, customer_id: str) -> Profile | None:
    """Return a profile, or None if there is no such customer."""
    customer = await session.get(Customer, customer_id, populate_existing=True)
    return None if customer is None else (await _profiles(session, [customer]))[0]


async def find(
    session: AsyncSession,
    identities: Sequence[tuple[Kind, str]],
    name: str = "",
    *,
    after: tuple[str, str] | None = None,
    limit: int,
) -> list[Profile]:
    """Return the profiles that own every one of `identities` (normalised) and whose name holds every word of `name`,
    whatever its case and diacritics; by name. `after` is the (name_folded, id) of the last one seen."""
    conditions: list[ColumnElement[bool]] = [
        select(Identity.id)
        .where(Identity.customer_id == Customer.id, Identity.kind == kind, Identity.value == value)
        .exists()
        for kind, value in identities
    ]
    conditions += [Customer.name_folded.contains(word, autoescape=True) for word in fold(name).split()]
    if after is not None:
        conditions.append(tuple_(Customer.name_folded, Customer.id) > after)
    found = await session.scalars(
        select(Customer).where(*conditions).order_by(Customer.name_folded, Customer.id).limit(limit)
    )
    return await _profiles(session, found.all())


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


async def _profiles(session: AsyncSession, customers: Sequence[Customer]) -> list[Profile]:
    ids = [customer.id for customer in customers]
    identities: dict[str, list[Identity]] = {each: [] for each in ids}
    cases: dict[str, list[Case]] = {each: [] for each in ids}
    if ids:
        for identity in await session.scalars(
            select(Identity).where(Identity.customer_id.in_(ids)).order_by(Identity.created_at, Identity.id)
        ):
            identities[identity.customer_id].append(identity)
        for case in await session.scalars(
            select(Case)
            .where(Case.customer_id.in_(ids))
            .order_by(Case.state.desc(), Case.opened_at.desc(), Case.id)  # "open" sorts after "closed"
        ):
            cases[case.customer_id].append(case)
    return [Profile(each, tuple(identities[each.id]), tuple(cases[each.id])) for each in customers]
