"""What privacy takes and gives over HTTP."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from crm_bridge.lines import Channel, Instant, Line, Shape, Text
from crm_bridge.privacy.consent import State
from crm_bridge.privacy.request import Kind
from crm_bridge.shapes import ConsentOut, HoldOut

LONGEST_CLIP_S = 300.0

Id = Annotated[Line, StringConstraints(min_length=1, max_length=32, pattern="^[0-9A-Za-z]+$")]
Word = Annotated[Line, StringConstraints(to_lower=True, min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class HoldIn(Shape):
    """Why the person's data has to be kept, and until when; without `until`, until it is released."""

    reason: Annotated[Line, Field(min_length=1, max_length=500)]
    until: Instant | None = None


class HoldList(Shape):
    """Legal holds, the oldest first."""

    items: list[HoldOut]


class ConsentIn(Shape):
    """What somebody said to a purpose (`recording`, `marketing`, whatever you call it), and to which words.

    `recording` with `clip_from` and `clip_until` (seconds from its start) is the proof.
    """

    purpose: Word
    state: State
    at: Instant
    channel: Channel
    notice: Annotated[Text, Field(min_length=1, max_length=10_000)]
    notice_version: Annotated[Line, Field(max_length=64)] = ""
    call: Id | None = None
    recording: Id | None = None
    clip_from: Seconds | None = None
    clip_until: Seconds | None = None

    @model_validator(mode="after")
    def _has_a_whole_clip(self) -> Self:
        clip = (self.recording, self.clip_from, self.clip_until)
        if None in clip and any(part is not None for part in clip):
            raise ValueError("`recording`, `clip_from` and `clip_until` belong together: give all of them, or none")
        if self.clip_from is not None and self.clip_until is not None:
            seconds = self.clip_until - self.clip_from
            if not 0 < seconds <= LONGEST_CLIP_S:
                raise ValueError(f"the clip has to end after it begins, {LONGEST_CLIP_S:.0f} s later at most")
        return self


class ConsentList(Shape):
    """Everything that a person said to any purpose, the newest first."""

    items: list[ConsentOut]


class ErasureOut(Shape):
    """An erasure. `running`: the rows are gone, something else is not yet, and `cause` says why; it goes on by itself.
    The certificate is there when it is `done`."""

    id: str
    state: Literal["running", "done"]
    cause: str
    requested_at: str
    done_at: str | None
    by: str
    certificate: dict[str, Any] | None


class RequestIn(Shape):
    """What somebody asks for, and since when; `customer` is null for somebody who is not known here."""

    kind: Kind
    customer: Id | None = None
    received_at: Instant | None = None
    note: Annotated[Line, Field(max_length=500)] = ""


class CloseIn(Shape):
    """How a request ended."""

    outcome: Literal["done", "refused"]


class RequestOut(Shape):
    """A request, and until when it has to be answered and done. `outcome` is empty while it is open; `void` is one of
    somebody who was erased."""

    id: str
    kind: Kind
    customer: str | None
    received_at: str
    answer_due_at: str
    due_at: str
    answered_at: str | None
    done_at: str | None
    outcome: Literal["", "done", "refused", "void"]
    overdue: bool
    note: str
    by: str
    done_by: str


class RequestList(Shape):
    """Requests, the most urgent first."""

    items: list[RequestOut]
