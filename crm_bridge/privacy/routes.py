"""Exporting and erasing people, holds, consents and requests over HTTP. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.link_routes` reads, and `eraser` and `deadlines`. What somebody does is in the
audit log before it is answered.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.asker import audited, name_of
from crm_bridge.link_routes import NOT_THERE, REFUSED, ProfileId
from crm_bridge.person import NoProfile
from crm_bridge.present import consent_out, hold_out
from crm_bridge.privacy import consent, hold
from crm_bridge.privacy import request as requests
from crm_bridge.privacy.archive import Export, archive, read
from crm_bridge.privacy.certificate import KeyUnusable
from crm_bridge.privacy.erasure import Eraser, Held, StillRunning, Unfinished
from crm_bridge.privacy.request import NoRequest, RequestClosed
from crm_bridge.privacy.shapes import (
    CloseIn,
    ConsentIn,
    ConsentList,
    ErasureOut,
    HoldIn,
    HoldList,
    RequestIn,
    RequestList,
    RequestOut,
)
from crm_bridge.privacy.tables import Erasure, PrivacyRequest
from crm_bridge.routes import NO_CUSTOMER, Reading, invalid, person_of
from crm_bridge.shapes import ConsentOut, HoldOut
from telephony.clock import iso, iso_or_none

router = APIRouter(tags=["privacy"])

NO_REQUEST: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There is no such request."}}


# ------------------------------------------------------------------------------------------- export and erasure


@router.get(
    "/customers/{customer_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "Everything on the person."}, **NOT_THERE},
)
async def export_customer(request: Request, customer_id: ProfileId) -> StreamingResponse:
    """Take everything that is kept of a person along, as a ZIP: for programs, for people, and the recordings."""
    eraser: Eraser = request.app.state.eraser
    whole = await read(eraser, customer_id, request.app.state.clock.now())
    if whole is None:
        raise HTTPException(404, NO_CUSTOMER)
    await audited(request, "customer.export", customer_id)
    return StreamingResponse(
        _pieces(whole, eraser),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="customer-{customer_id}.zip"'},
    )


def _pieces(whole: Export, eraser: Eraser) -> Iterator[bytes]:
    return (piece for piece in archive(whole, eraser.files) if piece)


@router.post(
    "/customers/{customer_id}/erase",
    status_code=201,
    responses={
        200: {"model": ErasureOut, "description": "Erased before; nothing changed."},
        202: {
            "model": ErasureOut,
            "description": "The rows are gone, something else is not yet; it goes on by itself.",
        },
        **NOT_THERE,
        409: {"description": "A legal hold keeps the data, or a call is under way; the answer says which."},
        503: {"description": "Certificates cannot be signed; nothing was erased. The answer says why."},
    },
)
async def erase_customer(request: Request, response: Response, customer_id: ProfileId) -> ErasureOut:
    """Erase a person from everywhere. It cannot be undone."""
    eraser: Eraser = request.app.state.eraser
    try:
        erasure, is_new = await eraser.erase(customer_id, name_of(request), request.app.state.clock.now)
    except NoProfile as error:
        raise HTTPException(404, NO_CUSTOMER) from error
    except Held as error:
        await audited(request, "customer.erase.held", customer_id)
        holds = [hold_out(each).model_dump(mode="json") for each in error.holds]
        raise HTTPException(409, {"detail": str(error), "holds": holds}) from error
    except StillRunning as error:
        raise HTTPException(409, str(error)) from error
    except KeyUnusable as error:
        raise HTTPException(503, str(error)) from error
    except Unfinished as error:
        response.status_code = 202
        if error.is_new:
            await _erased(request, error.erasure)
        return _erasure_out(error.erasure, str(error))
    if is_new:
        await _erased(request, erasure)
    else:
        response.status_code = 200
    return _erasure_out(erasure)


@router.get("/erasures/{erasure_id}", responses={404: {"description": "There is no such erasure."}})
async def get_erasure(session: Reading, erasure_id: ProfileId) -> ErasureOut:
    """Show an erasure with its certificate."""
    row = await session.get(Erasure, erasure_id)
    if row is None:
        raise HTTPException(404, "There is no such erasure.")
    return _erasure_out(row)


async def _erased(request: Request, erasure: Erasure) -> None:
    await audited(request, "customer.erase", erasure.id)
    request.app.state.publish("customer.erased", {"erasure": erasure.id, "profiles": erasure.profiles})


def _erasure_out(row: Erasure, cause: str = "") -> ErasureOut:
    return ErasureOut(
        id=row.id,
        state="done" if row.state == "done" else "running",
        cause=cause,
        requested_at=iso(row.requested_at),
        done_at=iso_or_none(row.done_at),
        by=row.by,
        certificate=row.certificate or None,
    )


# -------------------------------------------------------------------------------------------------------- holds


@router.post("/customers/{customer_id}/hold", status_code=201, responses=NOT_THERE)
async def hold_customer(request: Request, customer_id: ProfileId, body: HoldIn) -> HoldOut:
    """Keep a person's data, whatever else would delete it."""
    now = request.app.state.clock.now()
    until = body.until.timestamp() if body.until else None
    if until is not None and until <= now:
        raise invalid(("body", "until"), "is over already: name an instant to come, or leave it out")
    async with request.app.state.sessions() as session:
        try:
            row = await hold.place(session, customer_id, body.reason, name_of(request), until, now)
        except NoProfile as error:
            raise HTTPException(404, NO_CUSTOMER) from error
        await session.commit()
    await audited(request, "customer.hold", customer_id)
    return hold_out(row)


