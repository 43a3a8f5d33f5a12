"""The door: who passes, who is told what, and what guessing costs."""

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from hotline import auth
from hotline.database import Sessions
from hotline.guard import RECHECK_S, RULES, Guard, scopes_for
from hotline.sessions import begin, end
from hotline.tables import Token
from hotline.throttle import Throttle
from tests.hotline.conftest import NOW, StandingClock, TokenMaker


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    """What lies behind the door: it answers everything, and says who came."""
    principal = scope.get("state", {}).get("principal")
    if scope["type"] == "http":
        await PlainTextResponse(principal.name if principal else "anybody")(scope, receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})


@pytest.fixture
def guard(sessions: Sessions, clock: StandingClock) -> Guard:
    return Guard(inside, sessions, clock)


@pytest.fixture
def client(guard: Guard) -> Callable[..., httpx.AsyncClient]:
    def make(source: str = "192.0.2.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=guard, client=(source, 40000))
        return httpx.AsyncClient(transport=transport, base_url="http://hotline", headers=headers)

    return make


Client = Callable[..., httpx.AsyncClient]


async def knock(guard: Guard, path: str, token: str = "", extensions: dict[str, Any] | None = None) -> list[Message]:
    """Open a WebSocket; return what the server is told to send."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    scope = {"type": "websocket", "path": path, "scheme": "ws", "headers": headers, "extensions": extensions or {}}
    await guard(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/customers", "read desk"),
        ("GET", "/api/v1/customers/1/timeline", "read desk"),
        ("GET", "/api/v1/calls/1", "read desk"),
        ("GET", "/api/v1/calls/1/journal", "read"),
        ("GET", "/api/v1/recordings", "read"),
        ("GET", "/api/v1/audit", "audit"),
        ("GET", "/api/v1/webhooks/crm/dead", "read"),
        ("POST", "/api/v1/webhooks/crm/replay", "audit"),
        ("POST", "/api/v1/webhooks/crm/dead/1/replay", "audit"),
        ("POST", "/api/v1/webhooks/crm/dead/1", "admin"),
        ("GET", "/api/v1/desk", "desk"),
        ("HEAD", "/api/v1/recordings/1/audio", "read"),
        ("GET", "/api/v1/openapi.json", "read"),
        ("POST", "/api/v1/interactions", "interactions"),
        ("POST", "/api/v1/customers/1/merge", "customers"),
        ("POST", "/api/v1/customers/1/split", "customers"),
        ("POST", "/api/v1/customers/1/apart", "customers"),
        ("POST", "/api/v1/customers/1/identities/share", "customers"),
        ("POST", "/api/v1/customers/1/identities/unshare", "customers"),
        ("POST", "/api/v1/merges/1/undo", "customers"),
        ("POST", "/api/v1/imports", "customers"),
        ("GET", "/api/v1/imports/1", "customers"),
        ("POST", "/api/v1/imports/1/undo", "customers"),
        ("GET", "/api/v1/customers/1/links", "read"),
        ("GET", "/api/v1/customers/1/suggestions", "read"),
        ("POST", "/api/v1/agents/lan/state", "agents desk"),
        ("POST", "/api/v1/agents/lan/binh/state", "admin"),
        ("POST", "/api/v1/calls/1/hangup", "desk"),
        ("WEBSOCKET", "/api/v1/events", "live desk"),
        ("WEBSOCKET", "/sip", "admin"),
        ("GET", "/metrics", "metrics"),
        ("POST", "/metrics", "admin"),
        ("GET", "/metrics/", "admin"),
        ("GET", "/api/v1", "admin"),
        ("DELETE", "/api/v1/customers/1", "admin"),
        ("BREW", "/coffee", "admin"),
    ],
)
def test_an_address_needs_the_scope_of_its_line_and_admin_without_one(method: str, path: str, scope: str) -> None:
    assert scopes_for(method, path) == tuple(scope.split())


@given(st.text(), st.text())
def test_no_text_opens_more_than_a_line_says(method: str, path: str) -> None:
    assert scopes_for(method, path) == ("admin",) or any(rule[0] in (method, "GET") for rule in RULES)


@pytest.mark.parametrize(
    "path", ["/desks", "/desk/", "/healthz/", "/healthz/x", "//healthz", "/Healthz", "/api/v1/nothing", "/metrics"]
)
async def test_nothing_but_the_probes_answers_without_a_token(client: Client, path: str) -> None:
    async with client() as http:
        answer = await http.get(f"http://hotline{path}")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="hotline"')
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await http.get("/healthz")).text == "anybody"
        assert (await http.post("/healthz")).status_code == 401


@pytest.mark.parametrize(
    "credentials", ["Bearer", "Bearer ", "Basic aGk6aGk=", "bearerx", "Bearer wrong", "Bearer \xff\xfe", "Digest x"]
)
async def test_what_is_no_token_is_refused(client: Client, credentials: str) -> None:
    async with client() as http:
        answer = await http.get("/api/v1/calls", headers=[(b"Authorization", credentials.encode("latin-1"))])
    assert answer.status_code == 401


async def test_two_tokens_at_once_are_none(client: Client, token_with: TokenMaker) -> None:
    token = await token_with(["admin"])
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer other")]
    async with client() as http:
        assert (await http.get("/api/v1/calls", headers=headers)).status_code == 401


async def test_a_token_opens_what_its_scopes_open_and_no_more(client: Client, token_with: TokenMaker) -> None:
    token = await token_with(["read"])
    async with client(authorization=f"bearer {token}") as http:
        assert (await http.get("/api/v1/calls")).text == "test"
        refused = await http.post("/api/v1/interactions")
    assert refused.status_code == 403
    assert refused.json()["scope"] == "interactions"
    assert "`interactions`" in refused.json()["detail"]
    assert 'error="insufficient_scope", scope="interactions"' in refused.headers["www-authenticate"]


async def test_a_tokens_use_is_written(client: Client, token_with: TokenMaker, sessions: Sessions) -> None:
    token = await token_with(["read"])
    async with client(authorization=f"Bearer {token}") as http:
        await http.get("/api/v1/calls")
    async with sessions() as session:
        row = (await session.scalars(Token.__table__.select().with_only_columns(Token.last_used_at))).one()
    assert row == NOW


async def test_a_websocket_is_refused_before_it_is_open(guard: Guard, token_with: TokenMaker) -> None:
    live, read = await token_with(["live"]), await token_with(["read"])
    assert await knock(guard, "/api/v1/events", live) == [{"type": "websocket.accept"}]
    for token in ("", "wrong", read):
        assert await knock(guard, "/api/v1/events", token) == [{"type": "websocket.close", "code": 1008}]
    sent = await knock(guard, "/api/v1/events", read, {"websocket.http.response": {}})
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 403


@pytest.mark.parametrize(("removed", "after_s", "told"), [(True, 31, 0), (True, 29, 1), (False, 31, 1)])
async def test_a_websocket_ends_with_its_token(
    sessions: Sessions, clock: StandingClock, token_with: TokenMaker, *, removed: bool, after_s: float, told: int
) -> None:
    async def speaks_later(scope: Scope, receive: Receive, send: Send) -> None:
        async with sessions.begin() as session:
            if removed:
                await session.execute(delete(Token))
        clock.at += after_s
        await send({"type": "websocket.send", "text": "who calls"})

    sent = []
    with contextlib.suppress(WebSocketDisconnect):
        sent = await knock(Guard(speaks_later, sessions, clock), "/api/v1/events", await token_with(["live"]))
    assert len([message for message in sent if message["type"] == "websocket.send"]) == told


async def test_a_phones_websocket_stays_while_its_session_is_good(sessions: Sessions, clock: StandingClock) -> None:
    async with sessions.begin() as session:
        await auth.add_user(session, "lan", "agent", "localhost", NOW)
        begun = await begin(session, "lan", NOW)
    told: list[Message] = []

    async def rings_later(scope: Scope, receive: Receive, send: Send) -> None:
        for signed_out in (False, True):
            if signed_out:
                async with sessions.begin() as session:
                    await end(session, begun.id)
            clock.at += RECHECK_S + 1
            await send({"type": "websocket.send", "text": "INVITE"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        told.append(message)

    headers = [(b"host", b"h"), (b"origin", b"http://h"), (b"cookie", f"hotline={begun.cookie}".encode())]
    scope = {"type": "websocket", "path": "/sip", "scheme": "ws", "headers": headers}
    await Guard(rings_later, sessions, clock)(scope, receive, send)
    assert [message["type"] for message in told] == ["websocket.send", "websocket.close"]


async def test_an_unknown_kind_of_connection_gets_nothing(guard: Guard) -> None:
    async def unused(*_: Any) -> Any:
        raise AssertionError

    await guard({"type": "telepathy", "path": "/healthz", "headers": []}, unused, unused)


async def test_guessing_is_slowed_down_but_locks_nobody_out(
    client: Client, token_with: TokenMaker, clock: StandingClock
) -> None:
    known, unknown = await token_with(["read"]), await token_with(["read"])
    async with client() as http:

        async def ask(token: str) -> httpx.Response:
            return await http.get("/api/v1/calls", headers={"Authorization": f"Bearer {token}"})

        assert (await ask(known)).status_code == 200
        statuses = [(await ask(f"guess {number}")).status_code for number in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        slowed = await ask(unknown)
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "7")
        assert (await ask(known)).status_code == 200
        clock.at += 6.0
        assert (await ask(unknown)).status_code == 200
    async with client("192.0.2.2", authorization="Bearer guess") as elsewhere:
        assert (await elsewhere.get("/api/v1/calls")).status_code == 401


async def test_no_token_at_all_is_no_guess(client: Client, token_with: TokenMaker) -> None:
    token = await token_with(["read"])
    async with client() as http:
        for _ in range(30):
            await http.get("/api/v1/calls")
        assert (await http.get("/api/v1/calls", headers={"Authorization": f"Bearer {token}"})).status_code == 200


async def test_the_tokens_remembered_are_bounded(
    sessions: Sessions, clock: StandingClock, token_with: TokenMaker
) -> None:
    guard = Guard(inside, sessions, clock, known=2)
    for _ in range(4):
        await knock(guard, "/api/v1/events", await token_with(["live"]))
    assert len(guard._known) == 2


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=40))
def test_a_source_never_tries_more_often_than_the_bucket_leaks(steps: list[tuple[float, bool]]) -> None:
    throttle, now, failures = Throttle(slots=8, burst=3, leak_s=5.0), NOW, []
    for pause, patient in steps:
        now += pause + (throttle.wait_s("a", now + pause) if patient else 0.0)
        if throttle.wait_s("a", now) <= 0:
            throttle.failed("a", now)
            failures.append(now)
    for first, last in itertools.combinations(range(len(failures)), 2):
        assert last - first <= 3 + (failures[last] - failures[first]) / 5.0 + 1e-6


def test_one_customers_ipv6_addresses_count_as_one() -> None:
    throttle = Throttle(burst=2)
    throttle.failed("2001:db8::1", NOW)
    throttle.failed("2001:db8::ffff", NOW)
    assert throttle.wait_s("2001:db8::2", NOW) > 0
    assert throttle.wait_s("2001:db8:1::2", NOW) == 0
    assert throttle.wait_s("", NOW) == 0
