"""The application as a whole: every route behind the door, every error a problem, probes that tell the truth."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hotline import database
from hotline.config import Settings
from hotline.guard import AREAS, OPEN, PAGES
from hotline.pages import Pages
from hotline.web import SECURITY_HEADERS, create_app
from tests.hotline.conftest import StandingClock, TokenMaker


class Order(BaseModel):
    """What the made-up route of these tests takes."""

    amount: int
    lines: list[str] = []


@pytest.fixture
def app(settings: Settings, sessions: database.Sessions, clock: StandingClock) -> FastAPI:
    return create_app(settings, sessions, clock, ready=lambda: True)


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hotline") as client:
        yield client


@pytest.fixture
async def admin(stranger: httpx.AsyncClient, token_with: TokenMaker) -> httpx.AsyncClient:
    stranger.headers["Authorization"] = f"Bearer {await token_with(['admin'])}"
    return stranger


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    """Return (method, address) of everything the application answers, in included and mounted parts too."""
    found: list[tuple[str, str]] = []
    for route in iter_route_contexts(app.routes):
        assert route.path is not None, f"a kind of route that this test does not know: {route!r}"
        if isinstance(route.original_route, WebSocketRoute):
            found.append(("WEBSOCKET", route.path))
        else:
            assert isinstance(route.original_route, Route), f"this test does not look inside {route!r}"
            found += [(method, route.path) for method in route.methods or {"GET"}]
    return found


async def knock(app: FastAPI, path: str, headers: dict[str, str] | None = None) -> list[Message]:
    sent: list[Message] = []
    waiting = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "ws",
    }
    await app(scope | {"query_string": b"", "headers": raw, "subprotocols": [], "client": ("::1", 1)}, receive, send)
    return sent


# --------------------------------------------------------------------------------------------------------- the door


async def test_every_route_needs_a_token(app: FastAPI, stranger: httpx.AsyncClient) -> None:
    routes = every_route(app)
    addresses = {address for _, address in routes}
    assert {"/api/v1/interactions", "/api/v1/calls", "/api/v1/recordings", "/api/v1/openapi.json"} <= addresses
    assert ("WEBSOCKET", "/api/v1/events") in routes
    for method, address in routes:
        path = re.sub(r"\{[^}]*\}", "0" * 32, address)
        if method == "WEBSOCKET" and path == "/sip":
            assert (await knock(app, path))[0]["type"] == "websocket.close", address  # SIP has passwords of its own
        elif (method, path) == ("POST", "/api/v1/session"):
            assert (await stranger.post(path, json={})).status_code == 422
        elif path in PAGES | Pages().paths() or path.startswith(AREAS):
            assert (await stranger.get(path)).status_code in (200, 503), address
        elif method == "WEBSOCKET":
            assert await knock(app, path) == [{"type": "websocket.close", "code": 1008}], address
        elif not (path in OPEN and method in ("GET", "HEAD")):
            assert (await stranger.request(method, path)).status_code == 401, (method, address)


async def test_an_address_that_is_not_there_looks_like_all_others_to_a_stranger(
    stranger: httpx.AsyncClient, app: FastAPI, token_with: TokenMaker
) -> None:
    there, nowhere = await stranger.get("/api/v1/calls"), await stranger.get("/nowhere")
    assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
    token = await token_with(["admin"])
    found = await stranger.get("/nowhere", headers={"Authorization": f"Bearer {token}"})
    assert (found.status_code, found.json()["detail"]) == (404, "There is nothing at this address.")


async def test_a_real_server_refuses_a_websocket_with_the_reason_and_a_quiet_log(
    app: FastAPI, token_with: TokenMaker, caplog: pytest.LogCaptureFixture
) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="websockets-sansio", lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener, capture_logs():
        running = asyncio.create_task(server.serve(sockets=[listener]))
        address = f"ws://127.0.0.1:{listener.getsockname()[1]}/api/v1/events"
        for token, status in (("", 401), ("wrong", 401), (await token_with(["read"]), 403)):
            headers = {"Authorization": f"Bearer {token}"}
            with pytest.raises(InvalidStatus) as caught:
                await connect(address, additional_headers=headers, proxy=None)
            assert caught.value.response.status_code == status
            assert caught.value.response.headers["content-type"] == "application/problem+json"
            assert "X-Frame-Options" in caught.value.response.headers
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"no request\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        server.should_exit = True
        await running
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


# ----------------------------------------------------------------------------------------------------------- errors


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(problem)
    return problem


async def test_faults_point_at_what_is_wrong(app: FastAPI, admin: httpx.AsyncClient) -> None:
    @app.post("/order/{number}")
    async def order(number: int, body: Order, limit: int = 1) -> None: ...

    answer = await admin.post("/order/x?limit=y", json={"lines": ["a", 7], "amount": "much"})
    problem = problem_of(answer)
    assert (answer.status_code, problem["title"]) == (422, HTTPStatus(422).phrase)
    places = [{key: fault[key] for key in fault if key != "detail"} for fault in problem["errors"]]
    assert places == [
        {"parameter": "number"},
        {"parameter": "limit"},
        {"pointer": "#/amount"},
        {"pointer": "#/lines/1"},
    ]
    assert "much" not in answer.text
    headers = {"Content-Type": "application/json"}
    broken = await admin.post("/order/1", content=b"{no", headers=headers)
    assert (problem_of(broken)["status"], broken.json()["detail"]) == (
        400,
        "The body is not JSON: Expecting property name enclosed in double quotes, at character 1.",
    )
    assert problem_of(await admin.post("/order/1", data={"amount": "1"}))["status"] == 415
    assert problem_of(await admin.post("/order/1"))["errors"] == [
        {"pointer": "#", "detail": "is missing: it must be there"}
    ]


async def test_what_a_route_says_stands_in_the_problem(app: FastAPI, admin: httpx.AsyncClient) -> None:
    @app.get("/refused/{kind}")
    async def refused(kind: str) -> None:
        said = {"words": "The call has ended already.", "object": {"detail": "Busy.", "call": "1"}, "nothing": None}[
            kind
        ]
        raise HTTPException(409, said, {"Retry-After": "1"})

    answer = await admin.get("/refused/words")
    assert (problem_of(answer)["detail"], answer.headers["retry-after"]) == ("The call has ended already.", "1")
    assert problem_of(await admin.get("/refused/object"))["call"] == "1"
    assert problem_of(await admin.get("/refused/nothing"))["title"] == "Conflict"


async def test_a_method_that_an_address_does_not_know_is_a_problem_too(admin: httpx.AsyncClient) -> None:
    answer = await admin.delete("/api/v1/queues")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert problem_of(answer)["detail"] == "This address does not know this method."


async def test_an_unforeseen_failure_shows_its_id_and_nothing_of_the_inside(
    app: FastAPI, admin: httpx.AsyncClient
) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("the secret inside")

    with capture_logs() as logged:
        problem = problem_of(await admin.get("/fails?phone=0912345678"))
    id_ = problem["instance"].removeprefix("urn:uuid:")
    assert id_ in problem["detail"]
    assert "secret" not in str(problem)
    entry = {"event": "a request failed", "id": id_, "method": "GET", "path": "/fails", "exc_info": True}
    assert logged == [entry | {"log_level": "error"}]


async def test_a_database_that_does_not_answer_is_said_to_be_so(app: FastAPI, admin: httpx.AsyncClient) -> None:
    @app.get("/locked")
    async def locked() -> None:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    with capture_logs():
        answer = await admin.get("/locked")
    assert (problem_of(answer)["status"], answer.headers["retry-after"]) == (503, "2")
    assert "secret" not in answer.text


async def test_a_response_that_has_begun_ends_short(app: FastAPI, admin: httpx.AsyncClient) -> None:
    async def part() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the disk is gone")

    async def fails(_request: object) -> StreamingResponse:
        return StreamingResponse(part())

    app.add_route("/half", fails)
    with capture_logs() as logged, pytest.raises(AssertionError):  # httpx's transport, which got half an answer
        await admin.get("/half")
    assert logged[0]["event"] == "a request failed"


async def test_a_body_that_is_too_long_is_refused(app: FastAPI, admin: httpx.AsyncClient) -> None:
    @app.post("/order")
    async def order(body: Order) -> int:
        return body.amount

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    assert (await admin.post("/order", json={"amount": 7})).json() == 7
    for content in (b" " * 1_100_000, pieces()):
        assert problem_of(await admin.post("/order", content=content))["status"] == 413


async def test_a_file_of_customers_may_be_longer_than_other_bodies(app: FastAPI, admin: httpx.AsyncClient) -> None:
    file = "phone,note\n0912345678," + "x" * 100_000 + "\n" + " " * 1_200_000 + "\n"
    answer = await admin.post("/api/v1/imports", content=file, params={"dry_run": True, "file": "khách.csv"})
    assert (answer.status_code, answer.json()["counts"]["created"]) == (200, 1)
    too_long = {"Content-Length": str((64 << 20) + 1)}
    assert problem_of(await admin.post("/api/v1/imports", content=b"", headers=too_long))["status"] == 413


async def test_who_went_away_is_told_nothing(app: FastAPI, admin: httpx.AsyncClient) -> None:
    async def gone(_request: object) -> PlainTextResponse:
        raise ClientDisconnect

    async def gone_too(websocket: WebSocket) -> None:
        await websocket.accept()
        raise WebSocketDisconnect

    app.add_route("/gone", gone)
    app.add_api_websocket_route("/gone", gone_too)
    with pytest.raises(AssertionError):  # httpx's transport, which got no answer
        await admin.get("/gone")
    assert [message["type"] for message in await knock(app, "/gone", dict(admin.headers))] == ["websocket.accept"]


async def test_a_failing_websocket_is_closed_with_an_id(app: FastAPI, admin: httpx.AsyncClient) -> None:
    async def fails(websocket: WebSocket) -> None:
        await websocket.accept()
        raise RuntimeError("secret")

    app.add_api_websocket_route("/fails", fails)
    with capture_logs():
        opened, closed = await knock(app, "/fails", dict(admin.headers))
    assert opened["type"] == "websocket.accept"
    assert (closed["type"], closed["code"]) == ("websocket.close", 1011)
    assert re.fullmatch(r"failure [0-9a-f]{32}", closed["reason"])


async def test_an_error_outside_requests_is_not_swallowed(app: FastAPI) -> None:
    from hotline.problems import Failures  # noqa: PLC0415

    async def fails(*_: object) -> None:
        raise RuntimeError("at start")

    async def nothing(*_: object) -> Any: ...

    with pytest.raises(RuntimeError, match="at start"):
        await Failures(fails)({"type": "lifespan"}, nothing, nothing)


# ------------------------------------------------------------------------------------------------ headers and probes


async def test_every_answer_carries_the_security_headers(app: FastAPI, admin: httpx.AsyncClient) -> None:
    async def own(_request: object) -> PlainTextResponse:
        return PlainTextResponse("", headers={"Cache-Control": "max-age=60"})

    app.add_route("/own", own)
    for path in ("/healthz", "/nowhere", "/api/v1/openapi.json"):
        answer = await admin.get(path)
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert (await admin.get("/own")).headers["cache-control"] == "max-age=60"


async def test_the_process_is_up_whatever_else_is_not(stranger: httpx.AsyncClient, app: FastAPI) -> None:
    app.state.ready = lambda: False
    answer = await stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "up"})


@pytest.mark.parametrize(
    ("said", "waiting_for"),
    [(True, []), (False, ["telephone"]), ({"media": True, "render": False}, ["render"]), ({}, [])],
)
async def test_readiness_names_what_it_waits_for(
    stranger: httpx.AsyncClient, app: FastAPI, said: Any, waiting_for: list[str]
) -> None:
    app.state.ready = lambda: said
    answer = await stranger.get("/readyz")
    assert answer.status_code == (503 if waiting_for else 200)
    assert answer.json() == {"ready": not waiting_for, "waiting_for": waiting_for}


async def test_it_is_not_ready_without_its_database(
    stranger: httpx.AsyncClient, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    engine = database.open_engine(f"sqlite:///{folder / 'x.db'}")
    await asyncio.to_thread(folder.rmdir)
    app.state.sessions = database.session_factory(engine)
    answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.json()["waiting_for"]) == (503, ["database"])
    await engine.dispose()


async def test_it_is_not_ready_before_it_is_wired(
    settings: Settings, sessions: database.Sessions, clock: StandingClock
) -> None:
    app = create_app(settings, sessions, clock)
    app.state.publish("interaction.created", {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hotline") as client:
        assert (await client.get("/readyz")).status_code == 503


# ---------------------------------------------------------------------------------------------------------- OpenAPI


async def test_the_document_tells_the_truth_about_errors_and_tokens(admin: httpx.AsyncClient) -> None:
    document = (await admin.get("/api/v1/openapi.json")).json()
    assert document == (await admin.get("/api/v1/openapi.json")).json()
    assert document["security"] == [{"token": []}]
    assert "HTTPValidationError" not in str(document)
    assert all(path.startswith(("/api/v1/", "/hooks/")) for path in document["paths"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == path.startswith("/hooks/")  # signed, or nobody's
            errors = {status: told for status, told in operation["responses"].items() if status[0] in "45"}
            assert {"401", "403"} <= set(errors) or path.startswith("/hooks/")
            assert all(list(told["content"]) == ["application/problem+json"] for told in errors.values())
