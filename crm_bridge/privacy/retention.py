"""Retention: what is older than its kind is kept goes, unless a legal hold keeps it.

Rule 1: files go before the rows that lead to them, and everything may be done again after a crash between the two.
Rule 2: few rows at once, each batch a transaction of its own: nobody waits long for a purge.
Rule 3: a recording that proves a consent stays as long as the consent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.privacy.erasure import Sessions, emptied, place_of
from crm_bridge.privacy.files import Files
from crm_bridge.privacy.hold import held_profiles
from crm_bridge.privacy.reach import AT_ONCE, Reach, Tables
from crm_bridge.privacy.tables import Consent
from telephony.clock import datetime_of

Kind = Literal["recordings", "transcripts", "interactions", "calls", "journals", "webhook_events"]
KINDS: Final[tuple[Kind, ...]] = ("recordings", "transcripts", "interactions", "calls", "journals", "webhook_events")
OUT_OF_TIME: Final = "It was deleted when its time was over (privacy.retention.transcripts)."


@dataclass(frozen=True, slots=True)
class Purger:
    """Deletes what is out of its time. `keep_s` is how long each kind is kept; what is not in it, for ever."""

    sessions: Sessions
    tables: Tables
    files: Files
    keep_s: Mapping[Kind, float]

    async def purge(self, now: float, kinds: Collection[Kind] = KINDS) -> dict[Kind, int]:
        """Delete what is out of its time, and return how many there were of each kind."""
        ways: dict[Kind, Callable[[float, float], Awaitable[int]]] = {
            "recordings": self._recordings,
            "transcripts": self._transcripts,
            "interactions": self._interactions,
            "calls": self._calls,
            "journals": self._journals,
            "webhook_events": self._webhook_events,
        }
        due = [kind for kind in KINDS if kind in kinds and kind in self.keep_s]
        return {kind: await ways[kind](now - self.keep_s[kind], now) for kind in due}

    async def _recordings(self, before: float, now: float) -> int:
        table = self.tables["recordings"]
        proofs = select(Consent.recording_id).where(Consent.recording_id.is_not(None))
        old = and_(
            table.c.started_at < before,
            table.c.state != "spooling",
            table.c.id.not_in(proofs),
            _free(table.c.customer_id, now),
        )
        gone = 0
        while True:
            async with self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                found = (await session.execute(select(table.c.id, table.c.path).where(old).limit(AT_ONCE))).all()
            if not found:
                return gone
            paths = {row.id: row.path for row in found}
            await asyncio.to_thread(self._remove_recordings, paths)
            async with self.sessions.begin() as session:
                await self._forget_recordings(session, list(paths))
            gone += len(paths)

    def _remove_recordings(self, paths: Mapping[str, str]) -> None:
        reach = Reach((), (), (), (), (), tuple(paths))
        self.files.remove(self.files.find(reach, paths))

    async def _forget_recordings(self, session: AsyncSession, ids: Sequence[str]) -> None:
        tables = self.tables
        entries, calls, words, rows = (tables[name] for name in ("interactions", "calls", "transcripts", "recordings"))
        of_entries = update(entries).where(entries.c.recording_id.in_(ids), entries.c.channel == "call")
        await session.execute(of_entries.values(recording_id=None, transcript="", text=""))
        await session.execute(update(calls).where(calls.c.recording_id.in_(ids)).values(recording_id=None))
        await session.execute(delete(words).where(words.c.recording_id.in_(ids)))
        await session.execute(delete(rows).where(rows.c.id.in_(ids)))

    async def _transcripts(self, before: float, now: float) -> int:
        words, rows, entries = (self.tables[name] for name in ("transcripts", "recordings", "interactions"))
        old = (
            select(words.c.recording_id)
            .join(rows, rows.c.id == words.c.recording_id)
            .where(words.c.created_at < before, _free(rows.c.customer_id, now))
        )

        async def forget(session: AsyncSession, ids: Sequence[str]) -> None:
            await session.execute(delete(words).where(words.c.recording_id.in_(ids)))
            stand = update(rows).where(rows.c.id.in_(ids))
            await session.execute(stand.values(transcript_state="failed", transcript_cause=OUT_OF_TIME))
            of_entries = update(entries).where(entries.c.recording_id.in_(ids), entries.c.channel == "call")
            await session.execute(of_entries.values(transcript="failed", text=""))

        return await self._in_batches(old, forget)

    async def _interactions(self, before: float, now: float) -> int:
        table = self.tables["interactions"]
        old = select(table.c.id).where(table.c.occurred_at < before, _free(table.c.customer_id, now))
        return await self._in_batches(old, lambda session, ids: _delete(session, table, ids))

    async def _calls(self, before: float, now: float) -> int:
        """Take the person out of old calls and of what their agents wrote; their figures stay."""
        calls, wrap_ups = self.tables["calls"], self.tables["wrap_ups"]
        says = or_(calls.c.customer_id.is_not(None), calls.c.ani != "", calls.c.number != "")
        is_old = and_(calls.c.started_at < before, calls.c.ended_at.is_not(None), says)
        old = select(calls.c.id).where(is_old, _free(calls.c.customer_id, now))

        async def empty(session: AsyncSession, ids: Sequence[str]) -> None:
            await session.execute(emptied(place_of("wrap_ups"), wrap_ups, wrap_ups.c.call_id.in_(ids)))
            await session.execute(emptied(place_of("calls"), calls, calls.c.id.in_(ids)))

        return await self._in_batches(old, empty)

    async def _webhook_events(self, before: float, now: float) -> int:
        table = self.tables["webhook_events"]
        is_over = and_(table.c.state.in_(("delivered", "dead")), table.c.finished_at < before)
        old = select(table.c.id).where(is_over, _free(table.c.customer_id, now))
        return await self._in_batches(old, lambda session, ids: _delete(session, table, ids))

    async def _journals(self, before: float, now: float) -> int:
        """Delete the journals of days that are over by then."""
        calls = self.tables["calls"]
        old = await asyncio.to_thread(self.files.journals_before, f"{datetime_of(before):%Y-%m-%d}")
        gone = 0
        for first in range(0, len(old), AT_ONCE):
            some = old[first : first + AT_ONCE]
            named = [PurePath(each.path).stem for each in some]
            held = calls.c.customer_id.in_(held_profiles(now))
            async with self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                kept = set(await session.scalars(select(calls.c.id).where(calls.c.id.in_(named), held)))
            due = [each for each, call in zip(some, named, strict=True) if call not in kept]
            await asyncio.to_thread(self.files.remove, due)
            gone += len(due)
        return gone

    async def _in_batches(self, old: Any, forget: Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]) -> int:
        gone = 0
        while True:
            async with self.sessions.begin() as session:
                ids = (await session.scalars(old.limit(AT_ONCE))).all()
                if ids:
                    await forget(session, ids)
            gone += len(ids)
            if not ids:
                return gone


def _free(customer_id: ColumnElement[Any], now: float) -> ColumnElement[bool]:
    """Return the condition that no legal hold keeps a row of a profile, or of nobody."""
    return or_(customer_id.is_(None), customer_id.not_in(held_profiles(now)))


async def _delete(session: AsyncSession, table: Table, ids: Sequence[Any]) -> None:
    await session.execute(delete(table).where(table.c.id.in_(ids)))
