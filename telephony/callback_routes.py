"""Who is called back: listed, and taken back. To an agent, those of its queues are all there are."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import person
from crm_bridge.asker import audited, name_of
from telephony.edge.callbacks import snapshot_of
from telephony.events import CallbackCancelled, CallbackState
from telephony.routes import Body, reading, running_funnel, signed_in_agent
from telephony.switchboard.callbacks import OPEN, body
from telephony.tables import Callback

router = APIRouter(tags=["callbacks"])

UNKNOWN: Final = "There is no such callback; GET /api/v1/callbacks lists them."
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such callback."},
    409: {"description": "It is over, or the customer is being called just now."},
}


class CallbackBody(Body):
    """Somebody who is called back. Instants are ISO 8601 in UTC, null for not (yet)."""

    id: str
    state: CallbackState
    queue: str
    number: str = Field(description="Whom to call, in E.164.")
    customer: str | None
    person: str = Field(description="The customer's name, empty where none is known.")
    note: str
    since: str = Field(description="From when the place in the queue counts.")
    place: int | None = Field(
        description="The place in the queue, 1 is served next; null while it does not wait there."
    )
    attempts: int = Field(description="How often the customer was called.")
    next_at: str | None = Field(description="Not before this the customer is called again.")
    created_at: str
    ended_at: str | None
    call: str | None = Field(description="The call in which it was booked.")
    last_call: str | None = Field(description="The call that tried last.")
    cause: str = Field(description="What the last attempt came to, or why there is none any more.")


class CallbackList(Body):
    """Callbacks, those that were promised last first."""

    items: list[CallbackBody]
    next: float | None = Field(description="`before` for the next page; null on the last.")


@router.get("/callbacks")
async def list_callbacks(
    request: Request,
    queue: Annotated[str, Query(max_length=64)] = "",
    state: CallbackState | None = None,
    before: Annotated[float | None, Query(description="Only those promised before this (from `next`).")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CallbackList:
    """List who is called back, was, or was not reached."""
    asked = select(Callback).order_by(Callback.created_at.desc(), Callback.id).limit(limit + 1)
    me = signed_in_agent(request)
    if me:
        queues = running_funnel(request).switchboard.queues
        asked = asked.where(Callback.queue.in_([name for name in queues.queue_names() if queues.serves(me, name)]))
    if queue:
        asked = asked.where(Callback.queue == queue)
    if state is not None:
        asked = asked.where(Callback.state == state)
    if before is not None:
        asked = asked.where(Callback.created_at < before)
    async with reading(request) as session:
        rows = (await session.scalars(asked)).all()
        items = await _bodies(request, session, rows[:limit])
    return CallbackList(items=items, next=rows[limit - 1].created_at if len(rows) > limit else None)


@router.delete("/callbacks/{callback}", responses=REFUSED)
async def cancel_callback(request: Request, callback: str) -> CallbackBody:
    """Take a promise back: the customer is not called any more."""
    funnel, me = running_funnel(request), signed_in_agent(request)
    async with reading(request) as session:
        row = await session.get(Callback, callback)
    switchboard = funnel.switchboard
    if row is None or (me and not switchboard.queues.serves(me, row.queue)):
        raise HTTPException(404, UNKNOWN)
    known = switchboard.callback(callback)
    if known is None:
        over = "it is over already" if row.state not in OPEN else "it is being changed; ask again in a moment"
        raise HTTPException(409, f"This callback is not taken back: {over}.")
    if known.state == "calling":
        raise HTTPException(409, "The customer is being called just now: end that call, or let it come to its end.")
    funnel.happened(CallbackCancelled(callback, name_of(request)))
    await funnel.lane.drained()
    await audited(request, "callback.cancelled", callback)
    async with reading(request) as session:
        now = await session.get(Callback, callback)
        if now is None:  # erased a moment ago
            raise HTTPException(404, UNKNOWN)
        return (await _bodies(request, session, [now]))[0]


async def _bodies(request: Request, session: AsyncSession, rows: Sequence[Callback]) -> list[CallbackBody]:
    switchboard, now = running_funnel(request).switchboard, request.app.state.clock.now()
    kept = [snapshot_of(row) for row in rows]
    names = await person.names(session, {each.customer for each in kept if each.customer})
    return [
        CallbackBody.model_validate(
            body(each) | {"person": names.get(each.customer, ""), "place": switchboard.callback_place(each.id, now)}
        )
        for each in kept
    ]
