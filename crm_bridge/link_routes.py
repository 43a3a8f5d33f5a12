"""Merging, splitting and undoing over HTTP, and who might be the same person. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.routes` reads, and `audit` (`await audit(request, what, about)`).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import link, person, sharing, suggestion
from crm_bridge.asker import audited, name_of, source_of
from crm_bridge.lines import Line, Shape
from crm_bridge.link import Effect, LinkKind
from crm_bridge.person import Grounds, Linked, LinkRefused, NoLink, NoProfile
from crm_bridge.routes import NO_CUSTOMER, Reading, invalid, person_of
from crm_bridge.tables import CustomerLink
from crm_bridge.webhooks.people import tell_linked
from telephony.clock import iso

router = APIRouter(tags=["customers"])

Evidence = Annotated[Line, Field(max_length=500)]
ProfileId = Annotated[Line, StringConstraints(min_length=1, max_length=32, pattern="^[0-9A-Za-z]+$")]
NOT_THERE: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There is no such customer."}}
REFUSED: Final[dict[int | str, dict[str, Any]]] = {409: {"description": "It cannot be done; the answer says why."}}


class MergeIn(Shape):
    """The other profile, by its id, and why both are one person."""

    with_: Annotated[ProfileId, Field(alias="with")]
    evidence: Annotated[Evidence, Field(min_length=1)]


class ApartIn(MergeIn):
    """The other profile, by its id, and why both are not one person."""


class SplitIn(Shape):
    """The profile to take out of the person (the one in the address unless it is given), and why."""

    profile: ProfileId | None = None
    evidence: Annotated[Evidence, Field(min_length=1)]


class UndoIn(Shape):
    """Why the event is taken back."""

    evidence: Evidence = ""


class LinkOut(Shape):
    """An event: `customer` and `with` (null but for a merge and for `apart`) are profiles. `live` is false for one that
    is undone."""

    id: str
    kind: LinkKind
    customer: str
    with_: Annotated[str | None, Field(serialization_alias="with")]
    undoes: str | None
    evidence: str
    source: str
    by: str
    at: str
    live: bool


class PersonOut(Shape):
    """A person and the profiles that it has, the oldest first, which is `id`."""

    id: str
    profiles: list[str]


class LinkedOut(Shape):
    """What an event did, and everybody whom it concerns as they are now."""

    link: LinkOut
    effect: Effect
    persons: list[PersonOut]


class LinkList(Shape):
    """Every event that bears on who a person is, oldest first."""

    items: list[LinkOut]


class ClaimOut(Shape):
    """An identity that an interaction of this person gave, or a row of an import, and that belongs to the other."""

    kind: str
    value: str
    interaction: str | None
    import_: Annotated[str | None, Field(serialization_alias="import")]
    row: int | None


class SuggestionOut(Shape):
    """Somebody who might be the same person. `parted`: they were one once, until somebody took them apart. `apart` is
    the link by which somebody holds them for two people, null where nobody does."""

    customer: str
    name: str
    grounds: list[suggestion.Ground]
    claims: list[ClaimOut]
    parted: bool
    apart: str | None


class SeemsSharedOut(Shape):
    """An identity of this person that several names go with."""

    kind: str
    value: str
    names: list[str]


class SuggestionList(Shape):
    """Who might be the same person, the best grounded first, and which identities of this person several seem to use
    (`POST /api/v1/customers/{id}/identities/share`). Nothing is done by it: a person decides."""

    items: list[SuggestionOut]
    shared: list[SeemsSharedOut]


@router.post(
    "/customers/{customer_id}/merge",
    status_code=201,
    responses={
        200: {"model": LinkedOut, "description": "These two were merged before; nothing changed."},
        **NOT_THERE,
        **REFUSED,
    },
)
async def merge_customers(request: Request, response: Response, customer_id: ProfileId, body: MergeIn) -> LinkedOut:
    """Make one person of two. Nothing is rewritten: it can be undone at any time."""
    return await _of_two(request, response, customer_id, body, person.merge)


@router.post(
    "/customers/{customer_id}/apart",
    status_code=201,
    responses={
        200: {"model": LinkedOut, "description": "These two were held apart before; nothing changed."},
        **NOT_THERE,
        **REFUSED,
    },
)
async def hold_customers_apart(
    request: Request, response: Response, customer_id: ProfileId, body: ApartIn
) -> LinkedOut:
    """Say that two are not the same person, however alike they look: they are suggested to nobody as open any more, and
    nobody merges them until this is undone."""
    return await _of_two(request, response, customer_id, body, person.hold_apart)


async def _of_two(
    request: Request,
    response: Response,
    customer_id: str,
    body: MergeIn,
    judge: Callable[[AsyncSession, str, str, Grounds, float], Awaitable[Linked]],
) -> LinkedOut:
    async def write(session: AsyncSession, grounds: Grounds, now: float) -> Linked:
        return await judge(session, customer_id, body.with_, grounds, now)

    try:
        linked = await _write(request, write, body.evidence)
    except NoProfile as error:
        if error.args[0] == body.with_:
            raise invalid(("body", "with"), "there is no such customer: send the id of one") from error
        raise HTTPException(404, NO_CUSTOMER) from error
    if linked.repeated:
        response.status_code = 200
    return _linked_out(linked)


@router.post("/customers/{customer_id}/split", status_code=201, responses=NOT_THERE | REFUSED)
async def split_customer(request: Request, customer_id: ProfileId, body: SplitIn) -> LinkedOut:
    """Take one profile out of a person; the others stay together. It can be undone at any time."""

    async def write(session: AsyncSession, grounds: Grounds, now: float) -> Linked:
        return await person.split(session, customer_id, body.profile or customer_id, grounds, now)

    try:
        return _linked_out(await _write(request, write, body.evidence))
    except NoProfile as error:
        raise HTTPException(404, NO_CUSTOMER) from error


@router.post(
    "/merges/{link_id}/undo",
    status_code=201,
    responses={404: {"description": "There is no such link."}, **REFUSED},
)
async def undo_link(request: Request, link_id: ProfileId, body: UndoIn | None = None) -> LinkedOut:
    """Take a merge, a split or an undo back, whatever came after it: everybody is who they would be without it."""

    async def write(session: AsyncSession, grounds: Grounds, now: float) -> Linked:
        return await person.undo(session, link_id, grounds, now)

    try:
        return _linked_out(await _write(request, write, body.evidence if body else ""))
    except NoLink as error:
        raise HTTPException(404, str(error)) from error


@router.get("/customers/{customer_id}/links", responses=NOT_THERE)
async def list_links(session: Reading, customer_id: str) -> LinkList:
    """List the merges, splits and undos behind a person, oldest first."""
    rows = await person.history(session, (await person_of(session, customer_id)).ids)
    holding = link.live([person.as_link(row) for row in rows])
    return LinkList(items=[_link_out(row, is_live=row.id in holding) for row in rows])


@router.get("/customers/{customer_id}/suggestions", responses=NOT_THERE)
async def list_suggestions(session: Reading, customer_id: str) -> SuggestionList:
    """List who might be the same person, for somebody to judge."""
    who = await person_of(session, customer_id)
    found = await suggestion.read(session, who)
    return SuggestionList(
        shared=[
            SeemsSharedOut(kind=each.kind, value=each.value, names=list(each.names))
            for each in await sharing.seems_shared(session, who)
        ],
        items=[
            SuggestionOut(
                customer=each.person.id,
                name=each.person.name,
                grounds=list(each.grounds),
                claims=[
                    ClaimOut(
                        kind=one.kind,
                        value=one.value,
                        interaction=one.interaction,
                        import_=one.import_id,
                        row=one.row,
                    )
                    for one in each.claims
                ],
                parted=each.parted,
                apart=each.apart,
            )
            for each in found
        ],
    )


async def _write(
    request: Request, write: Callable[[AsyncSession, Grounds, float], Awaitable[Linked]], evidence: str
) -> Linked:
    """Write an event and commit, then have it audited and told to the listeners, unless it was there already."""
    state = request.app.state
    grounds = Grounds(evidence, source_of(request), name_of(request))
    async with state.sessions() as session:
        try:
            linked = await write(session, grounds, state.clock.now())
            await tell_linked(state.webhooks, session, linked, state.clock.now())
        except LinkRefused as error:
            raise HTTPException(409, str(error)) from error
        await session.commit()
    if linked.repeated:
        return linked
    await audited(request, f"customer.{linked.row.kind}", linked.row.id)
    if linked.effect != "none":
        if linked.effect == "merged":
            state.publish("customer.merged", linked.told)
        else:
            state.publish("customer.split", linked.told)
    return linked


def _linked_out(linked: Linked) -> LinkedOut:
    return LinkedOut(
        link=_link_out(linked.row, is_live=True),
        effect=linked.effect,
        persons=[PersonOut(id=each[0], profiles=list(each)) for each in linked.persons],
    )


def _link_out(row: CustomerLink, *, is_live: bool) -> LinkOut:
    return LinkOut(
        id=row.id,
        kind=person.as_link(row).kind,
        customer=row.customer_id,
        with_=row.other_id,
        undoes=row.undoes,
        evidence=row.evidence,
        source=row.source,
        by=row.by,
        at=iso(row.at),
        live=is_live,
    )
