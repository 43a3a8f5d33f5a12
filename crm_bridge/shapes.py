"""What the bridge takes and gives over HTTP. Strict: an unknown field is an error, and every length has its bound.

Instants are ISO 8601: with a zone when they come in, in UTC with milliseconds when they go out.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from crm_bridge.fact_shapes import FactsIn, NeedOut, OrderOut, PaymentOut, SurveyOut, VisitOut
from crm_bridge.identity import Kind
from crm_bridge.lines import (
    Channel,
    ExternalId,
    Instant,
    Language,
    Line,
    Name,
    Shape,
    Text,
    storable_attributes,
)

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
    """Anything else the channel knows. `name`, `language` and `tags` fill what the customer's profile lacks; `facts`,
    such as orders, are kept with the customer."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    name: Name = ""
    language: Language | Literal[""] = ""
    tags: Annotated[list[Annotated[Line, Field(min_length=1, max_length=64)]], Field(max_length=50)] = []
    facts: FactsIn = FactsIn()

    def stored(self) -> dict[str, JsonValue]:
        """Return the attributes as they came."""
        return self.model_dump(exclude_unset=True, exclude={"facts"}) | self._stored_facts()

    def _stored_facts(self) -> dict[str, JsonValue]:
        sent = "facts" in self.model_fields_set
        return {"facts": self.facts.model_dump(mode="json", exclude_unset=True)} if sent else {}


def _checked_attributes(attributes: AttributesIn) -> AttributesIn:
    storable_attributes(attributes.stored())
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
    anyhow: Annotated[
        Text, Field(alias="any", max_length=200, description="An identity of any kind, or words of the name.")
    ] = ""
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
    `profile`: which of the person's has it. `shared`: several people use it, and it identifies none of them."""

    assurance: int
    confidence: float
    source: str
    profile: str
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


class LastOut(Shape):
    """The newest entry of a channel."""

    interaction: str
    channel: str
    direction: str
    occurred_at: str
    subject: str


class ReasonOut(Shape):
    """Why the customer probably gets in touch: the newest matter that is not finished. `id` is that of the case, the
    order or the message; `why` the ground in words."""

    kind: str
    id: str | None
    subject: str
    why: str
    at: str


class OfferOut(Shape):
    """What the customer may be offered next: `text` by language, `why` the ground in words."""

    name: str
    text: dict[str, str]
    why: str


class ContextOut(Shape):
    """What whoever talks with the customer should know first. `last_agent` is who talked with them last by phone."""

    last_by_channel: list[LastOut]
    last_agent: str | None
    reason: ReasonOut | None
    offer: OfferOut | None


class CustomerOut(Shape):
    """A person: open cases first, then the newest. `profiles` are the ids that stand for this person, the oldest first,
    which is `id`; one, unless somebody merged several. `uses` are identities of others that this person uses, too.
    `holds` are the legal holds that stand, `consents` the last word on each purpose. Orders, payments, visits and needs
    stand with the newest word first."""

    id: str
    profiles: list[str]
    name: str
    language: str
    tags: list[str]
    birthday: str | None
    preferred_channel: str | None
    identities: list[IdentityOut]
    uses: list[UsedIdentity]
    cases: list[CaseOut]
    orders: list[OrderOut]
    payments: list[PaymentOut]
    visits: list[VisitOut]
    needs: list[NeedOut]
    survey: SurveyOut | None
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
