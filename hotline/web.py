"""The web side without its server: the routes of every room behind one door, probes, and what every answer carries."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import crm_bridge.channels.routes
import crm_bridge.connectors.routes
import crm_bridge.edit_routes
import crm_bridge.importing.routes
import crm_bridge.link_routes
import crm_bridge.notify.routes
import crm_bridge.privacy.routes
import crm_bridge.routes
import crm_bridge.sharing_routes
import crm_bridge.webhooks.routes
import recordings.consent_routes
import recordings.routes
import telephony.alarm_routes
import telephony.audio_routes
import telephony.callback_routes
import telephony.code_routes
import telephony.desk_routes
import telephony.hours_routes
import telephony.routes
import telephony.voicemail_routes
from crm_bridge.connectors.lookup import Connectors
from crm_bridge.notify.outbox import Notifier
from crm_bridge.webhooks.outbox import NOBODY
from hotline import audit, channels, privacy, session_routes, tls
from hotline.config import Settings
from hotline.config_values import is_wildcard
from hotline.database import Sessions, reading
from hotline.guard import Clock, Guard, SessionSockets
from hotline.metrics import get_metrics
from hotline.pages import Pages
from hotline.problems import BodyLimit, Failures, answer_with_problems, describe_problems
from telephony.edge.websocket import sip_over_websocket

API: Final = "/api/v1"
MAX_BODY_OCTETS: Final = 1 << 20
READY_TIMEOUT_S: Final = 2.0
# What a page of ours would need opens with the pages; the API itself shows nothing and is framed nowhere.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

STRANGERS_DOINGS: Final = frozenset(
    {
        "ASGI callable returned without completing handshake.",
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
    }
)

PublishEvent = Callable[[str, dict[str, object]], None]
Readiness = bool | Mapping[str, bool]  # whether calls can come in, or each part of that by its name


class Api(FastAPI):
    """FastAPI whose OpenAPI document says what errors look like here."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            describe_problems(super().openapi())
        return super().openapi()


class SecurityHeaders:
    """ASGI middleware: every answer carries `SECURITY_HEADERS`, unless its route says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class PublicScheme:
    """ASGI middleware: what is asked for under the name of `public_url` came by its scheme.

    A proxy that speaks TLS for us passes the name on, and asks in the clear. Nothing that a client could add itself
    (`X-Forwarded-Proto`) is believed.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        parts = urlsplit(public_url)
        self._app, self._is_https = app, parts.scheme == "https"
        self._host = parts.netloc.rpartition("@")[2].lower().removesuffix(":443").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_https and scope["type"] in ("http", "websocket"):
            hosts = [value.lower().removesuffix(b":443") for name, value in scope["headers"] if name == b"host"]
            if hosts == [self._host]:
                scope = {**scope, "scheme": "https" if scope["type"] == "http" else "wss"}
        await self._app(scope, receive, send)


