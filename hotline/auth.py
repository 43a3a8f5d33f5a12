"""Who may do what: people with passwords, programs with tokens, phones with digest credentials.

Rule 1: no secret is stored in the clear. A password is argon2id, a token its SHA-256 (a token is 256 random bits, so a
slow hash would only slow us), a phone's secret the HA1 of RFC 7616 section 3.4.2.

Rule 2: a phone's password is never the person's: HA1 is a fast hash, and whoever stole it could try passwords at
leisure. It is random unless a phone needs a certain one.

Rule 3: a wrong name takes as long as a wrong password, and a disabled person is no person.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hotline.tables import Token, User, WebSession
from telephony.sip.digest import hash_password

Role = Literal["agent", "supervisor", "admin"]
Scope = Literal["admin", "read", "interactions", "customers", "messages", "agents", "live", "listen", "metrics"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
# What each scope opens; `admin` opens everything, also what comes later.
SCOPES: Final[dict[Scope, str]] = {
    "admin": "everything",
    "read": "every GET under /api/v1",
    "interactions": "POST /api/v1/interactions",
    "customers": "merge, split, import, export and erase customers, legal holds, consents and requests",
    "messages": "send messages to customers",
    "agents": "change an agent's state",
    "live": "live events on the WebSocket /api/v1/events",
    "listen": "hear running calls on the WebSocket /api/v1/calls/CALL/audio",
    "metrics": "GET /metrics, for Prometheus",
}
TOKEN_PREFIX: Final = "hotline_"  # noqa: S105  (so that a leaked token is recognised for what it is)
TOKEN_OCTETS: Final = 32
LAST_USED_STEP_S: Final = 60.0
FIRST_PEOPLE: Final[tuple[tuple[str, Role], ...]] = (
    ("agent1", "agent"),
    ("agent2", "agent"),
    ("supervisor1", "supervisor"),
)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_hasher: Final = PasswordHasher()
# Checked in place of the hash of a person who does not exist.
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


class AuthError(Exception):
    """Something about people or tokens that cannot be done; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is a person's or a token's, `token` the token's id, `last_used_at` when it last asked (within a
    minute). Of somebody signed in on a page, `role`, `session` and its `csrf` and `expires_at` say the rest."""

    name: str
    scopes: frozenset[str]
    token: str = ""
    last_used_at: float | None = None
    role: str = ""
    session: str = ""
    csrf: str = field(default="", repr=False)
    expires_at: float = 0.0

    def may(self, *scopes: str) -> bool:
        """Tell whether any of these scopes is open."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person just added, with the secrets that are shown once and kept nowhere."""

    name: str
    role: Role
    password: str = field(repr=False)
    sip_user: str
    sip_password: str = field(repr=False)
    sip_domain: str


@dataclass(frozen=True, slots=True)
class SipSecret:
    """What digest authentication needs to know of a user: HA1 by algorithm (RFC 8760), in hexadecimal."""

    user: str
    realm: str
    ha1_md5: str = field(repr=False)
    ha1_sha256: str = field(repr=False)
    role: str = "agent"


def revoked(before: Mapping[str, SipSecret], after: Mapping[str, SipSecret]) -> list[str]:
    """Return the SIP users whose secret is not what it was."""
    stays = {(secret.user, secret.ha1_md5, secret.ha1_sha256) for secret in after.values()}
    return [user for user, held in before.items() if (user, held.ha1_md5, held.ha1_sha256) not in stays]


# ----------------------------------------------------------------------------------------------------------- people


async def add_user(
    session: AsyncSession,
    name: str,
    role: Role,
    realm: str,
    now: float,
    password: str | None = None,
    sip_password: str | None = None,
) -> NewUser:
    """Add a person; secrets that are not given are made up. The caller commits. Raises `AuthError`."""
    if not _NAME.fullmatch(name):
        raise AuthError(
            f"`{name}` cannot be a user's name: small letters, digits, `.`, `_` and `-` can, such as lan.ng"
        )
    if role not in ROLES:
        raise AuthError(f"`{role}` is no role: choose one of {', '.join(ROLES)}")
    if await session.scalar(select(User.id).where(User.name == name)):
        raise AuthError(f"there is a user `{name}` already: choose another name, or `hotline users reset {name}`")
    row = User(id=uuid4().hex, name=name, role=role, created_at=now)
    new = await _give_secrets(row, role, realm, password, sip_password)
    session.add(row)
    await session.flush()
    return new


async def reset_user(
    session: AsyncSession, name: str, realm: str, password: str | None = None, sip_password: str | None = None
) -> NewUser:
    """Give a person new secrets, for this realm, and let them in again. The caller commits. Raises `AuthError`."""
    row = await _user(session, name)
    row.disabled_at = None
    role: Role = next(known for known in ROLES if known == row.role)
    new = await _give_secrets(row, role, realm, password, sip_password)
    await _end_sessions(session, name)
    await session.flush()
    return new


async def _end_sessions(session: AsyncSession, name: str) -> None:
    """Whoever is signed in with what is no longer good is signed out."""
    await session.execute(delete(WebSession).where(WebSession.user == name))


