"""Rows as the shapes that go out over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from crm_bridge import facts, joining
from crm_bridge.customer import Profile
from crm_bridge.fact_shapes import SurveyOut, need_out, order_out, payment_out, survey_out, visit_out
from crm_bridge.facts import Fact
from crm_bridge.privacy.consent import State, latest
from crm_bridge.privacy.tables import Consent, LegalHold
from crm_bridge.shapes import (
    CallOut,
    CaseOut,
    ConsentOut,
    ContextOut,
    CustomerOut,
    HoldOut,
    IdentityOut,
    InteractionOut,
    InteractionRecorded,
    LastOut,
    OfferOut,
    ReasonOut,
    UsedIdentity,
)
from crm_bridge.tables import Case, Identity, Interaction
from crm_bridge.timeline import Recorded
from telephony.clock import iso, iso_or_none
from telephony.events import CallerContext

MAX_SHOWN: Final = 50
"""Of each kind of fact."""


def customer_out(
    profile: Profile, holds: Sequence[LegalHold], consents: Sequence[Consent], known: Sequence[Fact]
) -> CustomerOut:
    """Return a whole profile, with the holds on it, its consents and what is known of it, each the newest first."""
    person = profile.person
    return CustomerOut(
        id=person.id,
        profiles=list(person.ids),
        name=person.name,
        language=person.language,
        tags=person.tags,
        birthday=facts.of_profile(known, "birthday") or None,
        preferred_channel=facts.of_profile(known, "preferred_channel") or None,
        identities=[_identity_out(each, *joining.worth(each, person)) for each in profile.identities],
        uses=[
            UsedIdentity(kind=each.kind, value=each.value, source=each.source, evidence=each.evidence, at=iso(each.at))
            for each in profile.uses
        ],
        cases=[_case_out(each) for each in profile.cases],
        orders=[order_out(each) for each in facts.orders(known)[:MAX_SHOWN]],
        payments=[payment_out(each) for each in known if each.kind == "payment"][:MAX_SHOWN],
        visits=[visit_out(each) for each in known if each.kind == "visit"][:MAX_SHOWN],
        needs=[need_out(each) for each in facts.needs(known)[:MAX_SHOWN]],
        survey=_survey_out(known),
        holds=[hold_out(each) for each in holds],
        consents=[consent_out(each) for each in latest(consents)],
        created_at=iso(person.profiles[0].created_at),
        updated_at=iso(person.updated_at),
    )


def _survey_out(known: Sequence[Fact]) -> SurveyOut | None:
    last = next((each for each in known if each.kind == "survey"), None)
    return None if last is None else survey_out(facts.survey(last), last.get("comment"))


def context_out(known: CallerContext) -> ContextOut:
    """Return what whoever talks with the customer should know first."""
    reason, offer = known.reason, known.offer
    return ContextOut(
        last_by_channel=[
            LastOut(
                interaction=each.id,
                channel=each.channel,
                direction=each.direction,
                occurred_at=iso(each.occurred_at),
                subject=each.subject,
            )
            for each in known.last_by_channel
        ],
        last_agent=known.last_agent or None,
        reason=(
            None
            if reason is None
            else ReasonOut(
                kind=reason.kind, id=reason.id or None, subject=reason.subject, why=reason.why, at=iso(reason.at)
            )
        ),
        offer=None if offer is None else OfferOut(name=offer.name, text=offer.text, why=offer.why),
    )


def hold_out(row: LegalHold) -> HoldOut:
    """Return a legal hold."""
    return HoldOut(
        id=row.id,
        reason=row.reason,
        by=row.by,
        placed_at=iso(row.placed_at),
        until=iso_or_none(row.until),
        released_at=iso_or_none(row.released_at),
        released_by=row.released_by,
    )


_CONSENTS: Final[Mapping[str, State]] = {each: each for each in get_args(State)}


def consent_out(row: Consent) -> ConsentOut:
    """Return a consent."""
    return ConsentOut(
        id=row.id,
        purpose=row.purpose,
        state=_CONSENTS[row.state],
        at=iso(row.at),
        channel=row.channel,
        notice=row.notice,
        notice_version=row.notice_version,
        call=row.call_id,
        recording=row.recording_id,
        clip_from=row.clip_from,
        clip_until=row.clip_until,
        clip=f"/api/v1/consents/{row.id}/clip" if row.recording_id else None,
        by=row.by,
    )


def interaction_out(row: Interaction) -> InteractionOut:
    """Return an item of a timeline; what a call's attributes say stands in `call`."""
    call = None if row.call_id is None else _call_out(row.call_id, row)
    return InteractionOut(
        id=row.id,
        channel=row.channel,
        direction=row.direction,
        occurred_at=iso(row.occurred_at),
        subject=row.subject,
        text=row.text,
        case=row.case_id,
        call=call,
        external_id=row.external_id,
        attributes=row.attributes if call is None else {},
    )


def recorded_out(recorded: Recorded) -> InteractionRecorded:
    """Return where an event went, and why."""
    row = recorded.interaction
    return InteractionRecorded(id=row.id, customer=recorded.person, case=row.case_id, **row.outcome)


def _identity_out(row: Identity, assurance: int, confidence: float) -> IdentityOut:
    return IdentityOut(
        kind=row.kind,
        value=row.value,
        assurance=assurance,
        confidence=confidence,
        source=row.source,
        profile=row.customer_id,
        created_at=iso(row.created_at),
        shared=row.shared_at is not None,
    )


def _case_out(row: Case) -> CaseOut:
    return CaseOut(
        id=row.id,
        subject=row.subject,
        topic=row.topic,
        state=row.state,
        channel=row.channel,
        opened_at=iso(row.opened_at),
        closed_at=iso_or_none(row.closed_at),
        external_id=row.external_id,
    )


def _call_out(call_id: str, row: Interaction) -> CallOut:
    call: dict[str, Any] = row.attributes
    recording = f"/api/v1/recordings/{row.recording_id}" if row.recording_id else None
    return CallOut(
        id=call_id,
        state=call["state"],
        dnis=call["dnis"],
        flow=call["flow"],
        flow_path=call["flow_path"],
        queue=call["queue"] or None,
        queue_wait_s=call["queue_wait_s"],
        agent=call["agent"] or None,
        talk_s=call["talk_s"],
        duration_s=call["duration_s"],
        ended_by=call["ended_by"] or None,
        asked_again=call.get("asked_again", []),  # calls of before it was counted have none
        recording=recording,
        transcript=f"{recording}/transcript" if recording and row.transcript == "done" else None,
        transcript_state=row.transcript or None,
        disposition=row.disposition or None,
        note=row.note,
    )
