"""The endpoints of webhooks over HTTP, and what they did not take. Mounted under `/api/v1`.

Reads `app.state.sessions`, `app.state.clock`, `app.state.webhooks` (`outbox.Webhooks`) and `app.state.audit`. Bodies of
events are not shown here: whoever may see what they say asks for it where it is.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.asker import audited
from crm_bridge.lines import Shape
from crm_bridge.webhooks import outbox
from crm_bridge.webhooks.endpoint import Endpoint
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from telephony.clock import iso, iso_or_none

router = APIRouter(tags=["webhooks"])

MAX_ID: Final = 2**63 - 1


class EndpointOut(Shape):
    """An endpoint as it stands. `delivered` counts the last day, `dead` the last thirty."""

    name: str
    events: list[str]
    pending: int
    delivered: int
    dead: int
    disabled_at: Annotated[str | None, Field(description="Since when it is told nothing; null for one that is.")]
    disabled_by: str | None


class EndpointList(Shape):
    """Every endpoint of the settings."""

    items: list[EndpointOut]


class DeadEventOut(Shape):
    """An event that an endpoint did not take. `event_id` is its `webhook-id`."""

    id: int
    event_id: str
    type: str
    customer: str | None
    attempts: int
    error: str
    created_at: str
    dead_at: str | None


class DeadPage(Shape):
    """Dead events in the order in which they happened. `next` is `after` of the next page, null on the last."""

    items: list[DeadEventOut]
    next: int | None


class Replayed(Shape):
    """How many events wait to be sent again."""

    replayed: int


async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


def _known(request: Request, name: str) -> Endpoint:
    webhooks: Webhooks = request.app.state.webhooks
    endpoint = webhooks.find(name)
    if endpoint is None:
        raise HTTPException(404, "There is no such endpoint; GET /api/v1/webhooks lists those of the settings.")
    return endpoint


Reading = Annotated[AsyncSession, Depends(_reading)]
Known = Annotated[Endpoint, Depends(_known)]
NO_ENDPOINT: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There is no such endpoint."}}


@router.get("/webhooks")
async def list_endpoints(request: Request, session: Reading) -> EndpointList:
    """List who is told of events, and how much waits for them."""
    webhooks: Webhooks = request.app.state.webhooks
    counts = await outbox.counts(session)
    items = []
    for endpoint in webhooks.endpoints:
        disabled = await outbox.disabled(session, endpoint)
        items.append(
            EndpointOut(
                name=endpoint.name,
                events=sorted(endpoint.events),
                pending=counts.get((endpoint.name, "pending"), 0),
                delivered=counts.get((endpoint.name, "delivered"), 0),
                dead=counts.get((endpoint.name, "dead"), 0),
                disabled_at=None if disabled is None else iso(disabled.disabled_at),
                disabled_by=None if disabled is None else disabled.cause,
            )
        )
    return EndpointList(items=items)


@router.get("/webhooks/{name}/dead", responses=NO_ENDPOINT)
async def list_dead(
    session: Reading,
    endpoint: Known,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before.")] = 0,
) -> DeadPage:
    """List the events that an endpoint did not take."""
    found = await outbox.dead(session, endpoint.name, after, limit + 1)
    page = found[:limit]
    return DeadPage(items=[_dead_out(each) for each in page], next=page[-1].id if len(found) > limit else None)


@router.post(
    "/webhooks/{name}/dead/{id}/replay",
    status_code=202,
    responses={404: {"description": "There is no such endpoint, or no such dead event of it."}},
)
async def replay_one(request: Request, endpoint: Known, id: int) -> Replayed:  # noqa: A002 - its name in the address
    """Send a dead event again, with its old `webhook-id`, before whatever waits of the same customer."""
    replayed = await _replay(request, endpoint, id) if 0 < id <= MAX_ID else 0
    if not replayed:
        raise HTTPException(404, "There is no such dead event; GET /api/v1/webhooks/NAME/dead lists them.")
    return Replayed(replayed=replayed)


@router.post("/webhooks/{name}/replay", status_code=202, responses=NO_ENDPOINT)
async def replay_all(request: Request, endpoint: Known) -> Replayed:
    """Send every dead event of an endpoint again, and tell it what happens from now on, if it was disabled."""
    return Replayed(replayed=await _replay(request, endpoint, None))


async def _replay(request: Request, endpoint: Endpoint, id_: int | None) -> int:
    await audited(request, "webhooks.replayed", endpoint.name)
    async with request.app.state.sessions() as session:
        replayed = await outbox.replay(session, endpoint.name, request.app.state.clock.now(), id_)
        await session.commit()
    return replayed


def _dead_out(row: WebhookEvent) -> DeadEventOut:
    return DeadEventOut(
        id=row.id,
        event_id=row.event_id,
        type=row.type,
        customer=row.customer_id or None,
        attempts=row.attempts,
        error=row.error,
        created_at=iso(row.created_at),
        dead_at=iso_or_none(row.finished_at),
    )
