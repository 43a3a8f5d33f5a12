"""The timeline: whatever happened with a customer, of every channel, in the order in which it happened.

Rule 1: every interaction has a customer. A call of a withheld number has none, and hence no entry.
Rule 2: (channel, external_id) happens once. The same event again gets the same answer and changes nothing; a call has
one entry, which `record_call` brings up to date as the call goes on.
Rule 3: nothing here commits. Whoever opened the session does, before telling anyone.
Rule 4: an entry stays with the profile that it was made for. The timeline of a person is that of all their profiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sqlalchemy import Select, select, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import call_summary, customer, fact_rows, joining, person, told
from crm_bridge.case import CaseOfAnother, CaseReference, CaseUnknown, attach, only_open
from crm_bridge.facts import Saying
from crm_bridge.match import Claim, Match, claim, find_or_create
from crm_bridge.person import Linked
from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import Case, Customer, Interaction
from telephony.events import CallSnapshot

Direction = Literal["inbound", "outbound"]
TranscriptState = Literal["none", "pending", "done", "awaiting_model", "failed"]

CALL: Final = "call"
VOICEMAIL: Final = "voicemail"
SURVEY: Final = "survey"
MAX_EXCERPT_LENGTH: Final = 2000
ONLY_OPEN: Final = "only_open"
"""Why an entry is in its case: the customer had no other open one."""
PERSON: Final = "person"
"""Somebody said so."""


class NoInteraction(LookupError):
    """There is no entry of this id."""


class InteractionOvertaken(RuntimeError):
    """Another writer has just recorded the same (channel, external_id): roll back, and record again for its answer."""


@dataclass(frozen=True, slots=True)
class NewInteraction:
    """An event as a channel tells it. `occurred_at` is seconds since the epoch; `claims` are in the event's order.

    `name`, `language` and `tags` fill what the profile lacks. `ignored` are identities (kind, value) that identify
    nobody, kept so that nothing a channel said is lost. `public`: anybody can write to that channel, and so it fills
    only a profile that it makes, or that it proves to be the sender's. `attach_within_s`: an event of the customer's
    that names no case goes to their one open case, if something happened in it so recently; 0 for never. `facts` are
    orders and the like that it tells of; a public channel's are left out, since anybody could tell them.
    """

    channel: str
    direction: Direction
    occurred_at: float
    claims: tuple[Claim, ...]
    subject: str = ""
    text: str = ""
    case: CaseReference | None = None
    external_id: str = ""
    name: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[tuple[str, str], ...] = ()
    public: bool = False
    attach_within_s: float = 0.0
    facts: tuple[Saying, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """Something that a known customer did in a call, besides calling. `occurred_at` is seconds since the epoch, `case`
    one of theirs or empty."""

    customer: str
    channel: str
    external_id: str
    occurred_at: float
    subject: str
    attributes: Mapping[str, Any]
    text: str = ""
    case: str = ""
    recording: str | None = None
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an event went and why. `outcome` is the why, as JSON: `created_customer` (bool), `matched_by`
    ({kind, value} or null), `conflicts` (list of {kind, value, customer}), `ignored` (list of {kind, value}) and,
    where the event's claim put two profiles together, `merge` (that event's id). `person` is who the profile of the
    entry belongs to now, `linked` what a claim has just put together."""

    interaction: Interaction
    person: str
    repeated: bool
    linked: Linked | None = None


