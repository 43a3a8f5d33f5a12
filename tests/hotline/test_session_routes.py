"""Signing in and out over HTTP: the cookie, words against forged requests, names of strangers, roles, and guessing."""

import asyncio
import re
from collections.abc import Callable

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import select

from hotline import auth
from hotline import sessions as web_sessions
from hotline.auth import ROLES, Role
from hotline.config import Settings, load
from hotline.database import Sessions
from hotline.guard import AREAS, OPEN, PAGES, scopes_for
from hotline.session_routes import HASHING_AT_ONCE
from hotline.sessions import IDLE_S, LONGEST_S, ROLE_SCOPES, Begun
from hotline.tables import AuditEntry, WebSession
from hotline.web import create_app
from telephony.sip.digest import hash_password
from tests.hotline.conftest import NOW, StandingClock
from tests.hotline.test_web import every_route, knock

OWN = "http://localhost:8080"
PASSWORD = "correct horse battery"
PEOPLE: dict[Role, str] = {"agent": "lan", "supervisor": "huong", "admin": "root"}
SESSION = "/api/v1/session"

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def people(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """One person of each role, whose passwords are hashed in a moment."""
    monkeypatch.setattr(auth, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    async with sessions.begin() as session:
        for role, name in PEOPLE.items():
            await auth.add_user(session, name, role, "localhost", NOW, PASSWORD)


@pytest.fixture
def app(people: None, settings: Settings, sessions: Sessions, clock: StandingClock) -> FastAPI:
    return create_app(settings, sessions, clock)


@pytest.fixture
def client(app: FastAPI) -> Client:
    def make(base_url: str = OWN, source: str = "192.0.2.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, client=(source, 40000))
        return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)

    return make


async def begun_by(database: Sessions, name: str, now: float = NOW) -> Begun:
    async with database.begin() as session:
        return await web_sessions.begin(session, name, now)


def of(begun: Begun) -> dict[str, str]:
    """What a page of ours sends."""
    return {"Cookie": f"hotline={begun.cookie}", "X-CSRF-Token": begun.csrf, "Origin": OWN}


async def sign_in(client: httpx.AsyncClient, name: str = "lan", password: str = PASSWORD) -> httpx.Response:
    return await client.post(SESSION, json={"name": name, "password": password})


async def audited(sessions: Sessions) -> list[tuple[str, str, str]]:
    async with sessions() as session:
        return [(row.who, row.what, row.source) for row in await session.scalars(select(AuditEntry))]


# ----------------------------------------------------------------------------------------------- signing in and out


async def test_signing_in_gives_a_cookie_that_no_script_reads(client: Client, sessions: Sessions) -> None:
    async with client() as page:
        answer = await sign_in(page)
        assert answer.status_code == 201
        body = answer.json()
        assert (body["user"], body["role"]) == ("lan", "agent")
        assert answer.headers["cache-control"] == "no-store"
        value, *attributes = answer.headers["set-cookie"].split("; ")
        assert set(attributes) == {"HttpOnly", "Max-Age=86400", "Path=/", "SameSite=strict"}
        assert re.fullmatch(r"hotline=[A-Za-z0-9_-]{43}", value)
        assert value.partition("=")[2] not in answer.text
        assert (await page.get(SESSION)).json() == body
    assert await audited(sessions) == [("lan", "session.started", "192.0.2.1")]


async def test_over_tls_the_cookie_goes_nowhere_else(client: Client) -> None:
    async with client("https://localhost:8080") as page:
        answer = await sign_in(page)
        value, *attributes = answer.headers["set-cookie"].split("; ")
        assert value.startswith("__Host-hotline=")
        assert {"Secure", "Path=/", "HttpOnly", "SameSite=strict"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)
        assert (await page.get(SESSION)).status_code == 200
        clear = {"Cookie": f"hotline={value.partition('=')[2]}"}
        page.cookies.clear()
        assert (await page.get(SESSION, headers=clear)).status_code == 401  # anybody on the network could set it


@pytest.mark.parametrize(
    ("name", "password"), [("lan", "wrong"), ("nobody", PASSWORD), ("lan", ""), ("", ""), ("lan\0", "x"), ("LAN", "x")]
)
async def test_what_is_wrong_is_not_told_apart(client: Client, sessions: Sessions, name: str, password: str) -> None:
    async with client() as page:
        answer = await sign_in(page, name, password)
    assert (answer.status_code, answer.json()["detail"]) == (401, "The name or the password is wrong.")
    assert "set-cookie" not in answer.headers
    assert [what for _, what, _ in await audited(sessions)] == ["session.refused"]


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"name": 7, "password": "x"}',
        '{"name": "lan"}',
        '{"name": "lan", "password": "x", "role": "admin"}',
        '{"name": "\\ud800", "password": "x"}',
        '{"name": "%s", "password": "x"}' % ("x" * 65),
    ],
)
async def test_what_is_no_sign_in_is_refused_unread(client: Client, sessions: Sessions, body: str) -> None:
    async with client() as page:
        answer = await page.post(SESSION, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert await audited(sessions) == []


async def test_a_disabled_person_is_no_person(client: Client, sessions: Sessions) -> None:
    async with client() as page:
        assert (await sign_in(page)).status_code == 201
        async with sessions.begin() as session:
            await auth.disable_user(session, "lan", NOW)
        assert (await page.get(SESSION)).status_code == 401
        assert (await sign_in(page)).status_code == 401


async def test_nobody_is_given_a_session_that_another_knows(client: Client) -> None:
    async with client() as page:
        page.cookies.set("hotline", "planted", domain="localhost.local")
        answer = await sign_in(page)
        assert "planted" not in answer.headers["set-cookie"]
        again = await sign_in(page)
        assert again.headers["set-cookie"] != answer.headers["set-cookie"]
        assert again.json()["csrf"] != answer.json()["csrf"]


async def test_a_cookie_that_was_stolen_is_worth_nothing_after_sign_out(client: Client, sessions: Sessions) -> None:
    begun = await begun_by(sessions, "lan")
    async with client() as page, client(source="198.51.100.9") as thief:
        assert (await thief.get(SESSION, headers=of(begun))).status_code == 200
        gone = await page.delete(SESSION, headers=of(begun))
        assert (gone.status_code, gone.content) == (204, b"")
        assert 'hotline=""' in gone.headers["set-cookie"]
        assert (await thief.get(SESSION, headers=of(begun))).status_code == 401
        assert (await page.delete(SESSION, headers=of(begun))).status_code == 401
    assert ("lan", "session.ended", "192.0.2.1") in await audited(sessions)


async def test_it_lasts_while_it_is_used_and_a_day_at_most(
    client: Client, sessions: Sessions, clock: StandingClock
) -> None:
    begun = await begun_by(sessions, "lan")
    async with client() as page:
        for hours in (11, 22):
            clock.at = NOW + hours * 3600
            assert (await page.get(SESSION, headers=of(begun))).status_code == 200
        clock.at = NOW + LONGEST_S
        assert (await page.get(SESSION, headers=of(begun))).status_code == 401
        idle = await begun_by(sessions, "lan", clock.at)
        clock.at += IDLE_S
        assert (await page.get(SESSION, headers=of(idle))).status_code == 401


async def test_being_seen_is_written_once_a_minute(client: Client, sessions: Sessions, clock: StandingClock) -> None:
    begun = await begun_by(sessions, "lan")
    seen = []
    async with client() as page:
        for _ in range(5):
            clock.at += 25
            await page.get(SESSION, headers=of(begun))
            async with sessions() as session:
                row = await session.get_one(WebSession, begun.id)
                seen.append(row.seen_at - NOW)
    assert seen == [0, 0, 75, 75, 75]


# -------------------------------------------------------------------------------------------------- forged requests


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 201),
        ({"Origin": ""}, 201),  # not every browser says it
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "wrong"}, 403),
        ({"X-CSRF-Token": "\xff"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:8081"}, 403),
        ({"Origin": "https://localhost:8080"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "http://LOCALHOST:8080"}, 201),
        ({"Origin": OWN, "Host": "evil.example:8080"}, 421),
        ({"Origin": "http://evil.example:8080", "Host": "evil.example:8080"}, 421),  # a name that leads to us
        ({"Host": ""}, 421),
        ({"Host": "[::1]:8080", "Origin": "http://[::1]:8080"}, 201),
        ({"Host": "[::1]", "Origin": "http://[::1]"}, 201),
        ({"Host": "[::2]", "Origin": "http://[::2]"}, 421),
        ({"Host": "localhost.evil.example:8080"}, 421),
        ({"Host": "10.0.0.1:8080"}, 421),
        ({"Cookie": ""}, 401),
        ({"Cookie": "hotline="}, 401),
        ({"Cookie": "hotline=wrong"}, 401),
    ],
)
async def test_a_change_needs_the_sessions_word_from_a_page_of_ours(
    client: Client, sessions: Sessions, changed: dict[str, str], status: int
) -> None:
    begun = await begun_by(sessions, "lan")
    headers = {name: value for name, value in (of(begun) | changed).items() if value or name == "Host"}
    async with client() as page:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await page.post(f"{SESSION}/phone", headers=raw)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/" + ("json" if status == 201 else "problem+json"))


