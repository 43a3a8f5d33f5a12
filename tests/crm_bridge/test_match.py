"""One person, one profile: however the identities come, in whatever order, and at the same instant."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool

from crm_bridge import match
from crm_bridge.identity import Kind
from crm_bridge.match import Claim, Conflict, Match, MatchContended, claim, find_or_create
from crm_bridge.tables import Base, Customer, Identity
from tests.crm_bridge.conftest import Sessions

PHONE = "+84912345678"


async def matched(session: AsyncSession, channel: str, *pairs: tuple[Kind, str], now: float = 1.0) -> Match:
    claims = [claim(channel, kind, value) for kind, value in pairs]
    return await find_or_create(session, claims, source=channel, evidence="interaction x", now=now)


async def identity(session: AsyncSession, kind: str, value: str) -> Identity:
    found = await session.scalars(select(Identity).where(Identity.kind == kind, Identity.value == value))
    return found.one()


async def test_a_new_person_gets_one_profile_with_all_identities(session: AsyncSession) -> None:
    made = await matched(session, "zalo", ("zalo", "z1"), ("phone", PHONE))
    assert made.created
    assert made.matched_by is None
    carried, claimed = await identity(session, "zalo", "z1"), await identity(session, "phone", PHONE)
    assert carried.customer_id == claimed.customer_id == made.customer
    assert (carried.assurance, carried.confidence) == (1, 1.0)
    assert (claimed.assurance, claimed.confidence) == (0, match.CLAIMED_CONFIDENCE)
    assert (claimed.source, claimed.evidence) == ("zalo", "interaction x")


async def test_new_identities_join_the_customer_of_the_known_one(session: AsyncSession) -> None:
    made = await matched(session, "call", ("phone", PHONE))
    joined = await matched(session, "email", ("email", "an@example.vn"), ("phone", PHONE), now=2.0)
    assert joined == Match(made.customer, created=False, matched_by=claim("email", "phone", PHONE))
    assert (await matched(session, "email", ("email", "an@example.vn"))).customer == made.customer
    assert (await session.get_one(Customer, made.customer)).updated_at == 2.0


async def test_identities_of_different_customers_are_a_conflict_and_no_merge(session: AsyncSession) -> None:
    caller = await matched(session, "call", ("phone", PHONE))
    writer = await matched(session, "email", ("email", "an@example.vn"))
    both = await matched(session, "email", ("phone", PHONE), ("email", "an@example.vn"), ("external", "crm:7"))
    assert both.customer == writer.customer  # the e-mail carries its sender; the phone in it is a claim
    assert both.conflicts == (Conflict("phone", PHONE, caller.customer),)
    assert (await identity(session, "phone", PHONE)).customer_id == caller.customer
    assert (await identity(session, "external", "crm:7")).customer_id == writer.customer


async def test_of_equals_the_first_named_decides(session: AsyncSession) -> None:
    first = await matched(session, "form", ("phone", PHONE))
    await matched(session, "form", ("email", "an@example.vn"))
    assert (await matched(session, "form", ("phone", PHONE), ("email", "an@example.vn"))).customer == first.customer


async def test_whoever_types_a_victims_number_is_trusted_with_nothing(session: AsyncSession) -> None:
    victim = await matched(session, "call", ("phone", PHONE))
    attacker = await matched(session, "zalo", ("zalo", "attacker"), ("phone", PHONE))
    assert attacker.customer == victim.customer
    link = await identity(session, "zalo", "attacker")
    assert (link.assurance, link.confidence) == (0, match.CLAIMED_CONFIDENCE)
    await matched(session, "zalo", ("zalo", "attacker"), ("external", "crm:attacker"))
    assert (await identity(session, "external", "crm:attacker")).assurance == 0
    assert (await identity(session, "phone", PHONE)).assurance == 1


async def test_an_event_without_identities_is_refused(session: AsyncSession) -> None:
    with pytest.raises(ValueError, match="belongs to nobody"):
        await matched(session, "zalo")


async def test_the_same_identity_twice_in_an_event_counts_once(session: AsyncSession) -> None:
    made = await matched(session, "call", ("phone", PHONE), ("phone", PHONE))
    assert made.created
    assert await session.scalar(select(func.count()).select_from(Identity)) == 1


@pytest.mark.parametrize("count", [1, 2, 20])
async def test_identities_are_looked_up_by_their_index(session: AsyncSession, count: int) -> None:
    claims = [claim("form", "phone", f"+8491234567{index}") for index in range(count)]
    query = match._owning(claims).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    plan = [row.detail for row in await session.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    assert not [step for step in plan if step.startswith("SCAN")]
    assert [step for step in plan if "SEARCH identities USING INDEX" in step]


# ------------------------------------------------------------------------------------------- at the same instant


async def at_once(sessions: Sessions, *events: tuple[str, tuple[tuple[Kind, str], ...]]) -> list[Match]:
    async def one(channel: str, pairs: tuple[tuple[Kind, str], ...]) -> Match:
        async with sessions() as session:
            found = await matched(session, channel, *pairs)
            await asyncio.sleep(0)
            await session.commit()
            return found

    return await asyncio.gather(*(one(channel, pairs) for channel, pairs in events))


@pytest.fixture
async def plain_sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    """Sessions that read before they lock, as on PostgreSQL, so that several see nobody and all try to create."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'plain.db'}", connect_args={"timeout": 20})
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield async_sessionmaker(engine)
    await engine.dispose()


