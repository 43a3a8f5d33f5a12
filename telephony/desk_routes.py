"""What an agent's page asks for and does: the whole of its desk in one answer, hold, transfer, and after-call work.

Rule 1: the state is the server's. `GET /desk` says everything that a page shows of its own, with the number of the last
live event, so that a page that was reloaded in mid-call goes on from there.

Rule 2: whoever is signed in as an agent acts on its own calls alone; a call that is not its own is one that is not
there. Supervisors, admins and programs with the right scope act for the agent whose call it is.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import timeline
from telephony.clock import iso
from telephony.edge import rows
from telephony.events import (
    AgentStateRequested,
    CallSnapshot,
    HoldRequested,
    KeysRequested,
    RecordingPauseRequested,
    RecordingResumeRequested,
    ResumeRequested,
    TransferRequested,
)
from telephony.routes import (
    NO_CALL,
    TALKS,
    AgentBody,
    Body,
    CallBody,
    QueueBody,
    agent_body,
    at,
    call_body,
    own_call,
    queue_bodies,
    reading,
    running_funnel,
    signed_in_agent,
)
from telephony.switchboard import keys, outside
from telephony.tables import Call, WrapUp

router = APIRouter(tags=["desk"])

TELEPHONE_KEYS: Final = frozenset("0123456789*#ABCD")
WRAP_UP_WITHIN_S: Final = 12 * 3600.0
"""A call from before this shift is not asked about any more."""


class Phrase(Body):
    """Words as they were recognised while they were spoken; seconds from the start of the recording."""

    phrase: int
    channel: int = Field(description="0 is the caller, 1 everyone else.")
    text: str
    start: float
    end: float
    final: bool


class DeskCall(CallBody):
    """A call as the page of its agent shows it."""

    held_at: str | None
    away_at: str | None = Field(description="Since when the agent is not heard; null when all is well.")
    recording_paused_at: str | None = Field(description="Since when nothing is recorded, at the agent's wish.")
    transferred_by: str | None
    disposition: str | None
    note: str
    wrapped_up_at: str | None
    variables: dict[str, Any] = Field(description="What the caller chose and said in the flow.")
    phrases: list[Phrase]


class DeskBody(Body):
    """Everything that an agent's page shows of its own."""

    agent: AgentBody
    call: DeskCall | None = Field(description="The call that is offered to the agent, or that it talks in.")
    wrap_up: DeskCall | None = Field(description="The agent's last call, while its disposition is missing.")
    queues: list[QueueBody]
    reasons: list[str]
    dispositions: list[str]
    now: str
    seq: int = Field(description="The number of the last live event: listen with `since=seq`.")


class TransferRequest(Body):
    """Where a caller is to go: exactly one of the three."""

    agent: Annotated[str, StringConstraints(max_length=64)] = ""
    queue: Annotated[str, StringConstraints(max_length=64)] = ""
    number: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] = Field(
        "", description="Of somebody outside; it is called by a trunk that may dial it."
    )

    @model_validator(mode="after")
    def _names_one(self) -> "TransferRequest":
        if sum(map(bool, (self.agent, self.queue, self.number))) != 1:
            raise ValueError("name one of `agent`, `queue` and `number`")
        return self


def _only_keys(text: str) -> str:
    others = sorted(set(text.upper()) - TELEPHONE_KEYS)
    if others:
        raise ValueError(f"a telephone has no key {others[0]!r}: its keys are 0 to 9, *, # and A to D")
    return text.upper()


class KeysRequest(Body):
    """Keys of a telephone, in the order in which they are pressed."""

    keys: Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_only_keys)] = Field(
        description="0 to 9, *, # and A to D."
    )


class WrapUpRequest(Body):
    """What the call came to. With `ready` the agent takes calls again at once."""

    disposition: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)] = ""
    ready: bool = False


