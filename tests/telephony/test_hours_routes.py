"""Opening hours over HTTP and by the command line, on a whole program without its phones."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hotline import auth
from hotline.app import Hotline
from hotline.cli import app
from hotline.config import load
from hotline.tables import AuditEntry
from tests.end_to_end.running import free_port

pytestmark = pytest.mark.timeout(60)


def configured(folder: Path) -> Path:
    config = folder / "hotline.yaml"
    config.write_text(
        f"data: {folder / 'data'}\n"
        f"sip: {{listen: ['udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}']}}\n"
        f"web: {{listen: '127.0.0.1:{free_port(socket.SOCK_STREAM)}'}}\n"
        "media: {ports: 29200-29299}\n"
        "hours:\n"
        "  office: {open: {mon-sun: 00:00-24:00}}\n"
        "  shop: {timezone: Europe/Berlin, open: {mon: 08:00-12:00}, holidays: [2000-01-01..2000-12-31]}\n",
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


async def audited(hotline: Hotline) -> list[tuple[str, str, str]]:
    async with hotline.sessions() as session:
        rows = await session.scalars(select(AuditEntry).order_by(AuditEntry.at))
        return [(row.who, row.what, row.about) for row in rows if row.what.startswith("hours.")]


async def test_the_switch_is_turned_is_told_and_is_audited_once(hotline: Hotline) -> None:
    listener = hotline.funnel.live.listen()
    async with await client(hotline, ["admin"]) as http:
        office, shop = (await http.get("/hours")).json()
        assert (office["name"], office["state"], office["emergency"], office["turned_by"]) == (
            "office",
            "open",
            False,
            None,
        )
        assert (shop["timezone"], shop["state"] in {"open", "closed"}) == ("Europe/Berlin", True)
        for _ in range(2):
            turned = await http.put("/hours/office", json={"emergency": True})
            assert turned.status_code == 200, turned.text
            body = turned.json()
            assert (body["state"], body["emergency"], body["turned_by"]) == ("emergency", True, "huong")
        assert (await http.get("/hours")).json()[0]["state"] == "emergency"
        assert (await http.put("/hours/office", json={"emergency": False})).json()["state"] == "open"
    assert await audited(hotline) == [
        ("huong", "hours.emergency_on", "office"),
        ("huong", "hours.emergency_off", "office"),
    ]
    told = [await listener.next() for _ in range(2)]
    assert [(each["type"], each["hours"], each["emergency"]) for each in told] == [
        ("hours.changed", "office", True),
        ("hours.changed", "office", False),
    ]


async def test_who_may_not_and_what_is_not_there(hotline: Hotline) -> None:
    async with await client(hotline, ["read", "agents", "live"]) as http:
        assert (await http.get("/hours")).status_code == 200
        assert (await http.put("/hours/office", json={"emergency": True})).status_code == 403
    async with await client(hotline, ["admin"]) as http:
        assert (await http.put("/hours/nowhere", json={"emergency": True})).status_code == 404
        assert (await http.put("/hours/office", json={"emergency": "perhaps"})).status_code == 422
        assert (await http.put("/hours/office", json={})).status_code == 422
    assert await audited(hotline) == []


async def test_it_survives_a_restart_and_follows_the_command_line(tmp_path: Path) -> None:
    config = configured(tmp_path)

    def command(*words: str) -> str:
        done = CliRunner().invoke(app, ("hours", *words, "--config", str(config)), catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    await asyncio.to_thread(command, "emergency", "office", "on")
    hotline = Hotline(load(config, {}))
    await hotline.start()
    try:
        async with await client(hotline, ["read"]) as http:
            assert (await http.get("/hours")).json()[0]["state"] == "emergency"
            await asyncio.to_thread(command, "emergency", "office", "off")
            async with asyncio.timeout(20):
                while (await http.get("/hours")).json()[0]["state"] != "open":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
    finally:
        await hotline.stop()
    listed = await asyncio.to_thread(command, "list")
    assert [line.split()[:2] for line in listed.splitlines()[:2]] == [["name", "state"], ["office", "open"]]
