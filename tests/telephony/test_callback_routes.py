"""Callbacks over HTTP, on a whole program without its phones: listed, taken back, kept over a restart, erased."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from crm_bridge.tables import Customer
from hotline import auth
from hotline.app import Hotline
from hotline.config import ConfigErrors, load
from hotline.tables import AuditEntry
from telephony.events import FlowRequest
from telephony.requests import BookCallback
from telephony.tables import Callback
from tests.end_to_end.running import free_port

pytestmark = pytest.mark.timeout(60)


def configured(folder: Path, callbacks: str = "{}") -> Path:
    config = folder / "hotline.yaml"
    trunk = "{name: pbx, targets: 'sip:127.0.0.9:9', probe: 0s}"
    config.write_text(
        f"data: {folder / 'data'}\n"
        f"sip: {{listen: ['udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}'], trunks: [{trunk}]}}\n"
        f"web: {{listen: '127.0.0.1:{free_port(socket.SOCK_STREAM)}'}}\n"
        "media: {ports: 29300-29399}\n"
        "queues: {care: {}, sales: {agents: [binh]}}\n"
        f"callbacks: {callbacks}\n",
        encoding="utf-8",
    )
    return config


@pytest.fixture
async def hotline(tmp_path: Path) -> AsyncIterator[Hotline]:
    made = Hotline(load(configured(tmp_path), {}))
    await made.start()
    yield made
    await made.stop()


async def client(hotline: Hotline, scopes: Iterable[str]) -> httpx.AsyncClient:
    async with hotline.sessions.begin() as session:
        token = await auth.add_token(session, "huong", scopes, hotline.clock.now())
    address = f"{hotline.settings.web.url}/api/v1"
    return httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"})


async def book(hotline: Hotline, number: str, queue: str = "care") -> None:
    """As a call's flow asks."""
    asked = FlowRequest(call="c" * 32, number=int(number[-4:]), request=BookCallback(number, queue, "Refund"))
    outcome = await hotline.funnel.requests._outcome(asked)
    assert outcome.name == "next"


async def waiting(http: httpx.AsyncClient) -> dict[str, int]:
    return {each["name"]: each["waiting"] for each in (await http.get("/queues")).json()}


async def listed(http: httpx.AsyncClient, **asked: Any) -> list[tuple[str, str, str]]:
    answer = await http.get("/callbacks", params=asked)
    assert answer.status_code == 200, answer.text
    return [(each["number"], each["queue"], each["state"]) for each in answer.json()["items"]]


async def test_they_are_listed_counted_and_taken_back(hotline: Hotline) -> None:
    listener = hotline.funnel.live.listen()
    await book(hotline, "+84912345678")
    await book(hotline, "+84987654321", "sales")
    async with await client(hotline, ["admin"]) as http:
        assert await waiting(http) == {"care": 1, "sales": 1}
        assert await listed(http) == [("+84987654321", "sales", "booked"), ("+84912345678", "care", "booked")]
        assert await listed(http, queue="care") == [("+84912345678", "care", "booked")]
        assert await listed(http, state="done") == []
        page = (await http.get("/callbacks", params={"limit": 1})).json()
        assert await listed(http, limit=1, before=page["next"]) == [("+84912345678", "care", "booked")]
        identity = page["items"][0]["id"]
        taken = await http.delete(f"/callbacks/{identity}")
        assert taken.status_code == 200, taken.text
        assert (taken.json()["state"], taken.json()["cause"]) == ("cancelled", "by huong")
        assert (await http.delete(f"/callbacks/{identity}")).status_code == 409  # the second click
        assert (await http.delete("/callbacks/nowhere")).status_code == 404
        assert await waiting(http) == {"care": 1, "sales": 0}
    async with hotline.sessions() as session:
        entries = (await session.execute(select(AuditEntry.who, AuditEntry.what, AuditEntry.about))).all()
    assert [tuple(each) for each in entries] == [("huong", "callback.cancelled", identity)]
    told: list[Any] = [await listener.next() for _ in range(3)]
    assert [(each["type"], each["callback"]["state"]) for each in told] == [
        ("callback.changed", "booked"),
        ("callback.changed", "booked"),
        ("callback.changed", "cancelled"),
    ]


async def test_each_has_its_place_and_the_name_of_whom_it_is_for(hotline: Hotline) -> None:
    for number in ("+84912345678", "+84912345670"):
        await book(hotline, number)
    first, _ = hotline.funnel.switchboard.board.bookings
    async with hotline.sessions.begin() as session:
        session.add(Customer(id="1" * 32, name="Phạm Thị Lan", created_at=1.0, updated_at=1.0))
        await session.execute(update(Callback).where(Callback.id == first).values(customer_id="1" * 32))
    async with await client(hotline, ["admin"]) as http:
        items = (await http.get("/callbacks")).json()["items"]
        assert [(each["place"], each["person"]) for each in items] == [(2, ""), (1, "Phạm Thị Lan")]
        assert (await http.delete(f"/callbacks/{first}")).json()["place"] is None
        assert [each["place"] for each in (await http.get("/callbacks")).json()["items"]] == [1, None]


async def test_who_may_only_look_takes_nothing_back(hotline: Hotline) -> None:
    await book(hotline, "+84912345678")
    async with await client(hotline, ["read"]) as http:
        identity = (await http.get("/callbacks")).json()["items"][0]["id"]
        assert (await http.delete(f"/callbacks/{identity}")).status_code == 403


async def test_a_promise_outlives_the_program_and_ends_with_its_row(tmp_path: Path) -> None:
    config = configured(tmp_path)
    first = Hotline(load(config, {}))
    await first.start()
    try:
        await book(first, "+84912345678")
        since = next(iter(first.funnel.switchboard.board.bookings.values())).kept.since
    finally:
        await first.stop()
    second = Hotline(load(config, {}))
    await second.start()
    try:
        (booking,) = second.funnel.switchboard.board.bookings.values()
        assert (booking.kept.since, booking.queued) == (since, True)
        async with second.sessions.begin() as session:  # as an erasure does
            await session.execute(delete(Callback))
        async with asyncio.timeout(20):
            while second.funnel.switchboard.board.bookings:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await second.stop()


def test_hours_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="callbacks: hours: `hours` has no `nowhere`; there are office"):
        load(configured(tmp_path, "{hours: nowhere}"), {})


def test_the_settings_are_the_switchboards_rules(tmp_path: Path) -> None:
    rules = load(configured(tmp_path, "{retries: 1, retry_after: 5m, expire: 2h, hours: office}"), {}).callbacks.rules
    assert (rules.retries, rules.retry_after_s, rules.expire_s, rules.hours) == (1, 300.0, 7200.0, "office")
