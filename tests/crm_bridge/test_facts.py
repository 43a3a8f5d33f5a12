"""Facts are what was said of them, in whatever order, as often as one likes, of one profile or of several."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import fact_rows, facts, person
from crm_bridge.advice import Advice, Rule
from crm_bridge.fact_shapes import FactsIn
from crm_bridge.facts import Fact, Saying, Statement
from crm_bridge.match import claim, find_or_create
from crm_bridge.person import Grounds
from crm_bridge.tables import CustomerFact
from crm_bridge.timeline import NewInteraction, record
from tests.crm_bridge.conftest import Api, Sessions

PHONE = "+84912345678"
NOW = 1_800_000_000.0

fields = st.dictionaries(
    st.sampled_from(["state", "amount", "items", "products"]),
    st.none() | st.sampled_from(["placed", "shipped", "7"]) | st.integers(0, 3) | st.just(["tea"]),
    min_size=1,
)
statements = st.builds(Statement, fields, st.integers(0, 4).map(float), st.sampled_from(["zalo", "shop"]))
several = st.lists(statements, min_size=1, max_size=6)


def said(each: Fact) -> tuple[Any, ...]:
    return dict(each.said), dict(each.told), each.first_at, each.at, each.channel


@given(several, st.randoms())
def test_the_order_in_which_words_come_changes_nothing(words: list[Statement], dice: Any) -> None:
    shuffled = words + words[: len(words) // 2]
    dice.shuffle(shuffled)
    assert said(facts.made_of("order", "1", shuffled)) == said(facts.made_of("order", "1", words))


@given(several, several)
def test_two_profiles_facts_are_what_one_would_have(one: list[Statement], other: list[Statement]) -> None:
    apart = [facts.made_of("order", "1", one), facts.made_of("order", "1", other)]
    (joined,) = facts.together(apart)
    assert said(joined) == said(facts.made_of("order", "1", one + other))
    assert said(facts.together(reversed(apart))[0]) == said(joined)


@given(several)
def test_what_is_known_is_no_news(words: list[Statement]) -> None:
    fact = facts.made_of("order", "1", words)
    known = {name: value for name, value in fact.said.items() if value is not None}
    assert facts.news(Saying("order", "1", known), fact) is None
    assert facts.news(Saying("order", "1", known), fact, fill=True) is None


def test_only_what_is_empty_is_filled() -> None:
    fact = facts.made_of("order", "1", [Statement({"state": "shipped"}, 1.0, "shop")])
    saying = Saying("order", "1", {"state": "placed", "items": 2})
    assert facts.news(saying, fact, fill=True) == Saying("order", "1", {"items": 2})
    assert facts.news(saying, fact) == saying


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1250000", "1250000"),
        ("12.50", "12.5"),
        ("1E+6", "1000000"),
        ("-1", ""),
        ("NaN", ""),
        ("x", ""),
        ("1e99", ""),
        ("-0", "0"),
    ],
)
def test_an_amount_has_one_spelling(text: str, kept: str) -> None:
    assert facts.amount(text) == kept


@pytest.mark.parametrize(
    ("kind", "score", "of", "sentiment"),
    [
        ("csat", 5, 5, "good"),
        ("csat", 3, 5, "neutral"),
        ("csat", 2, 5, "bad"),
        ("nps", 8, 10, "neutral"),
        ("nps", 9, 10, "good"),
    ],
)
def test_a_score_says_what_the_customer_felt(kind: str, score: int, of: int, sentiment: str) -> None:
    assert facts.sentiment(kind, score, of) == sentiment


# ------------------------------------------------------------------------------------------------------ over HTTP


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"orders": [{"state": "placed"}]}, ("orders", 0, "number")),
        ({"orders": [{"number": "1", "state": "gone"}]}, ("orders", 0, "state")),
        ({"orders": [{"number": "1", "amount": "5"}]}, ("orders", 0)),
        ({"orders": [{"number": "1", "amount": "NaN", "currency": "VND"}]}, ("orders", 0, "amount")),
        ({"orders": [{"number": "1", "amount": "-1", "currency": "VND"}]}, ("orders", 0, "amount")),
        ({"orders": [{"number": "1", "placed_at": "yesterday"}]}, ("orders", 0, "placed_at")),
        ({"payments": [{"state": "paid"}, {"state": "paid"}]}, ()),
        ({"survey": {"score": 6}}, ("survey",)),
        ({"birthday": "1990-02-30"}, ("birthday",)),
        ({"birthday": "--02-30"}, ("birthday",)),
        ({"birthday": "1790-02-03"}, ("birthday",)),
        ({"orders_": []}, ("orders_",)),
    ],
)
def test_what_is_no_fact_is_refused_with_its_place(wrong: dict[str, Any], where: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        FactsIn.model_validate(wrong)
    assert [each["loc"] for each in caught.value.errors()] == [where]


def test_a_birthday_on_a_leap_day_needs_no_year() -> None:
    assert FactsIn.model_validate({"birthday": "--02-29"}).birthday == "--02-29"


ORDER = {"number": "4561", "state": "placed", "amount": 1250000, "currency": "VND", "items": 2, "products": ["tea"]}


async def tell(api: Api, at: str, status: int = 201, external_id: str | None = None, **told: Any) -> Any:
    return await api.post(
        status,
        channel="shop",
        occurred_at=f"2026-11-{at}T10:00:00Z",
        identities=[{"kind": "phone", "value": PHONE}],
        external_id=external_id,
        attributes={"facts": told},
    )


async def test_an_order_that_is_told_late_changes_nothing_that_is_newer(api: Api) -> None:
    await tell(api, "20", orders=[{"number": "4561", "state": "delivered"}])
    await tell(api, "16", external_id="e-1", orders=[ORDER])
    recorded = await tell(api, "16", 200, external_id="e-1", orders=[ORDER | {"state": "cancelled"}])
    found = await api.get(f"/customers/{recorded['customer']}")
    assert found["orders"] == [
        {
            "number": "4561",
            "state": "delivered",
            "amount": "1250000",
            "currency": "VND",
            "items": 2,
            "products": ["tea"],
            "placed_at": "2026-11-16T10:00:00.000Z",
            "updated_at": "2026-11-20T10:00:00.000Z",
            "channel": "shop",
        }
    ]


async def test_everything_else_that_a_shop_tells_is_shown(api: Api) -> None:
    recorded = await tell(
        api,
        "16",
        payments=[{"id": "p-1", "amount": "12.50", "currency": "USD", "state": "paid", "order": "4561"}],
        visit={"place": "Quận 1"},
        needs=[{"what": "Máy lọc nước"}],
        survey={"kind": "nps", "score": 9, "comment": "nhanh"},
        birthday="1990-05-17",
        preferred_channel="Zalo",
    )
    await tell(api, "17", needs=[{"what": "may  LOC nuoc", "state": "met"}, {"what": "Ấm trà"}])
    found = await api.get(f"/customers/{recorded['customer']}")
    assert (found["birthday"], found["preferred_channel"]) == ("1990-05-17", "zalo")
    assert [(each["id"], each["amount"], each["order"]) for each in found["payments"]] == [("p-1", "12.5", "4561")]
    assert [(each["place"], each["at"]) for each in found["visits"]] == [("Quận 1", "2026-11-16T10:00:00.000Z")]
    assert [(each["what"], each["state"]) for each in found["needs"]] == [("Ấm trà", "open"), ("may  LOC nuoc", "met")]
    assert (found["survey"]["of"], found["survey"]["sentiment"], found["survey"]["comment"]) == (10, "good", "nhanh")


async def test_what_to_know_first_is_read_at_once(api: Api) -> None:
    api.app.state.advice = Advice([Rule("tea", {"vi": "Trà"}, bought=frozenset({"tea"}))])
    api.now = 1_795_000_000.0  # of that very week
    recorded = await tell(api, "16", orders=[ORDER])
    found = await api.get(f"/customers/{recorded['customer']}/context")
    assert [each["channel"] for each in found["last_by_channel"]] == ["shop"]
    assert (found["last_agent"], found["reason"]["kind"], found["reason"]["id"]) == (None, "order", "4561")
    assert found["offer"] == {"name": "tea", "text": {"vi": "Trà"}, "why": "bought tea"}
    await api.get(f"/customers/{'0' * 32}/context", 404)


async def test_what_anybody_could_have_told_is_no_fact(session: AsyncSession) -> None:
    saying = Saying("order", "1", {"state": "placed"})
    event = NewInteraction("website", "inbound", 5.0, (claim("x", "phone", PHONE),), public=True, facts=(saying,))
    await record(session, event, 9.0)
    assert (await session.scalars(select(CustomerFact))).all() == []


async def test_what_is_dated_ahead_was_said_now(session: AsyncSession) -> None:
    saying = Saying("order", "1", {"state": "placed"})
    event = NewInteraction("shop", "inbound", 500.0, (claim("shop", "phone", PHONE),), facts=(saying,))
    recorded = await record(session, event, 9.0)
    assert [each.at for each in await fact_rows.read(session, [recorded.interaction.customer_id])] == [9.0]


async def home(session: AsyncSession, number: str, now: float) -> str:
    return (await find_or_create(session, [claim("x", "phone", number)], source="x", evidence="", now=now)).customer


async def test_a_person_has_the_last_word(session: AsyncSession) -> None:
    whose = await home(session, PHONE, 1.0)
    for words, at in (({"state": "shipped"}, 50.0), ({"state": "returned"}, 20.0), ({"state": "delivered"}, 20.0)):
        by_hand = at < 50.0
        source = fact_rows.Source(at, "desk", by="an" if by_hand else "")
        await fact_rows.say(session, whose, [Saying("order", "1", words)], source, 20.0, last=by_hand)
    (fact,) = await fact_rows.read(session, [whose])
    assert fact.text("state") == "delivered"
    assert [row.said["state"] for row in await fact_rows.history(session, [whose], 9)][:1] == ["delivered"]


# ------------------------------------------------------------------------------------------- merging, and taking back

histories = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["1", "2"]), fields, st.integers(0, 5).map(float)), max_size=8
)


@pytest.mark.timeout(120)  # many databases, on a machine that may be busy
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, histories)
async def test_a_merge_shows_both_and_its_undo_leaves_what_each_had(
    sessions: Sessions, before: list[Any], meanwhile: list[Any]
) -> None:
    async with sessions() as session:  # rolled back, so that every example starts from nothing
        homes = [await home(session, f"{PHONE}{n}", n) for n in (1.0, 2.0, 3.0)]
        words: dict[tuple[int, str], list[Statement]] = {}

        async def take(history: list[Any]) -> None:
            for whose, key, value, at in history:
                source = fact_rows.Source(at, "shop")
                await fact_rows.say(session, homes[whose], [Saying("order", key, value)], source, NOW)
                words.setdefault((whose, key), []).append(Statement(value, at, "shop"))

        def expected(*whose: int) -> dict[str, Any]:
            keys = {key for who, key in words if who in whose}
            spoken = {key: [each for who in whose for each in words.get((who, key), [])] for key in keys}
            return {key: said(facts.made_of("order", key, some)) for key, some in spoken.items()}

        async def shown(profile: str) -> dict[str, Any]:
            who = await person.read(session, profile)
            assert who is not None
            return {each.key: said(each) for each in await fact_rows.read(session, who.ids)}

        await take(before)
        links = [
            await person.merge(session, homes[0], homes[n], Grounds("both", "page", "an"), NOW + n) for n in (1, 2)
        ]
        assert await shown(homes[1]) == expected(0, 1, 2)
        await take(meanwhile)
        assert await shown(homes[2]) == expected(0, 1, 2)
        for linked in links:
            await person.undo(session, linked.row.id, Grounds("", "page", "an"), NOW + 9)
        for n in range(3):
            assert await shown(homes[n]) == expected(n)
