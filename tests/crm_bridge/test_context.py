"""Who calls: known, new, withheld; and what is told of them."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, known_caller, person
from crm_bridge.case import CaseReference
from crm_bridge.context import find_caller
from crm_bridge.facts import PROFILE, Saying
from crm_bridge.match import claim, find_or_create
from crm_bridge.person import Grounds
from crm_bridge.tables import Customer, Identity
from crm_bridge.timeline import NewInteraction, record, record_call
from telephony.events import CallerContext
from tests.crm_bridge.calls import snapshot
from tests.crm_bridge.conftest import Sessions

PHONE = "+84912345678"


async def wrote(session: AsyncSession, at: float, case: CaseReference | None = None, text: str = "") -> None:
    claims = (claim("email", "email", "an@example.vn"), claim("email", "phone", PHONE))
    await record(
        session,
        NewInteraction("email", "inbound", at, claims, text=text, case=case, name="An", language="vi", tags=("vip",)),
        now=at,
    )


async def test_a_known_caller_comes_with_everything_newest_first(session: AsyncSession) -> None:
    await wrote(session, 20.0, CaseReference(subject="Order 7", topic="your order"))
    await wrote(session, 10.0, CaseReference(subject="Older"), text="x" * 1000)
    await wrote(session, 30.0, CaseReference(subject="Done", state="closed"))
    ani, found = await find_caller(session, "0912 345 678", False, "", "VN", 100.0)
    assert ani == PHONE
    assert (found.known, found.name, found.language, found.assurance, found.tags) == (True, "An", "vi", 1, ("vip",))
    assert [(each.subject, each.topic) for each in found.open_cases] == [("Order 7", "your order"), ("Older", "")]
    assert [each.occurred_at for each in found.last_interactions] == [30.0, 20.0, 10.0]
    assert len(found.last_interactions[-1].text) == known_caller.MAX_TEXT_LENGTH


async def test_a_context_is_bounded(session: AsyncSession) -> None:
    for at in range(15):
        await wrote(session, float(at), CaseReference(subject=str(at)))
    _, found = await find_caller(session, PHONE, False, "", "VN", 100.0)
    assert len(found.open_cases) == known_caller.MAX_OPEN_CASES
    assert len(found.last_interactions) == known_caller.MAX_INTERACTIONS
    assert found.last_interactions[0].occurred_at == 14.0


async def test_an_unknown_number_makes_a_profile_that_the_next_call_knows(session: AsyncSession) -> None:
    ani, found = await find_caller(session, "0084912345678", False, "Bank\x07 <An>", "VN", 100.0)
    assert ani == PHONE
    assert found == CallerContext(customer=found.customer, known=False, assurance=1)
    link = (await session.scalars(select(Identity))).one()
    assert (link.assurance, link.source, link.evidence) == (1, "call", "the caller's number, shown as Bank <An>")
    _, again = await find_caller(session, "+84 912 345 678", False, "", "VN", 200.0)
    assert (again.customer, again.known, again.name) == (found.customer, True, "")


@pytest.mark.parametrize(
    ("number", "withheld"),
    [("0912345678", True), ("anonymous", False), ("113", False), ("", False), ("19001234", False), ("an", False)],
)
async def test_who_is_nobody_finds_and_makes_nobody(session: AsyncSession, number: str, withheld: bool) -> None:
    assert await find_caller(session, number, withheld, "An", "VN", 100.0) == ("", CallerContext())
    assert await session.scalar(select(func.count()).select_from(Customer)) == 0


async def test_a_claimed_number_tells_no_more_than_a_callers_number(session: AsyncSession) -> None:
    await wrote(session, 10.0)
    _, found = await find_caller(session, PHONE, False, "", "VN", 100.0)
    assert found.assurance == 1
    link = (await session.scalars(select(Identity).where(Identity.kind == "phone"))).one()
    assert link.assurance == 0  # that the number calls does not prove that the chat was its owner's


async def test_two_calls_of_a_new_number_at_once_make_one_profile(sessions: Sessions) -> None:
    async def call(number: str) -> CallerContext:
        async with sessions() as session:
            _, found = await find_caller(session, number, False, "", "VN", 100.0)
            await session.commit()
            return found

    found = await asyncio.gather(*map(call, ("0912345678", "84912345678", "+84912345678", "0084912345678")))
    assert len({each.customer for each in found}) == 1
    assert sum(not each.known for each in found) == 1


async def test_a_number_that_we_call_finds_whose_it_is_and_says_how_it_was_learnt(session: AsyncSession) -> None:
    ani, found = await find_caller(session, "+84912345678", False, "", "VN", 100.0, dialled=True)
    assert (ani, found.known, found.assurance) == (PHONE, False, 1)
    identity = (await session.scalars(select(Identity))).one()
    assert identity.customer_id == found.customer
    assert (await find_caller(session, "0912345678", False, "Lan", "VN", 200.0))[1].customer == found.customer


async def test_a_context_knows_channels_agent_facts_and_the_reason(session: AsyncSession) -> None:
    now = 1_000_000.0
    ours = (claim("shop", "phone", PHONE),)
    told = (
        Saying("order", "7", {"state": "shipped", "amount": "5", "currency": "VND", "products": ["tea"]}),
        Saying("need", "kettle", {"what": "kettle"}),
        Saying("survey", "s", {"kind": "csat", "score": 2, "of": 5}),
        Saying("profile", PROFILE, {"birthday": "1990-05-17", "preferred_channel": "zalo"}),
    )
    first = await record(session, NewInteraction("shop", "inbound", now - 90.0, ours, facts=told), now)
    for minute in range(12):  # more than the last ten
        at = now - 60.0 + minute
        await record(session, NewInteraction("zalo", "inbound", at, ours, subject=str(minute)), now)
    home = first.interaction.customer_id
    for call, agent, at in (("c1", "an", now - 900.0), ("c2", "", now - 800.0)):
        await record_call(session, snapshot(home, id=call, agent=agent, started_at=at), now)
    alone = await context.find_known(session, PHONE, now)
    assert alone is not None
    assert [(each.channel, each.subject) for each in alone.last_by_channel][:2] == [("zalo", "11"), ("shop", "")]
    assert [(each.channel, each.occurred_at) for each in alone.last_by_channel][2:] == [("call", now - 800.0)]
    assert alone.last_agent == "an"
    assert [(each.number, each.state, each.amount, each.placed_at) for each in alone.orders] == [
        ("7", "shipped", "5", now - 90.0)
    ]
    assert [each.what for each in alone.needs] == ["kettle"]
    assert alone.survey is not None
    assert (alone.survey.score, alone.survey.sentiment) == (2, "bad")
    assert (alone.birthday, alone.preferred_channel) == ("1990-05-17", "zalo")
    assert alone.reason is not None
    assert (alone.reason.kind, alone.reason.subject) == ("message", "11")

    # Whoever was merged with somebody who has nothing is told the same, by other reads.
    other = await find_or_create(session, [claim("x", "phone", "+84987654321")], source="x", evidence="", now=now)
    await person.merge(session, home, other.customer, Grounds("both", "page", "an"), now)
    assert await context.find_known(session, PHONE, now) == alone
