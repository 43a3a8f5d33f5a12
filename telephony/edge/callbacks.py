"""Callbacks as rows: booked before anybody is told, once for a number and a queue, and written as they change."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import case, person
from crm_bridge.case import CaseOfAnother, CaseReference, CaseUnknown
from telephony.edge.flow_requests import Outcome
from telephony.events import CallbackBooked, CallbackSnapshot, FlowRequest
from telephony.requests import BookCallback
from telephony.switchboard import outside
from telephony.switchboard.board import Board
from telephony.switchboard.callbacks import OPEN
from telephony.switchboard.dialling import dialled
from telephony.tables import Callback

MAX_NOTE: Final = 1000
MAX_CAUSE: Final = 256
UNREACHED: Final = "Not reached by callback"
"""The subject of the case that is opened for a customer whom nobody reached."""


@dataclass(frozen=True, slots=True)
class CallbackRequests:
    """Books for flows. `board` is looked at for what may be dialled and which queues there are, `tell` takes events."""

    sessions: async_sessionmaker[AsyncSession]
    now: Callable[[], float]
    tell: Callable[[CallbackBooked], None]
    board: Board
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def perform(self, asked: FlowRequest) -> Outcome:
        """Book a caller, or find the booking that there is for the number in the queue already: the first place is
        kept. A booking that is begun is brought to its end, and told, even if the caller hangs up meanwhile."""
        request = asked.request
        if not isinstance(request, BookCallback):
            raise TypeError(f"{type(request).__name__} is no booking")
        number, queue = self._callable(request.to or asked.ani), request.queue or asked.queue
        if not number or queue not in self.board.acd.queue_names():
            return Outcome("failed")
        await asyncio.shield(self._book(asked, number, queue, request.note[:MAX_NOTE]))
        return Outcome("next")

    def _callable(self, number: str) -> str:
        """Return a telephone number in E.164 that a trunk may dial, "" for what is none. That every line is taken now
        is no reason: later it will not be."""
        called = dialled(number, self.board.settings.region)
        refused = outside.why_not(self.board, called)
        may_be_called = refused is None or refused[0] == outside.UNAVAILABLE
        return called if called.startswith("+") and may_be_called else ""

    async def _book(self, asked: FlowRequest, number: str, queue: str, note: str) -> None:
        now = self.now()
        row = Callback(
            id=uuid4().hex,
            call_id=asked.call,
            request=asked.number,
            customer_id=asked.customer or None,
            number=number,
            queue=queue,
            note=note,
            since=asked.since or now,
            state="booked",
            attempts=0,
            created_at=now,
            cause="",
            open_key=f"{queue} {number}",
        )
        async with self._turn, self.sessions() as session:
            same = or_(
                Callback.open_key == row.open_key,
                (Callback.call_id == row.call_id) & (Callback.request == row.request),
            )
            if await session.scalar(select(Callback.id).where(same).limit(1)) is not None:
                return
            session.add(row)
            await session.commit()
        self.tell(CallbackBooked(snapshot_of(row)))


def snapshot_of(row: Callback) -> CallbackSnapshot:
    """Return a row as the snapshot it was written from."""
    return CallbackSnapshot(
        id=row.id,
        number=row.number,
        queue=row.queue,
        since=row.since,
        created_at=row.created_at,
        call=row.call_id,
        customer=row.customer_id or "",
        note=row.note,
        state=row.state,  # type: ignore[arg-type]
        attempts=row.attempts,
        next_at=row.next_at or 0.0,
        last_call=row.last_call_id or "",
        ended_at=row.ended_at or 0.0,
        cause=row.cause,
    )


async def open_ones(session: AsyncSession) -> Sequence[Callback]:
    """Return whoever is still to be called back, the first who was promised first."""
    rows = await session.scalars(select(Callback).where(Callback.state.in_(OPEN)).order_by(Callback.created_at))
    return rows.all()


async def missing(session: AsyncSession, ids: Sequence[str]) -> list[str]:
    """Return those of which there is no row any more."""
    there = set(await session.scalars(select(Callback.id).where(Callback.state.in_(OPEN))))
    return [each for each in ids if each not in there]


async def save(session: AsyncSession, callback: CallbackSnapshot) -> None:
    """Bring a row up to date. One that is gone was erased. For a customer whom nobody reached, a case is opened, so
    that somebody sees to it."""
    row = await session.get(Callback, callback.id)
    if row is None:
        return
    row.state, row.attempts, row.cause = callback.state, callback.attempts, callback.cause[:MAX_CAUSE]
    row.next_at, row.ended_at = callback.next_at or None, callback.ended_at or None
    row.last_call_id = callback.last_call or None
    if callback.state not in OPEN:
        row.open_key = None
    if callback.state == "failed" and callback.customer:
        await _open_case(session, callback)


async def _open_case(session: AsyncSession, callback: CallbackSnapshot) -> None:
    reference = CaseReference(external_id=f"callback {callback.id}", subject=UNREACHED, topic="callback", state="open")
    try:
        whole = await person.whole(session, callback.customer)
        await case.attach(
            session,
            reference,
            customer_id=callback.customer,
            channel="call",
            occurred_at=callback.ended_at,
            profiles=whole.ids,
        )
    except (CaseUnknown, CaseOfAnother, person.NoProfile):
        return  # erased meanwhile
