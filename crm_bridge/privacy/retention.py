"""Retention: what is older than its kind is kept goes, unless a legal hold keeps it.

Rule 1: files go before the rows that lead to them, and everything may be done again after a crash between the two.
Rule 2: few rows at once, each batch a transaction of its own: nobody waits long for a purge.
Rule 3: a recording that proves a consent stays as long as the consent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal, TypeVar, get_args

from sqlalchemy import ColumnElement, Table, and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.privacy.erasure import Sessions, emptied, place_of
from crm_bridge.privacy.files import Files
from crm_bridge.privacy.hold import held_profiles
from crm_bridge.privacy.reach import AT_ONCE, Reach, Tables, batched, has_number
from crm_bridge.privacy.tables import Consent
from telephony.clock import datetime_of

Kind = Literal["recordings", "transcripts", "interactions", "facts", "calls", "journals", "webhook_events"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
RECORDED: Final = ("call", "voicemail")
"""Channels whose entries have a recording."""
OUT_OF_TIME: Final = "It was deleted when its time was over (privacy.retention.transcripts)."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Purger:
    """Deletes what is out of its time. `keep_s` is how long each kind is kept; what is not in it, for ever."""

    sessions: Sessions
    tables: Tables
    files: Files
    keep_s: Mapping[Kind, float]

    async def purge(self, now: float, kinds: Collection[Kind] = KINDS) -> dict[Kind, int]:
        """Delete what is out of its time, and return how many there were of each kind.

        A file that cannot be deleted keeps nothing else from being. Raises `OSError` when everything else is done.
        """
        ways: dict[Kind, Callable[[float, float], Awaitable[int]]] = {
            "recordings": self._recordings,
            "transcripts": self._transcripts,
            "interactions": self._interactions,
            "facts": self._facts,
            "calls": self._calls,
            "journals": self._journals,
            "webhook_events": self._webhook_events,
        }
        due = [kind for kind in KINDS if kind in kinds and kind in self.keep_s]
        gone: dict[Kind, int] = {}
        failed: list[OSError] = []
        for kind in due:
            try:
                gone[kind] = await ways[kind](now - self.keep_s[kind], now)
            except OSError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return gone

    async def _recordings(self, before: float, now: float) -> int:
        table = self.tables["recordings"]
        proofs = select(Consent.recording_id).where(Consent.recording_id.is_not(None))
        old = and_(
            table.c.started_at < before,
            table.c.state != "spooling",
            table.c.id.not_in(proofs),
            self._free_recordings(now),
        )
        gone, last = 0, ""
        failed: list[OSError] = []
        while True:
            query = select(table.c.id, table.c.path).where(old, table.c.id > last).order_by(table.c.id).limit(AT_ONCE)
            async with self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                found = (await session.execute(query)).all()
            if not found:
                break
            last = found[-1].id
            rows = [(row.id, row.path) for row in found]
            removed = await asyncio.to_thread(_remove, self._remove_recordings, rows, failed)
            async with self.sessions.begin() as session:
                await self._forget_recordings(session, [id_ for id_, _ in removed])
            gone += len(removed)
        if failed:
            raise failed[0]
        return gone

    def _remove_recordings(self, rows: Sequence[tuple[str, str]]) -> None:
        paths = dict(rows)
        reach = Reach((), (), (), (), (), tuple(paths))
        self.files.remove(self.files.find(reach, paths))

    def _free_recordings(self, now: float) -> ColumnElement[bool]:
        """Return the condition that no legal hold keeps a recording, by its person or by its call's."""
        calls, rows = self.tables["calls"], self.tables["recordings"]
        held = select(calls.c.id).where(self._held_call(now))
        return and_(_free(rows.c.customer_id, now), rows.c.call_id.not_in(held))

    def _held_call(self, now: float) -> ColumnElement[bool]:
        """Return the condition that a legal hold keeps a call: by its person, or, where it is nobody's, by the number
        of one."""
        calls, identities = self.tables["calls"], self.tables["identities"]
        held = held_profiles(now)
        numbers = select(identities.c.value).where(identities.c.kind == "phone", identities.c.customer_id.in_(held))
        return or_(calls.c.customer_id.in_(held), and_(calls.c.customer_id.is_(None), has_number(calls, numbers)))

    async def _forget_recordings(self, session: AsyncSession, ids: Sequence[str]) -> None:
        tables = self.tables
        entries, calls, words, rows = (tables[name] for name in ("interactions", "calls", "transcripts", "recordings"))
        of_entries = update(entries).where(entries.c.recording_id.in_(ids), entries.c.channel.in_(RECORDED))
        await session.execute(of_entries.values(recording_id=None, transcript="", text=""))
        await session.execute(update(calls).where(calls.c.recording_id.in_(ids)).values(recording_id=None))
        await session.execute(delete(words).where(words.c.recording_id.in_(ids)))
        messages = tables["voicemails"]
        await session.execute(delete(messages).where(messages.c.id.in_(ids)))
        await session.execute(delete(rows).where(rows.c.id.in_(ids)))

    async def _transcripts(self, before: float, now: float) -> int:
        words, rows, entries = (self.tables[name] for name in ("transcripts", "recordings", "interactions"))
        old = (
            select(words.c.recording_id)
            .join(rows, rows.c.id == words.c.recording_id)
            .where(words.c.created_at < before, self._free_recordings(now))
        )

        async def forget(session: AsyncSession, ids: Sequence[str]) -> None:
            await session.execute(delete(words).where(words.c.recording_id.in_(ids)))
            stand = update(rows).where(rows.c.id.in_(ids))
            await session.execute(stand.values(transcript_state="failed", transcript_cause=OUT_OF_TIME))
            of_entries = update(entries).where(entries.c.recording_id.in_(ids), entries.c.channel.in_(RECORDED))
            await session.execute(of_entries.values(transcript="failed", text=""))

        return await self._in_batches(old, forget)

    async def _interactions(self, before: float, now: float) -> int:
        table = self.tables["interactions"]
        old = select(table.c.id).where(table.c.occurred_at < before, _free(table.c.customer_id, now))
        return await self._in_batches(old, lambda session, ids: _delete(session, table, ids))

    async def _facts(self, before: float, now: float) -> int:
        """Delete facts of which nobody has said anything for so long, with all that was said of them. What is about the
        customer, such as the birthday, is no matter of its day, and stays."""
        table, said = self.tables["customer_facts"], self.tables["fact_statements"]
        old = select(table.c.id).where(table.c.at < before, table.c.kind != "profile", _free(table.c.customer_id, now))

        async def forget(session: AsyncSession, ids: Sequence[str]) -> None:
            keys = (table.c.customer_id, table.c.kind, table.c.key)
            gone = exists(select(1).where(table.c.id.in_(ids), *(said.c[each.name] == each for each in keys)))
            await session.execute(delete(said).where(gone))
            await _delete(session, table, ids)

        return await self._in_batches(old, forget)

    async def _calls(self, before: float, now: float) -> int:
        """Take the person out of old calls and of what their agents wrote; their figures stay."""
        calls, wrap_ups = self.tables["calls"], self.tables["wrap_ups"]
        says = or_(calls.c.customer_id.is_not(None), calls.c.ani != "", calls.c.number != "")
        is_old = and_(calls.c.started_at < before, calls.c.ended_at.is_not(None), says)
        held = select(calls.c.id).where(self._held_call(now))
        old = select(calls.c.id).where(is_old, calls.c.id.not_in(held))

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
        failed: list[OSError] = []
        for some in batched(old):
            named = [PurePath(each.path).stem for each in some]
            async with self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                held = select(calls.c.id).where(calls.c.id.in_(named), self._held_call(now))
                kept = set(await session.scalars(held))
            due = [each for each, call in zip(some, named, strict=True) if call not in kept]
            gone += len(await asyncio.to_thread(_remove, self.files.remove, due, failed))
        if failed:
            raise failed[0]
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


def _remove(remove: Callable[[Sequence[T]], None], things: Sequence[T], failed: list[OSError]) -> Sequence[T]:
    """Remove things at once or, where one of them cannot be removed, each by itself; return those that are gone."""
    try:
        remove(things)
    except OSError:
        gone = []
        for each in things:
            try:
                remove([each])
                gone.append(each)
            except OSError as error:
                failed.append(error)
        return gone
    return things


def _free(customer_id: ColumnElement[Any], now: float) -> ColumnElement[bool]:
    """Return the condition that no legal hold keeps a row of a profile, or of nobody."""
    return or_(customer_id.is_(None), customer_id.not_in(held_profiles(now)))


async def _delete(session: AsyncSession, table: Table, ids: Sequence[Any]) -> None:
    await session.execute(delete(table).where(table.c.id.in_(ids)))