@router.get("/desk")
async def get_desk(request: Request) -> DeskBody:
    """Return the desk of the agent who is signed in."""
    funnel = running_funnel(request)
    agent = _me(request)
    seq = funnel.live.seq  # first: what happens from here on is told again, which does no harm
    known = next((each for each in funnel.switchboard.queues.agents() if each.agent == agent), None)
    if known is None:
        raise HTTPException(404, "You are no agent: sign in as somebody who takes calls.")
    now = request.app.state.clock.now()
    desk = request.app.state.settings.desk
    present = funnel.switchboard.desk_call(agent)
    async with reading(request) as session:
        call = await _desk_call(session, request, *present, agent) if present else None
        last = await _to_wrap_up(session, agent, now, call.id if call else "")
        wrap_up = await _desk_call(session, request, last, {}, agent) if last else None
    return DeskBody(
        agent=agent_body(known),
        call=call,
        wrap_up=wrap_up,
        queues=queue_bodies(request),
        reasons=list(desk.reasons),
        dispositions=list(desk.dispositions),
        now=iso(now),
        seq=seq,
    )


@router.get("/calls/{call}/phrases")
async def get_phrases(request: Request, call: str) -> list[Phrase]:
    """Return what has been understood of a running call so far."""
    snapshot = await own_call(request, call)
    me = signed_in_agent(request)
    if me and snapshot.agent != me:
        raise HTTPException(404, NO_CALL)  # given away: what is said there now is another's
    return _phrases(request, call)


@router.post("/calls/{call}/hold", status_code=202)
async def hold(request: Request, call: str) -> CallBody:
    """Let the caller hear music."""
    snapshot = await own_talk(request, call, ("talking",), "Only a talk can be put on hold.")
    running_funnel(request).happened(HoldRequested(call, snapshot.agent))
    return await _settled(request, call)


@router.post("/calls/{call}/resume", status_code=202)
async def resume(request: Request, call: str) -> CallBody:
    """Take the held caller back."""
    snapshot = await own_talk(request, call, ("held",), "The caller is not on hold.")
    running_funnel(request).happened(ResumeRequested(call, snapshot.agent))
    return await _settled(request, call)


@router.post("/calls/{call}/keys", status_code=202)
async def send_keys(request: Request, call: str, body: KeysRequest) -> CallBody:
    """Press keys for whom the agent talks to, such as somebody's voice menu; each takes 160 ms."""
    snapshot = await own_talk(request, call, TALKS, "Keys can be pressed in a talk alone.")
    if cause := keys.why_not(running_funnel(request).switchboard.board, call):
        raise HTTPException(409, cause)
    running_funnel(request).happened(KeysRequested(call, snapshot.agent, body.keys))
    return await _settled(request, call)


@router.post("/calls/{call}/recording/pause", status_code=202)
async def pause_recording(request: Request, call: str) -> CallBody:
    """Record silence, and stream none of it, for as long as what must not be kept is said. The talk's end ends it."""
    snapshot = await own_talk(request, call, TALKS, "Only a talk is recorded.")
    if not snapshot.recording:
        raise HTTPException(409, "This talk is not recorded.")
    running_funnel(request).happened(RecordingPauseRequested(call, snapshot.agent))
    return await _settled(request, call)


@router.post("/calls/{call}/recording/resume", status_code=202)
async def resume_recording(request: Request, call: str) -> CallBody:
    """Record again."""
    snapshot = await own_talk(request, call, TALKS, "Only a talk is recorded.")
    running_funnel(request).happened(RecordingResumeRequested(call, snapshot.agent))
    return await _settled(request, call)


@router.post("/calls/{call}/transfer", status_code=202)
async def transfer(request: Request, call: str, body: TransferRequest) -> CallBody:
    """Give the caller to another agent, to a queue or to a number outside, and leave the call."""
    snapshot = await own_talk(request, call, TALKS, "Only a caller who is talking or on hold can be transferred.")
    funnel = running_funnel(request)
    acd = funnel.switchboard.queues
    if body.queue and body.queue not in acd.queue_names():
        raise HTTPException(404, f"There is no queue `{body.queue}`; GET /api/v1/queues lists them.")
    if body.agent:
        _check_colleague(body.agent, snapshot.agent, {each.agent: each.reachable for each in acd.agents()})
    if body.number and (refused := outside.why_not(funnel.switchboard.board, body.number)):
        status, cause = refused
        raise HTTPException(status, f"`{body.number}` cannot be called: {cause}.")
    funnel.happened(TransferRequested(call, snapshot.agent, body.agent, body.queue, body.number))
    return await _settled(request, call)


