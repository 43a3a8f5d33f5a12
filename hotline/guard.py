"""The one door of the web side: nothing answers without a valid token or session, whether it exists or not.

Rule 1: the default is no. Only the addresses in `OPEN` (and the pages, which hold nothing) answer anybody, and those of
channels (`CHANNELS`), which know whom to believe; an address without a line in `RULES` needs the scope `admin`. A new
route is closed until somebody opens it here.

Rule 2: the door stands before the routes, for HTTP and WebSocket alike, so that a wrong address tells a stranger
nothing either.

Rule 3: what guessing costs us is bounded: sources that fail too often are answered without a look at the database, and
their counting takes the same memory for one source as for a million. A token that was good a moment ago still passes
then, so that nobody behind the same address can be locked out.

Rule 4: a browser sends its cookie whoever asks it to. So a cookie counts only under a host name of ours (a stranger's
name may lead to our address), a change needs the session's own word, and a WebSocket an Origin that is ours.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import re
from collections import OrderedDict
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from hotline import auth, sessions
from hotline.database import Sessions, reading
from hotline.pages import PATHS
from hotline.problems import Problem
from hotline.throttle import Throttle

log = structlog.get_logger("hotline.web")

OPEN: Final = frozenset({"/healthz", "/readyz", "/api/v1/hotline"})
PAGES: Final = frozenset(path for path in PATHS if "{" not in path)
AREAS: Final = tuple(path.partition("{")[0] for path in PATHS if "{" in path)
CHANNELS: Final = re.compile(r"/hooks/[a-z][a-z0-9_-]{0,63}")
"""Whoever knocks here has no token: `crm_bridge.channels` looks at signatures and origins."""
SIGN_IN: Final = "/api/v1/session"
SIP: Final = "/sip"
# (method, address, scopes, any of which opens): the first line that fits counts; `*` is one segment, `**` any rest.
# HEAD counts as GET. What an agent may see and do of its own is looked at once more by the routes.
RULES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("POST", "/api/v1/interactions", ("interactions",)),
    ("POST", "/api/v1/interactions/*/case", ("interactions", "desk")),
    ("PATCH", "/api/v1/customers/*", ("customers", "desk")),
    ("POST", "/api/v1/customers/*/merge", ("customers",)),
    ("POST", "/api/v1/customers/*/apart", ("customers",)),
    ("POST", "/api/v1/customers/*/split", ("customers",)),
    ("POST", "/api/v1/customers/*/identities/share", ("customers",)),
    ("POST", "/api/v1/customers/*/identities/unshare", ("customers",)),
    ("POST", "/api/v1/customers/*/crm/*", ("customers",)),
    ("POST", "/api/v1/merges/*/undo", ("customers",)),
    ("POST", "/api/v1/customers/*/messages", ("messages", "desk")),
    ("POST", "/api/v1/customers/*/codes", ("desk",)),
    ("POST", "/api/v1/customers/*/codes/check", ("desk",)),
    ("POST", "/api/v1/messages/replay", ("audit",)),  # of supervisors and admins
    ("POST", "/api/v1/messages/*/replay", ("audit",)),
    ("POST", "/api/v1/imports", ("customers",)),
    ("POST", "/api/v1/imports/*/undo", ("customers",)),
    ("GET", "/api/v1/imports", ("customers",)),
    ("GET", "/api/v1/imports/*", ("customers",)),
    ("POST", "/api/v1/customers/*/erase", ("customers",)),
    ("POST", "/api/v1/customers/*/hold", ("customers",)),
    ("POST", "/api/v1/customers/*/release", ("customers",)),
    ("POST", "/api/v1/customers/*/consents", ("customers", "interactions")),
    ("POST", "/api/v1/privacy/requests", ("customers",)),
    ("POST", "/api/v1/privacy/requests/*/answer", ("customers",)),
    ("POST", "/api/v1/privacy/requests/*/close", ("customers",)),
    ("POST", "/api/v1/agents/*/state", ("agents", "desk")),
    ("POST", "/api/v1/calls/*/hold", ("desk",)),
    ("POST", "/api/v1/calls/*/resume", ("desk",)),
    ("POST", "/api/v1/calls/*/keys", ("desk",)),
    ("POST", "/api/v1/calls/*/recording/pause", ("desk",)),
    ("POST", "/api/v1/calls/*/recording/resume", ("desk",)),
    ("POST", "/api/v1/calls/*/transfer", ("desk",)),
    ("POST", "/api/v1/calls/*/hangup", ("desk",)),
    ("POST", "/api/v1/calls/*/wrap_up", ("desk",)),
    ("POST", "/api/v1/voicemails/*/done", ("desk",)),
    ("POST", "/api/v1/voicemails/*/reopen", ("desk",)),
    ("POST", "/api/v1/session/phone", ("desk",)),
    ("DELETE", "/api/v1/session", ("desk",)),
    ("DELETE", "/api/v1/callbacks/*", ("agents", "desk")),
    ("PUT", "/api/v1/hours/*", ("audit",)),  # of supervisors and admins
    ("POST", "/api/v1/webhooks/*/replay", ("audit",)),  # likewise
    ("POST", "/api/v1/webhooks/*/dead/*/replay", ("audit",)),
    ("WEBSOCKET", "/api/v1/events", ("live", "desk")),
    ("WEBSOCKET", "/api/v1/calls/*/audio", ("listen",)),
    ("GET", "/api/v1/session", ("desk",)),
    ("GET", "/api/v1/desk", ("desk",)),
    ("GET", "/api/v1/agents", ("read", "desk")),
    ("GET", "/api/v1/queues", ("read", "desk")),
    ("GET", "/api/v1/callbacks", ("read", "desk")),
    ("GET", "/api/v1/customers", ("read", "desk")),
    ("GET", "/api/v1/customers/*", ("read", "desk")),
    ("GET", "/api/v1/customers/*/timeline", ("read", "desk")),
    ("GET", "/api/v1/customers/*/crm", ("read", "desk")),
    ("GET", "/api/v1/customers/*/facts", ("read", "desk")),
    ("GET", "/api/v1/customers/*/context", ("read", "desk")),
    ("GET", "/api/v1/calls/*", ("read", "desk")),
    ("GET", "/api/v1/voicemails", ("read", "desk")),
    ("GET", "/api/v1/voicemails/*/audio", ("read", "desk")),
    ("GET", "/api/v1/calls/*/phrases", ("read", "desk")),
    ("GET", "/api/v1/customers/*/export", ("customers",)),
    ("GET", "/api/v1/erasures/*", ("customers",)),
    ("GET", "/api/v1/privacy/requests", ("customers",)),
    ("GET", "/api/v1/audit", ("audit",)),
    ("GET", "/metrics", ("metrics",)),
    ("GET", "/api/v1/**", ("read",)),
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


_RULES: Final = tuple((method, _pattern(address), scopes) for method, address, scopes in RULES)


def scopes_for(method: str, path: str) -> tuple[str, ...]:
    """Return the scopes of which a request needs one; `method` is WEBSOCKET for those."""
    asked = "GET" if method == "HEAD" else method
    for rule_method, pattern, scopes in _RULES:
        if rule_method == asked and pattern.fullmatch(path):
            return scopes
    return ("admin",)


class SessionSockets:
    """The WebSockets that pages have open, so that they end with their session."""

    def __init__(self) -> None:
        self._open: dict[str, set[asyncio.Event]] = {}

    def open(self, session: str) -> asyncio.Event:
        """Take a new one; the event is set when its session ends."""
        ended = asyncio.Event()
        self._open.setdefault(session, set()).add(ended)
        return ended

    def closed(self, session: str, ended: asyncio.Event) -> None:
        """Forget one."""
        known = self._open.get(session, set())
        known.discard(ended)
        if not known:
            self._open.pop(session, None)

    def sessions(self) -> frozenset[str]:
        """Return the sessions that have any open."""
        return frozenset(self._open)

    def end(self, session: str) -> None:
        """A session is over."""
        for ended in self._open.get(session, ()):
            ended.set()


class Guard:
    """ASGI middleware that lets through whoever has a token or a session with the scope that the address needs.

    The route finds the `Principal` in `request.state.principal`. `hosts` are the names under which a cookie counts,
    `origins` what a proxy makes of our own (`web.public_url`), `pages` the addresses of files that anybody may have.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        clock: Clock,
        known: int = 256,
        hosts: frozenset[str] = frozenset(),
        origins: frozenset[str] = frozenset(),
        pages: frozenset[str] = frozenset(),
        sockets: SessionSockets | None = None,
    ) -> None:
        self._app = app
        self._hosts, self._origins, self._pages = hosts, origins, pages
        self._sockets = sockets or SessionSockets()
        self._sessions, self._reading = sessions, reading(sessions)
        self._clock = clock
        self._throttle = Throttle()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._known_limit = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_open(scope):
            await self._app(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            found = await self._ask(scope)
            if isinstance(found, Response):
                await _refuse(found, scope, receive, send)
                return
            if found is not None:
                scope.setdefault("state", {})["principal"] = found
            if scope["type"] == "http" or found is None:
                await self._app(scope, receive, send)
            elif found.session:
                await self._while_signed_in(found.session, scope, receive, send)
            else:
                await self._app(scope, receive, self._while_good(scope, send))

    def _is_open(self, scope: Scope) -> bool:
        if scope["type"] == "lifespan":  # the server itself, starting and ending
            return True
        if scope["type"] != "http":
            return False
        path = scope["path"]
        if CHANNELS.fullmatch(path):
            return scope["method"] in ("GET", "POST", "OPTIONS")
        is_page = path in PAGES or path in self._pages or path.startswith(AREAS)
        return (is_page or path in OPEN) and scope["method"] in ("GET", "HEAD")

    async def _ask(self, scope: Scope) -> auth.Principal | Problem | None:
        """Return who asks; None for nobody in particular where that is allowed."""
        if scope["path"] == SIP and scope["type"] == "websocket":
            return await self._ask_for_sip(scope)
        if scope["path"] == SIGN_IN and scope.get("method") == "POST":
            if _header(scope, b"origin") and not self._knows_host(scope):
                return _misdirected()
            return None if self._is_ours(scope) else _foreign()
        token = _bearer(scope)
        cookie = _cookie(scope) if token is None else ""
        return await self._ask_cookie(scope, cookie) if cookie else await self._ask_token(scope, token)

    async def _ask_for_sip(self, scope: Scope) -> auth.Principal | Problem | None:
        """SIP has digests of its own; but no page of a stranger may make a browser call here."""
        knows_host = self._knows_host(scope)
        if not self._is_ours(scope) or (_header(scope, b"origin") and not knows_host):
            return _foreign()
        cookie = _cookie(scope)
        return await self._session(cookie) if cookie and knows_host else None

    async def _ask_cookie(self, scope: Scope, cookie: str) -> auth.Principal | Problem:
        if not self._knows_host(scope):
            return _misdirected()
        principal = await self._session(cookie)
        if principal is None:
            return _unauthorized("You are not signed in any more: sign in again.")
        changes = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if (changes or scope["type"] == "websocket") and not self._is_ours(scope, required=not changes):
            return _foreign()
        word = _header(scope, b"x-csrf-token").encode("utf-8", "surrogateescape")
        if changes and not hmac.compare_digest(word, principal.csrf.encode()):
            return Problem(403, "The header X-CSRF-Token is missing or wrong: load the page again.")
        needed = scopes_for(scope.get("method", "WEBSOCKET"), scope["path"])
        return principal if principal.may(*needed) else Problem(403, "Your role does not allow this.")

    async def _session(self, cookie: str) -> auth.Principal | None:
        now = self._clock.now()
        async with self._reading() as session:
            principal = await sessions.find(session, cookie, now)
        if principal is not None and now - (principal.last_used_at or 0.0) >= sessions.SEEN_STEP_S:
            async with self._sessions.begin() as session:
                await sessions.note_seen(session, principal.session, now)
        return principal

    def _knows_host(self, scope: Scope) -> bool:
        said = _header(scope, b"host").lower()
        host = said[1:].partition("]")[0] if said.startswith("[") else said.partition(":")[0]
        return not self._hosts or host in self._hosts or ("*" in self._hosts and _is_address(host))

    def _is_ours(self, scope: Scope, *, required: bool = False) -> bool:
        """Whether a request says that it comes from a page of ours, or (unless `required`) does not say."""
        origin = _header(scope, b"origin").lower()
        if not origin:
            return not required
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin == f"{scheme}://{_header(scope, b'host').lower()}" or origin in self._origins

    async def _while_signed_in(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A page's WebSocket ends with its session."""
        ended = self._sockets.open(session)
        parts = [
            asyncio.ensure_future(self._app(scope, receive, self._while_good(scope, send))),
            asyncio.ensure_future(ended.wait()),
        ]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if not parts[0].done():
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "signed out"})
        finally:
            self._sockets.closed(session, ended)
            for part in parts:
                if not part.done():
                    part.cancel()
            outcomes = await asyncio.gather(*parts, return_exceptions=True)
        fault = outcomes[0]
        if isinstance(fault, Exception) and not isinstance(fault, WebSocketDisconnect):
            raise fault

    async def _ask_token(self, scope: Scope, token: str | None) -> auth.Principal | Problem:
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
        return principal if principal.may(*needed) else _forbidden(needed[0])

    def _while_good(self, scope: Scope, send: Send) -> Send:
        """A WebSocket outlives a request: nothing more is told over it once its token is removed or has expired."""
        token, cookie, needed = _bearer(scope) or "", _cookie(scope), _needed(scope)
        checked_at = self._clock.now()

        async def checked(message: Message) -> None:
            nonlocal checked_at
            now = self._clock.now()
            if message["type"] == "websocket.send" and now - checked_at >= RECHECK_S:
                principal = await (self._principal(token, now) if token else self._session(cookie))
                if principal is None or not (scope["path"] == SIP or principal.may(*needed)):
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


def _needed(scope: Scope) -> tuple[str, ...]:
    return scopes_for(scope.get("method", "WEBSOCKET"), scope["path"])


def _header(scope: Scope, name: bytes) -> str:
    """Return a header, nothing where it comes twice: two would let two parsers read two different values."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _cookie(scope: Scope) -> str:
    wanted = sessions.cookie_name(scope["scheme"])
    for part in _header(scope, b"cookie").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value.strip('"')
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _misdirected() -> Problem:
    return Problem(421, "Use the address of the hotline that its settings name (`web.public_url`).")


def _foreign() -> Problem:
    return Problem(403, "A page of another origin asks; only the hotline's own pages may.")


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
