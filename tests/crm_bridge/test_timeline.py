"""Whatever happened with a customer, once, in the order in which it happened."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import timeline
from crm_bridge.case import CaseReference
from crm_bridge.match import claim
from crm_bridge.tables import Case, Customer, Interaction
from crm_bridge.timeline import InteractionOvertaken, NewInteraction, attach_recording, page, record, record_call
from tests.crm_bridge.calls import CALL_ID, ended, snapshot
from tests.crm_bridge.conftest import Sessions

PERSON = "a" * 32


@pytest.fixture
async def person(session: AsyncSession) -> str:
    session.add(Customer(id=PERSON, created_at=0.0, updated_at=0.0))
    await session.flush()
    return PERSON


def event(at: float = 10.0, channel: str = "zalo", **fields: Any) -> NewInteraction:
    return NewInteraction(channel, "inbound", at, (ZALO,), **fields)


ZALO = claim("zalo", "zalo", "z1")


async def the_call(session: AsyncSession) -> Interaction:
    query = select(Interaction).where(Interaction.channel == "call").execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


# ------------------------------------------------------------------------------------------------------- events


async def test_an_event_makes_its_customer_and_says_why(session: AsyncSession) -> None:
    new = event(
        text="xin chào",
        external_id="m1",
        name="Nguyễn An",
        language="vi",
        tags=("vip",),
        attributes={"mood": "good"},
        ignored=(("phone", "113"),),
    )
    recorded = await record(session, new, now=50.0)
    row = recorded.interaction
    assert not recorded.repeated
    assert (row.text, row.occurred_at, row.created_at, row.attributes) == ("xin chào", 10.0, 50.0, {"mood": "good"})
    assert row.outcome == {
        "created_customer": True,
        "matched_by": None,
        "conflicts": [],
        "ignored": [{"kind": "phone", "value": "113"}],
    }
    customer = await session.get_one(Customer, row.customer_id)
    assert (customer.name, customer.name_folded, customer.language, customer.tags) == (
        "Nguyễn An",
        "nguyen an",
        "vi",
        ["vip"],
    )


async def test_what_a_profile_has_is_kept(session: AsyncSession) -> None:
    first = await record(session, event(name="An", language="vi", tags=("vip",)), now=50.0)
    await record(session, event(name="Binh", language="en", tags=("vip", "late", "late")), now=60.0)
    customer = await session.get_one(Customer, first.interaction.customer_id, populate_existing=True)
    assert (customer.name, customer.language, customer.tags) == ("An", "vi", ["vip", "late"])


async def test_the_same_event_again_changes_nothing(session: AsyncSession) -> None:
    first = await record(session, event(external_id="m1"), now=50.0)
    again = await record(session, event(at=99.0, external_id="m1", text="other", name="Other"), now=60.0)
    assert again.repeated
    assert again.interaction.id == first.interaction.id
    assert (await session.get_one(Customer, first.interaction.customer_id, populate_existing=True)).name == ""
    assert not (await record(session, event(channel="email", external_id="m1"), now=60.0)).repeated
    assert not (await record(session, event(), now=60.0)).repeated
    assert not (await record(session, event(), now=60.0)).repeated  # without an id, every event is a new one


async def test_the_same_event_at_once_is_recorded_once(sessions: Sessions) -> None:
    async def post() -> str:
        async with sessions() as session:
            recorded = await record(session, event(external_id="m1"), now=50.0)
            await session.commit()
            return recorded.interaction.id

    assert len(set(await asyncio.gather(*(post() for _ in range(6))))) == 1


async def test_an_event_overtaken_by_its_twin_says_so(session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    await record(session, event(external_id="m1"), now=50.0)

    async def blind(session: AsyncSession, event: NewInteraction) -> None:
        return None

    monkeypatch.setattr(timeline, "_recorded", blind)
    with pytest.raises(InteractionOvertaken):
        await record(session, event(external_id="m1"), now=50.0)


async def test_an_event_opens_a_case_and_the_next_continues_it(session: AsyncSession) -> None:
    opened = await record(session, event(case=CaseReference(subject="Order 7")), now=50.0)
    case_id = opened.interaction.case_id
    assert case_id
    continued = await record(session, event(at=20.0, case=CaseReference(id=case_id, state="closed")), now=60.0)
    assert continued.interaction.case_id == case_id
    assert (await session.get_one(Case, case_id, populate_existing=True)).closed_at == 20.0


# -------------------------------------------------------------------------------------------------------- calls


async def test_a_call_has_one_entry_from_ring_to_end(session: AsyncSession, person: str) -> None:
    await record_call(session, snapshot(person), now=1001.0)
    ringing = await the_call(session)
    first_id = ringing.id
    assert (ringing.occurred_at, ringing.call_id, ringing.external_id) == (1000.0, CALL_ID, CALL_ID)
    assert ringing.attributes["state"] == "in_flow"
    await record_call(session, ended(person), now=1070.0)
    over = await the_call(session)
    assert over.id == first_id
    assert (over.recording_id, over.attributes["talk_s"], over.created_at) == ("r" * 32, 45.0, 1001.0)
    assert over.subject.endswith("ended by caller")


async def test_a_call_of_ours_is_one_that_went_out(session: AsyncSession, person: str) -> None:
    ours = snapshot(person, direction="outbound", dnis="+84912345678", ani="+842873001234", trunk="provider")
    await record_call(session, ours, now=1001.0)
    entry = await the_call(session)
    assert (entry.direction, entry.attributes["direction"]) == ("outbound", "outbound")
    assert entry.outcome["matched_by"] == {"kind": "phone", "value": "+84912345678"}


async def test_the_call_of_a_withheld_number_has_no_entry(session: AsyncSession) -> None:
    await record_call(session, ended(), now=1070.0)
    await attach_recording(session, CALL_ID, "r" * 32, "done", "hello")
    assert await session.scalar(select(func.count()).select_from(Interaction)) == 0


async def test_a_recording_and_its_words_survive_a_later_snapshot(session: AsyncSession, person: str) -> None:
    await record_call(session, snapshot(person), now=1001.0)
    await attach_recording(session, CALL_ID, "r" * 32, "done", "hello " * 1000)
    await record_call(session, ended(person, recording=""), now=1070.0)
    row = await the_call(session)
    assert (row.recording_id, row.transcript) == ("r" * 32, "done")
    assert row.text.startswith("hello hello")
    assert len(row.text) == timeline.MAX_EXCERPT_LENGTH
    assert row.text.endswith("…")


async def test_a_call_joins_the_case_of_its_customer_and_no_other(session: AsyncSession, person: str) -> None:
    stranger = (await record(session, event(case=CaseReference(subject="theirs")), now=1.0)).interaction
    session.add(Case(id="d" * 32, customer_id=person, subject="ours", channel="email", opened_at=5.0))
    await session.flush()
    await record_call(session, snapshot(person, case="d" * 32), now=1001.0)
    assert (await the_call(session)).case_id == "d" * 32
    await record_call(session, snapshot(person, case=stranger.case_id), now=1002.0)
    assert (await the_call(session)).case_id == "d" * 32
    await record_call(session, snapshot(person), now=1003.0)
    assert (await the_call(session)).case_id == "d" * 32


async def test_two_snapshots_at_once_make_one_entry(sessions: Sessions) -> None:
    async with sessions() as session:
        session.add(Customer(id=PERSON, created_at=0.0, updated_at=0.0))
        await session.commit()

    async def save(now: float) -> None:
        async with sessions() as session:
            await record_call(session, snapshot(PERSON), now)
            await session.commit()

    await asyncio.gather(*(save(1000.0 + index) for index in range(5)))
    async with sessions() as session:
        await the_call(session)


async def test_an_entry_made_between_look_and_insert_is_brought_up_to_date(
    session: AsyncSession, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record_call(session, snapshot(person), now=1001.0)
    looks, write = iter([True, False]), timeline._update_call

    async def blind_at_first(session: AsyncSession, call_id: str, values: dict[str, Any]) -> bool:
        return False if next(looks) else await write(session, call_id, values)

    monkeypatch.setattr(timeline, "_update_call", blind_at_first)
    await record_call(session, ended(person), now=1070.0)
    assert (await the_call(session)).attributes["state"] == "ended"


async def test_the_outcome_of_a_call_tells_how_its_customer_was_found(session: AsyncSession, person: str) -> None:
    await record_call(session, snapshot(person), now=1001.0)
    assert (await the_call(session)).outcome["matched_by"] == {"kind": "phone", "value": "+84912345678"}


# -------------------------------------------------------------------------------------------------------- pages


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([1.0, 1.5, 2.0, 2.25, 1e9 + 0.1]), max_size=8), st.integers(1, 4))
async def test_pages_add_up_to_the_whole_newest_first(sessions: Sessions, instants: list[float], limit: int) -> None:
    async with sessions() as session:  # rolled back at the end, so that every example starts from nothing
        customer_id = (await record(session, event(at=0.0), now=1.0)).interaction.customer_id
        for at in instants:
            await record(session, event(at=at), now=1.0)
        seen: list[tuple[float, str]] = []
        while rows := await page(session, (customer_id,), after=seen[-1] if seen else None, limit=limit):
            seen += [(row.occurred_at, row.id) for row in rows]
        assert seen == sorted(seen, reverse=True)
        assert sorted(at for at, _ in seen) == sorted([0.0, *instants])


async def test_a_page_is_narrowed_by_channel_and_instants(session: AsyncSession) -> None:
    for at, channel in ((10.0, "zalo"), (20.0, "email"), (30.0, "zalo")):
        row = (await record(session, event(at=at, channel=channel), now=1.0)).interaction
    customer = row.customer_id
    assert [each.occurred_at for each in await page(session, (customer,), channel="zalo", limit=9)] == [30.0, 10.0]
    assert [each.occurred_at for each in await page(session, (customer,), since=20.0, limit=9)] == [30.0, 20.0]
    assert [each.occurred_at for each in await page(session, (customer,), until=20.0, limit=9)] == [10.0]