async def test_the_word_of_another_session_is_none(client: Client, sessions: Sessions) -> None:
    mine, other = await begun_by(sessions, "lan"), await begun_by(sessions, "lan")
    async with client() as page:
        answer = await page.delete(SESSION, headers=of(mine) | {"X-CSRF-Token": other.csrf})
        assert answer.status_code == 403
        assert (await page.get(SESSION, headers=of(mine))).status_code == 200


async def test_no_page_of_a_stranger_signs_anybody_in(client: Client) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:8081"):
        async with client(Origin=origin) as page:
            answer = await sign_in(page)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    async with client("http://evil.example:8080", Origin="http://evil.example:8080") as page:
        answer = await sign_in(page)  # its name leads to our address
        assert (answer.status_code, "set-cookie" in answer.headers) == (421, False)


async def test_a_form_of_a_stranger_is_no_sign_in(client: Client) -> None:
    async with client() as page:
        answer = await page.post(SESSION, data={"name": "lan", "password": PASSWORD})
        assert answer.status_code == 415


async def test_a_program_needs_no_word_and_has_no_session(client: Client, sessions: Sessions) -> None:
    async with sessions.begin() as session:
        token = await auth.add_token(session, "crm", ["admin"], NOW)
    async with client(Authorization=f"Bearer {token}") as program:
        for method, path in (("GET", SESSION), ("DELETE", SESSION), ("POST", f"{SESSION}/phone")):
            assert (await program.request(method, path)).status_code == 409


