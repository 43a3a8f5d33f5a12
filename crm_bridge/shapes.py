"""What the bridge takes and gives over HTTP. Strict: an unknown field is an error, and every length has its bound.

Instants are ISO 8601: with a zone when they come in, in UTC with milliseconds when they go out.
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from crm_bridge.identity import Kind

MAX_ATTRIBUTES_LENGTH: Final = 16_384
LANGUAGE: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"  # BCP 47, the shape alone
_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def storable(text: str) -> str:
    """Return `text` if every database and every JSON reader can hold it (no NUL, no half of a surrogate pair)."""
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("holds a NUL or half of a surrogate pair, which is no text: send it without")
    return text


def _one_line(text: str) -> str:
    if not all(sign.isprintable() for sign in text):
        raise ValueError("holds a control character or a line break: send one line of plain text")
    return text


def _written_as_text(value: object) -> object:
    # pydantic would take a bare number for seconds or milliseconds, whichever it resembles.
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_INSTANT.match(value)):
        return value
    raise ValueError("is not ISO 8601 with a zone: write it as 2026-11-22T10:41:00+07:00")


def _in_living_memory(instant: datetime) -> datetime:
    if not 1900 <= instant.year <= 2200:
        raise ValueError("lies outside the years 1900 to 2200: check the date")
    return instant


def _leaves(value: JsonValue) -> Iterator[str | float]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | float):
        yield value


def _storable_attributes(attributes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for leaf in _leaves(attributes):
        if isinstance(leaf, str):
            storable(leaf)
        elif not math.isfinite(leaf):
            raise ValueError("holds NaN or an infinity, which JSON has not: send null instead")
    if len(json.dumps(attributes)) > MAX_ATTRIBUTES_LENGTH:
        raise ValueError(f"is longer than {MAX_ATTRIBUTES_LENGTH} characters of JSON: send a link to the rest")
    return attributes


Text = Annotated[str, AfterValidator(storable)]
Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_one_line)]
Name = Annotated[Line, Field(max_length=200)]
Language = Annotated[Line, Field(max_length=35, pattern=LANGUAGE)]
ExternalId = Annotated[Line, Field(min_length=1, max_length=255)]
Channel = Annotated[Line, StringConstraints(to_lower=True, min_length=1, max_length=64)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written_as_text), AfterValidator(_in_living_memory)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# ------------------------------------------------------------------------------------------------------ in


class IdentityIn(Shape):
    """What identifies the person, as the channel has it; it is normalised here."""

    kind: Kind
    value: Annotated[Text, Field(min_length=1, max_length=1024)]


class CaseIn(Shape):
    """The case the event belongs to: by `id`, by your `external_id` (opened if the customer has none of it), or new.

    `topic` is what may be said aloud of it. `state` left out leaves an existing case as it is.
    """

    id: Annotated[Line, Field(max_length=32)] = ""
    external_id: Annotated[Line, Field(max_length=255)] = ""
    subject: Annotated[Line, Field(max_length=500)] = ""
    topic: Name = ""
    state: Literal["open", "closed"] | None = None

    @model_validator(mode="after")
    def _one_id(self) -> Self:
        if self.id and self.external_id:
            raise ValueError("names a case twice: give `id` or `external_id`, not both")
        return self


class AttributesIn(BaseModel):
    """Anything else the channel knows. `name`, `language` and `tags` fill what the customer's profile lacks."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    name: Name = ""
    language: Language | Literal[""] = ""
    tags: Annotated[list[Annotated[Line, Field(min_length=1, max_length=64)]], Field(max_length=50)] = []

    def stored(self) -> dict[str, JsonValue]:
        """Return the attributes as they came."""
        return self.model_dump(exclude_unset=True)


def _checked_attributes(attributes: AttributesIn) -> AttributesIn:
    _storable_attributes(attributes.stored())
    return attributes


class InteractionIn(Shape):
    """Something that happened with a person, on any channel."""

    channel: Annotated[Channel, Field(description="Any name, in lower case: zalo, facebook, email, form, store …")]
    direction: Literal["inbound", "outbound"] = "inbound"
    occurred_at: Annotated[Instant, Field(description="When it happened, ISO 8601 with a zone; may be long ago.")]
    identities: Annotated[list[IdentityIn], Field(min_length=1, max_length=20)]
    subject: Annotated[Line, Field(max_length=500)] = ""
    text: Annotated[Text, Field(max_length=20_000)] = ""
    case: Annotated[Line, Field(min_length=1, max_length=32)] | CaseIn | None = None
    external_id: Annotated[
        ExternalId | None,
        Field(description="The channel's own id of the event. The same one again changes nothing and gets 200."),
    ] = None
    attributes: Annotated[AttributesIn, AfterValidator(_checked_attributes)] = AttributesIn()


