"""Cases follow the instants of their events, not the order in which those arrive."""

from itertools import permutations

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import case
from crm_bridge.case import CaseOfAnother, CaseReference, CaseSubjectMissing, CaseUnknown, attach, open_cases
from crm_bridge.tables import Case, Customer


@pytest.fixture
async def people(session: AsyncSession) -> tuple[str, str]:
    session.add_all(Customer(id=letter * 32, created_at=0.0, updated_at=0.0) for letter in "ab")
    await session.flush()
    return "a" * 32, "b" * 32


async def attached(session: AsyncSession, customer: str, at: float, reference: CaseReference) -> Case:
    case_id = await attach(session, reference, customer_id=customer, channel="email", occurred_at=at)
    return await session.get_one(Case, case_id, populate_existing=True)


async def test_a_case_opens_and_is_continued_by_id(session: AsyncSession, people: tuple[str, str]) -> None:
    opened = await attached(session, people[0], 10.0, CaseReference(subject="Order 7", topic="your order"))
    assert (opened.state, opened.opened_at, opened.closed_at, opened.channel) == ("open", 10.0, None, "email")
    continued = await attached(session, people[0], 20.0, CaseReference(id=opened.id))
    assert continued.id == opened.id
    assert (continued.subject, continued.topic, continued.opened_at) == ("Order 7", "your order", 10.0)


async def test_an_external_id_is_one_case_of_one_customer(session: AsyncSession, people: tuple[str, str]) -> None:
    ticket = CaseReference(external_id="T-1", subject="Order 7")
    first = await attached(session, people[0], 10.0, ticket)
    assert (await attached(session, people[0], 11.0, CaseReference(external_id="T-1"))).id == first.id
    assert (await attached(session, people[1], 12.0, ticket)).id != first.id


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_late_events_end_in_the_same_case(
    session: AsyncSession, people: tuple[str, str], order: tuple[int, ...]
) -> None:
    events = [
        (10.0, CaseReference(external_id="T-1", subject="Asked", state="open")),
        (20.0, CaseReference(external_id="T-1", subject="Asked again", state="open")),
        (30.0, CaseReference(external_id="T-1", subject="Settled", state="closed")),
    ]
    for index in order:
        last = await attached(session, people[0], *events[index])
    assert (last.state, last.opened_at, last.closed_at, last.subject) == ("closed", 10.0, 30.0, "Settled")


async def test_a_later_event_opens_a_closed_case_again(session: AsyncSession, people: tuple[str, str]) -> None:
    closed = await attached(session, people[0], 10.0, CaseReference(subject="Order 7", state="closed"))
    assert (closed.state, closed.closed_at) == ("closed", 10.0)
    again = await attached(session, people[0], 20.0, CaseReference(id=closed.id, topic="your order", state="open"))
    assert (again.state, again.closed_at, again.topic) == ("open", None, "your order")


async def test_what_is_wrong_with_a_reference_is_told(session: AsyncSession, people: tuple[str, str]) -> None:
    opened = await attached(session, people[0], 10.0, CaseReference(subject="Order 7"))
    with pytest.raises(CaseUnknown, match="no case nope"):
        await attached(session, people[0], 11.0, CaseReference(id="nope"))
    with pytest.raises(CaseOfAnother, match="another customer's"):
        await attached(session, people[1], 11.0, CaseReference(id=opened.id))
    with pytest.raises(CaseSubjectMissing, match="needs a `subject`"):
        await attached(session, people[0], 11.0, CaseReference(external_id="T-2"))


async def test_a_case_that_another_writer_opens_meanwhile_is_joined(
    session: AsyncSession, people: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await attached(session, people[0], 10.0, CaseReference(external_id="T-1", subject="Order 7"))
    looks, look = iter([True, False]), case._find

    async def blind_at_first(session: AsyncSession, reference: CaseReference, profiles: tuple[str, ...]) -> Case | None:
        return None if next(looks) else await look(session, reference, profiles)

    monkeypatch.setattr(case, "_find", blind_at_first)
    assert (await attached(session, people[0], 11.0, CaseReference(external_id="T-1", subject="x"))).id == first.id
    assert await session.scalar(select(func.count()).select_from(Case)) == 1


async def test_a_case_that_comes_and_goes_is_an_error(
    session: AsyncSession, people: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await attached(session, people[0], 10.0, CaseReference(external_id="T-1", subject="Order 7"))

    async def blind(session: AsyncSession, reference: CaseReference, profiles: tuple[str, ...]) -> Case | None:
        return None

    monkeypatch.setattr(case, "_find", blind)
    with pytest.raises(CaseUnknown, match="send the event again"):
        await attached(session, people[0], 11.0, CaseReference(external_id="T-1", subject="x"))


async def test_open_cases_come_newest_first_and_bounded(session: AsyncSession, people: tuple[str, str]) -> None:
    for at in (10.0, 30.0, 20.0):
        await attached(session, people[0], at, CaseReference(subject=str(at)))
    await attached(session, people[0], 40.0, CaseReference(subject="closed", state="closed"))
    await attached(session, people[1], 50.0, CaseReference(subject="another's"))
    assert [each.subject for each in await open_cases(session, (people[0],), 2)] == ["30.0", "20.0"]
