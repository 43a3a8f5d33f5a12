"""The database: an engine, a session factory, and migrations.

SQLite runs in WAL mode, so that readers never wait for the writer. `synchronous` is NORMAL, not FULL: what is committed
survives `kill -9` of every process of ours (the operating system has it), and the file stays sound through a power cut;
only a power cut may take the commits since the last checkpoint, and each commit is spared an fsync, of which a busy
hour has tens of thousands. Who needs those commits too uses PostgreSQL.

Every SQLite transaction begins with BEGIN IMMEDIATE: one that first reads and then writes would otherwise fail at once
with "database is locked" when another has written in between, whatever the busy timeout. A reader that must not wait
for writers takes `engine.execution_options(read_only=True)`.
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, Table, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import await_only

BUSY_TIMEOUT_MS: Final = 10_000
WAL_RETRY_MS: Final = 20
SCRUB_TRIES: Final = 20
SCRUB_RETRY_S: Final = 0.25
REWRITTEN_OCTETS: Final = 256 << 20
"""A larger SQLite file is not written anew while people work: writers would have to wait for it, and 221 MiB took 5 s
on two busy cores."""
DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
ROOMS_WITH_TABLES: Final = (
    "crm_bridge.tables",
    "crm_bridge.connectors.tables",
    "crm_bridge.webhooks.tables",
    "crm_bridge.notify.tables",
    "crm_bridge.importing.tables",
    "crm_bridge.privacy.tables",
    "recordings.tables",
    "telephony.tables",
    "hotline.tables",
)

Sessions = async_sessionmaker[AsyncSession]


class DatabaseError(Exception):
    """The database cannot be used as it is; the text says why and what mends it."""


def metadatas() -> list[MetaData]:
    """Return the tables of every room: what the migrations must add up to."""
    return [import_module(room).Base.metadata for room in ROOMS_WITH_TABLES]


def open_engine(url: str, foreign_keys: bool = True) -> AsyncEngine:
    """Return an engine for `url` (SQLite or PostgreSQL, with or without a driver's name). Nothing is connected yet.

    Raises `DatabaseError` for a URL that is none, or when the driver is not installed.
    """
    parsed = _with_driver(url)
    _make_folder(parsed)
    try:
        engine = create_async_engine(parsed, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise DatabaseError(f"the driver of the database is not installed: pip install {error.name}") from None
    if parsed.get_backend_name() == "sqlite":
        _prepare_sqlite(engine.sync_engine, foreign_keys)
    return engine


def session_factory(engine: AsyncEngine) -> Sessions:
    """Return what makes sessions. Objects stay readable after a commit; nothing is fetched behind one's back."""
    return async_sessionmaker(engine, expire_on_commit=False)


def reading(sessions: Sessions) -> Sessions:
    """Return what makes sessions that only read, and never wait for a writer."""
    engine: AsyncEngine = sessions.kw["bind"]
    return session_factory(engine.execution_options(read_only=True))


async def upgrade(url: str) -> None:
    """Bring the database to the newest revision, making it if need be; for every start. Raises `DatabaseError`."""
    current, newest = await revisions(url)
    if current != newest:
        from hotline import migration  # noqa: PLC0415 - rarely needed, and heavy

        await _migrate(url, lambda connection: migration.upgrade(connection, "head"))


async def downgrade(url: str, revision: str) -> None:
    """Take migrations back, down to `revision` (`base` for an empty database). Raises `DatabaseError`."""
    from hotline import migration  # noqa: PLC0415

    await _migrate(url, lambda connection: migration.downgrade(connection, revision))


async def revisions(url: str) -> tuple[str | None, str]:
    """Return (where the database is, where it should be); None for a database without tables of ours.

    Raises `DatabaseError` when it does not answer. A SQLite file that does not exist is not made.
    """
    if _is_missing_file(_with_driver(url)):
        return None, _newest()
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_current), _newest()
    except (DBAPIError, OSError) as error:
        raise DatabaseError(_cause(error)) from error
    finally:
        await engine.dispose()


