"""Consents: who agreed to what, when, to which words, and the proof. The last word on a purpose counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.person import NoProfile
from crm_bridge.privacy.reach import Tables, pinned
from crm_bridge.privacy.tables import Consent
from crm_bridge.rows import new_id

State = Literal["given", "refused", "withdrawn"]


class NoProof(ValueError):
    """The recording proves nothing of this person; the text says why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Where it can be heard: seconds from a recording's start."""

    recording: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class NewConsent:
    """What somebody said. `at` is seconds since the epoch, `notice` the words they said it to."""

    purpose: str
    state: State
    at: float
    channel: str
    notice: str
    notice_version: str
    by: str
    call: str | None = None
    clip: Clip | None = None


async def record(session: AsyncSession, tables: Tables, customer_id: str, new: NewConsent, now: float) -> Consent:
    """Add a consent of the person of a profile. Writes without committing. Raises `NoProfile` and `NoProof`."""
    found = await pinned(session, customer_id)
    if found is None:
        raise NoProfile(customer_id)
    call = new.call
    if new.clip is not None:
        call = await _call_of(session, tables, found.ids, new.clip)
    row = Consent(
        id=new_id(),
        customer_id=customer_id,
        purpose=new.purpose,
        state=new.state,
        at=new.at,
        channel=new.channel,
        notice=new.notice,
        notice_version=new.notice_version,
        call_id=call,
        recording_id=new.clip and new.clip.recording,
        clip_from=new.clip and new.clip.since,
        clip_until=new.clip and new.clip.until,
        by=new.by,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    return row


async def _call_of(session: AsyncSession, tables: Tables, profiles: Sequence[str], clip: Clip) -> str:
    """Return the call of a recording that a clip is cut from. Raises `NoProof`."""
    recordings, calls = tables["recordings"], tables["calls"]
    # A recording under way may not say yet whose it is; its call does.
    query = (
        select(recordings, func.coalesce(recordings.c.customer_id, calls.c.customer_id).label("whose"))
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .where(recordings.c.id == clip.recording)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None or found.whose not in profiles:
        raise NoProof("there is no such recording of this person: send the id of one of theirs")
    if found.state == "closed" and clip.until > found.seconds:
        raise NoProof(f"the recording is {found.seconds:.2f} s long: end the clip in it")
    return str(found.call_id)


async def history(session: AsyncSession, profiles: Sequence[str]) -> Sequence[Consent]:
    """Return every consent of a person, the newest first."""
    query = select(Consent).where(Consent.customer_id.in_(profiles))
    return (await session.scalars(query.order_by(Consent.at.desc(), Consent.created_at.desc(), Consent.id))).all()


def latest(newest_first: Sequence[Consent]) -> list[Consent]:
    """Return the last word on each purpose, by the purpose."""
    found: dict[str, Consent] = {}
    for each in newest_first:
        found.setdefault(each.purpose, each)
    return [found[purpose] for purpose in sorted(found)]
