"""Customers, their timelines, and events of every channel over HTTP. Mounted under `/api/v1`.

Reads `app.state.sessions` (async sessionmaker), `app.state.settings.region`, `app.state.clock`, `app.state.webhooks`
(the outbox) and `app.state.publish` (type, body), which tells the listeners on the WebSocket. Where they are set,
`app.state.attach_within_s` (seconds) has events without a case go to the one that is open, `audit` is told of
corrections, and `advice` (`crm_bridge.advice.Advice`) knows the offers. Who may ask is decided before it gets here.
"""

import base64
import binascii
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, customer, fact_rows, facts, person, timeline
from crm_bridge.asker import audited
from crm_bridge.case import CaseOfAnother, CaseReference, CaseSubjectMissing, CaseUnknown
from crm_bridge.identity import Kind, normalise
from crm_bridge.keep import KeepContended, keep_event
from crm_bridge.lines import storable
from crm_bridge.match import Claim, claim
from crm_bridge.person import Person
from crm_bridge.present import context_out, customer_out, interaction_out, recorded_out
from crm_bridge.privacy import consent, hold
from crm_bridge.shapes import (
    CaseCorrection,
    CaseIn,
    ContextOut,
    CustomerOut,
    CustomerPage,
    CustomerQuery,
    InteractionIn,
    InteractionOut,
    InteractionRecorded,
    TimelinePage,
    TimelineQuery,
)
from crm_bridge.tables import Customer

router = APIRouter(tags=["customers"])

NO_CUSTOMER: Final = "There is no such customer; GET /api/v1/customers finds them by any identity."
CURSOR_BROKEN: Final = "is none of ours: send `next` of the page before as it is, or leave it out"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
HOW_TO_MEND: Final[dict[Kind, str]] = {
    "phone": "is no number that could identify a person in region {region}: write it as +84912345678",
    "email": "is no e-mail address: write it as name@example.com",
    "zalo": "is empty, longer than 255 characters, or not printable: send the user id as Zalo gives it",
    "facebook": "is empty, longer than 255 characters, or not printable: send the page-scoped id as Facebook gives it",
    "web": "is empty, longer than 255 characters, or not printable: send the id that the website gave the browser",
    "external": "is empty, longer than 255 characters, or not printable: send the other system's id",
}


async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for a request that only reads: it never waits for a writer."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


Reading = Annotated[AsyncSession, Depends(_reading)]


@router.post(
    "/interactions",
    status_code=201,
    responses={
        200: {
            "model": InteractionRecorded,
            "description": "Recorded before under this `external_id`; nothing changed.",
        },
        409: {"description": "The case is another customer's."},
    },
)
async def post_interaction(request: Request, response: Response, body: InteractionIn) -> InteractionRecorded:
    """Record something that happened with a person, on any channel, and find or make that person's profile."""
    worth = partial(claim, body.channel)
    answer, is_new = await record_event(request, event_of(body, request.app.state.settings.region, worth))
    if not is_new:
        response.status_code = 200
    return answer


@router.get("/customers")
async def list_customers(request: Request, session: Reading, wanted: Annotated[CustomerQuery, Query()]) -> CustomerPage:
    """Find people by any identity, in any spelling, or by name."""
    region = request.app.state.settings.region
    identities: list[tuple[Kind, str]] = []
    for kind in KINDS:
        written: str | None = getattr(wanted, kind)
        if written is not None:
            value = normalise(kind, written, region)
            if not value:
                raise invalid(("query", kind), HOW_TO_MEND[kind].format(region=region))
            identities.append((kind, value))
    either = [(kind, normalise(kind, wanted.anyhow, region)) for kind in KINDS] if wanted.anyhow.strip() else []
    after = _place(wanted.cursor) if wanted.cursor else None
    found = await customer.find(
        session,
        identities,
        wanted.q,
        anyhow=customer.Written(wanted.anyhow, tuple(each for each in either if each[1])) if either else None,
        after=after,
        limit=wanted.limit + 1,
    )
    page = found[: wanted.limit]
    return CustomerPage(
        items=await shown(session, page, request.app.state.clock.now()),
        next=_next(page[-1].person.profiles[0].name_folded, page[-1].person.id) if len(found) > wanted.limit else None,
    )