@pytest.mark.parametrize("fixture", ["sessions", "plain_sessions"])
async def test_events_of_one_new_person_at_once_make_one_profile(
    fixture: str, request: pytest.FixtureRequest, engine: AsyncEngine, plain_sessions: Sessions
) -> None:
    sessions: Sessions = request.getfixturevalue(fixture)
    crossed: tuple[tuple[Kind, str], ...] = (("phone", PHONE), ("email", "an@example.vn"))
    events = [("call", (("phone", PHONE),)), ("email", crossed), ("form", crossed[::-1])] * 3
    found = await at_once(sessions, *events)
    assert len({each.customer for each in found}) == 1
    assert sum(each.created for each in found) == 1
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Customer)) == 1
        assert await session.scalar(select(func.count()).select_from(Identity)) == 2


async def test_a_profile_is_taken_back_when_another_writer_was_first(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await matched(session, "call", ("phone", PHONE))
    looks, look = iter([True, False]), match._owners

    async def blind_at_first(session: AsyncSession, claims: list[Claim]) -> dict[tuple[str, str], Identity]:
        return {} if next(looks) else await look(session, claims)

    monkeypatch.setattr(match, "_owners", blind_at_first)
    second = await matched(session, "email", ("email", "an@example.vn"), ("phone", PHONE))
    assert (second.customer, second.created) == (first.customer, False)
    assert await session.scalar(select(func.count()).select_from(Customer)) == 1


async def test_an_identity_taken_while_it_is_linked_is_a_conflict(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = await matched(session, "call", ("phone", PHONE))
    other = await matched(session, "zalo", ("zalo", "z1"))
    looks, look = iter([True, False]), match._owners

    async def without_zalo_at_first(session: AsyncSession, claims: list[Claim]) -> dict[tuple[str, str], Identity]:
        seen = await look(session, claims)
        return {key: row for key, row in seen.items() if key[0] != "zalo"} if next(looks) else seen

    monkeypatch.setattr(match, "_owners", without_zalo_at_first)
    found = await matched(session, "call", ("phone", PHONE), ("zalo", "z1"))
    assert found.customer == caller.customer
    assert found.conflicts == (Conflict("zalo", "z1", other.customer),)


async def test_endless_contention_is_an_error_and_leaves_no_phantom(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await matched(session, "call", ("phone", PHONE))

    async def blind(session: AsyncSession, claims: list[Claim]) -> dict[tuple[str, str], Identity]:
        return {}

    monkeypatch.setattr(match, "_owners", blind)
    with pytest.raises(MatchContended):
        await matched(session, "call", ("phone", PHONE))
    assert await session.scalar(select(func.count()).select_from(Customer)) == 1


# ------------------------------------------------------------------------------------------------- any history

values = st.sampled_from(["1", "2", "3", "4"])
kinds: st.SearchStrategy[Kind] = st.sampled_from(["phone", "email", "zalo"])
histories = st.lists(
    st.tuples(
        st.sampled_from(["call", "email", "zalo", "form"]), st.lists(st.tuples(kinds, values), min_size=1, max_size=3)
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(histories)
def test_after_any_history_every_identity_has_one_owner_and_never_moved(
    history: list[tuple[str, list[tuple[Kind, str]]]],
) -> None:
    asyncio.run(_replay(history))


async def _replay(history: list[tuple[str, list[tuple[Kind, str]]]]) -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    owner: dict[tuple[str, str], str] = {}
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            for channel, pairs in history:
                found = await matched(session, channel, *pairs)
                known = {owner[pair] for pair in pairs if pair in owner}
                assert found.created == (not known)
                assert found.created or found.customer in known
                assert {each.customer for each in found.conflicts} == known - {found.customer}
                for pair in pairs:
                    owner.setdefault(pair, found.customer)
            rows = (await session.scalars(select(Identity))).all()
            assert {(row.kind, row.value): row.customer_id for row in rows} == owner
            assert set((await session.scalars(select(Customer.id))).all()) == set(owner.values())
    finally:
        await engine.dispose()
