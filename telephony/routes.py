"""Calls, queues and agents over HTTP, and live events over a WebSocket. Who may ask is decided before it gets here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, WebSocket, WebSocketDisconnect
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.clock import iso, time_of
from telephony.edge import rows
from telephony.edge.funnel import Funnel
from telephony.edge.live import ListenerTooSlow
from telephony.events import AgentState, AgentStateRequested, CallSnapshot, HangupRequested
from telephony.switchboard.board import context_body
from telephony.switchboard.call import CallState
from telephony.tables import Call

router = APIRouter()

# RFC 6455 section 7.4.1: the server is going to lose events for this listener; it is to come back with `since`.
TRY_AGAIN_LATER = 1013


Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 3))]


class Body(BaseModel):
    """What goes in and out, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class CallBody(Body):
    """A call. Instants are ISO 8601 in UTC, null for not (yet)."""

    id: str
    state: str
    ani: str | None = Field(description="The caller's number in E.164; null when withheld or unusable.")
    dnis: str
    customer: str | None
    case: str | None
    context: dict[str, Any] = Field(description="What was known of the caller when the call came.")
    language: str
    flow: str
    flow_path: list[str]
    queue: str | None
    queue_wait_s: float | None
    agent: str | None
    talk_s: float | None
    recording: str | None
    started_at: str
    answered_at: str | None
    ended_at: str | None
    ended_by: str | None


class CallList(Body):
    """Calls, newest first."""

    items: list[CallBody]
    next: str | None = Field(description="`before` for the next page; null on the last.")


class JournalEntry(Body):
    """One event or command of a call."""

    at: str
    tick: int
    kind: str
    type: str
    fields: dict[str, Any]


class QueueBody(Body):
    """A queue as it stands."""

    name: str
    open: bool
    waiting: int
    longest_wait_s: Seconds
    ready: int
    staffed: int
    estimated_wait_s: Seconds | None


class AgentBody(Body):
    """An agent as it stands."""

    name: str
    state: AgentState
    reason: str
    since: str | None = Field(description="Null for an agent whose phone was never registered.")
    call: str | None
    reachable: bool


class StateRequest(Body):
    """What an agent asks to be."""

    state: Literal["ready", "not_ready"]
    reason: str = Field("", max_length=200)


def _funnel(request: Request | WebSocket) -> Funnel:
    funnel = getattr(request.app.state, "funnel", None)
    if not isinstance(funnel, Funnel):
        raise HTTPException(503, "The telephone side is not running yet.")
    return funnel


def _at(instant: float) -> str | None:
    return iso(instant) if instant else None


def call_body(call: CallSnapshot, now: float) -> CallBody:
    """Return a call as the API shows it; the wait and the talk of a running call count up to `now`."""
    waited_until = call.queue_left_at or call.ended_at or now
    talked_until = call.talk_ended_at or call.ended_at or now
    return CallBody(
        id=call.id,
        state=call.state,
        ani=call.ani or None,
        dnis=call.dnis,
        customer=call.customer or None,
        case=call.case or None,
        context=context_body(call.context),
        language=call.language,
        flow=call.flow,
        flow_path=list(call.flow_path),
        queue=call.queue or None,
        queue_wait_s=round(waited_until - call.queued_at, 3) if call.queued_at else None,
        agent=call.agent or None,
        talk_s=round(talked_until - call.talk_started_at, 3) if call.talk_started_at else None,
        recording=call.recording or None,
        started_at=iso(call.started_at),
        answered_at=_at(call.answered_at),
        ended_at=_at(call.ended_at),
        ended_by=call.ended_by or None,
    )


@asynccontextmanager
async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that never waits for a writer."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


async def _snapshot(request: Request, call: str) -> CallSnapshot:
    running = _funnel(request).switchboard.call(call)
    if running is not None:
        return running
    async with _reading(request) as session:
        row = await session.get(Call, call)
    if row is None:
        raise HTTPException(404, "There is no such call; GET /api/v1/calls lists them.")
    return rows.snapshot_of(row)


