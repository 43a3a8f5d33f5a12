"""After a stop that was none: calls and recordings that were cut off are closed, and say so."""

from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import timeline
from recordings import store
from recordings.journal import Journal
from telephony.clock import time_of
from telephony.edge import rows

INTERRUPTED: Final = "interrupted: the server stopped"

log = structlog.get_logger("hotline.recovery")


async def recover(
    sessions: async_sessionmaker[AsyncSession], journal: Journal, recordings_folder: Path, now: float
) -> int:
    """Close what the last run left open; return how many calls it cut off.

    A call's end is the last tick in its journal: the last instant of which anything is known. Its recording's spool is
    closed to a file and put in the line for transcription as any other.
    """
    async with sessions() as session:
        for recovered in await store.recover(session, recordings_folder, now):
            log.warning("recording recovered", recording=recovered.recording, state=recovered.state)
        await session.commit()
        calls = await rows.unfinished_calls(session)
        for row in calls:
            last_tick = journal.last_tick(row.id)
            ended_at = max(row.started_at, time_of(last_tick) if last_tick else row.started_at)
            snapshot = msgspec.structs.replace(
                rows.snapshot_of(row), state="ended", ended_at=ended_at, ended_by=INTERRUPTED
            )
            await rows.save_call(session, snapshot)
            if snapshot.customer:
                await timeline.record_call(session, snapshot, now)
            log.warning("call closed after an interruption", call=row.id)
        await session.commit()
    return len(calls)
