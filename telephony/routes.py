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

from crm_bridge import person
from telephony.acd.messages import AgentSnapshot
from telephony.audience import seen_by
from telephony.clock import iso, time_of
from telephony.edge import rows
from telephony.edge.funnel import Funnel
from telephony.edge.live import ListenerTooSlow
from telephony.events import (
    AgentState,
    AgentStateRequested,
    CallSnapshot,
    HangupRequested,
    TrunkChanged,
    TrunkState,
)
from telephony.switchboard import outside
from telephony.switchboard.board import context_body
from telephony.switchboard.call import CallState
from telephony.tables import Call

router = APIRouter()

# RFC 6455 section 7.4.1: the server is going to lose events for this listener; it is to come back with `since`.
TRY_AGAIN_LATER = 1013
TALKS = ("talking", "held")
CALLING = "calling"
NO_CALL = "There is no such call; GET /api/v1/calls lists them."


Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 3))]


class Body(BaseModel):
    """What goes in and out, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class CallBody(Body):
    """A call. Instants are ISO 8601 in UTC, null for not (yet)."""

    id: str
    state: str
    direction: Literal["inbound", "outbound"]
    trunk: str | None = Field(description="The trunk that it came or went by; null for none.")
    ani: str | None = Field(
        description="The caller's number in E.164, null when withheld or unusable; of an outbound call what is shown."
    )
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
    asked_again: list[str] = Field(description="What the flow asked although it was known and fresh.")


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
    title: str = Field(description="For people; the name where the settings give no title.")
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
    until: str | None = Field(description="When ringing or after-call work ends by itself; null for other states.")
    call: str | None
    reachable: bool


class TargetBody(Body):
    """An address of a trunk."""

    target: str
    address: str
    state: Literal["unknown", "up", "down"]


class TrunkBody(Body):
    """A trunk as it stands."""

    name: str
    state: TrunkState = Field(description="Of its registration; `idle` for a trunk that does not register.")
    up: bool = Field(description="Whether calls can go out by it, as far as is known.")
    reason: str = Field(description="What brought the last change about.")
    targets: list[TargetBody]
    calls: int
    max_calls: int


class StateRequest(Body):
    """What an agent asks to be."""

    state: Literal["ready", "not_ready"]
    reason: str = Field("", max_length=200)


def running_funnel(request: Request | WebSocket) -> Funnel:
    funnel = getattr(request.app.state, "funnel", None)
    if not isinstance(funnel, Funnel):
        raise HTTPException(503, "The telephone side is not running yet.")
    return funnel


def at(instant: float) -> str | None:
    return iso(instant) if instant else None


def call_body(call: CallSnapshot, now: float) -> CallBody:
    """Return a call as the API shows it; the wait and the talk of a running call count up to `now`."""
    waited_until = call.queue_left_at or call.ended_at or now
    talked_until = call.talk_ended_at or call.ended_at or now
    return CallBody(
        id=call.id,
        state=call.state,
        direction=call.direction,
        trunk=call.trunk or None,
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
        answered_at=at(call.answered_at),
        ended_at=at(call.ended_at),
        ended_by=call.ended_by or None,
        asked_again=list(call.asked_again),
    )


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that never waits for a writer."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        yield session


async def snapshot_of(request: Request, call: str) -> CallSnapshot:
    running = running_funnel(request).switchboard.call(call)
    if running is not None:
        return running
    async with reading(request) as session:
        row = await session.get(Call, call)
    if row is None:
        raise HTTPException(404, NO_CALL)
    return rows.snapshot_of(row)


def signed_in_agent(request: Request | WebSocket) -> str:
    """Return the name of the agent whose page asks, empty for anybody who may act for all agents."""
    principal = getattr(request.state, "principal", None)
    return str(getattr(principal, "name", "")) if getattr(principal, "role", "") == "agent" else ""


async def own_call(request: Request, call: str) -> CallSnapshot:
    """Return a call. To an agent, a call that it has no part in is one that is not there. Raises 404."""
    snapshot = await snapshot_of(request, call)
    me = signed_in_agent(request)
    if me and me not in (snapshot.agent, snapshot.transferred_by):
        raise HTTPException(404, NO_CALL)
    return snapshot


@router.get("/calls")
async def list_calls(
    request: Request,
    state: Annotated[
        Literal[CallState, "calling", "running"] | None, Query(description="`running`: not ended yet.")
    ] = None,
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
        query = query.where(Call.customer_id.in_(person.together(customer)))
    if agent:
        query = query.where(Call.agent == agent)
    if before is not None:
        query = query.where(Call.started_at < before)
    async with reading(request) as session:
        found: Sequence[Call] = (await session.scalars(query)).all()
    now = request.app.state.clock.now()
    running = {call.id: call for call in running_funnel(request).switchboard.calls()}
    items = [call_body(running.get(row.id) or rows.snapshot_of(row), now) for row in found[:limit]]
    return CallList(items=items, next=repr(found[limit - 1].started_at) if len(found) > limit else None)


@router.get("/calls/{call}")
async def get_call(request: Request, call: str) -> CallBody:
    """Return one call with its caller's context, from the first ring on."""
    return call_body(await own_call(request, call), request.app.state.clock.now())


