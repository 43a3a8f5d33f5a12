"""Whoever is told of people hears who became one, who parted and who is gone, in order, and nothing personal."""

import json
from typing import Any

from sqlalchemy import select

from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from tests.crm_bridge.conftest import Api, Sessions, api, engine, sessions
from tests.crm_bridge.webhooks.receiver import endpoint

__all__ = ["api", "engine", "sessions"]


async def outbox(sessions: Sessions) -> list[tuple[str, str, dict[str, Any]]]:
    """Return type, customer and data of what waits, in order."""
    async with sessions() as session:
        rows = (await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))).all()
    return [(row.type, row.customer_id, json.loads(row.body)["data"]) for row in rows]


async def two(api: Api) -> tuple[str, str]:
    api.app.state.webhooks = Webhooks([endpoint()])
    found = []
    for account in ("z1", "z2"):
        answer = await api.post(identities=[{"kind": "zalo", "value": account}], attributes={"name": "Lan"})
        found.append(answer["customer"])
        api.now += 1.0
    return found[0], found[1]


async def test_who_becomes_one_person_has_one_order_from_then_on(api: Api, sessions: Sessions) -> None:
    first, second = await two(api)
    merged = await api.client.post(f"/customers/{second}/merge", json={"with": first, "evidence": "one card"})
    link = merged.json()["link"]["id"]
    await api.client.post(f"/customers/{second}/merge", json={"with": first, "evidence": "the second click"})
    await api.client.post(f"/merges/{link}/undo")
    told = await outbox(sessions)
    assert [(type_, customer) for type_, customer, _ in told] == [
        ("interaction.created", first),
        ("interaction.created", first),
        ("customer.merged", first),
        ("customer.split", first),
    ]
    assert told[2][2] == {
        "customer": first,
        "link": link,
        "persons": [{"id": first, "profiles": [first, second]}],
    }
    assert [each["profiles"] for each in told[3][2]["persons"]] == sorted([[first], [second]])


async def test_a_number_given_late_is_told_before_what_gave_it(api: Api, sessions: Sessions) -> None:
    number = {"kind": "phone", "value": "0912345678"}
    api.app.state.webhooks = Webhooks([endpoint()])
    lan = (await api.post(identities=[{"kind": "zalo", "value": "z1"}, number]))["customer"]
    api.now += 1.0
    account = {"kind": "facebook", "value": "f1"}
    await api.post(channel="facebook", identities=[account])
    await api.post(channel="facebook", identities=[account, number])
    told = await outbox(sessions)
    assert [type_ for type_, _, _ in told][-2:] == ["customer.merged", "interaction.created"]
    assert {customer for _, customer, _ in told} == {lan}


async def test_nobody_is_told_where_nobody_listens(api: Api, sessions: Sessions) -> None:
    first, second = await two(api)
    api.app.state.webhooks = Webhooks()
    before = len(await outbox(sessions))
    await api.client.post(f"/customers/{second}/merge", json={"with": first, "evidence": "one card"})
    assert len(await outbox(sessions)) == before