@pytest.mark.parametrize(
    ("path", "origin", "signed_in", "accepted"),
    [
        ("/api/v1/events", OWN, True, True),
        ("/api/v1/events", "", True, False),
        ("/api/v1/events", "https://evil.example", True, False),
        ("/api/v1/events", OWN, False, False),
        ("/sip", OWN, True, True),
        ("/sip", OWN, False, True),
        ("/sip", "", False, True),  # a phone that is no browser
        ("/sip", "https://evil.example", True, False),
        ("/sip", "https://evil.example", False, False),
        ("/sip", "null", False, False),
        ("/sip", "http://evil.example:8080", False, False),  # a name that leads to our address
        ("/api/v1/events", "http://evil.example:8080", True, False),
    ],
)
async def test_websockets_are_for_pages_of_ours(
    app: FastAPI, sessions: Sessions, path: str, origin: str, *, signed_in: bool, accepted: bool
) -> None:
    begun = await begun_by(sessions, "lan")
    headers = {"Host": "evil.example:8080" if origin.endswith("evil.example:8080") else "localhost:8080"} | (
        {"Origin": origin} if origin else {}
    )
    if signed_in:
        headers["Cookie"] = f"hotline={begun.cookie}"
    sent = await knock(app, path, headers)
    # Behind the door nothing telephones in this test: 1013 for /sip, a failed dependency for events.
    refused = sent == [{"type": "websocket.close", "code": 1008}]
    assert refused is not accepted


