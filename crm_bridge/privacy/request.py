"""What people ask for by law, and until when it has to be answered and done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.person import NoProfile
from crm_bridge.privacy.reach import pinned
from crm_bridge.privacy.tables import PrivacyRequest
from crm_bridge.rows import new_id

Kind = Literal["export", "erase", "correct", "object"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
WEEKEND: Final = (5, 6)


class NoRequest(LookupError):
    """There is no request of this id."""


class RequestClosed(ValueError):
    """The request is done, or was refused."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Working days until a request is answered, seconds until it is done."""

    answer_working_days: int
    done_s: Mapping[Kind, float]
    zone: ZoneInfo


def answer_due(received_at: float, working_days: int, zone: ZoneInfo) -> float:
    """Return the end of the last of so many working days after the day of an instant. Public holidays count as any
    day: the deadline is then early, never late."""
    day = datetime.fromtimestamp(received_at, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    left = working_days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() not in WEEKEND
    return (day + timedelta(days=1)).timestamp()


async def receive(
    session: AsyncSession,
    kind: Kind,
    customer_id: str | None,
    received_at: float,
    note: str,
    by: str,
    deadlines: Deadlines,
) -> PrivacyRequest:
    """Write down a request. Writes without committing. Raises `NoProfile`."""
    if customer_id is not None and await pinned(session, customer_id) is None:
        raise NoProfile(customer_id)
    row = PrivacyRequest(
        id=new_id(),
        kind=kind,
        customer_id=customer_id,
        received_at=received_at,
        answer_due_at=answer_due(received_at, deadlines.answer_working_days, deadlines.zone),
        due_at=received_at + deadlines.done_s[kind],
        outcome="",
        note=note,
        by=by,
        done_by="",
    )
    session.add(row)
    await session.flush()
    return row


async def answer(session: AsyncSession, id_: str, now: float) -> tuple[PrivacyRequest, bool]:
    """Note that whoever asked was answered, and tell whether it is the first time, which counts. Raises `NoRequest`."""
    row = await _existing(session, id_)
    is_new = row.answered_at is None
    if is_new:
        row.answered_at = now
    await session.flush()
    return row, is_new


async def close(
    session: AsyncSession, id_: str, outcome: Literal["done", "refused"], by: str, now: float
) -> tuple[PrivacyRequest, bool]:
    """Close a request, and tell whether it was open; the same again changes nothing. Raises `NoRequest` and
    `RequestClosed`."""
    row = await _existing(session, id_)
    if row.outcome not in ("", outcome):
        raise RequestClosed(f"this request is closed already ({row.outcome}): write down a new one")
    is_new = not row.outcome
    if is_new:
        row.outcome, row.done_by, row.done_at = outcome, by, now
        row.answered_at = row.answered_at or now
    await session.flush()
    return row, is_new


async def read_open(session: AsyncSession, limit: int, *, everything: bool = False) -> Sequence[PrivacyRequest]:
    """Return the open requests, the most urgent first; with `everything` also the closed ones, behind them."""
    query = select(PrivacyRequest)
    if not everything:
        query = query.where(PrivacyRequest.outcome == "")
    order = (PrivacyRequest.outcome != "", PrivacyRequest.due_at, PrivacyRequest.id)
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


def is_overdue(row: PrivacyRequest, now: float) -> bool:
    """Tell whether something of a request should have been done by now."""
    return not row.outcome and (row.due_at < now or (row.answered_at is None and row.answer_due_at < now))


async def overdue(session: AsyncSession, now: float) -> dict[str, int]:
    """Return how many open requests are overdue, by kind."""
    unanswered = PrivacyRequest.answered_at.is_(None) & (PrivacyRequest.answer_due_at < now)
    late = (PrivacyRequest.outcome == "") & ((PrivacyRequest.due_at < now) | unanswered)
    found = await session.execute(select(PrivacyRequest.kind, func.count()).where(late).group_by(PrivacyRequest.kind))
    return {kind: count for kind, count in found}  # noqa: C416 - mypy knows rows as no pairs


async def _existing(session: AsyncSession, id_: str) -> PrivacyRequest:
    row = await session.get(PrivacyRequest, id_, with_for_update=True)
    if row is None:
        raise NoRequest("there is no such request; GET /api/v1/privacy/requests lists them")
    return row
