"""The telephony room's rows: calls, agents and registrations, written as commands say."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.events import BindingChanged, BindingRow, CallerContext, CallSnapshot, SaveAgent
from telephony.tables import Agent, Binding, Call


async def save_call(session: AsyncSession, call: CallSnapshot) -> None:
    """Insert or update a call's row."""
    row = await session.get(Call, call.id)
    if row is None:
        row = Call(id=call.id)
        session.add(row)
    row.state = call.state
    row.number = call.number
    row.ani = call.ani
    row.dnis = call.dnis
    row.customer_id = call.customer or None
    row.context = msgspec.to_builtins(call.context)
    row.language = call.language
    row.flow = call.flow
    row.flow_path = list(call.flow_path)
    row.queue = call.queue
    row.agent = call.agent
    row.recording_id = call.recording or None
    row.case_id = call.case or None
    row.started_at = call.started_at
    row.answered_at = call.answered_at or None
    row.queued_at = call.queued_at or None
    row.queue_left_at = call.queue_left_at or None
    row.talk_started_at = call.talk_started_at or None
    row.talk_ended_at = call.talk_ended_at or None
    row.ended_at = call.ended_at or None
    row.ended_by = call.ended_by
    row.transferred_by = call.transferred_by
    row.direction = call.direction
    row.trunk = call.trunk
    row.asked_again = list(call.asked_again)


def snapshot_of(row: Call) -> CallSnapshot:
    """Return a row as the snapshot it was written from."""
    return CallSnapshot(
        id=row.id,
        state=row.state,
        number=row.number,
        ani=row.ani,
        dnis=row.dnis,
        customer=row.customer_id or "",
        context=msgspec.convert(row.context or {}, CallerContext),
        language=row.language,
        flow=row.flow,
        flow_path=tuple(row.flow_path or ()),
        queue=row.queue,
        agent=row.agent,
        recording=row.recording_id or "",
        case=row.case_id or "",
        started_at=row.started_at,
        answered_at=row.answered_at or 0.0,
        queued_at=row.queued_at or 0.0,
        queue_left_at=row.queue_left_at or 0.0,
        talk_started_at=row.talk_started_at or 0.0,
        talk_ended_at=row.talk_ended_at or 0.0,
        ended_at=row.ended_at or 0.0,
        ended_by=row.ended_by,
        transferred_by=row.transferred_by,
        direction="outbound" if row.direction == "outbound" else "inbound",
        trunk=row.trunk,
        asked_again=tuple(row.asked_again),
    )


async def unfinished_calls(session: AsyncSession) -> Sequence[Call]:
    """Return the calls that had not ended when the rows were last written."""
    return (await session.scalars(select(Call).where(Call.ended_at.is_(None)))).all()


async def save_agent(session: AsyncSession, agent: SaveAgent) -> None:
    """Insert or update an agent's row."""
    row = await session.get(Agent, agent.agent)
    if row is None:
        row = Agent(name=agent.agent)
        session.add(row)
    row.state, row.reason, row.since, row.call_id = agent.state, agent.reason, agent.since, agent.call or None


async def agents(session: AsyncSession) -> Sequence[Agent]:
    """Return every agent's row."""
    return (await session.scalars(select(Agent))).all()


async def save_bindings(session: AsyncSession, event: BindingChanged) -> None:
    """Replace a user's registrations."""
    await session.execute(delete(Binding).where(Binding.user == event.user))
    session.add_all(Binding(user=event.user, **row._asdict()) for row in event.bindings)


async def bindings(session: AsyncSession, now: float) -> dict[str, list[BindingRow]]:
    """Return the registrations that are still good, by user."""
    rows = await session.scalars(select(Binding).where(Binding.expires_at > now))
    found: dict[str, list[BindingRow]] = {}
    for row in rows:
        kept = BindingRow(row.contact, row.host, row.port, row.expires_at, row.path, row.device)
        found.setdefault(row.user, []).append(kept)
    return found
