"""What CRMs said last of whom, for when they do not answer."""

from typing import Any

from sqlalchemy import JSON, Double, Index, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class CachedAnswer(Base):
    """What one CRM said of whoever has the identity `key` (`phone:+84912345678`), and when (`as_of`)."""

    __tablename__ = "connector_cache"
    __table_args__ = (Index(None, "as_of"),)

    connector: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    found: Mapped[dict[str, Any]] = mapped_column(JSON)
    as_of: Mapped[float] = mapped_column(Double)
