"""After a stop that was none: calls and recordings that were cut off are closed, and say so."""

from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from recordings import store
from recordings.journal import Journal, JournalDamaged
from telephony.clock import time_of
from telephony.edge import call_rows, rows
from telephony.events import CallSnapshot, SaveCall

INTERRUPTED: Final = "interrupted: the server stopped"

log = structlog.get_logger("hotline.recovery")


async def recover(
    sessions: async_sessionmaker[AsyncSession],
    journal: Journal,
    recordings_folder: Path,
    now: float,
    region: str = "VN",
    webhooks: Webhooks = NOBODY,
) -> int:
    """Close what the last run left open; return how many calls it cut off.

    A call that had ended, but whose row did not say so yet, has its end in its journal. The end of any other is the
    last instant of which anything is known: of its row, its journal or its recording. A recording's spool is closed to
    a file and put in the line for transcription as any other.
    """
    async with sessions() as session:
        recorded_until: dict[str, float] = {}
        for recovered in await store.recover(session, recordings_folder, now):
            recorded_until[recovered.call] = recovered.ended_at
            log.warning("recording recovered", recording=recovered.recording, state=recovered.state)
        await session.commit()
        calls = await rows.unfinished_calls(session)
        for row in calls:
            snapshot = _ended(journal, rows.snapshot_of(row), recorded_until.get(row.id, 0.0))
            await call_rows.save(session, snapshot, region, now, webhooks)
            log.warning("call closed after an interruption", call=row.id)
        await session.commit()
    return len(calls)


def _ended(journal: Journal, call: CallSnapshot, recorded_until: float) -> CallSnapshot:
    try:
        entries = journal.read(call.id)
    except (OSError, JournalDamaged) as error:
        log.error("the journal of an interrupted call cannot be read", call=call.id, cause=str(error))
        entries = []
    for entry in reversed(entries):
        if isinstance(entry.message, SaveCall):
            return entry.message.call
    last_at = time_of(entries[-1].tick) if entries else 0.0
    ended_at = max(call.started_at, call.talk_started_at, call.talk_ended_at, last_at, recorded_until)
    return msgspec.structs.replace(call, state="ended", ended_at=ended_at, ended_by=INTERRUPTED)
