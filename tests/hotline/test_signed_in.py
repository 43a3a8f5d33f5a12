"""The whole program over real WebSockets: what a signed-in page has open ends with its session."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from hotline import auth
from hotline.app import Hotline
from tests.hotline.test_app import settings_in

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]

SIGNED_OUT = 1008


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """A program of this module."""
    made = Hotline(settings_in(tmp_path_factory.mktemp("hotline")))
    await made.start()
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def signed_in(hotline: Hotline, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A page of somebody whom the first start made."""
    password = next(user.password for user in hotline.new_users if user.name == name)
    url = hotline.settings.web.url
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"Origin": url}) as page:
        answer = await page.post("/session", json={"name": name, "password": password})
        assert answer.status_code == 201
        page.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield page


async def opened(page: httpx.AsyncClient, path: str, origin: str = "") -> ClientConnection:
    address = str(page.base_url.copy_with(scheme="ws", path=path))
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    return await connect(
        address,
        origin=origin or page.headers["Origin"],  # type: ignore[arg-type]  # a NewType of str
        additional_headers={"Cookie": cookie},
        subprotocols=["sip"] if path == "/sip" else None,  # type: ignore[list-item]  # a NewType of str
        proxy=None,
    )


async def close_code(connection: ClientConnection) -> int:
    async with asyncio.timeout(10):
        await connection.wait_closed()
    return connection.close_code or 0


async def test_signing_out_closes_what_that_page_has_open_and_nothing_else(hotline: Hotline) -> None:
    async with signed_in(hotline, "agent1") as page, signed_in(hotline, "agent2") as colleague:
        assert (await page.post("/session/phone")).status_code == 201
        assert set(hotline.page_secrets["agent1"]) != set()
        events, phone = await opened(page, "/api/v1/events"), await opened(page, "/sip")
        beside = await opened(colleague, "/api/v1/events")
        assert '"hello"' in str(await events.recv())
        assert (await page.delete("/session")).status_code == 204
        assert [await close_code(events), await close_code(phone)] == [SIGNED_OUT, SIGNED_OUT]
        assert hotline.page_secrets["agent1"] == {}
        assert '"hello"' in str(await beside.recv())
        page.cookies.set("hotline", "what was stolen")
        with pytest.raises(InvalidStatus):
            await opened(page, "/api/v1/events")
        await beside.close()


@pytest.mark.parametrize("path", ["/api/v1/events", "/sip"])
async def test_a_page_of_another_origin_is_refused_with_a_good_cookie(hotline: Hotline, path: str) -> None:
    async with signed_in(hotline, "agent1") as page:
        for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
            with pytest.raises(InvalidStatus) as refused:
                await opened(page, path, origin)
            assert refused.value.response.status_code == 403


async def test_who_is_disabled_loses_what_is_open_within_seconds(hotline: Hotline) -> None:
    async with signed_in(hotline, "supervisor1") as page:
        events = await opened(page, "/api/v1/events")
        assert '"hello"' in str(await events.recv())
        async with hotline.sessions.begin() as session:
            await auth.disable_user(session, "supervisor1", hotline.clock.now())
        assert await close_code(events) == SIGNED_OUT
