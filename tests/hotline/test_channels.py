"""Channels behind the door of the whole web side: whom it lets pass without a token, and how it answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hotline import database
from hotline.config import load
from hotline.guard import CHANNELS
from hotline.web import create_app
from tests.crm_bridge.channels.far_ends import (
    MESSENGER,
    ZALO,
    page,
    said_on_facebook,
    signed_by_meta,
    signed_by_zalo,
    zalo_text,
)
from tests.hotline.conftest import StandingClock, TokenMaker

ORIGIN = "https://www.example.com"
CONFIG = f"""
channels:
  zalo: {{kind: zalo, app_id: "{ZALO.app_id}", oa_secret: "env:OA"}}
  facebook: {{kind: messenger, app_secret: "{MESSENGER.app_secret}", verify_token: "{MESSENGER.verify_token}"}}
  website: {{kind: form, origins: ["{ORIGIN}"]}}
"""


@pytest.fixture
async def stranger(
    tmp_path: Path, sessions: database.Sessions, clock: StandingClock
) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "hotline.yaml").write_text(CONFIG, "utf-8")
    settings = load(tmp_path / "hotline.yaml", {"OA": ZALO.oa_secret}, data=tmp_path / "data")
    app = create_app(settings, sessions, clock, ready=lambda: True)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hotline/hooks") as client:
        yield client


async def test_channels_deliver_without_a_token(
    stranger: httpx.AsyncClient, token_with: TokenMaker, sessions: database.Sessions
) -> None:
    body, headers = signed_by_zalo(zalo_text("0912345678"))
    assert (await stranger.post("/zalo", content=body, headers=headers)).json() == {"events": 1}
    body, headers = signed_by_meta(page(said_on_facebook("+84 912 345 678")))
    assert (await stranger.post("/facebook", content=body, headers=headers)).json() == {"events": 1}
    origin = {"Origin": ORIGIN}
    answer = await stranger.post("/website", json={"phone": "0084912345678"}, headers=origin)
    assert (answer.json(), answer.headers["access-control-allow-origin"]) == ({"received": True}, ORIGIN)
    assert (await stranger.options("/website", headers=origin)).status_code == 204
    stranger.headers["Authorization"] = f"Bearer {await token_with(['read'])}"
    found = (await stranger.get("http://hotline/api/v1/customers")).json()["items"]
    assert [len(each["identities"]) for each in found] == [3]


async def test_errors_are_problems(stranger: httpx.AsyncClient) -> None:
    refused = await stranger.post("/zalo", content=b'{"event_name": "user_send_text"}')
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    fault = await stranger.post("/website", json={"phone": "1"}, headers={"Origin": ORIGIN})
    assert (fault.status_code, fault.headers["access-control-allow-origin"]) == (422, ORIGIN)
    assert fault.json()["errors"] == [
        {"pointer": "#/phone", "detail": "gives neither a phone number nor an e-mail address that could be answered"}
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/zalo"),
        ("DELETE", "/website"),
        ("HEAD", "/zalo"),
        ("POST", ""),
        ("POST", "/zalo/more"),
        ("POST", "/Zalo"),
        ("POST", "/../hooks/x%2Fy"),
    ],
)
async def test_nothing_else_of_them_is_open(method: str, path: str, stranger: httpx.AsyncClient) -> None:
    assert (await stranger.request(method, path)).status_code == 401


def test_the_door_is_no_wider_than_the_addresses() -> None:
    assert CHANNELS.fullmatch("/hooks/zalo-2")
    for path in ("/hooks/zalo\n", "/hooks/a/b", "/x/hooks/zalo", "/hooks/"):
        assert not CHANNELS.fullmatch(path)
