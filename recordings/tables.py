"""The rows of the recordings room. Instants are seconds since the epoch (`*_at`), ids are 32 hex digits.

`state` says what became of the audio, `transcript_state` what became of its words; each has a cause beside it that is
empty when all went well; `transcript_state` is `none` while the call lasts.
"""

from typing import Any, Literal

from sqlalchemy import JSON, Double, ForeignKey, Index, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from telephony.events import RecordingKind

RecordingState = Literal["spooling", "closed", "failed", "lost"]
TranscriptState = Literal["none", "pending", "done", "awaiting_model", "failed"]

NOTHING = text("''")


class Base(DeclarativeBase):
    """The room's own metadata; names of constraints are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Recording(Base):
    """One stereo recording: left the caller, right everyone else.

    `spooling`: its rows are being appended to the spool. `closed`: `path` is a whole WAV file. `failed`: the spool is
    there and could not be turned into one. `lost`: there is nothing on disk. `path` is relative to the recordings
    folder; `ticks` count 20 ms each; `ended_early` is the cause of an end before the talk's. `ani`, `agent`, `queue`
    and `person` (the customer's name; folded as `recordings.text` folds) are the call's, copied here to be searched.
    """

    __tablename__ = "recordings"
    __table_args__ = (Index("ix_recordings_started_at_id", "started_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(32), index=True)
    customer_id: Mapped[str | None] = mapped_column(String(32), index=True, default=None)
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[RecordingKind] = mapped_column(String(16), default="talk", server_default=text("'talk'"))
    """`talk`, or `voicemail`: a message that was left for the queue."""
    state: Mapped[RecordingState] = mapped_column(String(16), index=True, default="spooling")
    cause: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[float] = mapped_column(Double)
    closed_at: Mapped[float | None] = mapped_column(Double, default=None)
    ticks: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(Double, default=0.0)
    ended_early: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(String(16), default="")
    ani: Mapped[str] = mapped_column(String(32), default="", server_default=NOTHING)
    agent: Mapped[str] = mapped_column(String(64), default="", server_default=NOTHING)
    queue: Mapped[str] = mapped_column(String(64), default="", server_default=NOTHING)
    person: Mapped[str] = mapped_column(String(200), default="", server_default=NOTHING)
    person_folded: Mapped[str] = mapped_column(String(200), default="", server_default=NOTHING)
    pauses: Mapped[list[list[float | None]]] = mapped_column(JSON, default=list, server_default=text("'[]'"))
    """[from, until] of each time it is silent on purpose; until the end where the second is null."""
    gaps: Mapped[list[list[float]]] = mapped_column(JSON, default=list, server_default=text("'[]'"))
    """[from, until], in seconds from its start, of each time of which it has nothing: a media worker was gone, and
    another took the call over."""
    transcript_state: Mapped[TranscriptState] = mapped_column(String(16), index=True, default="none")
    transcript_cause: Mapped[str] = mapped_column(Text, default="")


class Transcript(Base):
    """The words of a recording. A row is there only when an engine ran over it.

    `text` is one utterance per line; `words` are `{text, start, end, confidence, channel}` in time order; `folded` is
    what a search compares: the words without case and diacritics, each between spaces.
    """

    __tablename__ = "transcripts"

    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True)
    engine: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)
    words: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