async def scrub(url: str, most_octets: int | None = REWRITTEN_OCTETS) -> str:
    """Have nothing of deleted rows left in the database's files; say in a sentence what was done.

    A SQLite file larger than `most_octets` is not written anew. Raises `DatabaseError` when others keep it from being
    done: it may be tried again.
    """
    file = _sqlite_file(_with_driver(url))
    if file is None:
        return "PostgreSQL: rows are deleted; autovacuum frees their space, backups and archived WAL keep theirs"
    rewritten = most_octets is None or file.stat().st_size <= most_octets
    if rewritten:
        await _insist(lambda: _on_file(file, _rewrite), "deleted rows could not be overwritten")
    await _insist(lambda: _on_file(file, _empty_log), "the write-ahead log could not be emptied")
    if rewritten:
        return "SQLite: the file was written anew, and its write-ahead log emptied"
    return "SQLite: rows were overwritten (secure_delete), and the write-ahead log emptied"


async def _insist(work: Callable[[], None], failure: str) -> None:
    """Do in a thread what others may be in the way of. Raises `DatabaseError`."""
    for left in reversed(range(SCRUB_TRIES)):
        try:
            await asyncio.to_thread(work)
        except sqlite3.Error as error:
            if not left:
                raise DatabaseError(f"{failure}: {error}; try again when less is going on") from error
            await asyncio.sleep(SCRUB_RETRY_S)
        else:
            return


def _on_file(file: Path, work: Callable[[sqlite3.Connection], None]) -> None:
    connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete=ON")
        work(connection)
    finally:
        connection.close()


def _rewrite(connection: sqlite3.Connection) -> None:
    connection.execute("VACUUM")


def _empty_log(connection: sqlite3.Connection) -> None:
    """Bring everything from the log into the file. Raises `sqlite3.OperationalError` where a reader is in the way."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("a reader holds it")


def tables() -> dict[str, Table]:
    """Return the tables of every room by name."""
    return {name: table for each in metadatas() for name, table in each.tables.items()}


def draft(message: str) -> None:
    """Write a new migration: what brings a database at the newest revision to the tables. For whoever changes them."""
    from hotline import migration  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/draft.db"
        asyncio.run(upgrade(url))
        asyncio.run(_migrate(url, lambda connection: migration.draft(connection, message)))


def _newest() -> str:
    """The revision of the last of the migrations, whose names are in order."""
    last = max(MIGRATIONS.glob("[0-9]*.py")).read_text("utf-8")
    found = re.search(r'^revision = "(.+)"$', last, re.MULTILINE)
    assert found is not None, "every migration says which one it is"  # noqa: S101
    return found[1]


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


async def _migrate(url: str, run: Callable[[Connection], None]) -> None:
    from hotline.migration import UnknownRevision  # noqa: PLC0415

    # Foreign keys are off: SQLite alters a table by making it anew, which would delete the rows that point to it.
    engine = open_engine(url, foreign_keys=False)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    except UnknownRevision as error:
        raise DatabaseError(f"{error}; this database was made by a newer hotline: install that version") from error
    except (DBAPIError, OSError) as error:
        raise DatabaseError(_cause(error)) from error
    finally:
        await engine.dispose()


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("`database` is no URL; write for example sqlite:///hotline.db") from None
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))


def _sqlite_file(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return None if str(url.database).startswith("file:") else Path(str(url.database))


def _is_missing_file(url: URL) -> bool:
    path = _sqlite_file(url)
    return path is not None and not path.exists()


def _make_folder(url: URL) -> None:
    path = _sqlite_file(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseError(f"the database's folder cannot be made: {error}; choose another `data`") from error


def _prepare_sqlite(engine: Engine, foreign_keys: bool) -> None:
    pragmas = (
        f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
        "PRAGMA synchronous=NORMAL",
        f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}",
        "PRAGMA secure_delete=ON",  # what is deleted is overwritten, whatever SQLite was built with
    )

    @event.listens_for(engine, "connect")
    def _connected(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # transactions begin below, not where the driver guesses
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        _use_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _use_wal(cursor: Any) -> None:
    """Switch to WAL. While others open the same new database this fails at once, whatever the busy timeout (SQLite
    calls no busy handler for it), so it is tried again for as long."""
    tries = BUSY_TIMEOUT_MS // WAL_RETRY_MS
    for left in reversed(range(tries)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not left or "locked" not in str(error):
                raise
            await_only(asyncio.sleep(WAL_RETRY_MS / 1000))
        else:
            return


def _cause(error: BaseException) -> str:
    origin = getattr(error, "orig", None) or error
    return f"the database does not answer: {origin}; check `database` and `data` in the settings"
