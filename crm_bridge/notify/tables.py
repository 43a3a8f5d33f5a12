"""Messages on their way to people."""

from sqlalchemy import Index, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.outgoing.table import Outgoing
from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class OutgoingMessage(Outgoing, Base):
    """A message for one person by one channel (`endpoint`), and the interaction that is its entry on the timeline.
    `body` is a `parcel.Parcel` as JSON."""

    __tablename__ = "outgoing_messages"
    __table_args__ = (
        UniqueConstraint("interaction_id"),
        Index(None, "endpoint", "state", "next_at"),
        Index(None, "endpoint", "customer_id", "state", "id"),
        {"sqlite_autoincrement": True},
    )

    interaction_id: Mapped[str] = mapped_column(String(32))
