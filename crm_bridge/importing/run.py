"""Importing a file: batch after batch, each a transaction of its own; or a rehearsal that writes nothing.

Rule 1: a batch and the news of how far the file was read are committed together. So an import that died in the middle
is continued by importing the same file again, or undone as far as it came.
Rule 2: a rehearsal does all of it, on rows of its own that are laid over those of the database and thrown away.
Rule 3: files are read in a thread, and no transaction is longer than a batch: whoever takes calls goes on.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from crm_bridge.importing import tables, write
from crm_bridge.importing.entry import Entry, Reader
from crm_bridge.importing.headings import Field
from crm_bridge.importing.plan import Plan
from crm_bridge.importing.records import Record, Trouble, records
from crm_bridge.importing.report import Counts, Note, NoteKind, Report
from crm_bridge.importing.report_rows import read_report
from crm_bridge.importing.source_file import SourceFile
from crm_bridge.importing.tables import Import
from crm_bridge.importing.write import Overtaken
from crm_bridge.rows import new_id
from crm_bridge.tables import Base

Sessions = async_sessionmaker[AsyncSession]

BATCH_ROWS: Final = 500
ATTEMPTS: Final = 5
MAX_COLUMNS_NAMED: Final = 20
LAID_OVER: Final = [
    Base.metadata.tables[each] for each in ("customers", "identities", "customer_facts", "fact_statements")
]
_AGAIN: Final = frozenset({"40001", "40P01"})  # PostgreSQL: serialization_failure, deadlock_detected


class ImportContended(RuntimeError):
    """Others write to the same people again and again, or another run imports the same file; the text says which."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and how it is to be read. `source` names the other system and may be empty, `by` who imports.

    `mapping` is of columns that somebody named by hand, `rows` how many go into one transaction.
    """

    file: SourceFile
    source: str
    region: str
    by: str = ""
    mapping: Mapping[str, Field] = field(default_factory=dict)
    rows: int = BATCH_ROWS

    @property
    def key(self) -> str:
        """The same for the same file, read in the same way."""
        read_as = [self.file.digest, self.source, self.region, sorted(self.mapping.items())]
        return hashlib.sha256(json.dumps(read_as).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told while it goes on: of each trouble, and how many rows have been read."""

    trouble: Callable[[Trouble], None] = lambda _trouble: None
    rows: Callable[[int], None] = lambda _rows: None


@dataclass(frozen=True, slots=True)
class Batch:
    """So many rows as they were read; `last` is the number of the last one."""

    last: int
    counts: Counts
    entries: tuple[Entry, ...]
    troubles: tuple[Trouble, ...]
    remarks: tuple[str, ...]


async def run(sessions: Sessions, job: Job, now: Callable[[], float], watch: Watch = Watch()) -> Report:
    """Import a file, or go on with an import of it that died.

    Raises `ImportContended`, and `source_file.Unreadable` where the file has no heading.
    """

    @asynccontextmanager
    async def transaction() -> AsyncIterator[write.Sessions]:
        async with sessions.begin() as session:
            yield (session,)

    return await _run(job, transaction, now, watch)