async def record(session: AsyncSession, event: NewInteraction, now: float) -> Recorded:
    """Put an event on the timeline of the customer it belongs to, found or made.

    Raises what `crm_bridge.match.find_or_create` and `crm_bridge.case.attach` raise, and `InteractionOvertaken`.
    """
    before = await _recorded(session, event)
    if before is not None:
        home = await session.get_one(Customer, before.customer_id)
        return Recorded(before, home.person_id or home.id, repeated=True)
    interaction_id = new_id()
    match = await find_or_create(
        session, event.claims, source=event.channel, evidence=f"interaction {interaction_id}", now=now
    )
    linked = await joining.join(session, match, f"{_given(match)} in interaction {interaction_id}", now)
    if linked is not None:
        match = replace(match, conflicts=())
    home = await session.get_one(Customer, match.customer, populate_existing=True)
    case_id, case_by = None, ""
    if event.case is not None:
        case_id = await attach(
            session,
            event.case,
            customer_id=home.id,
            channel=event.channel,
            occurred_at=event.occurred_at,
            profiles=(await person.of(session, home)).ids,
        )
    elif _may_attach(event, match):
        profiles = (await person.of(session, home)).ids
        case_id = await only_open(session, profiles, event.occurred_at, event.attach_within_s) or None
        case_by = ONLY_OPEN if case_id else ""
    if match.created or match.assurance or not (event.public or match.shared):
        await customer.fill(session, match.customer, name=event.name, language=event.language, tags=event.tags, now=now)
    if not (event.public or match.shared):
        await _keep_told(session, match.customer, event, interaction_id, now)
    row = {
        "id": interaction_id,
        "customer_id": match.customer,
        "channel": event.channel,
        "direction": event.direction,
        "occurred_at": event.occurred_at,
        "subject": event.subject,
        "text": event.text,
        "case_id": case_id,
        "external_id": event.external_id or None,
        "attributes": dict(event.attributes),
        "outcome": _outcome(match, event.ignored)
        | ({"merge": linked.row.id} if linked else {})
        | ({"case_by": case_by} if case_by else {}),
        "created_at": now,
    }
    if not await insert_if_free(session, Interaction, row):
        raise InteractionOvertaken("another writer recorded the same event at the same time")
    recorded = await session.get_one(Interaction, interaction_id)
    return Recorded(recorded, home.person_id or home.id, repeated=False, linked=linked)


async def _keep_told(
    session: AsyncSession, customer_id: str, event: NewInteraction, interaction_id: str, now: float
) -> None:
    """Keep what an event tells of its customer."""
    # Clocks differ: what is dated ahead would stay fresh, and stand before whatever is told meanwhile.
    at = min(event.occurred_at, now)
    fields = told.usable(event.attributes.get("fields"))
    await told.remember(session, customer_id, fields, channel=event.channel, at=at)
    sayings = [Saying(each.kind, each.key or interaction_id, each.said) for each in event.facts]
    source = fact_rows.Source(at, event.channel, origin=interaction_id)
    await fact_rows.say(session, customer_id, sayings, source, now)


async def record_beside(session: AsyncSession, event: Beside, now: float) -> Recorded | None:
    """Put what was done in a call on the timeline, beside the call's own entry. Nothing for somebody who is gone.

    Raises `InteractionOvertaken`.
    """
    home = await session.get(Customer, event.customer)
    if home is None:
        return None
    before = await _entry(session, event.channel, event.external_id)
    if before is not None:
        return Recorded(before, home.person_id or home.id, repeated=True)
    row = {
        "id": new_id(),
        "customer_id": home.id,
        "channel": event.channel,
        "direction": "inbound",
        "occurred_at": event.occurred_at,
        "subject": event.subject,
        "text": event.text,
        "case_id": event.case if event.case and await _owns_case(session, home.id, event.case) else None,
        "recording_id": event.recording,
        "transcript": event.transcript,
        "external_id": event.external_id,
        "attributes": dict(event.attributes),
        "outcome": {"created_customer": False, "matched_by": None, "conflicts": [], "ignored": []},
        "created_at": now,
    }
    if not await insert_if_free(session, Interaction, row):
        raise InteractionOvertaken("another writer recorded the same event at the same time")
    recorded = await session.get_one(Interaction, row["id"])
    return Recorded(recorded, home.person_id or home.id, repeated=False)


