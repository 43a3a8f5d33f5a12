"""What callers agree to in a flow, among the consents of their profiles."""

from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.person import NoProfile
from crm_bridge.privacy import consent
from crm_bridge.privacy.reach import Tables
from crm_bridge.privacy.tables import Consent
from crm_bridge.timeline import CALL
from recordings.tables import Base as Recordings
from telephony.events import SaveConsent
from telephony.tables import Base as Telephony

TABLES: Final[Tables] = {
    "recordings": Recordings.metadata.tables["recordings"],
    "calls": Telephony.metadata.tables["calls"],
}

log = structlog.get_logger("hotline.consents")


async def save(session: AsyncSession, command: SaveConsent, now: float) -> None:
    """Write a consent without committing; again it changes nothing. One of somebody who was erased meanwhile is none.

    A proof that cannot be had (the recording is gone) takes no consent away.
    """
    before = select(Consent.id).where(Consent.call_id == command.call, Consent.at == command.at)
    if await session.scalar(before) is not None:
        return
    clip = consent.Clip(command.recording, command.since, command.until) if command.recording else None
    try:
        await consent.record(session, TABLES, command.customer, _new(command, clip), now)
    except consent.NoProof as error:
        log.warning("a consent has no proof", call=command.call, cause=str(error))
        await consent.record(session, TABLES, command.customer, _new(command, None), now)
    except NoProfile:
        log.warning("a consent is not kept: the profile is gone", call=command.call)


def _new(command: SaveConsent, clip: consent.Clip | None) -> consent.NewConsent:
    return consent.NewConsent(
        purpose=command.purpose,
        state="given",
        at=command.at,
        channel=CALL,
        notice=command.notice,
        notice_version=command.notice_version,
        by=f"flow {command.flow}"[:64],
        call=command.call,
        clip=clip,
    )
