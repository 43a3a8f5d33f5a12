"""The outbox: an event is a row before anybody outside is told of it, in the transaction that writes what it tells."""

from sqlalchemy import Double, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.outgoing.table import Outgoing
from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class WebhookEvent(Outgoing, Base):
    """An event for one endpoint. `event_id` (the header `webhook-id`) is the same at every endpoint and in every
    attempt; `body` is what is sent, to the octet."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint"),
        Index(None, "endpoint", "state", "next_at"),
        Index(None, "endpoint", "customer_id", "state", "id"),
        {"sqlite_autoincrement": True},
    )

    event_id: Mapped[str] = mapped_column(String(40))
    type: Mapped[str] = mapped_column(String(64))


class DisabledEndpoint(Base):
    """An endpoint that is told nothing, as long as the settings name the same `url`."""

    __tablename__ = "webhook_endpoints_disabled"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[float] = mapped_column(Double)