async def rehearse(sessions: Sessions, job: Job, now: Callable[[], float], watch: Watch = Watch()) -> Report:
    """Return the report that `run` would give, and write nothing.

    Raises what `run` raises.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="hotline-import-"))
        engine = create_async_engine(f"sqlite+aiosqlite:///{Path(folder) / 'rehearsal.db'}")
        stack.push_async_callback(engine.dispose)
        async with engine.begin() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode=OFF")
            await connection.exec_driver_sql("PRAGMA synchronous=OFF")
            await connection.run_sync(partial(Base.metadata.create_all, tables=LAID_OVER))
            await connection.run_sync(tables.Base.metadata.create_all)
        own = async_sessionmaker(engine, expire_on_commit=False)

        @asynccontextmanager
        async def transaction() -> AsyncIterator[write.Sessions]:
            async with sessions() as session, own.begin() as over:
                await session.connection(execution_options={"read_only": True})  # it waits for no writer
                yield session, over

        return await _run(job, transaction, now, watch, rehearsal=True)


async def _run(
    job: Job,
    transaction: Callable[[], Any],
    now: Callable[[], float],
    watch: Watch,
    *,
    rehearsal: bool = False,
) -> Report:
    reader = Reader(job.source, job.region, job.mapping)
    rows = records(job.file)
    try:
        first = await asyncio.to_thread(next, rows, None)  # a file that cannot be read at all makes no import
        async with transaction() as opened:
            current = await _started(opened[-1], job, now())
        done = Progress(current.id, current.rows_read, Counts(**current.counts))
        read = partial(_read, rows if first is None else chain([first], rows), reader, job, done.rows_read)
        batch = await asyncio.to_thread(read)
        while batch is not None:
            for trouble in batch.troubles:
                watch.trouble(trouble)
            # The next batch is read while this one is written.
            async with _meanwhile(read) as ahead:
                done = await _take(job, batch, done, transaction, now)
            watch.rows(batch.last)
            batch = ahead.result()
    finally:
        rows.close()
    async with transaction() as opened:
        await _step(opened[-1], done, {"state": "done", "finished_at": now()})
        return await read_report(opened[-1], done.import_id, rehearsal=rehearsal)


# --------------------------------------------------------------------------------------------------------- reading


@asynccontextmanager
async def _meanwhile(read: Callable[[], "Batch | None"]) -> AsyncIterator["asyncio.Future[Batch | None]"]:
    """Read in a thread; it has ended when the block ends, whatever happens in it."""
    ahead = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        yield ahead
    finally:
        await asyncio.wait([ahead])


def _read(rows: Iterator[Record | Trouble], reader: Reader, job: Job, after: int) -> Batch | None:
    """Return the next rows behind row `after`, None at the end of the file; for a thread."""
    counts, entries, troubles, last = Counts(), [], [], 0
    for each in rows:
        if each.row <= after:
            reader.see(each)
            continue
        last = each.row
        counts.read += 1
        entry, said = (None, [each]) if isinstance(each, Trouble) else reader.read(each)
        troubles += said
        refused = sum(trouble.refused for trouble in said)
        counts.refused += refused
        counts.ignored += len(said) - refused
        if entry is not None:
            entries.append(entry)
        elif not said:
            counts.blank += 1
        if counts.read == job.rows:
            break
    if not last:
        return None
    return Batch(last, counts, tuple(entries), tuple(troubles), tuple(_remarks(job.file, reader)))


def _remarks(file: SourceFile, reader: Reader) -> Iterator[str]:
    if file.guessed:
        yield "was read as Windows-1258, which is a guess: look at the names, or save the file as UTF-8"
    if reader.nameless:
        yield f"ids in {_named(reader.nameless)} were not taken: say with --source whose ids they are"
    if reader.unknown:
        yield f'columns that were not taken: {_named(reader.unknown)}; --map "COLUMN=FIELD" takes one'


def _named(headings: Mapping[str, None]) -> str:
    shown = [write.printable(each) for each in list(headings)[:MAX_COLUMNS_NAMED]]
    more = len(headings) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


# --------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    import_id: str
    rows_read: int
    counts: Counts


async def _started(session: AsyncSession, job: Job, now: float) -> Import:
    """Return the import of this file that was not finished, or a new one."""
    query = select(Import).where(Import.key == job.key, Import.state == "running").order_by(Import.started_at.desc())
    found = (await session.scalars(query.limit(1))).first()
    if found is None:
        found = Import(
            id=new_id(),
            key=job.key,
            source=job.source,
            file=write.printable(Path(job.file.name).name),
            state="running",
            rows_read=0,
            counts=Counts().as_json(),
            remarks=[],
            by=job.by[:64],
            started_at=now,
        )
        session.add(found)
    return found


async def _take(
    job: Job, batch: Batch, done: Progress, transaction: Callable[[], Any], now: Callable[[], float]
) -> Progress:
    for _ in range(ATTEMPTS):
        try:
            async with transaction() as opened:
                return await _write(opened, job, batch, done, now())
        except (Overtaken, IntegrityError):
            continue
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") not in _AGAIN:
                raise
    raise ImportContended("other writers keep coming first: import the same file again, and it goes on from here")


async def _write(sessions: write.Sessions, job: Job, batch: Batch, done: Progress, now: float) -> Progress:
    owners = await write.owners(sessions, (claim for each in batch.entries for claim in each.claims))
    profiles = await write.profiles(sessions, done.import_id, {row.customer_id for row in owners.values()})
    keys = {(told.saying.kind, told.saying.key) for each in batch.entries for told in each.told}
    known = await write.facts(sessions, profiles, keys)
    plan = Plan(done.import_id, job.source or "import", now, owners, profiles, known)
    for each in batch.entries:
        plan.take(each)
    await write.write(sessions, plan)
    similar = await write.similar(sessions, plan)
    plan.counts.similar += len(similar)
    plan.counts.add(batch.counts)
    notes = [_note(each) for each in batch.troubles] + plan.notes + similar
    await write.write_notes(sessions[-1], done.import_id, notes, done.counts)
    plan.counts.add(done.counts)
    after = Progress(done.import_id, batch.last, plan.counts)
    await _step(
        sessions[-1],
        done,
        {"rows_read": batch.last, "counts": after.counts.as_json(), "remarks": list(batch.remarks)},
    )
    return after


def _note(trouble: Trouble) -> Note:
    kind: NoteKind = "refused" if trouble.refused else "ignored"
    return Note(kind, trouble.row, trouble.column, trouble.cause, trouble.mend)


async def _step(session: AsyncSession, done: Progress, values: Mapping[str, Any]) -> None:
    """Write how far an import is, unless another run has gone further. Raises `ImportContended`."""
    is_ours = (Import.id == done.import_id, Import.rows_read == done.rows_read, Import.state == "running")
    changed = update(Import).where(*is_ours).values(**values).returning(Import.id)
    if (await session.execute(changed.execution_options(synchronize_session=False))).scalar_one_or_none() is None:
        raise ImportContended("another run imports or undoes the same file: look at `hotline customers imports`")