@router.get("/calls/{call}/journal")
async def get_journal(request: Request, call: str) -> list[JournalEntry]:
    """Return every event and command of a call, in order."""
    await snapshot_of(request, call)
    entries = running_funnel(request).journal.read(call)
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
    """End a running call. An agent leaves its talk, as by putting the receiver down: the caller's flow goes on. One
    that it makes to somebody outside it may give up."""
    snapshot = await own_call(request, call)
    me = signed_in_agent(request)
    if me and snapshot.agent != me:
        raise HTTPException(404, NO_CALL)
    if snapshot.ended_at or (me and snapshot.state not in {*TALKS, CALLING}):
        raise HTTPException(409, "The call has ended already." if snapshot.ended_at else "Nobody talks in it yet.")
    funnel = running_funnel(request)
    principal = getattr(request.state, "principal", None)
    by = "agent" if me else f"api: {getattr(principal, 'name', '')}"
    funnel.happened(HangupRequested(call, by))
    await funnel.lane.drained()
    return call_body(await snapshot_of(request, call), request.app.state.clock.now())


def queue_bodies(request: Request) -> list[QueueBody]:
    """Return the queues as they stand."""
    switchboard = running_funnel(request).switchboard
    now = request.app.state.clock.now()
    title = request.app.state.settings.queue_title
    return [
        QueueBody(name=name, title=title(name), **msgspec.structs.asdict(switchboard.queue_facts(name, now)))
        for name in switchboard.queues.queue_names()
    ]


def agent_body(agent: AgentSnapshot) -> AgentBody:
    """Return an agent as the API shows it."""
    return AgentBody(
        name=agent.agent,
        state=agent.state,
        reason=agent.reason,
        since=at(agent.since),
        until=at(agent.until),
        call=agent.call or None,
        reachable=agent.reachable,
    )


@router.get("/queues")
async def list_queues(request: Request) -> list[QueueBody]:
    """List the queues as they stand."""
    return queue_bodies(request)


@router.get("/trunks")
async def list_trunks(request: Request) -> list[TrunkBody]:
    """List the trunks as they stand."""
    bodies = []
    for rules, told, calls in outside.standing(running_funnel(request).switchboard.board):
        known = told or TrunkChanged(rules.name, "unregistered", up=False)
        targets = [TargetBody(target=each.target, address=each.address, state=each.state) for each in known.targets]
        bodies.append(
            TrunkBody(
                name=rules.name,
                state=known.state,
                up=known.up,
                reason=known.reason,
                targets=targets,
                calls=calls,
                max_calls=rules.max_calls,
            )
        )
    return bodies


@router.get("/agents")
async def list_agents(request: Request) -> list[AgentBody]:
    """List the agents as they stand."""
    return [agent_body(agent) for agent in running_funnel(request).switchboard.queues.agents()]


@router.post("/agents/{agent}/state", status_code=202)
async def set_agent_state(request: Request, agent: str, body: StateRequest) -> AgentBody:
    """Ask that an agent be ready or not ready; during a call it takes effect after it."""
    me = signed_in_agent(request)
    if me and agent != me:
        raise HTTPException(403, "You can change your own state alone; a supervisor can change that of others.")
    funnel = running_funnel(request)
    if agent not in {known.agent for known in funnel.switchboard.queues.agents()}:
        raise HTTPException(404, "There is no such agent; GET /api/v1/agents lists them.")
    funnel.happened(AgentStateRequested(agent, body.state, body.reason))
    await funnel.lane.drained()
    return next(item for item in await list_agents(request) if item.name == agent)


@router.websocket("/events")
async def events(websocket: WebSocket, since: int | None = None) -> None:
    """Send every event as JSON: `seq`, `at`, `type` and what belongs to it; `?since=N` first what came after N."""
    funnel = running_funnel(websocket)
    await websocket.accept()
    agent = signed_in_agent(websocket)
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
            event = seen_by(agent, sending.result()) if agent else sending.result()
            if event is not None:
                await websocket.send_json(event)
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