@router.get("/customers/{customer_id}", responses={404: {"description": "There is no such customer."}})
async def get_customer(request: Request, session: Reading, customer_id: str) -> CustomerOut:
    """Show the whole profile of a person, by the id of any of their profiles."""
    return (await shown(session, [await profile_of(session, customer_id)], request.app.state.clock.now()))[0]


@router.get("/customers/{customer_id}/context", responses={404: {"description": "There is no such customer."}})
async def get_context(request: Request, session: Reading, customer_id: str) -> ContextOut:
    """Show what whoever talks with a person should know first: who talked with them last, what they wrote last on each
    channel, why they probably get in touch, and what they may be offered."""
    who = await person_of(session, customer_id)
    advice = getattr(request.app.state, "advice", context.NO_OFFERS)
    return context_out(await context.read(session, who.id, 0, request.app.state.clock.now(), advice))


@router.get("/customers/{customer_id}/timeline", responses={404: {"description": "There is no such customer."}})
async def get_timeline(session: Reading, customer_id: str, wanted: Annotated[TimelineQuery, Query()]) -> TimelinePage:
    """List what happened with a person on every channel, newest first."""
    found = await timeline.page(
        session,
        (await person_of(session, customer_id)).ids,
        channel=wanted.channel,
        since=wanted.since.timestamp() if wanted.since else None,
        until=wanted.until.timestamp() if wanted.until else None,
        after=_instant_and_id(wanted.cursor) if wanted.cursor else None,
        limit=wanted.limit + 1,
    )
    page = found[: wanted.limit]
    return TimelinePage(
        items=[interaction_out(each) for each in page],
        next=_next(repr(page[-1].occurred_at), page[-1].id) if len(found) > wanted.limit else None,
    )


@router.post(
    "/interactions/{interaction_id}/case",
    responses={
        404: {"description": "There is no such interaction."},
        409: {"description": "The case is another customer's."},
    },
)
async def correct_case(request: Request, interaction_id: str, body: CaseCorrection) -> InteractionOut:
    """Say which case an interaction belongs to, or that it belongs to none. It stays so, whatever comes later."""
    state = request.app.state
    async with state.sessions() as session:
        try:
            row = await timeline.correct_case(session, interaction_id, body.case)
        except timeline.NoInteraction as error:
            raise HTTPException(404, "There is no such interaction: the timeline of its customer lists it.") from error
        except CaseOfAnother as error:
            raise HTTPException(409, str(error)) from error
        except CaseUnknown as error:
            raise invalid(("body", "case"), str(error)) from error
        home = await session.get_one(Customer, row.customer_id)
        told = {"customer": home.person_id or home.id} | interaction_out(row).model_dump(mode="json")
        now = state.clock.now()
        await state.webhooks.tell(session, "interaction.updated", told, customer=told["customer"], now=now)
        await session.commit()
    await audited(request, "interaction.case", interaction_id)
    state.publish("interaction.updated", told)
    return interaction_out(row)


def event_of(
    body: InteractionIn, region: str, worth: Callable[[Kind, str], Claim], *, public: bool = False
) -> timeline.NewInteraction:
    """Return an event as the timeline takes it; `worth` says what a normalised identity in it proves.

    Raises `RequestValidationError` if none of its identities is usable.
    """
    claims, ignored = [], []
    for identity in body.identities:
        value = normalise(identity.kind, identity.value, region)
        if value:
            claims.append(worth(identity.kind, value))
        else:
            ignored.append((identity.kind, identity.value))
    if not claims:
        first = body.identities[0].kind
        raise invalid(("body", "identities", 0, "value"), HOW_TO_MEND[first].format(region=region))
    return timeline.NewInteraction(
        channel=body.channel,
        direction=body.direction,
        occurred_at=body.occurred_at.timestamp(),
        claims=tuple(claims),
        subject=body.subject,
        text=body.text,
        case=case_of(body.case),
        external_id=body.external_id or "",
        name=body.attributes.name,
        language=body.attributes.language,
        tags=tuple(body.attributes.tags),
        attributes=body.attributes.stored(),
        facts=tuple(body.attributes.facts.sayings()),
        ignored=tuple(ignored),
        public=public,
    )


