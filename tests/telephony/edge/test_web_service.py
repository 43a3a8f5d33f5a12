"""What flows ask of web services: against a real server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from telephony.edge.flow_requests import Outcome
from telephony.edge.web_service import MAX_ANSWER_OCTETS, WebServices
from telephony.events import FlowRequest
from telephony.requests import CallHttp

FIELDS = {"status": "status", "day": "items.0.day"}
ANSWER = {"status": "đang giao", "items": [{"day": "2026-03-03"}], "secret": "not asked for"}


@dataclass
class Shop:
    """An HTTP server that answers what it is told to, and keeps what it was asked. A status of 0 says nothing."""

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.asked.append((head[0], headers, body))
            status, answer = self.answers.pop(0) if self.answers else (200, json.dumps(ANSWER).encode())
            if status:
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
            else:
                await reader.read()  # until the other side has had enough
        finally:
            writer.close()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield shop
    server.close()


@pytest.fixture
async def services() -> AsyncIterator[WebServices]:
    async def at_once(_: float) -> None:
        pass

    held = {("c", 1, "pin"): "123456"}
    services = WebServices({"key": "s3cret+"}, lambda *asked: held.get(asked), sleep=at_once)
    yield services
    await services.close()


def asked(url: str, **more: Any) -> FlowRequest:
    told: dict[str, Any] = {"method": "get", "url": url, "fields": FIELDS, "timeout_s": 5.0, **more}
    request = CallHttp(**told)
    return FlowRequest(call="c", number=1, request=request)


async def test_what_is_wanted_of_the_answer_comes_back(services: WebServices, shop: Shop) -> None:
    request = asked(
        f"{shop.url}/orders/4561?a=b&key={{settings.key}}",
        headers={"Authorization": "Bearer {settings.key}", "X": "{settings.no}"},
        settings=("key", "no"),
    )
    assert await services.perform(request) == Outcome("next", {"status": "đang giao", "day": "2026-03-03"})
    line, sent, body = shop.asked[0]
    assert (line, body) == ("GET /orders/4561?a=b&key=s3cret%2B HTTP/1.1", b"")
    assert (sent["authorization"], sent["x"]) == ("Bearer s3cret+", "")


async def test_a_body_is_json_and_a_secret_is_filled_in(services: WebServices, shop: Shop) -> None:
    body = {"bill": "42", "paid": True, "key": "{settings.key}"}
    request = asked(shop.url, method="post", body=body, secrets={"pin": "pin"}, settings=("key",))
    assert (await services.perform(request)).name == "next"
    _, headers, sent = shop.asked[0]
    assert json.loads(sent) == {"bill": "42", "paid": True, "key": "s3cret+", "pin": "123456"}
    assert headers["content-type"] == "application/json"


async def test_a_setting_that_the_flow_does_not_name_is_not_told_whatever_a_caller_is_called(
    services: WebServices, shop: Shop
) -> None:
    name = "{settings.key}"
    request = asked(f"{shop.url}/?who={name}", method="post", body={"who": name}, headers={"X-Who": name})
    assert (await services.perform(request)).name == "next"
    assert "s3cret" not in str(shop.asked)


async def test_a_secret_goes_nowhere_in_clear(services: WebServices) -> None:
    request = asked("http://payments.example/", method="post", secrets={"pin": "pin"})
    with capture_logs() as said:
        assert (await services.perform(request)).name == "failed"
    assert "https" in said[0]["cause"]
    assert "123456" not in str(said)


@pytest.mark.parametrize(
    ("answers", "more", "outcome", "tries"),
    [
        ([(404, b"")], {"retries": 2}, "not_found", 1),
        ([(410, b"")], {}, "not_found", 1),
        ([(500, b""), (503, b"")], {"retries": 1}, "failed", 2),
        ([(500, b"")], {"retries": 1}, "next", 2),
        ([(500, b"")], {"retries": 3, "method": "post"}, "failed", 1),
        ([(400, b"")], {"retries": 3}, "failed", 1),
        ([(302, b"")], {}, "failed", 1),
        ([(200, b"<html>")], {"retries": 1}, "failed", 1),
        ([(200, b"[" * 100_000)], {}, "failed", 1),
        ([(200, b" " * (MAX_ANSWER_OCTETS + 1))], {}, "failed", 1),
        ([(204, b"")], {"fields": {}}, "next", 1),
        ([(0, b"")], {"timeout_s": 0.2}, "timed_out", 1),
        ([(0, b"")], {"timeout_s": 0.2, "retries": 1}, "next", 2),
    ],
)
async def test_each_answer_has_its_outcome(
    answers: list[tuple[int, bytes]], more: dict[str, Any], outcome: str, tries: int, services: WebServices, shop: Shop
) -> None:
    shop.answers = answers
    with capture_logs() as said:
        assert (await services.perform(asked(f"{shop.url}/4561", **more))).name == outcome
    assert len(shop.asked) == tries
    assert "4561" not in str(said)


async def test_what_is_not_in_the_answer_is_left_out(services: WebServices, shop: Shop) -> None:
    shop.answers = [(200, json.dumps({"status": {"no": "plain value"}, "items": []}).encode())]
    assert await services.perform(asked(shop.url)) == Outcome("next", {})


async def test_half_a_character_and_a_number_without_end_do_not_get_into_a_call(
    services: WebServices, shop: Shop
) -> None:
    shop.answers = [(200, b'{"status": "cut \\ud83d", "items": [{"day": 1e999}]}'), (200, b'{"status": Infinity}')]
    assert await services.perform(asked(shop.url)) == Outcome("next", {"status": "cut ?"})
    assert await services.perform(asked(shop.url)) == Outcome("failed")


@pytest.mark.parametrize(
    "url", ["", "http://", "ftp://x/", "http://127.0.0.1:1/", "http://[::1/", "https://x.invalid/"]
)
async def test_what_cannot_be_asked_has_failed(url: str, services: WebServices) -> None:
    assert (await services.perform(asked(url, retries=1))).name == "failed"