def _check_colleague(agent: str, own: str, reachable: dict[str, bool]) -> None:
    if agent not in reachable:
        raise HTTPException(404, f"There is no agent `{agent}`; GET /api/v1/agents lists them.")
    if agent == own:
        raise HTTPException(409, "The caller is with that agent already.")
    if not reachable[agent]:
        raise HTTPException(409, f"`{agent}` has no phone that could ring just now: choose somebody else or a queue.")


@router.post("/calls/{call}/wrap_up")
async def wrap_up(request: Request, call: str, body: WrapUpRequest) -> DeskCall:
    """Write what a call came to; said again, it corrects. It may be said from the beginning of the talk on."""
    funnel = running_funnel(request)
    snapshot = await own_call(request, call)
    if not snapshot.talk_started_at:
        raise HTTPException(409, "Nobody has talked in this call yet.")
    known = request.app.state.settings.desk.dispositions
    if body.disposition not in known:
        raise HTTPException(422, f"`{body.disposition}` is no disposition: choose from {', '.join(known)}.")
    agent = signed_in_agent(request) or snapshot.agent
    now = request.app.state.clock.now()
    await funnel.lane.drained()  # the call's own rows first
    async with request.app.state.sessions.begin() as session:
        await session.merge(WrapUp(call_id=call, agent=agent, disposition=body.disposition, note=body.note, at=now))
        await timeline.note_call(session, call, body.disposition, body.note)
    funnel.publish("call.wrapped_up", {"call_id": call, "agent": agent, "disposition": body.disposition})
    if body.ready:
        funnel.happened(AgentStateRequested(agent, "ready"))
        await funnel.lane.drained()
    async with reading(request) as session:
        return await _desk_call(session, request, snapshot, {}, agent)


# ------------------------------------------------------------------------------------------------------- what is


def _me(request: Request) -> str:
    principal = request.state.principal
    return str(signed_in_agent(request) or principal.name)


async def own_talk(request: Request, call: str, states: tuple[str, ...], otherwise: str) -> CallSnapshot:
    """Return a call of whoever asks, in one of these states. Raises 404 and 409 (`otherwise`)."""
    snapshot = await own_call(request, call)
    if snapshot.state not in states:
        raise HTTPException(409, otherwise)
    me = signed_in_agent(request)
    if me and snapshot.agent != me:
        raise HTTPException(404, NO_CALL)
    return snapshot


async def _settled(request: Request, call: str) -> CallBody:
    await running_funnel(request).lane.drained()
    return call_body(await own_call(request, call), request.app.state.clock.now())


def _phrases(request: Request, call: str) -> list[Phrase]:
    return [
        Phrase(
            phrase=each.phrase,
            channel=each.channel,
            text=each.text,
            start=each.start,
            end=each.end,
            final=each.final,
        )
        for each in running_funnel(request).live_words.phrases(call)
    ]


async def _desk_call(
    session: AsyncSession, request: Request, call: CallSnapshot, variables: dict[str, object], agent: str
) -> DeskCall:
    written = await session.get(WrapUp, (call.id, agent))
    body = call_body(call, request.app.state.clock.now())
    return DeskCall(
        **body.model_dump(),
        held_at=at(call.held_at),
        away_at=at(call.away_at),
        recording_paused_at=at(call.paused_at),
        transferred_by=call.transferred_by or None,
        disposition=written.disposition if written else None,
        note=written.note if written else "",
        wrapped_up_at=at(written.at) if written else None,
        variables=variables,
        phrases=_phrases(request, call.id) if call.agent == agent else [],
    )


async def _to_wrap_up(session: AsyncSession, agent: str, now: float, present: str) -> CallSnapshot | None:
    """Return the last call that the agent talked in, if it is over for the agent and nothing is written of it yet."""
    query = (
        select(Call)
        .where(
            or_(Call.agent == agent, Call.transferred_by == agent),
            Call.talk_started_at > now - WRAP_UP_WITHIN_S,
        )
        .order_by(Call.talk_started_at.desc())
        .limit(1)
    )
    row = await session.scalar(query)
    if row is None or row.id == present or await session.get(WrapUp, (row.id, agent)) is not None:
        return None
    return rows.snapshot_of(row)