async def _give_secrets(
    row: User, role: Role, realm: str, password: str | None = None, sip_password: str | None = None
) -> NewUser:
    if password is not None and len(password) < 8:
        raise AuthError("the password is too short: give 8 characters or more, or none to have one made")
    if sip_password is not None and len(sip_password) < 12:
        raise AuthError("the phone's password is too short: give 12 characters or more, or none to have one made")
    new = NewUser(row.name, role, password or _secret(), row.name, sip_password or _secret(), realm)
    phone = hash_password(row.name, realm, new.sip_password)
    row.password_hash = await asyncio.to_thread(_hasher.hash, new.password)
    row.ha1_md5, row.ha1_sha256, row.realm = phone.md5, phone.sha256, realm
    return new


async def first_run(session: AsyncSession, realm: str, now: float) -> list[NewUser]:
    """Add two agents and a supervisor when there is nobody yet, and return them with their secrets. The caller commits,
    then shows."""
    if await session.scalar(select(func.count()).select_from(User)):
        return []
    rows = [User(id=uuid4().hex, name=name, role=role, created_at=now) for name, role in FIRST_PEOPLE]
    hashing = (_give_secrets(row, role, realm) for row, (_, role) in zip(rows, FIRST_PEOPLE, strict=True))
    new = await asyncio.gather(*hashing)  # by threads, all at once: nobody can be called before
    session.add_all(rows)
    await session.flush()
    return new


async def disable_user(session: AsyncSession, name: str, now: float) -> None:
    """Let a person and their phone sign in no more; `reset_user` lets them again. The caller commits.

    Raises `AuthError`.
    """
    row = await _user(session, name)
    row.disabled_at = now
    await _end_sessions(session, name)


async def _user(session: AsyncSession, name: str) -> User:
    row = await session.scalar(select(User).where(User.name == name))
    if row is None:
        raise AuthError(f"there is no user `{name}`: `hotline users list` shows who there is")
    return row


async def users(session: AsyncSession) -> list[User]:
    """Return everybody, by name."""
    return list(await session.scalars(select(User).order_by(User.name)))


async def check_password(session: AsyncSession, name: str, password: str) -> User | None:
    """Return the person whom name and password prove, None otherwise. Takes as long either way."""
    query = select(User).where(User.name == name, User.disabled_at.is_(None))
    user = await session.scalar(query) if _NAME.fullmatch(name) else None
    right = await asyncio.to_thread(_matches, user.password_hash if user else _NOBODY, password)
    return user if user and right else None


async def is_known(session: AsyncSession, name: str) -> bool:
    """Tell whether there is such a user, disabled or not."""
    return bool(_NAME.fullmatch(name) and await session.scalar(select(User.id).where(User.name == name)))


async def sip_secrets(session: AsyncSession) -> dict[str, SipSecret]:
    """Return the digest secret of everybody who is not disabled, by SIP user."""
    rows = await session.scalars(select(User).where(User.disabled_at.is_(None)))
    return {row.name: SipSecret(row.name, row.realm, row.ha1_md5, row.ha1_sha256, row.role) for row in rows}


def _secret() -> str:
    # 96 bits, typed into a phone by hand at times: no characters that a phone's menu hides.
    return secrets.token_hex(12)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


# ----------------------------------------------------------------------------------------------------------- tokens


async def add_token(
    session: AsyncSession, name: str, scopes: Iterable[str], now: float, expires_at: float | None = None
) -> str:
    """Add a token and return it; it is kept nowhere. The caller commits. Raises `AuthError`."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise AuthError(f"`{' '.join(unknown)}` is no scope: choose from {', '.join(SCOPES)}")
    if not name.strip() or len(name) > 64:
        raise AuthError("a token needs a name of at most 64 characters that says who uses it, such as `crm`")
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_OCTETS)
    row = Token(id=uuid4().hex, name=name, hash=token_hash(token), scopes=wanted, created_at=now, expires_at=expires_at)
    session.add(row)
    await session.flush()
    return token


async def check_token(session: AsyncSession, token: str, now: float) -> Principal | None:
    """Return whom a token stands for, None for one that is unknown or expired. Reads only.

    The row is found by the token's hash, which says nothing about the token, and compared in constant time.
    """
    hashed = token_hash(token)
    row = await session.scalar(select(Token).where(Token.hash == hashed))
    if row is None or not hmac.compare_digest(row.hash, hashed):
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    return Principal(row.name, frozenset(row.scopes), row.id, row.last_used_at)


def use_is_due(principal: Principal, now: float) -> bool:
    """Tell whether `note_use` is due: at most once a minute, so that reading does not become writing."""
    return principal.last_used_at is None or now - principal.last_used_at >= LAST_USED_STEP_S


async def note_use(session: AsyncSession, principal: Principal, now: float) -> None:
    """Write that a token was used. The caller commits."""
    await session.execute(update(Token).where(Token.id == principal.token).values(last_used_at=now))


async def tokens(session: AsyncSession) -> list[Token]:
    """Return every token's row, by age."""
    return list(await session.scalars(select(Token).order_by(Token.created_at, Token.id)))


async def remove_token(session: AsyncSession, id_: str) -> None:
    """Make a token void, at once. The caller commits. Raises `AuthError`."""
    row = await session.get(Token, id_)
    if row is None:
        raise AuthError(f"there is no token with the id `{id_}`: `hotline tokens list` shows them")
    await session.delete(row)


def token_hash(token: str) -> str:
    """Return what stands in the database for a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