async def record_call(session: AsyncSession, call: CallSnapshot, now: float) -> None:
    """Bring the one entry of a call up to date with its snapshot, in mid-call and at its end; make it if need be.

    Raises `match.MatchContended`.
    """
    if not call.customer:
        return
    home = await _home_of(session, call, now)
    values: dict[str, Any] = {
        "customer_id": home,
        "call_id": call.id,
        "occurred_at": call.started_at,
        "subject": call_summary.summary(call),
        "attributes": call_summary.attributes(call),
    }
    if call.told and call.context.assurance > 0:
        at = call.ended_at or call.started_at
        await told.remember(session, home, told.usable(call.told), channel=CALL, at=at)
    if call.recording:
        values["recording_id"] = call.recording
    if call.case and await _takes_case(session, call, call.case):
        values["case_id"] = call.case
    if await _update_call(session, call.id, values):
        return
    row = {
        "id": new_id(),
        "channel": CALL,
        "direction": call.direction,
        "external_id": call.id,
        "outcome": _outcome(_match_of(call), ()),
        "created_at": now,
    }
    if not await insert_if_free(session, Interaction, row | values):
        await _update_call(session, call.id, values)


async def correct_case(session: AsyncSession, interaction_id: str, case_id: str | None) -> Interaction:
    """Have somebody say which case an entry belongs to, None for none. What they say stays, whatever comes later.

    Writes without committing. Raises `NoInteraction`, `CaseUnknown` and `CaseOfAnother`.
    """
    row = await session.get(Interaction, interaction_id, populate_existing=True)
    if row is None:
        raise NoInteraction(interaction_id)
    if case_id is not None:
        found = await session.get(Case, case_id, populate_existing=True)
        if found is None:
            raise CaseUnknown(f"there is no case {case_id}: name one of the customer's, or null for none")
        if not await _owns_case(session, row.customer_id, case_id):
            raise CaseOfAnother(f"case {case_id} is another customer's: name one of this entry's customer")
    row.case_id, row.outcome = case_id, row.outcome | {"case_by": PERSON}
    await session.flush()
    return row


async def attach_recording(
    session: AsyncSession, call_id: str, recording_id: str, transcript_state: TranscriptState, excerpt: str
) -> None:
    """Link a recording to its call's entry, with the state of the transcript and its first words.

    A call of a withheld number has no entry; then there is nothing to link.
    """
    values = {"recording_id": recording_id, "transcript": transcript_state, "text": _shortened(excerpt)}
    await _update_call(session, call_id, values)


async def describe_message(
    session: AsyncSession, recording_id: str, transcript_state: TranscriptState, excerpt: str
) -> None:
    """Write on the entry of a message what became of its words; one of nobody known has no entry."""
    of_message = update(Interaction).where(Interaction.channel == VOICEMAIL, Interaction.external_id == recording_id)
    await session.execute(of_message.values(transcript=transcript_state, text=_shortened(excerpt)))


def _shortened(excerpt: str) -> str:
    return excerpt if len(excerpt) <= MAX_EXCERPT_LENGTH else excerpt[: MAX_EXCERPT_LENGTH - 1] + "…"


async def note_call(session: AsyncSession, call_id: str, disposition: str, note: str) -> None:
    """Write on a call's entry what its agent noted; a call of a withheld number has none."""
    await _update_call(session, call_id, {"disposition": disposition, "note": note})


async def page(
    session: AsyncSession,
    profiles: tuple[str, ...],
    *,
    channel: str = "",
    since: float | None = None,
    until: float | None = None,
    after: tuple[float, str] | None = None,
    limit: int,
) -> list[Interaction]:
    """Return the interactions of a person's profiles (at least one), newest first, with `since` <= occurred_at <
    `until`.

    `after` is the (occurred_at, id) of the last one seen.
    """
    query = select(Interaction)
    if channel:
        query = query.where(Interaction.channel == channel)
    if since is not None:
        query = query.where(Interaction.occurred_at >= since)
    if until is not None:
        query = query.where(Interaction.occurred_at < until)
    if after is not None:
        query = query.where(tuple_(Interaction.occurred_at, Interaction.id) < after)
    found = await session.scalars(_newest_of(query, profiles, limit).execution_options(populate_existing=True))
    return list(found)


