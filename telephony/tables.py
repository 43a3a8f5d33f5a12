"""The rows of telephony: calls, agents' states, and the bindings of registered phones. Nothing but tables here.

Ids are 32 hexadecimal digits, instants are seconds since the epoch (`telephony.clock`). An id or an instant that does
not exist (yet) is NULL; a word that does not exist is empty.
"""

from typing import Any

from sqlalchemy import JSON, Boolean, Double, Index, Integer, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

NOTHING = text("''")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Call(Base):
    """What a customer experienced, as `telephony.events.CallSnapshot` last said it."""

    __tablename__ = "calls"
    __table_args__ = (Index(None, "started_at"), Index(None, "customer_id", "started_at"), Index(None, "state"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(32))
    number: Mapped[str] = mapped_column(String(256), default="")  # as it came off the wire
    ani: Mapped[str] = mapped_column(String(32), default="")  # E.164, empty for a withheld or unusable number
    dnis: Mapped[str] = mapped_column(String(256), default="")
    customer_id: Mapped[str | None] = mapped_column(String(32))
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # telephony.events.CallerContext
    language: Mapped[str] = mapped_column(String(35), default="")
    flow: Mapped[str] = mapped_column(String(128), default="")
    flow_path: Mapped[list[str]] = mapped_column(JSON, default=list)
    queue: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(64), default="")
    recording_id: Mapped[str | None] = mapped_column(String(32))
    case_id: Mapped[str | None] = mapped_column(String(32))
    started_at: Mapped[float] = mapped_column(Double)
    answered_at: Mapped[float | None] = mapped_column(Double)
    queued_at: Mapped[float | None] = mapped_column(Double)
    queue_left_at: Mapped[float | None] = mapped_column(Double)
    talk_started_at: Mapped[float | None] = mapped_column(Double)
    talk_ended_at: Mapped[float | None] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)
    ended_by: Mapped[str] = mapped_column(String(256), default="")
    transferred_by: Mapped[str] = mapped_column(String(64), default="", server_default=NOTHING)
    direction: Mapped[str] = mapped_column(String(8), default="inbound", server_default=text("'inbound'"))
    trunk: Mapped[str] = mapped_column(String(64), default="", server_default=NOTHING)  # empty: by none
    asked_again: Mapped[list[str]] = mapped_column(JSON, default=list, server_default=text("'[]'"))


class Voicemail(Base):
    """A message that a caller left for whoever serves a queue; its id is that of its recording. `done_at` is when
    somebody had dealt with it."""

    __tablename__ = "voicemails"
    __table_args__ = (Index(None, "left_at", "id"), Index(None, "customer_id"), Index(None, "call_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(32))
    queue: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str | None] = mapped_column(String(32))
    ani: Mapped[str] = mapped_column(String(32), default="")  # E.164, empty for a withheld or unusable number
    language: Mapped[str] = mapped_column(String(35), default="")
    left_at: Mapped[float] = mapped_column(Double)
    seconds: Mapped[float] = mapped_column(Double)
    done_at: Mapped[float | None] = mapped_column(Double)
    done_by: Mapped[str] = mapped_column(String(64), default="")


class WrapUp(Base):
    """What an agent wrote of a call after it; one row for each agent who talked in it."""

    __tablename__ = "wrap_ups"

    call_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    agent: Mapped[str] = mapped_column(String(64), primary_key=True)
    disposition: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Double)


class HoursSwitch(Base):
    """The emergency switch of opening hours, as `by` turned it last. `version` counts the turns."""

    __tablename__ = "hours_switches"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    emergency: Mapped[bool] = mapped_column(Boolean)
    version: Mapped[int] = mapped_column(Integer)
    at: Mapped[float] = mapped_column(Double)
    by: Mapped[str] = mapped_column(String(64))


class Callback(Base):
    """Somebody who is called back, as `telephony.events.CallbackSnapshot` last said it. `request` is the number of what
    a call's flow asked; `open_key` (queue and number) stands while it is to be done, and so stands once."""

    __tablename__ = "callbacks"
    __table_args__ = (UniqueConstraint("call_id", "request"), Index(None, "state", "created_at"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(32))
    request: Mapped[int] = mapped_column(Integer)
    customer_id: Mapped[str | None] = mapped_column(String(32), index=True)
    number: Mapped[str] = mapped_column(String(32))  # E.164
    queue: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="")
    since: Mapped[float] = mapped_column(Double)  # from when the place in the queue counts
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[float | None] = mapped_column(Double)
    last_call_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[float] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)
    cause: Mapped[str] = mapped_column(String(256), default="")
    open_key: Mapped[str | None] = mapped_column(String(97), unique=True)


class Agent(Base):
    """An agent's state, so that it outlives the program. `name` is the user's name, and the SIP user."""

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(256), default="")
    since: Mapped[float] = mapped_column(Double)
    call_id: Mapped[str | None] = mapped_column(String(32))


class Binding(Base):
    """Where a user's phone is registered (RFC 3261 section 10); one row per contact."""

    __tablename__ = "bindings"

    user: Mapped[str] = mapped_column(String(64), primary_key=True)
    contact: Mapped[str] = mapped_column(String(512), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[float] = mapped_column(Double)
    path: Mapped[str] = mapped_column(String(1200), default="", server_default=NOTHING)  # Route values toward it
    device: Mapped[str] = mapped_column(String(160), default="", server_default=NOTHING)  # number of its way, URN
