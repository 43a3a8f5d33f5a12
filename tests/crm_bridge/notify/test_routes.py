"""Messages over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from crm_bridge.notify.outbox import Notifier
from crm_bridge.notify.routes import router
from crm_bridge.outgoing.schedule import Verdict
from tests.crm_bridge.notify.conftest import NOW, House


@dataclass
class Api:
    """The routes, and who did what."""

    client: httpx.AsyncClient
    house: House
    deeds: list[tuple[str, str]]

    async def post(self, address: str, status: int, **body: Any) -> Any:
        response = await self.client.post(address, json=body)
        assert response.status_code == status, response.text
        return response.json()

    async def fail_all(self) -> None:
        async with self.house.sessions() as session:
            for row in await self.house.rows():
                await self.house.notifier.settle(session, row, Verdict("dead", 3, NOW, "550 nobody"), "", NOW)
            await session.commit()


@pytest.fixture
async def api(house: House) -> AsyncIterator[Api]:
    deeds: list[tuple[str, str]] = []

    async def audit(_request: Request, what: str, about: str) -> None:
        deeds.append((what, about))

    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    app.state.sessions, app.state.notifier, app.state.audit = house.sessions, house.notifier, audit
    app.state.clock = SimpleNamespace(now=lambda: NOW)
    app.state.settings = SimpleNamespace(region="VN")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hotline/api/v1") as client:
        yield Api(client, house, deeds)


async def test_a_message_is_queued_once_and_audited_once(api: Api) -> None:
    person = (await api.house.wrote("email", "an@example.vn")).person
    body: dict[str, Any] = {"text": {"vi": "Chào", "en": "Hello"}, "subject": "Đơn 7", "external_id": "T-1"}
    first = await api.post(f"/customers/{person}/messages", 202, **body)
    assert first == {"id": first["id"], "customer": person, "channel": "email", "case": None, "state": "queued"}
    assert await api.post(f"/customers/{person}/messages", 200, **body) == first
    assert api.deeds == [("message.sent", first["id"])]
    assert (await api.house.entry(first["id"])).text == "Chào"


async def test_the_case_of_a_message_is_found_or_opened(api: Api) -> None:
    person = (await api.house.wrote("email", "an@example.vn")).person
    address = f"/customers/{person}/messages"
    opened = await api.post(address, 202, text="x", subject="y", case={"external_id": "T-1", "subject": "Đơn 7"})
    again = await api.post(address, 202, text="x", case=opened["case"])
    assert again["case"] == opened["case"] is not None
    assert (await api.house.entry(again["id"])).subject == "Re: y"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"text": "x", "channel": "zalo"}, 409, "Zalo: the person has no Zalo user id; send by another channel."),
        ({"text": "x", "channel": "fax"}, 409, "No messages are sent by `fax`"),
        ({"text": "x"}, 422, "an e-mail that answers none needs a `subject`"),
        ({"text": " ", "subject": "y"}, 422, "says nothing"),
        ({"text": {}, "subject": "y"}, 422, "says nothing"),
        ({"text": "x\u0000", "subject": "y"}, 422, "NUL"),
        ({"text": "x" * 20_001, "subject": "y"}, 422, "20000"),
        ({"text": "x", "subject": "a\r\nBcc: all@example.vn"}, 422, "line break"),
        ({"text": "x", "subject": "y", "case": "0" * 32}, 422, "case"),
        ({"text": "x", "subject": "y", "to": "b@example.vn"}, 409, "not known to have this e-mail address"),
        ({"text": "x", "subject": "y", "hurry": True}, 422, "hurry"),
    ],
)
async def test_what_cannot_be_sent_says_why(api: Api, body: dict[str, Any], status: int, said: str) -> None:
    person = (await api.house.wrote("email", "an@example.vn")).person
    answer = await api.post(f"/customers/{person}/messages", status, **body)
    assert said.lower() in str(answer).lower()
    assert await api.house.rows() == []
    assert api.deeds == []


@pytest.mark.parametrize("customer", ["0" * 32, "not-an-id", "%00"])
async def test_nobody_is_404(api: Api, customer: str) -> None:
    await api.post(f"/customers/{customer}/messages", 404, text="x", subject="y")


async def test_nothing_is_sent_where_nothing_is_set(api: Api) -> None:
    person = (await api.house.wrote("email", "an@example.vn")).person
    api.house.notifier.routes = []
    answer = await api.post(f"/customers/{person}/messages", 409, text="x", subject="y")
    assert "notify.email" in answer["detail"]


async def test_what_failed_is_listed_without_what_it_says_and_replayed(api: Api) -> None:
    person = (await api.house.wrote("email", "an@example.vn")).person
    ids = [(await api.house.send(person, "secret")).id for _ in range(3)]
    waiting = (await api.client.get("/messages", params={"state": "queued"})).json()
    assert [item["id"] for item in waiting["items"]] == ids
    assert waiting["items"][0]["next_at"] is not None
    await api.fail_all()
    first = (await api.client.get("/messages", params={"limit": 2})).json()
    rest = (await api.client.get("/messages", params={"limit": 2, "after": first["next"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids
    assert rest["next"] is None
    assert first["items"][0] | {"id": "", "created_at": ""} == {
        "id": "",
        "channel": "email",
        "customer": person,
        "state": "failed",
        "attempts": 3,
        "error": "550 nobody",
        "created_at": "",
        "next_at": None,
    }
    assert "secret" not in str(first)
    assert await api.post(f"/messages/{ids[1]}/replay", 202) == {"replayed": 1}
    await api.post(f"/messages/{ids[1]}/replay", 404)
    assert await api.post("/messages/replay", 202, channel="email") == {"replayed": 2}
    assert (await api.house.entry(ids[0])).attributes["delivery"] == {"state": "queued", "attempts": 0}
    assert api.deeds[0] == ("messages.replayed", ids[1])


@pytest.mark.parametrize(
    "address", ["/messages/nothing/replay", f"/messages/{'0' * 32}/replay", "/messages/%2e/replay"]
)
async def test_what_is_not_there_is_404(api: Api, address: str) -> None:
    await api.post(address, 404)
    await api.post("/messages/replay", 404, channel="fax")


def test_a_notifier_without_ways_has_none() -> None:
    assert Notifier(None, "VN").find("email") is None  # type: ignore[arg-type]
