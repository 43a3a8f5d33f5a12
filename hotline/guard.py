"""The one door of the web side: nothing answers without a valid token, whether it exists or not.

Rule 1: the default is no. Only the addresses in `OPEN` answer anybody; an address without a line in `RULES` needs the
scope `admin`. A new route is closed until somebody opens it here.

Rule 2: the door stands before the routes, for HTTP and WebSocket alike, so that a wrong address tells a stranger
nothing either.

Rule 3: what guessing costs us is bounded: sources that fail too often are answered without a look at the database, and
their counting takes the same memory for one source as for a million. A token that was good a moment ago still passes
then, so that nobody behind the same address can be locked out.
"""

import hashlib
import ipaddress
import re
import secrets
from array import array
from collections import OrderedDict
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from hotline import auth
from hotline.database import Sessions, reading
from hotline.problems import Problem

log = structlog.get_logger("hotline.web")

OPEN: Final = frozenset({"/healthz", "/readyz"})
# (method, address, scope): the first line that fits counts; `*` is one segment, `**` any rest. HEAD counts as GET.
RULES: Final[tuple[tuple[str, str, auth.Scope], ...]] = (
    ("POST", "/api/v1/interactions", "interactions"),
    ("POST", "/api/v1/agents/*/state", "agents"),
    ("WEBSOCKET", "/api/v1/events", "live"),
    ("GET", "/api/v1/**", "read"),
)
POLICY_VIOLATION: Final = 1008  # RFC 6455 section 7.4.1
RECHECK_S: Final = 30.0


class Clock(Protocol):
    """Whoever knows the time."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...


def _pattern(address: str) -> re.Pattern[str]:
    text = re.escape(address).replace(r"\*\*", ".*").replace(r"\*", "[^/]+")
    return re.compile(text, re.DOTALL)


_RULES: Final = tuple((method, _pattern(address), scope) for method, address, scope in RULES)


def scope_for(method: str, path: str) -> auth.Scope:
    """Return the scope that a request needs; `method` is WEBSOCKET for those."""
    asked = "GET" if method == "HEAD" else method
    for rule_method, pattern, scope in _RULES:
        if rule_method == asked and pattern.fullmatch(path):
            return scope
    return "admin"


class Throttle:
    """Failures by source: a bucket of `burst` that leaks one every `leak_s`, in `slots` buckets whatever comes.

    Sources share a bucket by a keyed hash that nobody outside can aim at.
    """

    def __init__(self, slots: int = 4096, burst: int = 10, leak_s: float = 6.0) -> None:
        self._burst, self._leak_s = burst, leak_s
        self._levels = array("d", bytes(8 * slots))
        self._at = array("d", bytes(8 * slots))
        self._key = secrets.token_bytes(16)

    def wait_s(self, source: str, now: float) -> float:
        """Return how long a source must wait before it may try again, 0 for not at all."""
        return max(0.0, (self._level(self._slot(source), now) - self._burst + 1) * self._leak_s)

    def failed(self, source: str, now: float) -> None:
        """Count a failure."""
        slot = self._slot(source)
        self._levels[slot] = min(self._level(slot, now) + 1, self._burst)
        self._at[slot] = now

    def _level(self, slot: int, now: float) -> float:
        return max(0.0, self._levels[slot] - max(0.0, now - self._at[slot]) / self._leak_s)

    def _slot(self, source: str) -> int:
        digest = hashlib.blake2b(_network(source).encode(), key=self._key, digest_size=8).digest()
        return int.from_bytes(digest) % len(self._levels)


def _network(source: str) -> str:
    """One IPv6 customer has 2**64 addresses: count them as one."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    return source if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Guard:
    """ASGI middleware that lets through whoever has a token with the scope that the address needs.

    The route finds the `Principal` in `request.state.principal`.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, clock: Clock, known: int = 256) -> None:
        self._app = app
        self._sessions, self._reading = sessions, reading(sessions)
        self._clock = clock
        self._throttle = Throttle()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._known_limit = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_open(scope):
            await self._app(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            found = await self._ask(scope)
            if isinstance(found, auth.Principal):
                scope.setdefault("state", {})["principal"] = found
                await self._app(scope, receive, send if scope["type"] == "http" else self._while_good(scope, send))
            else:
                await _refuse(found, scope, receive, send)

    async def _ask(self, scope: Scope) -> auth.Principal | Problem:
        token = _bearer(scope)
        if token is None:
            return _unauthorized("Send a token: `Authorization: Bearer TOKEN` (`hotline tokens add` makes one).")
        now = self._clock.now()
        source = (scope.get("client") or ("", 0))[0]
        wait_s = self._throttle.wait_s(source, now)
        if wait_s and auth.token_hash(token) not in self._known:
            detail = "Too many wrong tokens came from your address; try again later."
            return Problem(429, detail, {"Retry-After": str(int(wait_s) + 1)})
        principal = await self._principal(token, now)
        if principal is None:
            self._throttle.failed(source, now)
            log.warning("a wrong token", source=source)
            return _unauthorized("The token is wrong, or no longer good.", 'error="invalid_token"')
        needed = _needed(scope)
        return principal if principal.may(needed) else _forbidden(needed)

    def _while_good(self, scope: Scope, send: Send) -> Send:
        """A WebSocket outlives a request: nothing more is told over it once its token is removed or has expired."""
        token, needed = _bearer(scope) or "", _needed(scope)
        checked_at = self._clock.now()

        async def checked(message: Message) -> None:
            nonlocal checked_at
            now = self._clock.now()
            if message["type"] == "websocket.send" and now - checked_at >= RECHECK_S:
                principal = await self._principal(token, now)
                if principal is None or not principal.may(needed):
                    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "the token is void"})
                    raise WebSocketDisconnect(POLICY_VIOLATION)
                checked_at = now
            await send(message)

        return checked

    async def _principal(self, token: str, now: float) -> auth.Principal | None:
        async with self._reading() as session:
            principal = await auth.check_token(session, token, now)
        hashed = auth.token_hash(token)
        if principal is None:
            self._known.pop(hashed, None)
            return None
        self._known[hashed] = None
        self._known.move_to_end(hashed)
        while len(self._known) > self._known_limit:
            self._known.popitem(last=False)
        if auth.use_is_due(principal, now):
            async with self._sessions.begin() as session:
                await auth.note_use(session, principal, now)
        return principal


def _is_open(scope: Scope) -> bool:
    if scope["type"] == "lifespan":  # the server itself, starting and ending
        return True
    return scope["type"] == "http" and scope["path"] in OPEN and scope["method"] in ("GET", "HEAD")


def _needed(scope: Scope) -> auth.Scope:
    return scope_for(scope.get("method", "WEBSOCKET"), scope["path"])


def _bearer(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(values) != 1:
        return None  # two would let two parsers read two different tokens
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _unauthorized(detail: str, error: str = "") -> Problem:
    challenge = 'Bearer realm="hotline"' + (f", {error}" if error else "")
    return Problem(401, detail, {"WWW-Authenticate": challenge})


def _forbidden(needed: str) -> Problem:
    challenge = f'Bearer realm="hotline", error="insufficient_scope", scope="{needed}"'
    detail = f"This needs a token with the scope `{needed}`."
    return Problem(403, detail, {"WWW-Authenticate": challenge}, {"scope": needed})


async def _refuse(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await answer(scope, receive, send)
        return
    await receive()  # the client's opening handshake
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})  # the server answers 403
        return
    start = {"type": "websocket.http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": answer.body})
