"""The rows of the bridge: people, what identifies them, their cases and their timeline. Nothing but tables here.

Ids are 32 hexadecimal digits, instants are seconds since the epoch (`telephony.clock`). An id or an instant that does
not exist (yet) is NULL; a word that does not exist is empty.

Rule 1: an identity belongs to one customer, and every interaction and case to one customer; nothing here is shared.
A customer is one profile; of a person with several, each row stays with the profile that it was made for
(`crm_bridge.person`).
Rule 2: an identity says where it came from (`source`, `evidence`) and how far to trust it (`assurance`,
`confidence`), so that a link can be questioned, shown and taken back.
Rule 3: what two writers may change at once stands in columns of its own (a call's `attributes`, its recording, its
transcript, what its agent noted), so that neither overwrites the other.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
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


class Customer(Base):
    """A profile. `name_folded` is the name without case and diacritics, for search and for the order of lists.

    `person_id` is NULL for a profile that is a person by itself, and for one that was put together with others the id
    of the oldest of them. It follows from `customer_links`, and `crm_bridge.person` alone writes it.
    """

    __tablename__ = "customers"
    __table_args__ = (Index(None, "name_folded", "id"), Index(None, "person_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    name_folded: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(35), default="")  # BCP 47
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)
    person_id: Mapped[str | None] = mapped_column(String(32))


class CustomerLink(Base):
    """Somebody put two profiles together (`merge`, with `other_id`), took one out of its person (`split`), holds two
    for different people (`apart`, with `other_id`), or took such an event back (`undo`, of `undoes`). Rows are only
    ever added; `crm_bridge.link` says who is one person by them.

    `by` is who did it, `source` by what way, `evidence` why, in words. A link outlives a profile that is erased: what
    it says of others still holds (docs/privacy.md).
    """

    __tablename__ = "customer_links"
    __table_args__ = (Index(None, "customer_id"), Index(None, "other_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # link.LinkKind
    customer_id: Mapped[str] = mapped_column(String(32))
    other_id: Mapped[str | None] = mapped_column(String(32))
    undoes: Mapped[str | None] = mapped_column(ForeignKey("customer_links.id"))
    evidence: Mapped[str] = mapped_column(String(500))
    source: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Double)


class Identity(Base):
    """A normalised value that identifies a customer, and the grounds for believing so.

    `assurance` is 0 for a claim (typed into a form, said in a chat) and 1 for what the channel itself carried, such as
    the sender of a message or the caller's number; 2 and 3 are earned later (signed channel, verification).
    `confidence` in the link is 0 to 1. `evidence` names the interaction, or says in words what was seen. `shared_at` is
    since when somebody knows that several people use it, as a family does its number: it identifies none of them
    (`crm_bridge.sharing`).
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("kind", "value"), Index(None, "customer_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(255))
    assurance: Mapped[int] = mapped_column(Integer, default=0)
    source: Mapped[str] = mapped_column(String(64))  # the channel it came by
    evidence: Mapped[str] = mapped_column(String(255), default="")
    confidence: Mapped[float] = mapped_column(Float, default=1.0)
    created_at: Mapped[float] = mapped_column(Double)
    shared_at: Mapped[float | None] = mapped_column(Double)


class IdentityUser(Base):
    """A profile that may be meant by an identity besides the one that owns it: a person said so, a row of an import
    did, or an event that proved to be of this profile gave it. Whoever calls by it is asked who they are."""

    __tablename__ = "identity_users"
    __table_args__ = (UniqueConstraint("kind", "value", "customer_id"), Index(None, "customer_id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(255))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    source: Mapped[str] = mapped_column(String(64))
    evidence: Mapped[str] = mapped_column(String(500), default="")
    at: Mapped[float] = mapped_column(Double)


class VerificationAttempt(Base):
    """Somebody tried to prove who they are, and did not. `mark` is a hash of the caller's number, of the call, or of
    whom they may be: it counts attempts for an hour, and tells nothing."""

    __tablename__ = "verification_attempts"
    __table_args__ = (Index(None, "mark", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    mark: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Double)


class Case(Base):
    """A matter of the customer that lasts longer than one interaction. `topic` is what may be said aloud of it."""

    __tablename__ = "cases"
    __table_args__ = (UniqueConstraint("customer_id", "external_id"), Index(None, "customer_id", "state", "opened_at"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    subject: Mapped[str] = mapped_column(String(500))
    topic: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(16), default="open")  # open, closed
    channel: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[float] = mapped_column(Double)
    closed_at: Mapped[float | None] = mapped_column(Double)
    external_id: Mapped[str | None] = mapped_column(String(255))


class Interaction(Base):
    """An entry of the timeline, any channel. A call has one, whose `external_id` is the call's id.

    `outcome` is how the customer was found (`crm_bridge.timeline.Outcome`), kept so that the same event posted again
    gets the same answer.
    """

    __tablename__ = "interactions"
    __table_args__ = (
        UniqueConstraint("channel", "external_id"),
        Index(None, "customer_id", "occurred_at", "id"),
        Index(None, "customer_id", "channel", "occurred_at", "id"),
        Index(None, "case_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    channel: Mapped[str] = mapped_column(String(64))
    direction: Mapped[str] = mapped_column(String(16))  # inbound, outbound
    occurred_at: Mapped[float] = mapped_column(Double)
    subject: Mapped[str] = mapped_column(String(500), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"))
    call_id: Mapped[str | None] = mapped_column(String(32))
    recording_id: Mapped[str | None] = mapped_column(String(32))
    transcript: Mapped[str] = mapped_column(String(16), default="")  # timeline.TranscriptState
    disposition: Mapped[str] = mapped_column(String(64), default="", server_default=NOTHING)
    note: Mapped[str] = mapped_column(Text, default="", server_default=NOTHING)
    external_id: Mapped[str | None] = mapped_column(String(255))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    outcome: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[float] = mapped_column(Double)


class CustomerField(Base):
    """What a customer told us, by a name that flows and forms share, and when: it need not be asked again."""

    __tablename__ = "customer_fields"
    __table_args__ = (UniqueConstraint("customer_id", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    name: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(500))
    channel: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Double)


class CustomerFact(Base):
    """An order, a payment, a visit, a need, an answer to a survey, or what the customer likes: what its statements make
    of it (`crm_bridge.facts`), and nothing that does not stand in them.

    `said` are its fields, `told` when each was said last; `at` is when the last word came, `first_at` the first.
    """

    __tablename__ = "customer_facts"
    __table_args__ = (UniqueConstraint("customer_id", "kind", "key"), Index(None, "customer_id", "at"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(String(16))  # facts.Kind
    key: Mapped[str] = mapped_column(String(200))
    said: Mapped[dict[str, Any]] = mapped_column(JSON)
    told: Mapped[dict[str, float]] = mapped_column(JSON)
    first_at: Mapped[float] = mapped_column(Double)
    at: Mapped[float] = mapped_column(Double)
    channel: Mapped[str] = mapped_column(String(64))


class FactStatement(Base):
    """What somebody said of a fact, kept as it was said: the history of each, and the ground that an undo goes back to.

    `origin` is the interaction, the import (`import:ID`) or the CRM (`crm:NAME`) that said it, empty for a person, who
    stands in `by`. `at` is when it was so, `created_at` when we heard of it.
    """

    __tablename__ = "fact_statements"
    __table_args__ = (Index(None, "customer_id", "kind", "key"), Index(None, "origin"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(200))
    said: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[float] = mapped_column(Double)
    channel: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = mapped_column(String(64))
    origin: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[float] = mapped_column(Double)


class MailFolder(Base):
    """How far a folder of a mail server has been read: the last UID, which holds as long as `uid_validity` does."""

    __tablename__ = "mail_folders"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger)  # 32 bits without a sign
    uid: Mapped[int] = mapped_column(BigInteger)