@router.get("/calls")
async def list_calls(
    request: Request,
    state: Annotated[Literal[CallState, "running"] | None, Query(description="`running`: not ended yet.")] = None,
    customer: Annotated[str, Query(max_length=64)] = "",
    agent: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[float | None, Query(description="Only calls that started before this (from `next`).")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CallList:
    """List calls, newest first."""
    query = select(Call).order_by(Call.started_at.desc(), Call.id).limit(limit + 1)
    if state == "running":
        query = query.where(Call.ended_at.is_(None))
    elif state:
        query = query.where(Call.state == state)
    if customer:
        query = query.where(Call.customer_id == customer)
    if agent:
        query = query.where(Call.agent == agent)
    if before is not None:
        query = query.where(Call.started_at < before)
    async with _reading(request) as session:
        found: Sequence[Call] = (await session.scalars(query)).all()
    now = request.app.state.clock.now()
    running = {call.id: call for call in _funnel(request).switchboard.calls()}
    items = [call_body(running.get(row.id) or rows.snapshot_of(row), now) for row in found[:limit]]
    return CallList(items=items, next=repr(found[limit - 1].started_at) if len(found) > limit else None)


@router.get("/calls/{call}")
async def get_call(request: Request, call: str) -> CallBody:
    """Return one call with its caller's context, from the first ring on."""
    return call_body(await _snapshot(request, call), request.app.state.clock.now())


@router.get("/calls/{call}/journal")
async def get_journal(request: Request, call: str) -> list[JournalEntry]:
    """Return every event and command of a call, in order."""
    await _snapshot(request, call)
    entries = _funnel(request).journal.read(call)
    return [
        JournalEntry(
            at=iso(time_of(entry.tick)),
            tick=entry.tick,
            kind=entry.kind,
            type=type(entry.message).__name__,
            fields=msgspec.to_builtins(
                {name: getattr(entry.message, name) for name in entry.message.__struct_fields__}
            ),
        )
        for entry in entries
    ]


@router.post("/calls/{call}/hangup", status_code=202)
async def hang_up(request: Request, call: str) -> CallBody:
    """End a running call."""
    snapshot = await _snapshot(request, call)
    if snapshot.ended_at:
        raise HTTPException(409, "The call has ended already.")
    funnel = _funnel(request)
    principal = getattr(request.state, "principal", None)
    funnel.happened(HangupRequested(call, f"api: {getattr(principal, 'name', '')}"))
    await funnel.lane.drained()
    return call_body(await _snapshot(request, call), request.app.state.clock.now())


@router.get("/queues")
async def list_queues(request: Request) -> list[QueueBody]:
    """List the queues as they stand."""
    acd = _funnel(request).switchboard.queues
    now = request.app.state.clock.now()
    return [QueueBody(name=name, **msgspec.structs.asdict(acd.queue_facts(name, now))) for name in acd.queue_names()]


@router.get("/agents")
async def list_agents(request: Request) -> list[AgentBody]:
    """List the agents as they stand."""
    return [
        AgentBody(
            name=agent.agent,
            state=agent.state,
            reason=agent.reason,
            since=_at(agent.since),
            call=agent.call or None,
            reachable=agent.reachable,
        )
        for agent in _funnel(request).switchboard.queues.agents()
    ]


@router.post("/agents/{agent}/state", status_code=202)
async def set_agent_state(request: Request, agent: str, body: StateRequest) -> AgentBody:
    """Ask that an agent be ready or not ready; during a call it takes effect after it."""
    funnel = _funnel(request)
    if agent not in {known.agent for known in funnel.switchboard.queues.agents()}:
        raise HTTPException(404, "There is no such agent; GET /api/v1/agents lists them.")
    funnel.happened(AgentStateRequested(agent, body.state, body.reason))
    await funnel.lane.drained()
    return next(item for item in await list_agents(request) if item.name == agent)


@router.websocket("/events")
async def events(websocket: WebSocket, since: int | None = None) -> None:
    """Send every event as JSON: `seq`, `at`, `type` and what belongs to it; `?since=N` first what came after N."""
    funnel = _funnel(websocket)
    await websocket.accept()
    listener = funnel.live.listen(since)
    receiver = asyncio.create_task(_until_gone(websocket))
    try:
        await websocket.send_json({"seq": funnel.live.seq, "at": iso(funnel.clock.now()), "type": "hello"})
        while not receiver.done():
            sending = asyncio.create_task(listener.next())
            await asyncio.wait({sending, receiver}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
                break
            await websocket.send_json(sending.result())
    except ListenerTooSlow:
        await websocket.close(TRY_AGAIN_LATER, "too slow; come back with ?since=")
    except WebSocketDisconnect:
        pass
    finally:
        receiver.cancel()
        funnel.live.leave(listener)


async def _until_gone(websocket: WebSocket) -> None:
    """Read, and drop, whatever a listener sends until it is gone."""
    try:
        while True:
            await websocket.receive_text()
    except (WebSocketDisconnect, KeyError):
        return
