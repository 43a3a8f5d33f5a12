"""Cases: opening one, continuing one, closing it, with events that come late and out of order.

Rule: the instant of the event decides, not the order of arrival. An event older than the last change of state changes
nothing, and a case was opened when its earliest event happened.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.rows import insert_if_free, new_id
from crm_bridge.tables import Case, Interaction

CaseState = Literal["open", "closed"]


class CaseUnknown(LookupError):
    """The event names a case by an id that does not exist."""


class CaseOfAnother(ValueError):
    """The event names a case of another person than the one its identities point to."""


class CaseSubjectMissing(ValueError):
    """The event names no existing case, and a new one needs a subject."""


@dataclass(frozen=True, slots=True)
class CaseReference:
    """The case an event belongs to: by `id`, by `external_id` (made if the person has none of that id), or a new
    one. Empty fields say nothing; what they leave open stays as it is."""

    id: str = ""
    external_id: str = ""
    subject: str = ""
    topic: str = ""
    state: CaseState | None = None


async def attach(
    session: AsyncSession,
    reference: CaseReference,
    *,
    customer_id: str,
    channel: str,
    occurred_at: float,
    profiles: tuple[str, ...] = (),
) -> str:
    """Return the id of the case, opened or brought up to date by the event.

    `profiles` are all of the person of `customer_id`, whose cases are theirs too; a new one is of `customer_id`. Writes
    without committing. Raises `CaseUnknown`, `CaseOfAnother` and `CaseSubjectMissing`.
    """
    profiles = (customer_id, *(each for each in profiles if each != customer_id))
    case = await _find(session, reference, profiles)
    if case is None:
        opened = await _open(session, reference, customer_id=customer_id, channel=channel, occurred_at=occurred_at)
        if opened:
            return opened
        case = await _find(session, reference, profiles)  # another writer opened it a moment ago
    if case is None:
        raise CaseUnknown("the case was opened and removed at the same time: send the event again")
    changes = _changes(case, reference, occurred_at)
    if changes:
        await session.execute(update(Case).where(Case.id == case.id).values(**changes))
    return case.id


async def open_cases(session: AsyncSession, profiles: tuple[str, ...], limit: int) -> list[Case]:
    """Return the open cases of a person's profiles, newest first."""
    found = await session.scalars(
        select(Case)
        .where(_of(profiles), Case.state == "open")
        .order_by(Case.opened_at.desc(), Case.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def only_open(session: AsyncSession, profiles: tuple[str, ...], occurred_at: float, within_s: float) -> str:
    """Return the one open case of a person's profiles, "" where there are none or several, or where nothing happened in
    it for longer than `within_s` before or after `occurred_at`."""
    cases = await open_cases(session, profiles, 2)
    if len(cases) != 1:
        return ""
    last = await session.scalar(select(func.max(Interaction.occurred_at)).where(Interaction.case_id == cases[0].id))
    quiet_s = abs(occurred_at - max(cases[0].opened_at, last or 0.0))
    return cases[0].id if quiet_s <= within_s else ""


async def _find(session: AsyncSession, reference: CaseReference, profiles: tuple[str, ...]) -> Case | None:
    """Return the case that is named; of an external id that several profiles use, the first profile's."""
    if reference.id:
        case = await session.get(Case, reference.id, populate_existing=True)
        if case is None:
            raise CaseUnknown(f"there is no case {reference.id}: name one of the customer's, or leave `id` out")
        if case.customer_id not in profiles:
            raise CaseOfAnother(
                f"case {case.id} is another customer's: leave it out, or send an identity of its customer"
            )
        return case
    if reference.external_id:
        key = (_of(profiles), Case.external_id == reference.external_id)
        found = await session.scalars(select(Case).where(*key).execution_options(populate_existing=True))
        return min(found, key=lambda each: profiles.index(each.customer_id), default=None)
    return None


def _of(profiles: tuple[str, ...]) -> ColumnElement[bool]:
    # Of a profile that is alone, and nearly all are, the plain comparison is the quicker to make.
    return Case.customer_id == profiles[0] if len(profiles) == 1 else Case.customer_id.in_(profiles)


async def _open(
    session: AsyncSession, reference: CaseReference, *, customer_id: str, channel: str, occurred_at: float
) -> str:
    """Insert a case; "" if another writer has just opened the one of this external id."""
    if not reference.subject:
        raise CaseSubjectMissing("a new case needs a `subject`")
    case_id = new_id()
    state = reference.state or "open"
    row = {
        "id": case_id,
        "customer_id": customer_id,
        "subject": reference.subject,
        "topic": reference.topic,
        "state": state,
        "channel": channel,
        "opened_at": occurred_at,
        "closed_at": occurred_at if state == "closed" else None,
        "external_id": reference.external_id or None,
    }
    return case_id if await insert_if_free(session, Case, row) else ""


def _changes(case: Case, reference: CaseReference, occurred_at: float) -> dict[str, object]:
    changes: dict[str, object] = {}
    if occurred_at < case.opened_at:
        changes["opened_at"] = occurred_at
    changed_at = case.closed_at if case.closed_at is not None else case.opened_at
    if occurred_at < changed_at:
        return changes
    if reference.subject and reference.subject != case.subject:
        changes["subject"] = reference.subject
    if reference.topic and reference.topic != case.topic:
        changes["topic"] = reference.topic
    if reference.state is not None and reference.state != case.state:
        changes["state"] = reference.state
        changes["closed_at"] = occurred_at if reference.state == "closed" else None
    return changes
