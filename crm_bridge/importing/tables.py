"""Imports as rows: what was read, whom it met, and what it brought, so that it can be continued and taken back.

Rule 1: no personal data stands here. A filled field is kept as a seal (`plan.seal`), which tells whether the profile
still says what the import wrote, and not what that is.
Rule 2: nothing points by a foreign key to what an undo or an erasure may take away.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Double, Index, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm_bridge.tables import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Import(Base):
    """A file that was imported. `key` is the same for the same file read in the same way; `rows_read` is how far it was
    read and written, and `counts` the report's figures so far (`report.Counts`). `remarks` are about the whole file."""

    __tablename__ = "imports"
    __table_args__ = (Index(None, "key"), Index(None, "started_at"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(32))
    file: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))  # report.State
    rows_read: Mapped[int] = mapped_column(Integer)
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    remarks: Mapped[list[str]] = mapped_column(JSON)
    by: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    undone_at: Mapped[float | None] = mapped_column(Double)


class ImportProfile(Base):
    """A profile that an import met, and what it wrote there. `row` is the first that was this person's.

    `name`, `language` and `tags` are seals of what it filled, empty for nothing. `through` is the identity that the
    profile was found by, where anything was written. `updated_was` is `customers.updated_at` before, and
    `updated_to` what the import made of it, both NULL where it wrote nothing.
    """

    __tablename__ = "import_profiles"
    __table_args__ = (Index(None, "through"),)

    import_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    row: Mapped[int] = mapped_column(Integer)
    created: Mapped[bool] = mapped_column(Boolean)
    name: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(32))
    tags: Mapped[list[str]] = mapped_column(JSON)
    through: Mapped[str | None] = mapped_column(String(32))
    updated_was: Mapped[float | None] = mapped_column(Double)
    updated_to: Mapped[float | None] = mapped_column(Double)


class ImportIdentity(Base):
    """An identity that an import linked to a profile; `through` is the identity that it leaned on, if any."""

    __tablename__ = "import_identities"
    __table_args__ = (Index(None, "import_id", "customer_id"), Index(None, "through"))

    identity_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    import_id: Mapped[str] = mapped_column(String(32))
    customer_id: Mapped[str] = mapped_column(String(32))
    through: Mapped[str | None] = mapped_column(String(32))


class ImportNote(Base):
    """Something to be looked at in a row: one line of the report (`report.Note`).

    `customer_id` is whose profile the row went to, `other_id` and `identity_id` whom and what it contradicts or
    resembles. `other_row` is the row that made the other profile in the same import, 0 for one that was there before.
    """

    __tablename__ = "import_notes"
    __table_args__ = (Index(None, "import_id", "kind", "id"), Index(None, "customer_id"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    import_id: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))  # report.NoteKind
    row: Mapped[int] = mapped_column(Integer)
    column: Mapped[str] = mapped_column(String(255))
    cause: Mapped[str] = mapped_column(Text)
    mend: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[str | None] = mapped_column(String(32))
    other_id: Mapped[str | None] = mapped_column(String(32))
    other_row: Mapped[int] = mapped_column(Integer)
    identity_id: Mapped[str | None] = mapped_column(String(32))
