"""The rows of the program itself: people who may sign in or register a phone, their sessions, API tokens, and who did
what. Nothing but tables here.

Ids are 32 hexadecimal digits, instants are seconds since the epoch. No secret stands here in the clear: a password is
an argon2 hash, a token its SHA-256, and a phone's secret the HA1 that digest authentication needs (RFC 8760).
"""

from sqlalchemy import JSON, CheckConstraint, Double, Index, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from telephony.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class User(Base):
    """A person; `name` is also the user of their SIP address. The HA1 values hold for `realm` alone."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('agent', 'supervisor', 'admin')", name="role"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(256))
    ha1_md5: Mapped[str] = mapped_column(String(32))
    ha1_sha256: Mapped[str] = mapped_column(String(64))
    realm: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Double)
    disabled_at: Mapped[float | None] = mapped_column(Double)


class Token(Base):
    """An API token. `hash` is the SHA-256 of the whole token in hexadecimal; the token itself is kept nowhere."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    last_used_at: Mapped[float | None] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)


class WebSession(Base):
    """Somebody signed in on a page. `hash` is the SHA-256 of the cookie's value, which is kept nowhere; `csrf` is what
    the page sends with whatever changes something."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index("ix_web_sessions_user", "user"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Double)
    seen_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


class AuditEntry(Base):
    """Somebody did something that somebody may have to answer for: heard a recording, signed in, was refused."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at_id", "at", "id"), Index("ix_audit_about", "about"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[float] = mapped_column(Double)
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(64), default="")
    source: Mapped[str] = mapped_column(String(64), default="")