# ------------------------------------------------------------------------------------------------------------ roles

# What each role may ask for. A route that is missing here fails the test below: say who may before it opens.
WHO: dict[str, str] = {
    "GET /api/v1/session": "agent supervisor admin",
    "DELETE /api/v1/session": "agent supervisor admin",
    "POST /api/v1/session/phone": "agent supervisor admin",
    "GET /api/v1/desk": "agent supervisor admin",
    "GET /api/v1/agents": "agent supervisor admin",
    "GET /api/v1/queues": "agent supervisor admin",
    "POST /api/v1/agents/{agent}/state": "agent supervisor admin",
    "GET /api/v1/customers": "agent supervisor admin",
    "GET /api/v1/customers/{customer_id}": "agent supervisor admin",
    "GET /api/v1/customers/{customer_id}/timeline": "agent supervisor admin",
    "GET /api/v1/calls/{call}": "agent supervisor admin",
    "GET /api/v1/calls/{call}/phrases": "agent supervisor admin",
    "POST /api/v1/calls/{call}/hold": "agent supervisor admin",
    "POST /api/v1/calls/{call}/resume": "agent supervisor admin",
    "POST /api/v1/calls/{call}/keys": "agent supervisor admin",
    "POST /api/v1/calls/{call}/recording/pause": "agent supervisor admin",
    "POST /api/v1/calls/{call}/recording/resume": "agent supervisor admin",
    "POST /api/v1/calls/{call}/hangup": "agent supervisor admin",
    "POST /api/v1/calls/{call}/transfer": "agent supervisor admin",
    "POST /api/v1/calls/{call}/wrap_up": "agent supervisor admin",
    "POST /api/v1/customers/{customer_id}/messages": "agent supervisor admin",
    "POST /api/v1/customers/{customer_id}/codes": "agent supervisor admin",
    "POST /api/v1/customers/{customer_id}/codes/check": "agent supervisor admin",
    "GET /api/v1/messages": "supervisor admin",
    "POST /api/v1/messages/replay": "supervisor admin",
    "POST /api/v1/messages/{interaction_id}/replay": "supervisor admin",
    "GET /api/v1/customers/{customer_id}/crm": "agent supervisor admin",
    "GET /api/v1/customers/{customer_id}/facts": "agent supervisor admin",
    "GET /api/v1/customers/{customer_id}/context": "agent supervisor admin",
    "PATCH /api/v1/customers/{customer_id}": "agent supervisor admin",
    "GET /api/v1/hours": "supervisor admin",
    "PUT /api/v1/hours/{name}": "supervisor admin",
    "GET /api/v1/connectors": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/crm/{connector}": "supervisor admin",
    "WEBSOCKET /api/v1/events": "agent supervisor admin",
    "GET /api/v1/voicemails": "agent supervisor admin",
    "GET /api/v1/voicemails/{voicemail}/audio": "agent supervisor admin",
    "POST /api/v1/voicemails/{voicemail}/done": "agent supervisor admin",
    "POST /api/v1/voicemails/{voicemail}/reopen": "agent supervisor admin",
    "GET /api/v1/callbacks": "agent supervisor admin",
    "DELETE /api/v1/callbacks/{callback}": "agent supervisor admin",
    "GET /api/v1/customers/{customer_id}/links": "supervisor admin",
    "GET /api/v1/customers/{customer_id}/suggestions": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/merge": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/split": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/apart": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/identities/share": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/identities/unshare": "supervisor admin",
    "POST /api/v1/merges/{link_id}/undo": "supervisor admin",
    "POST /api/v1/imports": "supervisor admin",
    "GET /api/v1/imports": "supervisor admin",
    "GET /api/v1/imports/{import_id}": "supervisor admin",
    "POST /api/v1/imports/{import_id}/undo": "supervisor admin",
    "GET /api/v1/customers/{customer_id}/export": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/erase": "supervisor admin",
    "GET /api/v1/erasures/{erasure_id}": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/hold": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/release": "supervisor admin",
    "GET /api/v1/customers/{customer_id}/consents": "supervisor admin",
    "POST /api/v1/customers/{customer_id}/consents": "supervisor admin",
    "GET /api/v1/consents/{consent}/clip": "supervisor admin",
    "GET /api/v1/privacy/requests": "supervisor admin",
    "POST /api/v1/privacy/requests": "supervisor admin",
    "POST /api/v1/privacy/requests/{request_id}/answer": "supervisor admin",
    "POST /api/v1/privacy/requests/{request_id}/close": "supervisor admin",
    "GET /api/v1/calls": "supervisor admin",
    "GET /api/v1/calls/{call}/journal": "supervisor admin",
    "GET /api/v1/recordings": "supervisor admin",
    "GET /api/v1/recordings/{recording}": "supervisor admin",
    "GET /api/v1/recordings/{recording}/audio": "supervisor admin",
    "GET /api/v1/recordings/{recording}/peaks": "supervisor admin",
    "GET /api/v1/recordings/{recording}/transcript": "supervisor admin",
    "GET /api/v1/trunks": "supervisor admin",
    "GET /api/v1/alarms": "supervisor admin",
    "WEBSOCKET /api/v1/calls/{call}/audio": "supervisor admin",
    "GET /api/v1/audit": "supervisor admin",
    "GET /api/v1/openapi.json": "supervisor admin",
    "POST /api/v1/interactions": "admin",
    "POST /api/v1/interactions/{interaction_id}/case": "agent supervisor admin",
    "GET /metrics": "admin",
    "POST /api/v1/session": "anybody",
    "GET /api/v1/hotline": "anybody",
    "GET /api/v1/webhooks": "supervisor admin",
    "GET /api/v1/webhooks/{name}/dead": "supervisor admin",
    "POST /api/v1/webhooks/{name}/replay": "supervisor admin",
    "POST /api/v1/webhooks/{name}/dead/{id}/replay": "supervisor admin",
    "GET /hooks/{name}": "anybody",
    "POST /hooks/{name}": "anybody",
    "OPTIONS /hooks/{name}": "anybody",
    "GET /healthz": "anybody",
    "GET /readyz": "anybody",
    "WEBSOCKET /sip": "anybody",
}


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Every route but the pages and their files, which anybody may have."""
    return [
        (method, path)
        for method, path in every_route(app)
        if method != "HEAD" and not (path in PAGES or path.startswith((*AREAS, "/assets/")) or path in app_files(app))
    ]


def app_files(app: FastAPI) -> frozenset[str]:
    (guard,) = [each for each in app.user_middleware if "pages" in each.kwargs]
    files = guard.kwargs["pages"]
    assert isinstance(files, frozenset)
    return files


def test_it_is_said_of_every_route_who_may(app: FastAPI) -> None:
    assert {f"{method} {path}" for method, path in routes_of(app)} == set(WHO)


@pytest.mark.parametrize("address", [address for address, who in WHO.items() if who != "anybody"])
def test_a_role_opens_what_is_its_own(address: str) -> None:
    method, path = address.split(" ")
    needed = scopes_for(method, re.sub(r"\{[^}]*\}", "0" * 32, path))
    may = [role for role in ROLES if auth.Principal("x", ROLE_SCOPES[role]).may(*needed)]
    assert may == WHO[address].split(" ")


@pytest.mark.parametrize("role", ROLES)
async def test_the_door_does_what_the_table_says(app: FastAPI, client: Client, sessions: Sessions, role: Role) -> None:
    begun = await begun_by(sessions, PEOPLE[role])
    for address, who in WHO.items():
        method, route = address.split(" ")
        path = re.sub(r"\{[^}]*\}", "a" * 32, route)
        if method == "WEBSOCKET" or address == "DELETE /api/v1/session":
            continue
        async with client() as page:
            answer = await page.request(method, path, headers=of(begun))
        forbidden = answer.status_code == 403 and answer.json()["detail"] == "Your role does not allow this."
        assert forbidden is not (role in who.split(" ") or who == "anybody"), address


async def test_a_new_route_is_closed_to_all_but_admins(app: FastAPI, client: Client, sessions: Sessions) -> None:
    @app.post("/api/v1/payroll")
    @app.delete("/api/v1/recordings/{recording}")
    async def new() -> str:
        return "done"

    for role in ROLES:
        begun = await begun_by(sessions, PEOPLE[role])
        async with client() as page:
            answer = await page.post("/api/v1/payroll", headers=of(begun))
        assert answer.status_code == (200 if role == "admin" else 403)


async def test_nobody_is_told_before_signing_in_more_than_what_to_dial(client: Client) -> None:
    assert {"/healthz", "/readyz", "/api/v1/hotline"} == OPEN
    async with client() as page:
        body = (await page.get("/api/v1/hotline")).json()
    assert body == {
        "title": "Customer care",
        "domain": "localhost",
        "number": "19001234",
        "path": "/sip",
        "languages": ["vi", "en"],
        "ice_servers": [],
    }


# ------------------------------------------------------------------------------------------------------- the phone


async def test_a_phone_lasts_as_long_as_its_session(app: FastAPI, client: Client, sessions: Sessions) -> None:
    begun, other = await begun_by(sessions, "lan"), await begun_by(sessions, "lan")
    ended: list[str] = []
    app.state.end_session = ended.append
    async with client() as page:
        first = (await page.post(f"{SESSION}/phone", headers=of(begun))).json()
        second = (await page.post(f"{SESSION}/phone", headers=of(begun))).json()
        beside = (await page.post(f"{SESSION}/phone", headers=of(other))).json()
        assert first | {"password": ""} == {
            "uri": "sip:lan@localhost",
            "user": "lan",
            "password": "",
            "realm": "localhost",
            "path": "/sip",
            "ice_servers": [],
        }
        assert len({first["password"], second["password"], beside["password"]}) == 3
        assert len(first["password"]) == 32
        secrets = app.state.page_secrets["lan"]
        assert set(secrets) == {begun.id, other.id}
        assert secrets[begun.id] == hash_password("lan", "localhost", second["password"])
        await page.delete(SESSION, headers=of(begun))
    assert ended == [begun.id]


# --------------------------------------------------------------------------------------------------------- guessing


@pytest.fixture
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_matches", lambda _hash, password: password == PASSWORD)


@pytest.mark.usefixtures("quick_hashing")
async def test_guessing_is_slow_and_locks_nobody_out(client: Client, clock: StandingClock) -> None:
    async with client() as guesser, client(source="192.0.2.2") as owner:
        statuses = [(await sign_in(guesser, "lan", f"guess {number}")).status_code for number in range(8)]
        assert statuses == [401] * 6 + [429] * 2
        slowed = await sign_in(guesser)
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "7")  # the right one, too
        assert "set-cookie" not in slowed.headers
        assert (await sign_in(guesser, "huong")).status_code == 201  # a colleague behind the same address
        assert (await sign_in(owner)).status_code == 201  # the owner elsewhere
        clock.at += 6
        assert (await sign_in(guesser)).status_code == 201


@pytest.mark.usefixtures("quick_hashing")
async def test_one_password_for_many_names_is_slow_too(client: Client, clock: StandingClock) -> None:
    async with client() as guesser:
        statuses = [(await sign_in(guesser, f"name{number}", "123456")).status_code for number in range(32)]
        assert statuses == [401] * 30 + [429] * 2
        clock.at += 12
        statuses = [(await sign_in(guesser, f"other{number}", "123456")).status_code for number in range(4)]
        assert statuses == [401] * 2 + [429] * 2


@pytest.mark.usefixtures("quick_hashing")
async def test_guessing_many_at_once_is_no_faster(client: Client) -> None:
    async with client() as guesser:
        answers = await asyncio.gather(*(sign_in(guesser, "lan", f"guess {number}") for number in range(40)))
    assert [answer.status_code for answer in answers].count(401) <= 6 + HASHING_AT_ONCE - 1


@pytest.mark.usefixtures("quick_hashing")
async def test_what_was_typed_as_a_name_is_not_written(client: Client, sessions: Sessions) -> None:
    async with client() as page:
        for typed in ("my-password-1", "My Password", "lan\0"):
            assert (await sign_in(page, typed, "lan")).status_code == 401
    assert await audited(sessions) == [("?", "session.refused", "192.0.2.1")]


@pytest.mark.usefixtures("quick_hashing")
async def test_signing_in_rightly_is_never_counted(client: Client) -> None:
    async with client() as page:
        assert [(await sign_in(page)).status_code for _ in range(40)] == [201] * 40


@pytest.mark.usefixtures("quick_hashing")
async def test_the_same_refusal_is_written_once_a_minute(
    client: Client, sessions: Sessions, clock: StandingClock
) -> None:
    async with client() as guesser:
        for _ in range(8):
            await sign_in(guesser, "lan", "wrong")
        assert await audited(sessions) == [("lan", "session.refused", "192.0.2.1")]
        clock.at += 60
        await sign_in(guesser, "lan", "wrong")
    assert len(await audited(sessions)) == 2


async def test_a_wrong_name_costs_as_much_as_a_wrong_password(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    def matches(password_hash: str, _password: str) -> bool:
        hashed.append(password_hash)
        return False

    monkeypatch.setattr(auth, "_matches", matches)
    async with client() as page:
        for name in ("lan", "nobody"):
            await sign_in(page, name, "wrong")
    usual = PasswordHasher()
    costs = f"$argon2id$v=19$m={usual.memory_cost},t={usual.time_cost},p={usual.parallelism}$"
    assert len(hashed) == 2
    assert hashed[1].startswith(costs)


# ---------------------------------------------------------------------------------------------- names and a proxy


@pytest.mark.parametrize(
    ("listen", "public_url", "host", "known"),
    [
        ("0.0.0.0:8443", "", "192.0.2.7:8443", True),
        ("0.0.0.0:8443", "", "[2001:db8::7]:8443", True),
        ("0.0.0.0:8443", "", "evil.example:8443", False),
        ("192.0.2.7:8080", "", "192.0.2.7:8080", True),
        ("192.0.2.7:8080", "", "192.0.2.8:8080", False),
        ("127.0.0.1:8080", "https://pbx.example.com", "pbx.example.com", True),
        ("127.0.0.1:8080", "https://pbx.example.com", "PBX.example.com:443", True),
        ("127.0.0.1:8080", "https://pbx.example.com", "www.pbx.example.com", False),
        ("127.0.0.1:8080", "", "[::1]:8080", True),
    ],
)
async def test_a_cookie_counts_under_our_own_names_alone(
    sessions: Sessions, clock: StandingClock, people: None, listen: str, public_url: str, host: str, *, known: bool
) -> None:
    settings = load(None, {"HOTLINE__WEB__LISTEN": listen, "HOTLINE__WEB__PUBLIC_URL": public_url})
    begun = await begun_by(sessions, "lan")
    transport = httpx.ASGITransport(app=create_app(settings, sessions, clock))
    async with httpx.AsyncClient(transport=transport, base_url=OWN) as page:
        cookie = f"hotline={begun.cookie}; __Host-hotline={begun.cookie}"  # the one over TLS, the other in the clear
        headers = {"Cookie": cookie, "Host": host}
        answer = await page.get(SESSION, headers=headers)
    assert answer.status_code == (200 if known else 421)


async def test_behind_a_proxy_our_origin_is_the_public_one(
    sessions: Sessions, clock: StandingClock, people: None
) -> None:
    settings = load(None, {"HOTLINE__WEB__PUBLIC_URL": "https://PBX.example.com/"})
    begun = await begun_by(sessions, "lan")
    transport = httpx.ASGITransport(app=create_app(settings, sessions, clock))
    async with httpx.AsyncClient(transport=transport, base_url=OWN) as page:
        for origin, status in (("https://pbx.example.com", 201), ("http://pbx.example.com", 403)):
            answer = await page.post(f"{SESSION}/phone", headers=of(begun) | {"Origin": origin})
            assert answer.status_code == status


async def test_behind_a_proxy_that_speaks_tls_the_cookie_is_guarded_as_over_tls(
    sessions: Sessions, clock: StandingClock, people: None
) -> None:
    settings = load(None, {"HOTLINE__WEB__PUBLIC_URL": "https://pbx.example.com"})
    transport = httpx.ASGITransport(app=create_app(settings, sessions, clock))
    async with httpx.AsyncClient(transport=transport, base_url=OWN) as page:
        for host, origin, guarded in (
            ("pbx.example.com", "https://pbx.example.com", True),
            ("PBX.example.com:443", "https://pbx.example.com", True),
            ("localhost:8080", OWN, False),
        ):
            headers = {"Host": host, "Origin": origin, "X-Forwarded-Proto": "https"}
            answer = await page.post(SESSION, json={"name": "lan", "password": PASSWORD}, headers=headers)
            assert answer.status_code == 201
            cookie = answer.headers["set-cookie"]
            assert (cookie.startswith("__Host-hotline="), "Secure" in cookie) == (guarded, guarded)
            page.cookies.clear()
            again = headers | {"Cookie": cookie.partition(";")[0], "X-CSRF-Token": answer.json()["csrf"]}
            assert (await page.post(f"{SESSION}/phone", headers=again)).status_code == 201


async def test_pages_are_told_of_stun_and_turn_servers_and_strangers_get_no_password_that_stays(
    sessions: Sessions, clock: StandingClock, people: None
) -> None:
    servers = "[{url: 'stun:a'}, {url: 'turn:b'}, {url: 'turn:c', username: us, credential: south}]"
    settings = load(None, {"HOTLINE__MEDIA__ICE_SERVERS": servers, "HOTLINE__MEDIA__TURN_SECRET": "north"})
    begun = await begun_by(sessions, "lan")
    transport = httpx.ASGITransport(app=create_app(settings, sessions, clock))
    async with httpx.AsyncClient(transport=transport, base_url=OWN) as page:
        phone = (await page.post(f"{SESSION}/phone", headers=of(begun))).json()
        stranger = (await page.get("/api/v1/hotline")).json()
    stun, shared, account = phone["ice_servers"]
    assert stun == {"urls": ["stun:a"], "username": "", "credential": ""}
    expiry, name = shared["username"].split(":")
    assert name == "lan"
    assert 0 < int(expiry) - clock.now() <= 24 * 3600
    assert (account["username"], account["credential"]) == ("us", "south")
    assert [each["urls"] for each in stranger["ice_servers"]] == [["stun:a"], ["turn:b"]]
    assert stranger["ice_servers"][1]["username"].endswith(":caller")
    assert "north" not in str(phone) + str(stranger)
