"""What the CRM says of a customer, and a customer sent to it, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Request

from crm_bridge import customer
from crm_bridge.connectors import routes
from crm_bridge.connectors.lookup import Connectors
from crm_bridge.context import find_caller
from crm_bridge.match import claim, find_or_create
from hotline.database import Sessions
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.playing import NOW, Crm, asking

AN = "+84912345678"


@pytest.fixture
def crm() -> Crm:
    played = crms.Rest()
    played.people = [{"id": "7", "name": "Nguyễn Văn An", "phone": AN, "email": "an@example.vn"}]
    played.cases = [{"id": 1, "subject": "Where is it?", "state": "new"}]
    return played


@pytest.fixture
def deeds() -> list[tuple[str, str]]:
    """What is written of who did what."""
    return []


@pytest.fixture
async def api(crm: Crm, sessions: Sessions, deeds: list[tuple[str, str]]) -> AsyncIterator[httpx.AsyncClient]:
    async def audit(_request: Request, what: str, about: str) -> None:
        deeds.append((what, about))

    async with asking(crm, "rest", fresh_s=0.0) as client:
        connectors = Connectors([client], sessions, client.now)
        app = FastAPI()
        app.include_router(routes.router, prefix="/api/v1")
        app.state.sessions, app.state.connectors, app.state.audit = sessions, connectors, audit
        app.state.clock = SimpleNamespace(now=client.now)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hotline/api/v1") as web:
            yield web
        await connectors.stop()


@pytest.fixture
async def an(sessions: Sessions) -> str:
    async with sessions() as session:
        _, found = await find_caller(session, AN, False, "", "VN", NOW)
        await session.commit()
    return found.customer


async def test_a_profile_has_what_the_crm_says(api: httpx.AsyncClient, an: str) -> None:
    [item] = (await api.get(f"/customers/{an}/crm")).json()["items"]
    assert item["as_of"].startswith("2027-01-15T08:00:0")
    assert item | {"as_of": ""} == {
        "connector": "rest",
        "title": "A CRM with a REST interface",
        "as_of": "",
        "stale": False,
        "cause": None,
        "person": {"id": "7", "name": "Nguyễn Văn An", "phone": AN, "email": "an@example.vn", "link": None},
        "cases": [
            {"id": "1", "number": None, "subject": "Where is it?", "state": "open", "opened_at": None, "link": None}
        ],
        "orders": [],
    }


async def test_a_crm_that_is_away_leaves_its_last_answer(
    api: httpx.AsyncClient, an: str, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await api.get(f"/customers/{an}/crm")).json()["items"][0]
    monkeypatch.setattr(routes, "WITHIN_S", 0.1)
    crm.hangs = asyncio.Event()
    second = (await api.get(f"/customers/{an}/crm")).json()["items"][0]
    assert second == first | {"stale": True, "cause": "it has not answered yet"}


async def test_somebody_whom_the_crm_does_not_know(api: httpx.AsyncClient, an: str, crm: Crm) -> None:
    crm.people.clear()
    [item] = (await api.get(f"/customers/{an}/crm")).json()["items"]
    assert (item["person"], item["cases"], item["stale"]) == (None, None, False)
    for customer_id in ("nobody", "%00"):
        assert (await api.get(f"/customers/{customer_id}/crm")).status_code == 404


async def test_a_profile_is_sent_once_made_and_then_changed(
    api: httpx.AsyncClient, an: str, crm: Crm, deeds: list[tuple[str, str]]
) -> None:
    crm.people.clear()
    assert (await api.post(f"/customers/{an}/crm/rest")).json() == {"person": "1", "created": True}
    assert (await api.post(f"/customers/{an}/crm/rest")).json() == {"person": "1", "created": False}
    assert crm.people == [{"id": "1", "name": AN, "phone": AN}]
    assert deeds == [("customer.sent_to_crm", an)] * 2


async def test_what_cannot_be_sent_says_why(api: httpx.AsyncClient, an: str, crm: Crm, sessions: Sessions) -> None:
    assert (await api.post(f"/customers/{an}/crm/sap")).status_code == 404
    assert (await api.post("/customers/nobody/crm/rest")).status_code == 404
    async with sessions() as session:
        claims = [claim("zalo", "zalo", "z1"), claim("zalo", "email", "boss@example.vn")]
        zalo = await find_or_create(session, claims, source="zalo", evidence="", now=NOW)
        await session.commit()
    refused = await api.post(f"/customers/{zalo.customer}/crm/rest")
    assert refused.status_code == 409
    assert "neither a number nor an address" in refused.json()["detail"]
    crm.trouble.append((422, {"code": "invalid"}, {}))
    refused = await api.post(f"/customers/{an}/crm/rest")
    assert (refused.status_code, "HTTP 422 invalid" in refused.json()["detail"]) == (409, True)
    crm.trouble.append((429, {}, {"Retry-After": "9"}))
    assert (await api.post(f"/customers/{an}/crm/rest")).status_code == 503


async def test_a_number_that_is_only_claimed_changes_nobodys_file(
    api: httpx.AsyncClient, crm: Crm, sessions: Sessions
) -> None:
    async with sessions() as session:
        claims = [claim("web", "zalo", "z1"), claim("web", "phone", AN)]
        mallory = await find_or_create(session, claims, source="web", evidence="", now=NOW)
        await customer.fill(session, mallory.customer, name="Mallory", language="", tags=(), now=NOW)
        await session.commit()
    refused = await api.post(f"/customers/{mallory.customer}/crm/rest")
    assert refused.status_code == 409
    assert "neither a number nor an address" in refused.json()["detail"]
    assert [each["name"] for each in crm.people] == ["Nguyễn Văn An"]


async def test_connectors_are_listed(api: httpx.AsyncClient) -> None:
    [item] = (await api.get("/connectors")).json()["items"]
    assert (item["name"], item["state"]) == ("rest", "closed")
    assert "log_call" in item["offers"]
