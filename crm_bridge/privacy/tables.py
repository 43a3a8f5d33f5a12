"""The rows of privacy: what people agreed to, what keeps their data, what they asked for, and who was erased.

None of them points at a customer by a foreign key: an erasure's row outlives the customer.
"""

from typing import Any

from sqlalchemy import JSON, Double, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Consent(Base):
    """Somebody said yes or no to a purpose, or took a yes back. Rows are only added; the last of a purpose counts.

    `notice` are the words that were said or shown, of `notice_version`. The proof is the clip of a recording, seconds
    from its start.
    """

    __tablename__ = "consents"
    __table_args__ = (Index(None, "customer_id", "purpose", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(32))
    purpose: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))  # consent.State
    at: Mapped[float] = mapped_column(Double)
    channel: Mapped[str] = mapped_column(String(64))
    notice: Mapped[str] = mapped_column(Text)
    notice_version: Mapped[str] = mapped_column(String(64))
    call_id: Mapped[str | None] = mapped_column(String(32))
    recording_id: Mapped[str | None] = mapped_column(String(32))
    clip_from: Mapped[float | None] = mapped_column(Double)
    clip_until: Mapped[float | None] = mapped_column(Double)
    by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Double)


class LegalHold(Base):
    """As long as it stands nothing of the person is deleted: until it is released, or `until`, if that is given."""

    __tablename__ = "legal_holds"
    __table_args__ = (Index(None, "customer_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(500))
    by: Mapped[str] = mapped_column(String(64))
    placed_at: Mapped[float] = mapped_column(Double)
    until: Mapped[float | None] = mapped_column(Double)
    released_at: Mapped[float | None] = mapped_column(Double)
    released_by: Mapped[str] = mapped_column(String(64))


class Erasure(Base):
    """A person is being erased (`running`: the rows are gone, files may still be there) or was (`done`).

    `profiles` are the ids that stood for the person, `files` those that go, as (kind, path below its folder). Neither
    says who it was.
    """

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    profiles: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(64))
    requested_at: Mapped[float] = mapped_column(Double)
    done_at: Mapped[float | None] = mapped_column(Double)
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    files: Mapped[list[list[str]]] = mapped_column(JSON)
    certificate: Mapped[dict[str, Any]] = mapped_column(JSON)


class ErasedProfile(Base):
    """Which erasure a profile's id belongs to, so that the second click finds the first one's."""

    __tablename__ = "erased_profiles"

    profile: Mapped[str] = mapped_column(String(32), primary_key=True)
    erasure_id: Mapped[str] = mapped_column(String(32))


class PrivacyRequest(Base):
    """Somebody asked for what the law gives them. `outcome` is empty while it is open, then `done` or `refused`."""

    __tablename__ = "privacy_requests"
    __table_args__ = (Index(None, "outcome", "due_at"), Index(None, "customer_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # request.Kind
    customer_id: Mapped[str | None] = mapped_column(String(32))
    received_at: Mapped[float] = mapped_column(Double)
    answer_due_at: Mapped[float] = mapped_column(Double)
    due_at: Mapped[float] = mapped_column(Double)
    answered_at: Mapped[float | None] = mapped_column(Double)
    done_at: Mapped[float | None] = mapped_column(Double)
    outcome: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(500))
    by: Mapped[str] = mapped_column(String(64))
    done_by: Mapped[str] = mapped_column(String(64))
