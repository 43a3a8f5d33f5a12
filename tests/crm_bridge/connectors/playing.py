"""What the CRMs that are played here have in common: people in a list, a queue of trouble, and a server on loopback.

Each of them refuses what its documented API would refuse: a query whose shape values have changed, an unknown field, a
missing token. `trouble` is answered before anything else is looked at.
"""

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crm_bridge.connectors import load
from crm_bridge.connectors.client import Client
from crm_bridge.connectors.place import Place

NOW = 1_800_000_000.0
CALL = "0123456789abcdef0123456789abcdef"


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


Trouble = tuple[int, Any, dict[str, str]]
Handler = Callable[[Request, Any], Awaitable[Response]]


@dataclass
class Crm:
    """One that is played. `people` are dicts of id, name, phone, email; `logged` the calls by the id that we gave."""

    people: list[dict[str, str]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    trouble: deque[Trouble] = field(default_factory=deque)
    hangs: asyncio.Event | None = None
    takes_s: float = 0.0
    tokens: int = 0
    base: str = ""

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return (method, path, handler)."""
        raise NotImplementedError

    @property
    def token(self) -> str:
        """The only token that is good now."""
        return f"token-{self.tokens}"

    def by(self, field_name: str, value: str) -> list[dict[str, str]]:
        """Return the people of a field's value."""
        return [each for each in self.people if each.get(field_name, "").casefold() == value.casefold()]

    def app(self) -> Starlette:
        """Return it as an application."""

        def route(method: str, path: str, handler: Handler) -> Route:
            async def answer(request: Request) -> Response:
                raw = await request.body()
                is_json = request.headers.get("content-type", "").startswith("application/json")
                body = json.loads(raw) if raw and is_json else raw.decode()
                self.seen.append(
                    Seen(method, request.url.path, dict(request.query_params), dict(request.headers), body)
                )
                if self.hangs is not None:
                    await self.hangs.wait()
                await asyncio.sleep(self.takes_s)
                if self.trouble and "token" not in path:
                    status, said, headers = self.trouble.popleft()
                    return JSONResponse(said, status, headers)
                return await handler(request, body)

            return Route(path, answer, methods=[method])

        return Starlette(routes=[route(*each) for each in self.routes()])


@asynccontextmanager
async def served(crm: Crm) -> AsyncIterator[str]:
    """Serve it on loopback; give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    crm.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(crm.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield crm.base
    finally:
        if crm.hangs is not None:
            crm.hangs.set()
        server.should_exit = True
        await task


def place(kind: str, base: str, **fields: Any) -> Place:
    """Return a place of a shipped connector, with credentials of every kind."""
    given: dict[str, Any] = {
        "name": kind,
        "connector": load.load(load.shipped()[kind]),
        "base": base,
        "login": base,
        "credentials": {
            "user": "agent@example.com",
            "key": "k3y",
            "client_id": "id",
            "client_secret": "s3cret",
            "refresh_token": "1000.refresh",
        },
        "options": {"tenant": "contoso"} if kind == "dynamics" else {},
        "timeout_s": 5.0,
    }
    return Place(**(given | fields))


@asynccontextmanager
async def asking(crm: Crm, kind: str, **fields: Any) -> AsyncIterator[Client]:
    """Give a client of a CRM that is served. Its waits are not slept."""
    async with served(crm) as base:
        loop = asyncio.get_running_loop()
        began = loop.time()
        skipped = [0.0]

        async def sleep(wait_s: float) -> None:
            skipped[0] += wait_s

        client = Client(place(kind, base, **fields), lambda: NOW + loop.time() - began + skipped[0], lambda: 0.0, sleep)
        try:
            yield client
        finally:
            await client.close()


def call_values(**fields: Any) -> dict[str, Any]:
    """Return what a finished call gives to `log_call`."""
    return {
        "call": CALL,
        "person": "",
        "number": "+84912345678",
        "direction": "inbound",
        "subject": "Call to 19001234",
        "text": "Call to 19001234: talked 45 s with an",
        "started_at": NOW,
        "ended_at": NOW + 75,
        "duration_s": 75.0,
        "recording": "https://hotline.example.com/supervise/recordings/7",
        "agent": "an",
        "queue": "care",
        "from_number": "+84912345678",
        "to_number": "19001234",
    } | fields


def phone_values(number: str = "+84912345678") -> dict[str, Any]:
    """Return what a look-up by phone gives."""
    national = "0" + number.removeprefix("+84")
    digits = number.removeprefix("+")
    return {"phone": number, "numbers": (number, digits, national), "digits": digits, "national": national}