class CustomerQuery(Shape):
    """By whom to find people: every field given must fit. Without any, everyone, by name."""

    phone: Annotated[str, Field(max_length=255)] | None = None
    email: Annotated[str, Field(max_length=255)] | None = None
    zalo: Annotated[str, Field(max_length=255)] | None = None
    facebook: Annotated[str, Field(max_length=255)] | None = None
    web: Annotated[str, Field(max_length=255)] | None = None
    external: Annotated[str, Field(max_length=255)] | None = None
    q: Annotated[Text, Field(max_length=200, description="Words of the name, whatever their case and accents.")] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=1024, description="`next` of the page before.")] = ""


class TimelineQuery(Shape):
    """Which part of a timeline."""

    channel: Annotated[Line, StringConstraints(to_lower=True, max_length=64)] = ""
    since: Annotated[Instant | None, Field(alias="from", description="Happened at or after this instant.")] = None
    until: Annotated[Instant | None, Field(alias="to", description="Happened before this instant.")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1024, description="`next` of the page before.")] = ""


# ----------------------------------------------------------------------------------------------------- out


class IdentityKey(Shape):
    """An identity in its one normal form (or, where it was ignored, as it came)."""

    kind: str
    value: str


class Contradiction(IdentityKey):
    """An identity of the event that belongs to another customer. Nothing was merged: a person decides."""

    customer: str


class InteractionRecorded(Shape):
    """Where an event went, and why. `ignored` are identities that identify nobody, such as a short number; `merge` is
    what put its customer and the owner of a number that it gave together, null where nothing did. `case_by` is
    `only_open` where the event named no case and went to the one that was open."""

    id: str
    customer: str
    created_customer: bool
    case: str | None
    matched_by: IdentityKey | None
    conflicts: list[Contradiction]
    ignored: list[IdentityKey]
    merge: str | None = None
    case_by: str | None = None


class CaseCorrection(Shape):
    """Which case an entry belongs to, by its id; null for none."""

    case: Annotated[Line, Field(min_length=1, max_length=32)] | None


class IdentityOut(IdentityKey):
    """An identity and the grounds for it: `assurance` 0 claimed, 1 carried by the channel, 2 signed, 3 verified.
    `shared`: several people use it, and it identifies none of them."""

    assurance: int
    confidence: float
    source: str
    created_at: str
    shared: bool = False


class UsedIdentity(IdentityKey):
    """An identity of somebody else that this person uses, too, and how that is known."""

    source: str
    evidence: str
    at: str


class CaseOut(Shape):
    """A case."""

    id: str
    subject: str
    topic: str
    state: str
    channel: str
    opened_at: str
    closed_at: str | None
    external_id: str | None


class HoldOut(Shape):
    """A legal hold: as long as it stands nothing of the person is deleted. `until` is null for one without an end."""

    id: str
    reason: str
    by: str
    placed_at: str
    until: str | None
    released_at: str | None
    released_by: str


class ConsentOut(Shape):
    """What somebody said to a purpose: `notice` are the words that they said it to. `clip` is where it can be heard,
    null where nothing was recorded."""

    id: str
    purpose: str
    state: Literal["given", "refused", "withdrawn"]
    at: str
    channel: str
    notice: str
    notice_version: str
    call: str | None
    recording: str | None
    clip_from: float | None
    clip_until: float | None
    clip: str | None
    by: str


class CustomerOut(Shape):
    """A person: open cases first, then the newest. `profiles` are the ids that stand for this person, the oldest first,
    which is `id`; one, unless somebody merged several. `uses` are identities of others that this person uses, too.
    `holds` are the legal holds that stand, `consents` the last word on each purpose."""

    id: str
    profiles: list[str]
    name: str
    language: str
    tags: list[str]
    identities: list[IdentityOut]
    uses: list[UsedIdentity] = []
    cases: list[CaseOut]
    holds: list[HoldOut]
    consents: list[ConsentOut]
    created_at: str
    updated_at: str


class CustomerPage(Shape):
    """People by name. `next` is the `cursor` of the next page, null on the last."""

    items: list[CustomerOut]
    next: str | None


class CallOut(Shape):
    """The call behind a timeline item. Links are null where there is nothing behind them (yet)."""

    id: str
    state: str
    dnis: str
    flow: str
    flow_path: list[str]
    queue: str | None
    queue_wait_s: float | None
    agent: str | None
    talk_s: float | None
    duration_s: float | None
    ended_by: str | None
    asked_again: list[str]
    recording: str | None
    transcript: str | None
    transcript_state: str | None
    disposition: str | None
    note: str


class InteractionOut(Shape):
    """An item of the timeline. `case` is a case's id, `call` is null on every channel but `call`."""

    id: str
    channel: str
    direction: str
    occurred_at: str
    subject: str
    text: str
    case: str | None
    call: CallOut | None
    external_id: str | None
    attributes: dict[str, Any]


class TimelinePage(Shape):
    """Interactions, newest first. `next` is the `cursor` of the next page, null on the last."""

    items: list[InteractionOut]
    next: str | None
