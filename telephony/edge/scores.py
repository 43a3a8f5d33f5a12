"""Answers to surveys, on the timelines of those who gave them."""

from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.keep import keep_event
from crm_bridge.person import NoProfile
from crm_bridge.timeline import SURVEY, Beside, Recorded, record_beside
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from telephony.events import SaveScore

NAMES: Final = {"csat": "CSAT", "nps": "NPS"}

log = structlog.get_logger("hotline.scores")


async def keep(
    sessions: async_sessionmaker[AsyncSession], command: SaveScore, now: float, webhooks: Webhooks = NOBODY
) -> dict[str, Any] | None:
    """Write an answer and commit; return what listeners are told of it, None where it was there before, or nobody is
    there any more."""
    event = Beside(
        customer=command.customer,
        channel=SURVEY,
        external_id=f"{command.call}.{command.number}",
        occurred_at=command.at,
        subject=f"{NAMES.get(command.survey, command.survey)}: {command.score}",
        attributes={
            "kind": command.survey,
            "score": command.score,
            "call": command.call,
            "flow": command.flow,
            "language": command.language,
        },
        case=command.case,
    )

    async def record(session: AsyncSession) -> Recorded:
        recorded = await record_beside(session, event, now)
        if recorded is None:
            raise NoProfile(command.customer)
        return recorded

    try:
        return (await keep_event(sessions, record, webhooks, now)).told
    except NoProfile:
        log.info("an answer to a survey is not kept: the profile is gone", call=command.call)
        return None
