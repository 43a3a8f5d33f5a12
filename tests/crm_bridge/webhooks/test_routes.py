"""Endpoints and dead events over HTTP."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Request

from crm_bridge.webhooks import outbox
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.routes import router
from hotline.database import Sessions
from tests.crm_bridge.webhooks.receiver import endpoint

NOW = 1_800_000_000.0
CRM = Webhooks([endpoint(events=frozenset({"call.ended"}))])


@pytest.fixture
def deeds() -> list[tuple[str, str]]:
    """What is written of who did what."""
    return []


@pytest.fixture
async def client(sessions: Sessions, deeds: list[tuple[str, str]]) -> AsyncIterator[httpx.AsyncClient]:
    async def audit(_request: Request, what: str, about: str) -> None:
        deeds.append((what, about))

    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    app.state.sessions, app.state.webhooks = sessions, CRM
    app.state.clock = SimpleNamespace(now=lambda: NOW)
    app.state.audit = audit
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hotline/api/v1") as client:
        yield client


async def bury(sessions: Sessions, events: int) -> None:
    async with sessions() as session:
        for number in range(events):
            await CRM.tell(session, "call.ended", {"secret": number}, customer="an", now=NOW)
        await outbox.bury(session, "crm", "HTTP 500", NOW + 1)
        await outbox.disable(session, CRM.endpoints[0], "HTTP 410", NOW)
        await session.commit()


async def test_endpoints_are_listed_with_their_counts(client: httpx.AsyncClient, sessions: Sessions) -> None:
    await bury(sessions, 2)
    answer = (await client.get("/webhooks")).json()
    assert answer == {
        "items": [
            {
                "name": "crm",
                "events": ["call.ended"],
                "pending": 0,
                "delivered": 0,
                "dead": 2,
                "disabled_at": "2027-01-15T08:00:00.000Z",
                "disabled_by": "HTTP 410",
            }
        ]
    }


async def test_the_dead_are_listed_by_page_without_what_they_say(client: httpx.AsyncClient, sessions: Sessions) -> None:
    await bury(sessions, 3)
    first = (await client.get("/webhooks/crm/dead", params={"limit": 2})).json()
    rest = (await client.get("/webhooks/crm/dead", params={"limit": 2, "after": first["next"]})).json()
    ids = [item["id"] for item in first["items"] + rest["items"]]
    assert ids == sorted(set(ids))
    assert (len(ids), rest["next"]) == (3, None)
    assert first["items"][0]["error"] == "HTTP 500"
    assert "secret" not in str(first)


async def test_one_is_replayed_or_all_and_the_endpoint_is_told_again(
    client: httpx.AsyncClient, sessions: Sessions, deeds: list[tuple[str, str]]
) -> None:
    await bury(sessions, 3)
    second = (await client.get("/webhooks/crm/dead")).json()["items"][1]["id"]
    replayed = await client.post(f"/webhooks/crm/dead/{second}/replay")
    assert (replayed.status_code, replayed.json()) == (202, {"replayed": 1})
    assert (await client.post(f"/webhooks/crm/dead/{second}/replay")).status_code == 404
    assert (await client.post("/webhooks/crm/replay")).json() == {"replayed": 2}
    (item,) = (await client.get("/webhooks")).json()["items"]
    assert (item["pending"], item["dead"], item["disabled_at"]) == (3, 0, None)
    assert set(deeds) == {("webhooks.replayed", "crm")}


@pytest.mark.parametrize(
    "address", ["webhooks/nobody/replay", "webhooks/nobody/dead/1/replay", "webhooks/crm/dead/0/replay"]
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.post(address)).status_code == 404
    assert (await client.get("webhooks/nobody/dead")).status_code == 404