def _newest_of(query: Select[Interaction], profiles: tuple[str, ...], limit: int) -> Select[Interaction]:
    """Return the newest entries of all `profiles` together. Each profile's are found by the index alone and no further
    than `limit`: of `customer_id IN (…)`, a database reads and sorts all that there is."""
    newest_first = (Interaction.occurred_at.desc(), Interaction.id.desc())
    if len(profiles) == 1:
        return query.where(Interaction.customer_id == profiles[0]).order_by(*newest_first).limit(limit)
    ids = query.with_only_columns(Interaction.id).order_by(*newest_first).limit(limit)
    newest = [select(ids.where(Interaction.customer_id == each).subquery().c.id) for each in profiles]
    return select(Interaction).where(Interaction.id.in_(union_all(*newest))).order_by(*newest_first).limit(limit)


async def _recorded(session: AsyncSession, event: NewInteraction) -> Interaction | None:
    return await _entry(session, event.channel, event.external_id) if event.external_id else None


async def _entry(session: AsyncSession, channel: str, external_id: str) -> Interaction | None:
    return await session.scalar(
        select(Interaction).where(Interaction.channel == channel, Interaction.external_id == external_id)
    )


def _outcome(match: Match, ignored: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    by = match.matched_by
    return {
        "created_customer": match.created,
        "matched_by": None if by is None else {"kind": by.kind, "value": by.value},
        "conflicts": [{"kind": each.kind, "value": each.value, "customer": each.customer} for each in match.conflicts],
        "ignored": [{"kind": kind, "value": value} for kind, value in ignored],
    }


def _given(match: Match) -> str:
    if joining.is_sign_in(match):
        return "signed in where this visitor was,"
    kinds = dict.fromkeys(each.kind for each in match.conflicts)
    return f"gave the {' and the '.join(kinds)} of this person"


async def _home_of(session: AsyncSession, call: CallSnapshot, now: float) -> str:
    """Return the profile of a call: the one that was found when it began, unless that was an import's which somebody
    took back a moment later. Then the number finds or makes another."""
    there = await session.scalar(select(Customer.id).where(Customer.id == call.customer))
    number = _number_of(call)
    if there is not None or not number:
        return call.customer
    by = claim(CALL, "phone", number)
    return (await find_or_create(session, [by], source=CALL, evidence="the number of the call", now=now)).customer


def _number_of(call: CallSnapshot) -> str:
    return call.dnis if call.direction == "outbound" else call.ani


def _match_of(call: CallSnapshot) -> Match:
    number = _number_of(call)
    by = claim(CALL, "phone", number) if number and call.context.known else None
    return Match(call.customer, created=not call.context.known, matched_by=by)


def _may_attach(event: NewInteraction, match: Match) -> bool:
    """An event of the customer's own. What somebody only claims to have sent is for a person to attach."""
    is_theirs = match.assurance > 0 or not (event.public or match.shared)
    return event.attach_within_s > 0 and event.direction == "inbound" and is_theirs and not match.created


async def _takes_case(session: AsyncSession, call: CallSnapshot, case_id: str) -> bool:
    """Tell whether a call's entry goes to a case: one of the customer's, unless somebody said otherwise."""
    said = await session.scalar(
        select(Interaction.outcome).where(Interaction.channel == CALL, Interaction.external_id == call.id)
    )
    return (said or {}).get("case_by") != PERSON and await _owns_case(session, call.customer, case_id)


async def _owns_case(session: AsyncSession, customer_id: str, case_id: str) -> bool:
    owned = select(Case.id).where(Case.id == case_id, Case.customer_id.in_(person.together(customer_id)))
    return await session.scalar(owned) is not None


async def _update_call(session: AsyncSession, call_id: str, values: Mapping[str, Any]) -> bool:
    """Write columns of a call's entry; say whether there is one."""
    changed = await session.execute(
        update(Interaction)
        .where(Interaction.channel == CALL, Interaction.external_id == call_id)
        .values(**values)
        .returning(Interaction.id)
        .execution_options(synchronize_session=False)
    )
    return changed.scalar_one_or_none() is not None
