"""Advice follows from what is known, says why, and changes with nothing else."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.advice import DAY_S, Advice, Rule, days_to_birthday, offer_of, reason_of
from telephony.events import CallerContext, Need, OpenCase, Order, PastInteraction, Survey

NOW = 1_800_000_000.0  # 2027-01-15
TODAY = date(2027, 1, 15)
RULE = Rule("tea", {"vi": "Trà mới"})


def order(number: str = "1", state: str = "shipped", days: float = 1.0, **fields: Any) -> Order:
    at = NOW - days * DAY_S
    whole: dict[str, Any] = {
        "amount": "100",
        "currency": "VND",
        "items": 1,
        "products": ("Trà xanh",),
        "placed_at": at,
    } | fields
    return Order(number=number, state=state, channel="shop", at=at, **whole)


def case(days: float = 5.0) -> OpenCase:
    return OpenCase("c-1", "Đơn 7 vỡ", "đơn 7", "email", NOW - days * DAY_S)


def entry(days: float = 2.0, channel: str = "zalo", direction: str = "inbound") -> PastInteraction:
    return PastInteraction(f"i-{days}", channel, direction, NOW - days * DAY_S, "Hỏi giá", "")


def survey(days: float = 3.0, sentiment: str = "bad") -> Survey:
    return Survey("csat", 1, 5, sentiment, "call", NOW - days * DAY_S)


def need(days: float = 4.0, state: str = "open") -> Need:
    return Need("máy lọc nước", state, NOW - days * DAY_S, "store", NOW - days * DAY_S)


def known(**fields: Any) -> CallerContext:
    return msgspec.structs.replace(CallerContext(customer="a", known=True), **fields)


ALL = {
    "open_cases": (case(),),
    "orders": (order(),),
    "last_interactions": (entry(),),
    "survey": survey(),
    "needs": (need(),),
}


def reason(**fields: Any) -> tuple[str, str, str]:
    found = reason_of(known(**fields), NOW)
    return ("", "", "") if found is None else (found.kind, found.id, found.subject)


def test_of_several_matters_the_one_that_was_heard_of_last_is_the_reason() -> None:
    left = dict(ALL)
    said = []
    for name in ("orders", "last_interactions", "survey", "needs", "open_cases"):
        said.append(reason(**left))
        del left[name]
    assert [kind for kind, _, _ in said] == ["order", "message", "survey", "need", "case"]
    assert said[0] == ("order", "1", "1")
    assert said[-1] == ("case", "c-1", "đơn 7")
    assert reason() == ("", "", "")


@pytest.mark.parametrize(
    "over",
    [
        {"orders": (order(days=31),)},
        {"orders": (order(state="delivered"), order(state=""))},
        {"last_interactions": (entry(days=8),)},
        {"last_interactions": (entry(days=1, direction="outbound"), entry())},
        {"last_interactions": (entry(days=1, channel="call"), entry())},
        {"survey": survey(days=15)},
        {"survey": survey(sentiment="neutral")},
        {"needs": (need(state="met"), need(days=181))},
    ],
)
def test_what_is_over_is_no_reason(over: dict[str, Any]) -> None:
    assert reason_of(known(**over), NOW) is None


def test_a_reason_says_why() -> None:
    found = reason_of(known(open_cases=(case(),)), NOW)
    assert found is not None
    assert found.why == "case open since 2027-01-10T08:00:00.000Z"


@given(st.permutations([order("1", days=1), order("2", days=2), order("3", "placed", days=1.5)]))
def test_the_order_in_which_orders_stand_changes_no_reason(orders: list[Order]) -> None:
    assert reason(orders=tuple(orders)) == ("order", "1", "1")


# ------------------------------------------------------------------------------------------------------------ offers


@pytest.mark.parametrize(
    ("birthday", "today", "days"),
    [
        ("1990-01-17", TODAY, 2),
        ("--01-13", TODAY, -2),
        ("--12-31", date(2027, 1, 1), -1),
        ("--01-01", date(2026, 12, 30), 2),
        ("2000-02-29", date(2027, 2, 27), 1),
        ("2000-02-29", date(2028, 2, 27), 2),
        ("", TODAY, None),
        ("--13-01", TODAY, None),
    ],
)
def test_the_nearest_birthday_counts(birthday: str, today: date, days: int | None) -> None:
    assert days_to_birthday(birthday, today) == days


CUSTOMER = known(tags=("VIP",), language="vi-VN", birthday="1990-01-17", preferred_channel="zalo", needs=(need(),))
ORDERS = (order(), order("2", "delivered", amount="50.5"), order("3", "returned", products=("Bình",)))


@pytest.mark.parametrize(
    ("fits", "does_not", "why"),
    [
        ({"birthday_within": 2}, {"birthday_within": 1}, "birthday in 2 days"),
        ({"bought": {"tra xanh", "ca phe"}}, {"bought": {"binh"}}, "bought tra xanh"),
        ({"not_bought": {"binh"}}, {"not_bought": {"binh", "tra xanh"}}, "did not buy binh"),
        ({"tags": {"vip"}}, {"tags": {"vip", "new"}}, "tagged vip"),
        ({"without_tags": {"new"}}, {"without_tags": {"vip"}}, "for everybody"),
        ({"languages": {"vi"}}, {"languages": {"en"}}, "speaks vi"),
        ({"needs": {"may loc nuoc"}}, {"needs": {"tra"}}, "wants may loc nuoc"),
        ({"channels": {"zalo"}}, {"channels": {"email"}}, "prefers zalo"),
        (
            {"spent": Decimal("150.5"), "currency": "VND"},
            {"spent": Decimal("150.6"), "currency": "VND"},
            "spent 150.5 VND",
        ),
        ({"open_cases": False}, {"open_cases": True}, "has no open case"),
        ({"first": TODAY, "last": TODAY}, {"last": date(2027, 1, 14)}, "for everybody"),
    ],
)
def test_an_offer_fits_if_each_of_its_conditions_holds(
    fits: dict[str, Any], does_not: dict[str, Any], why: str
) -> None:
    other = replace(RULE, name="other", **does_not)
    found = offer_of([other, replace(RULE, **fits)], CUSTOMER, ORDERS, TODAY)
    assert found is not None
    assert (found.name, found.text, found.why) == ("tea", {"vi": "Trà mới"}, why)
    assert offer_of([other], CUSTOMER, ORDERS, TODAY) is None


def test_a_day_begins_where_the_customers_are() -> None:
    # 23:30 in UTC is the next day in Vietnam.
    late = NOW - NOW % DAY_S + 23.5 * 3600
    advice = Advice([replace(RULE, first=date(2027, 1, 16), last=date(2027, 1, 16))])
    assert advice.on(CUSTOMER, ORDERS, late).offer is not None
    assert advice.on(CUSTOMER, ORDERS, late - 12 * 3600).offer is None
