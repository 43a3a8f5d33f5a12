"""The outbox: an event is a row before anybody outside is told of it, in the transaction that writes what it tells."""

from sqlalchemy import BigInteger, Double, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class WebhookEvent(Base):
    """An event for one endpoint. `id` is the order in which events were written, and never used again.

    `event_id` (the header `webhook-id`) is the same at every endpoint and in every attempt. `body` is what is sent, to
    the octet. `customer_id` is empty where nobody's order is to be kept. `next_at` counts while the state is `pending`,
    `finished_at` is when it was delivered or became dead.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint"),
        Index(None, "endpoint", "state", "next_at"),
        Index(None, "endpoint", "customer_id", "state", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(40))
    endpoint: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str] = mapped_column(String(32))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))  # schedule.State
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[float] = mapped_column(Double)
    error: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)


class DisabledEndpoint(Base):
    """An endpoint that is told nothing, as long as the settings name the same `url`."""

    __tablename__ = "webhook_endpoints_disabled"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[float] = mapped_column(Double)