@router.post("/customers/{customer_id}/release", responses=NOT_THERE | REFUSED)
async def release_customer(request: Request, customer_id: ProfileId) -> HoldList:
    """Release every legal hold on a person; the answer says which."""
    async with request.app.state.sessions() as session:
        try:
            rows = await hold.release(session, customer_id, name_of(request), request.app.state.clock.now())
        except NoProfile as error:
            raise HTTPException(404, NO_CUSTOMER) from error
        except hold.NotHeld as error:
            raise HTTPException(409, str(error)) from error
        await session.commit()
    await audited(request, "customer.release", customer_id)
    return HoldList(items=[hold_out(each) for each in rows])


# ----------------------------------------------------------------------------------------------------- consents


@router.post("/customers/{customer_id}/consents", status_code=201, responses=NOT_THERE)
async def post_consent(request: Request, customer_id: ProfileId, body: ConsentIn) -> ConsentOut:
    """Write down that somebody agreed, refused, or took it back."""
    state = request.app.state
    clip = None
    if body.recording is not None and body.clip_from is not None and body.clip_until is not None:
        clip = consent.Clip(body.recording, body.clip_from, body.clip_until)
    new = consent.NewConsent(
        purpose=body.purpose,
        state=body.state,
        at=body.at.timestamp(),
        channel=body.channel,
        notice=body.notice,
        notice_version=body.notice_version,
        by=name_of(request),
        call=body.call,
        clip=clip,
    )
    async with state.sessions() as session:
        try:
            row = await consent.record(session, state.eraser.tables, customer_id, new, state.clock.now())
        except NoProfile as error:
            raise HTTPException(404, NO_CUSTOMER) from error
        except consent.NoProof as error:
            raise invalid(("body", "recording"), str(error)) from error
        await session.commit()
    await audited(request, f"consent.{row.state}", row.id)
    return consent_out(row)


@router.get("/customers/{customer_id}/consents", responses=NOT_THERE)
async def list_consents(session: Reading, customer_id: ProfileId) -> ConsentList:
    """List what a person said to every purpose, the newest first."""
    found = await consent.history(session, (await person_of(session, customer_id)).ids)
    return ConsentList(items=[consent_out(each) for each in found])


# ----------------------------------------------------------------------------------------------------- requests


@router.get("/privacy/requests")
async def list_requests(
    request: Request,
    session: Reading,
    which: Annotated[Literal["open", "all"], Query(alias="state")] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> RequestList:
    """List what people asked for, the most urgent first."""
    rows = await requests.read_open(session, limit, everything=which == "all")
    now = request.app.state.clock.now()
    return RequestList(items=[_request_out(each, now) for each in rows])


@router.post("/privacy/requests", status_code=201)
async def post_request(request: Request, body: RequestIn) -> RequestOut:
    """Write down what somebody asks for; its deadlines follow from when it came."""
    now = request.app.state.clock.now()
    received_at = body.received_at.timestamp() if body.received_at else now
    if received_at > now:
        raise invalid(("body", "received_at"), "has not come yet: name when the request was received")

    async def write(session: AsyncSession) -> tuple[PrivacyRequest, bool]:
        deadlines = request.app.state.deadlines
        return await requests.receive(
            session, body.kind, body.customer, received_at, body.note, name_of(request), deadlines
        ), True

    try:
        return await _written(request, write, "request.received")
    except NoProfile as error:
        raise invalid(("body", "customer"), "there is no such customer: send the id of one, or null") from error


@router.post("/privacy/requests/{request_id}/answer", responses=NO_REQUEST)
async def answer_request(request: Request, request_id: ProfileId) -> RequestOut:
    """Note that whoever asked was told how it goes on."""

    async def write(session: AsyncSession) -> tuple[PrivacyRequest, bool]:
        return await requests.answer(session, request_id, request.app.state.clock.now())

    return await _written(request, write, "request.answered")


@router.post("/privacy/requests/{request_id}/close", responses=NO_REQUEST | REFUSED)
async def close_request(request: Request, request_id: ProfileId, body: CloseIn) -> RequestOut:
    """Note that what was asked for is done, or was refused."""

    async def write(session: AsyncSession) -> tuple[PrivacyRequest, bool]:
        return await requests.close(session, request_id, body.outcome, name_of(request), request.app.state.clock.now())

    return await _written(request, write, f"request.{body.outcome}")


async def _written(
    request: Request, write: Callable[[AsyncSession], Awaitable[tuple[PrivacyRequest, bool]]], what: str
) -> RequestOut:
    state = request.app.state
    async with state.sessions() as session:
        try:
            row, is_new = await write(session)
        except NoRequest as error:
            raise HTTPException(404, str(error)) from error
        except RequestClosed as error:
            raise HTTPException(409, str(error)) from error
        await session.commit()
    if is_new:
        await audited(request, what, row.id)
    return _request_out(row, state.clock.now())


def _request_out(row: PrivacyRequest, now: float) -> RequestOut:
    return RequestOut.model_validate(
        {
            "id": row.id,
            "kind": row.kind,
            "customer": row.customer_id,
            "received_at": iso(row.received_at),
            "answer_due_at": iso(row.answer_due_at),
            "due_at": iso(row.due_at),
            "answered_at": iso_or_none(row.answered_at),
            "done_at": iso_or_none(row.done_at),
            "outcome": row.outcome,
            "overdue": requests.is_overdue(row, now),
            "note": row.note,
            "by": row.by,
            "done_by": row.done_by,
        }
    )
