"""What a customer told is remembered, the newest of each field, and only what is known to be theirs."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, person, told
from crm_bridge.match import claim, claim_by
from crm_bridge.person import Grounds
from crm_bridge.timeline import NewInteraction, record, record_call
from telephony.events import CallerContext, KnownField
from tests.crm_bridge.calls import snapshot

PHONE = "+84912345678"


async def known(session: AsyncSession, number: str = PHONE) -> CallerContext:
    _, found = await context.find_caller(session, number, False, "", "VN", 1.0)
    return found


@given(st.dictionaries(st.text(max_size=70), st.none() | st.booleans() | st.integers() | st.text(max_size=600)))
def test_whatever_fields_there_are_what_can_be_remembered_comes_out(fields: dict[str, object]) -> None:
    found = told.usable(fields)
    assert told.usable(found) == found
    assert set(found) <= set(fields)
    assert all(value and value.isprintable() and len(value) <= told.MAX_VALUE_LENGTH for value in found.values())


@pytest.mark.parametrize("fields", [None, [], "order", 7])
def test_what_is_no_mapping_has_no_fields(fields: object) -> None:
    assert told.usable(fields) == {}


async def test_the_newest_stays_in_whatever_order_they_come(session: AsyncSession) -> None:
    customer = (await known(session)).customer
    days = list(range(6))
    random.Random(7).shuffle(days)  # noqa: S311 - no secret
    for day in days:
        await told.remember(session, customer, {"order": str(day)}, channel="zalo", at=float(day))
    assert (await known(session)).fields == (KnownField("order", "5", "zalo", 5.0),)


async def test_an_event_of_a_system_of_ours_tells_and_a_form_does_not(session: AsyncSession) -> None:
    attributes = {"fields": {"order": 4561, "Not a name": "x", "gift": True}}
    ours = NewInteraction("shop", "inbound", 5.0, (claim("shop", "phone", PHONE),), attributes=attributes)
    await record(session, ours, 9.0)
    form = NewInteraction(
        "website", "inbound", 6.0, (claim_by(None, "phone", PHONE),), public=True, attributes={"fields": {"order": "1"}}
    )
    await record(session, form, 9.0)
    assert (await known(session)).fields == (KnownField("order", "4561", "shop", 5.0),)


async def test_what_is_dated_ahead_was_told_now_and_does_not_stand_before_what_is_told_later(
    session: AsyncSession,
) -> None:
    for order, now in (("1", 9.0), ("2", 10.0)):
        by, fields = (claim("shop", "phone", PHONE),), {"fields": {"order": order}}
        await record(session, NewInteraction("shop", "inbound", 1e9 - now, by, attributes=fields), now)
        assert (await known(session)).fields == (KnownField("order", order, "shop", now),)


@pytest.mark.parametrize(("assurance", "order"), [(1, "789"), (0, "")])
async def test_a_call_tells_if_it_is_known_whose_it_is(session: AsyncSession, assurance: int, order: str) -> None:
    who = CallerContext((await known(session)).customer, known=True, assurance=assurance)
    call = snapshot(who.customer, context=who, told={"order": "789"}, asked_again=("order",), ended_at=50.0)
    await record_call(session, call, 60.0)
    assert [(each.value, each.at) for each in (await known(session)).fields] == ([(order, 50.0)] if order else [])


async def test_of_several_profiles_the_newest_counts(session: AsyncSession) -> None:
    one, other = (await known(session)).customer, (await known(session, "+84987654321")).customer
    await told.remember(session, one, {"order": "1", "shop": "2"}, channel="zalo", at=1.0)
    await told.remember(session, other, {"order": "3"}, channel="call", at=2.0)
    await person.merge(session, one, other, Grounds("so they say", "page", "hoa"), 3.0)
    assert {each.name: each.value for each in (await known(session)).fields} == {"order": "3", "shop": "2"}