def case_of(case: str | CaseIn | None) -> CaseReference | None:
    """Return the case that a body names, by its id or as an object."""
    match case:
        case None:
            return None
        case str():
            return CaseReference(id=case)
        case CaseIn():
            return CaseReference(**case.model_dump())


async def record_event(request: Request, event: timeline.NewInteraction) -> tuple[InteractionRecorded, bool]:
    """Record an event, commit, and tell whoever listens; say whether it is new.

    Raises `HTTPException` and `RequestValidationError`, as the answer to whoever sent it.
    """
    state = request.app.state
    now = state.clock.now()
    event = replace(event, attach_within_s=getattr(state, "attach_within_s", 0.0))
    try:
        kept = await keep_event(
            state.sessions, lambda session: timeline.record(session, event, now), state.webhooks, now
        )
    except CaseOfAnother as error:
        raise HTTPException(409, str(error)) from error
    except CaseUnknown as error:
        raise invalid(("body", "case"), str(error)) from error
    except CaseSubjectMissing as error:
        raise invalid(("body", "case", "subject"), str(error)) from error
    except KeepContended as error:
        raise HTTPException(503, "Other events of the same person keep coming first: send this one again.") from error
    if kept.told is not None:
        state.publish("interaction.created", kept.told)
    if kept.merged is not None:
        state.publish("customer.merged", kept.merged)
    return recorded_out(kept.recorded), kept.told is not None


async def person_of(session: AsyncSession, customer_id: str) -> Person:
    found = await person.read(session, customer_id) if customer_id.isalnum() else None
    if found is None:
        raise HTTPException(404, NO_CUSTOMER)
    return found


async def profile_of(session: AsyncSession, customer_id: str) -> customer.Profile:
    profile = await customer.read(session, customer_id) if customer_id.isalnum() else None
    if profile is None:
        raise HTTPException(404, NO_CUSTOMER)
    return profile


async def shown(session: AsyncSession, people: Sequence[customer.Profile], now: float) -> list[CustomerOut]:
    """Return people with the holds on them, their consents and their facts; three reads for all of them."""
    ids = [profile for each in people for profile in each.person.ids]
    holds, consents = await hold.of(session, ids, now), await consent.history(session, ids)
    known = await fact_rows.of_all(session, ids)
    return [
        customer_out(
            each,
            [row for row in holds if row.customer_id in each.person.ids],
            [row for row in consents if row.customer_id in each.person.ids],
            facts.together(fact for profile in each.person.ids for fact in known.get(profile, ())),
        )
        for each in people
    ]


def invalid(where: Sequence[str | int], cause: str) -> RequestValidationError:
    """Return an error like those of the models. The value itself is not in it: it may be personal."""
    return RequestValidationError([{"type": "value_error", "loc": tuple(where), "msg": cause, "input": None}])


def _next(key: str, last_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, last_id]).encode()).decode()


def _place(cursor: str) -> tuple[str, str]:
    """Return the sort key and the id of the last item of the page before."""
    with contextlib.suppress(binascii.Error, ValueError, TypeError, RecursionError):
        key, last_id = json.loads(base64.urlsafe_b64decode(cursor))
        if isinstance(key, str) and isinstance(last_id, str):
            return storable(key), storable(last_id)
    raise invalid(("query", "cursor"), CURSOR_BROKEN)


def _instant_and_id(cursor: str) -> tuple[float, str]:
    key, last_id = _place(cursor)
    try:
        return float(key), last_id
    except ValueError:
        raise invalid(("query", "cursor"), CURSOR_BROKEN) from None