def create_app(
    settings: Settings,
    sessions: Sessions,
    clock: Clock,
    publish: PublishEvent | None = None,
    ready: Callable[[], Readiness] | None = None,
) -> FastAPI:
    """Return the application. Without `ready`, it never is: `/readyz` answers 503.

    `app.state` holds what the routes read: `settings`, `sessions`, `clock`, `publish(type, body)`,
    `recordings_folder`, `ready()`. The wiring adds the rest.
    """
    pages, sockets = Pages(), SessionSockets()
    app = Api(
        title="hotline",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(PublicScheme, public_url=settings.web.public_url),
            Middleware(SecurityHeaders),
            Middleware(Failures),
            Middleware(
                Guard,
                sessions=sessions,
                clock=clock,
                hosts=own_hosts(settings),
                origins=frozenset({settings.web.public_url.lower()} - {""}),
                pages=pages.paths(),
                sockets=sockets,
            ),
            Middleware(BodyLimit, octets=MAX_BODY_OCTETS, larger=_larger_bodies(settings)),
        ],
    )
    answer_with_problems(app)
    logging.getLogger("uvicorn.error").addFilter(_is_a_fault)
    for room in (
        session_routes,
        audit,
        crm_bridge.routes,
        crm_bridge.webhooks.routes,
        crm_bridge.edit_routes,
        crm_bridge.link_routes,
        crm_bridge.sharing_routes,
        crm_bridge.notify.routes,
        crm_bridge.importing.routes,
        crm_bridge.privacy.routes,
        crm_bridge.connectors.routes,
        recordings.routes,
        recordings.consent_routes,
        telephony.routes,
        telephony.desk_routes,
        telephony.audio_routes,
        telephony.alarm_routes,
        telephony.voicemail_routes,
        telephony.hours_routes,
        telephony.callback_routes,
        telephony.code_routes,
    ):
        app.include_router(room.router, prefix=API)
    app.include_router(crm_bridge.channels.routes.router)
    app.router.routes += pages.routes()
    app.router.routes.append(WebSocketRoute("/sip", sip_over_websocket))
    app.add_route("/healthz", _healthz, include_in_schema=False)
    app.add_route("/readyz", _readyz, include_in_schema=False)
    app.add_route("/metrics", get_metrics, include_in_schema=False)
    app.state.settings = settings
    app.state.sessions = sessions
    app.state.clock = clock
    app.state.publish = publish or _nobody_listens
    app.state.channels = channels.door(settings)
    app.state.webhooks = NOBODY
    app.state.notifier = Notifier(sessions, settings.region)
    app.state.importing = asyncio.Lock()
    app.state.attach_within_s = settings.cases.attach_within or 0.0
    app.state.connectors = Connectors((), sessions, clock.now)
    app.state.recordings_folder = settings.recordings_folder
    app.state.ready = ready or _not_wired
    app.state.audit = audit.Audit(sessions)
    app.state.eraser = privacy.eraser(settings, sessions)
    app.state.deadlines = privacy.deadlines(settings)
    app.state.attempts = session_routes.Attempts()
    app.state.session_sockets = sockets
    app.state.page_secrets = {}
    app.state.end_session = sockets.end
    return app


def _larger_bodies(settings: Settings) -> dict[str, int]:
    """Return where e-mails and files of customers are posted to, and how many octets they may have."""
    posted = {name: source for name, source in settings.mail.items() if source.kind == "http"}
    letters = {f"/hooks/{name}": source.max_size << 20 for name, source in posted.items()}
    return {f"{API}/imports": settings.limits.import_size << 20, **letters}


def own_hosts(settings: Settings) -> frozenset[str]:
    """Return the host names under which pages are ours; `*` stands for any IP address, where we listen on all."""
    listen = settings.web.listen.host
    anywhere = {"*"} if is_wildcard(listen) else set()
    return frozenset({*tls.names_of(listen, settings.web.public_url), *tls.LOOPBACK} | anywhere)


def _is_a_fault(record: logging.LogRecord) -> bool:
    """What strangers could fill the log with is none: bytes that are no request, and refused WebSockets, which uvicorn
    takes for forgotten handshakes when the refusal has a body (ASGI's `websocket.http.response`)."""
    return record.msg not in STRANGERS_DOINGS


def _nobody_listens(_type: str, _body: dict[str, object]) -> None:
    """Until the telephone side runs there is nobody on the WebSocket to tell."""


def _not_wired() -> bool:
    return False


async def _healthz(_request: Request) -> JSONResponse:
    """The process is up and answers."""
    return JSONResponse({"status": "up"})


async def _readyz(request: Request) -> JSONResponse:
    """Calls can be taken: the database answers, and so does everything that the wiring named."""
    said: Readiness = request.app.state.ready()
    parts = {"telephone": said} if isinstance(said, bool) else dict(said)
    parts["database"] = await _database_answers(request.app.state.sessions)
    waiting_for = sorted(name for name, up in parts.items() if not up)
    return JSONResponse({"ready": not waiting_for, "waiting_for": waiting_for}, 503 if waiting_for else 200)


async def _database_answers(sessions: Sessions) -> bool:
    try:
        async with asyncio.timeout(READY_TIMEOUT_S), reading(sessions)() as session:
            await session.execute(text("SELECT 1"))
    except (DBAPIError, OSError, TimeoutError):
        return False
    return True
