"""A message that has come is recorded, committed and told, once; and with it how far its folder has been read."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from crm_bridge import person
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.place import Place, read_place, write_place
from crm_bridge.tables import Interaction
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from tests.crm_bridge.conftest import Sessions
from tests.crm_bridge.mail.letters import NOON, letter
from tests.crm_bridge.webhooks.receiver import endpoint

AT_SEVEN = Place("support", 4_000_000_000, 7)


@pytest.fixture
def told() -> list[tuple[str, Mapping[str, Any]]]:
    return []


@pytest.fixture
def keeper(sessions: Sessions, told: list[tuple[str, Mapping[str, Any]]]) -> Keeper:
    return Keeper(
        sessions, lambda: NOON, lambda type_, body: told.append((type_, body)), NOBODY, frozenset({"help@shop.vn"})
    )


async def test_a_message_is_kept_and_told_once(keeper: Keeper, told: list[tuple[str, Mapping[str, Any]]]) -> None:
    await keeper.keep(letter(), NOON, place=AT_SEVEN)
    await keeper.keep(letter(), NOON)
    ((type_, body),) = told
    assert (type_, body["channel"], body["external_id"]) == ("interaction.created", "email", "<1@example.vn>")
    async with keeper.sessions() as session:
        (item,) = await session.scalars(select(Interaction))
        assert item.customer_id == body["customer"]
        assert await read_place(session, "support") == AT_SEVEN


async def test_a_message_is_told_by_webhook_and_of_the_person_not_of_one_profile(
    sessions: Sessions, told: list[tuple[str, Mapping[str, Any]]]
) -> None:
    keeper = Keeper(sessions, lambda: NOON, lambda type_, body: told.append((type_, body)), Webhooks([endpoint()]))
    await keeper.keep(letter(), NOON - 60)
    await keeper.keep(letter(From="an@work.vn", Message_ID="<2@example.vn>"), NOON)
    one, other = [body["customer"] for _, body in told]
    async with sessions() as session:
        linked = await person.merge(session, one, other, person.Grounds("both signed as An", "page", "huong"), NOON)
        await session.commit()
    ((oldest, youngest),) = linked.persons
    young = "an@example.vn" if youngest == one else "an@work.vn"
    await keeper.keep(letter(From=young, Message_ID="<3@example.vn>"), NOON)
    await keeper.keep(letter(From=young, Message_ID="<3@example.vn>"), NOON)
    assert told[2][1]["customer"] == oldest
    async with sessions() as session:
        rows = (await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))).all()
    assert [(row.type, row.customer_id) for row in rows] == [
        ("interaction.created", each) for each in (one, other, oldest)
    ]
    assert [json.loads(row.body)["data"] for row in rows] == [body for _, body in told]


async def test_what_concerns_nobody_moves_the_place_alone(
    keeper: Keeper, told: list[tuple[str, Mapping[str, Any]]]
) -> None:
    assert (await keeper.keep(letter(From="help@shop.vn"), NOON, place=AT_SEVEN)).kind == "own"
    assert told == []
    async with keeper.sessions() as session:
        assert list(await session.scalars(select(Interaction))) == []
        assert await read_place(session, "support") == AT_SEVEN


async def test_nothing_is_received_in_the_future_or_before_time(keeper: Keeper) -> None:
    assert (await keeper.keep(letter(Date=""), NOON + 1000)).occurred_at == NOON
    assert (await keeper.keep(letter(Date="", Message_ID="<2@x>"), -1e12)).occurred_at == 0.0
    assert (await keeper.keep(letter(Date="", Message_ID="<3@x>"), None)).occurred_at == NOON


async def test_a_place_is_each_folders_own(sessions: Sessions) -> None:
    async with sessions() as session:
        await write_place(session, AT_SEVEN)
        await write_place(session, Place("sales", 1, 2))
        await write_place(session, Place("support", 1, 1))
        assert await read_place(session, "support") == Place("support", 1, 1)
        assert await read_place(session, "sales") == Place("sales", 1, 2)
        assert await read_place(session, "other") is None
