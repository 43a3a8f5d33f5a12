"""Signing in and out on a page, and the phone that comes with it."""

import asyncio
import secrets
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hotline import auth, sessions
from hotline.auth import Principal
from hotline.throttle import Throttle
from telephony.clock import iso
from telephony.edge.ice_servers import credentials
from telephony.sip.digest import hash_password

router = APIRouter(tags=["session"])

HASHING_AT_ONCE: Final = 2
"""A password takes 50 ms of a core to check: a flood of them must leave the calls theirs."""


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignIn(Shape):
    """A name and a password."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=256)


class SessionBody(Shape):
    """Who is signed in. `csrf` goes into the header X-CSRF-Token of whatever changes something."""

    user: str
    role: str
    csrf: str
    expires_at: str


class IceServerBody(Shape):
    """A STUN or TURN server, as browsers take it; the credentials of a TURN server are good for half a day."""

    urls: list[str]
    username: str
    credential: str


class PhoneBody(Shape):
    """What the page's phone registers with, as long as the session lasts. `path` is the WebSocket's."""

    uri: str
    user: str
    password: str
    realm: str
    path: str
    ice_servers: list[IceServerBody]


class HotlineBody(Shape):
    """What a page needs to know before anybody has signed in."""

    title: str
    domain: str
    number: str
    path: str
    languages: list[str]
    ice_servers: list[IceServerBody]


class Attempts:
    """Wrong passwords: from one address, and for one name from one address, so that nobody can lock another out."""

    def __init__(self) -> None:
        self.hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self._by_source = Throttle(burst=30)
        self._by_name = Throttle(burst=6)

    def wait_s(self, source: str, name: str, now: float) -> float:
        """Return how long to wait before the next attempt, 0 for not at all."""
        return max(self._by_source.wait_s(source, now), self._by_name.wait_s(f"{name}@{source}", now))

    def failed(self, source: str, name: str, now: float) -> None:
        """Count a wrong one."""
        self._by_source.failed(source, now)
        self._by_name.failed(f"{name}@{source}", now)


@router.post("/session", status_code=201)
async def sign_in(request: Request, response: Response, body: SignIn) -> SessionBody:
    """Sign in; the answer sets the session's cookie."""
    state = request.app.state
    now, source = state.clock.now(), request.client.host if request.client else ""
    _check_patience(state.attempts, source, body.name, now)
    async with state.attempts.hashing, state.sessions() as session:
        _check_patience(state.attempts, source, body.name, now)  # of many at once, those before may have been wrong
        user = await auth.check_password(session, body.name, body.password)
        if user is None:
            state.attempts.failed(source, body.name, now)
            known = await auth.is_known(session, body.name)
    if user is None:
        # Whatever else was typed as a name is not written: it may have been the password.
        await state.audit.note(now, body.name if known else "?", "session.refused", "", source)
        raise HTTPException(401, "The name or the password is wrong.")
    async with state.sessions.begin() as session:
        begun = await sessions.begin(session, user.name, now)
    await state.audit.note(now, user.name, "session.started", begun.id, source)
    response.set_cookie(
        sessions.cookie_name(request.url.scheme),
        begun.cookie,
        max_age=int(sessions.LONGEST_S),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionBody(user=user.name, role=user.role, csrf=begun.csrf, expires_at=iso(begun.expires_at))


@router.get("/session")
async def get_session(request: Request) -> SessionBody:
    """Return who is signed in."""
    principal = _signed_in(request)
    return SessionBody(
        user=principal.name, role=principal.role, csrf=principal.csrf, expires_at=iso(principal.expires_at)
    )


@router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response) -> None:
    """Sign out: the cookie is void at once, its WebSockets close, its phone is gone."""
    principal = _signed_in(request)
    state = request.app.state
    async with state.sessions.begin() as session:
        await sessions.end(session, principal.session)
    state.end_session(principal.session)
    source = request.client.host if request.client else ""
    await state.audit.note(state.clock.now(), principal.name, "session.ended", principal.session, source)
    response.delete_cookie(sessions.cookie_name(request.url.scheme), path="/", secure=request.url.scheme == "https")


@router.post("/session/phone", status_code=201)
async def make_phone(request: Request) -> PhoneBody:
    """Make the secret of this session's phone; the one before is void."""
    principal = _signed_in(request)
    domain = request.app.state.settings.sip.domain
    password = secrets.token_hex(16)
    of_user = request.app.state.page_secrets.setdefault(principal.name, {})
    of_user[principal.session] = hash_password(principal.name, domain, password)
    return PhoneBody(
        uri=f"sip:{principal.name}@{domain}",
        user=principal.name,
        password=password,
        realm=domain,
        path="/sip",
        ice_servers=_ice_servers(request, principal.name),
    )


@router.get("/hotline")
async def get_hotline(request: Request) -> HotlineBody:
    """Return what the caller's page dials."""
    settings = request.app.state.settings
    number = next((number for number in settings.numbers if number != "*"), "19001234")
    title = next((queue.title for queue in settings.queues.values() if queue.title), "Hotline")
    return HotlineBody(
        title=title,
        domain=settings.sip.domain,
        number=number,
        path="/sip",
        languages=list(settings.languages),
        ice_servers=_ice_servers(request, ""),
    )


def _ice_servers(request: Request, user: str) -> list[IceServerBody]:
    """Return the servers for a page. Strangers (no user) get no password that stays good."""
    state = request.app.state
    found = []
    for server in state.settings.media.servers:
        if server.credential and not user:
            continue
        username, credential = credentials(server, user or "caller", state.clock.now())
        found.append(IceServerBody(urls=[server.url], username=username, credential=credential))
    return found


def _check_patience(attempts: Attempts, source: str, name: str, now: float) -> None:
    wait_s = attempts.wait_s(source, name, now)
    if wait_s:
        detail = "Too many wrong passwords; wait a little, then try again."
        raise HTTPException(429, detail, {"Retry-After": str(int(wait_s) + 1)})


def _signed_in(request: Request) -> Principal:
    principal = request.state.principal
    if not isinstance(principal, Principal) or not principal.session:
        raise HTTPException(409, "This is for pages; a program has its token instead of a session.")
    return principal
