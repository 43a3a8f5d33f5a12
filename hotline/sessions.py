"""Who is signed in on a page: sessions behind a cookie, and what each role may do.

Rule 1: the cookie is 256 random bits that no script can read; its SHA-256 alone is stored. Signing in always makes a
new one, so that nobody can be given a session that somebody else knows.

Rule 2: a session ends after `IDLE_S` without a request, after `LONGEST_S` whatever happens, when its owner signs out,
and when its owner is disabled or given a new password. It is looked up at every request.

Rule 3: whatever a page changes, it says the session's `csrf` word with it, which a page of another origin cannot know.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hotline.auth import Principal, Role
from hotline.tables import User, WebSession

IDLE_S: Final = 12 * 3600.0
LONGEST_S: Final = 24 * 3600.0
SEEN_STEP_S: Final = 60.0
OCTETS: Final = 32

ROLE_SCOPES: Final[dict[Role, frozenset[str]]] = {
    "agent": frozenset({"desk"}),
    "supervisor": frozenset({"desk", "read", "live", "agents", "audit", "listen", "customers"}),
    "admin": frozenset({"admin"}),
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has just begun; `cookie` is shown to the browser and kept nowhere."""

    id: str
    cookie: str
    csrf: str
    expires_at: float


def cookie_name(scheme: str) -> str:
    """Return the cookie's name: over TLS the browser itself keeps it to this host and this path (RFC 6265bis)."""
    return "__Host-hotline" if scheme in ("https", "wss") else "hotline"


async def begin(session: AsyncSession, user: str, now: float) -> Begun:
    """Sign somebody in, and forget sessions that are over. The caller commits."""
    cookie, csrf = secrets.token_urlsafe(OCTETS), secrets.token_urlsafe(OCTETS)
    begun = Begun(uuid4().hex, cookie, csrf, now + LONGEST_S)
    await session.execute(delete(WebSession).where(WebSession.expires_at <= now))
    session.add(
        WebSession(
            id=begun.id,
            user=user,
            hash=_hash(cookie),
            csrf=csrf,
            created_at=now,
            seen_at=now,
            expires_at=begun.expires_at,
        )
    )
    await session.flush()
    return begun


async def find(session: AsyncSession, cookie: str, now: float) -> Principal | None:
    """Return who a cookie stands for, None for a session that is over. Reads only."""
    found = (
        await session.execute(
            select(WebSession, User)
            .join(User, User.name == WebSession.user)
            .where(WebSession.hash == _hash(cookie), User.disabled_at.is_(None))
        )
    ).first()
    if found is None:
        return None
    row, user = found
    if now >= row.expires_at or now - row.seen_at >= IDLE_S:
        return None
    role: Role = next(known for known in ROLE_SCOPES if known == user.role)
    return Principal(user.name, ROLE_SCOPES[role], "", row.seen_at, role, row.id, row.csrf, row.expires_at)


async def note_seen(session: AsyncSession, id_: str, now: float) -> None:
    """Write that a session was used; due when `seen_at` is older than `SEEN_STEP_S`. The caller commits."""
    await session.execute(update(WebSession).where(WebSession.id == id_).values(seen_at=now))


async def end(session: AsyncSession, id_: str) -> None:
    """Sign out. The caller commits."""
    await session.execute(delete(WebSession).where(WebSession.id == id_))


async def live(session: AsyncSession, now: float) -> frozenset[str]:
    """Return the ids of the sessions that are good."""
    query = (
        select(WebSession.id)
        .join(User, User.name == WebSession.user)
        .where(WebSession.expires_at > now, WebSession.seen_at > now - IDLE_S, User.disabled_at.is_(None))
    )
    return frozenset(await session.scalars(query))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
