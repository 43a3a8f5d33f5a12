"""What a CRM tells of orders is the customer's, and overrules nobody who corrected it."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import edit, fact_rows
from crm_bridge.connectors import orders
from crm_bridge.connectors.cache import Found
from crm_bridge.connectors.exchange import Row
from crm_bridge.edit import Change
from crm_bridge.facts import Saying
from crm_bridge.match import claim, claim_by, find_or_create
from crm_bridge.state_words import order_state

PHONE = "+84912345678"
ROW: Row = {
    "id": "o-1",
    "number": "4561",
    "state": "Đang giao",
    "total": "1250000.00",
    "currency": "vnd",
    "placed_at": "2026-11-16T03:00:00Z",
}


def found(at: float, *rows: Row, phone: str = "0912 345 678") -> Found:
    return Found(at, {"id": "p-1", "phone": phone}, None, rows)


async def home(session: AsyncSession) -> str:
    known = await find_or_create(session, [claim("call", "phone", PHONE)], source="call", evidence="", now=1.0)
    return known.customer


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("SHIPPED", "shipped"),
        ("in_transit", "shipped"),
        ("Hoàn thành", "delivered"),
        ("đã hủy", "cancelled"),
        ("x", None),
    ],
)
def test_states_are_known_in_both_languages(written: str, state: str | None) -> None:
    assert order_state(written) == state


def test_what_says_nothing_of_an_order_is_left_out() -> None:
    rows: list[Row] = [{"state": "new"}, {"id": "o-2", "total": "1.250.000 đ", "placed_at": "today"}, ROW, ROW]
    assert orders.sayings(rows) == [
        Saying("order", "o-2", {}),
        Saying(
            "order",
            "4561",
            {"state": "shipped", "amount": "1250000", "currency": "VND", "placed_at": 1_794_798_000.0},
        ),
    ]


async def test_a_crm_overrules_nobody_until_it_says_something_else(session: AsyncSession) -> None:
    whose = await home(session)

    async def state_after(at: float, row: Row) -> str:
        await orders.keep(session, "crm", f"phone:{PHONE}", found(at, row), "VN")
        (fact,) = await fact_rows.read(session, [whose])
        return fact.text("state")

    assert await state_after(10.0, ROW) == "shipped"
    corrected = Change(sayings=(Saying("order", "4561", {"state": "returned"}),))
    await edit.apply(session, whose, corrected, "an", 20.0)
    assert await state_after(30.0, ROW) == "returned"
    assert await state_after(40.0, ROW | {"state": "completed"}) == "delivered"
    assert len(await fact_rows.history(session, [whose], 9)) == 3


async def test_a_near_hit_and_a_number_that_is_only_claimed_tell_nothing(session: AsyncSession) -> None:
    await home(session)
    await find_or_create(session, [claim_by(None, "email", "an@example.vn")], source="form", evidence="", now=1.0)
    assert not await orders.keep(session, "crm", f"phone:{PHONE}", found(5.0, ROW, phone="0987654321"), "VN")
    person: Row = {"id": "p-1", "email": "an@example.vn"}
    assert not await orders.keep(session, "crm", "email:an@example.vn", Found(5.0, person, None, (ROW,)), "VN")
    assert not await orders.keep(session, "crm", f"phone:{PHONE}", Found(5.0, None), "VN")
