"""Migrations add up to the tables, transactions behave, and errors say what mends them."""

import asyncio
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import IntegrityError

from hotline import database, migration
from hotline.tables import User
from telephony.tables import Agent


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'hotline.db'}"


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    # Alembic takes a list of metadata here as it does in env.py; its annotation forgot.
    return list(compare_metadata(context, database.metadatas()))  # type: ignore[arg-type]


async def test_the_migrations_add_up_to_the_tables_of_all_rooms(tmp_path: Path) -> None:
    await database.upgrade(url_in(tmp_path))
    engine = database.open_engine(url_in(tmp_path))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_the_last_migration_by_name_is_the_newest() -> None:
    versions = ScriptDirectory(str(database.MIGRATIONS.parent))
    assert database._newest() == versions.get_current_head()


async def test_every_migration_can_be_taken_back_and_done_again(tmp_path: Path) -> None:
    url = url_in(tmp_path)
    for _ in range(2):
        await database.upgrade(url)
        current, head = await database.revisions(url)
        assert current == head is not None
        await database.downgrade(url, "base")
        assert await tables_in(url) <= {"alembic_version"}


async def tables_in(url: str) -> set[str]:
    engine = database.open_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda inner: inspect(inner).get_table_names())
    await engine.dispose()
    return set(names)


async def test_upgrading_twice_and_at_once_changes_nothing(tmp_path: Path) -> None:
    await asyncio.gather(*(database.upgrade(url_in(tmp_path)) for _ in range(8)))
    current, head = await database.revisions(url_in(tmp_path))
    assert current == head


async def test_a_missing_database_is_reported_and_not_made(tmp_path: Path) -> None:
    current, head = await database.revisions(url_in(tmp_path))
    assert (current, bool(head)) == (None, True)
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    url = url_in(tmp_path)
    engine = database.open_engine(url)
    async with engine.begin() as connection:  # in the way of one of the later tables
        await connection.execute(text("CREATE TABLE users (id INTEGER)"))
    await engine.dispose()
    with pytest.raises(database.DatabaseError, match="users"):
        await database.upgrade(url)
    assert await tables_in(url) == {"users"}


async def test_a_database_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    url = url_in(tmp_path)
    await database.upgrade(url)
    engine = database.open_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    await engine.dispose()
    with pytest.raises(database.DatabaseError, match="newer hotline"):
        await database.upgrade(url)


async def test_sqlite_is_prepared(sessions: database.Sessions) -> None:
    async with sessions() as session:
        found = [(await session.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "foreign_keys")]
    assert found == ["wal", 1]


async def test_who_reads_and_then_writes_does_not_fail_for_another_that_does_too(sessions: database.Sessions) -> None:
    async def count_up(name: str) -> None:
        async with sessions.begin() as session:
            row = await session.get(Agent, "a")
            await asyncio.sleep(0.01)
            assert row is not None
            row.since += 1

    async with sessions.begin() as session:
        session.add(Agent(name="a", state="ready", since=0.0))
    await asyncio.gather(*(count_up(str(number)) for number in range(8)))
    async with sessions() as session:
        assert await session.scalar(select(Agent.since)) == 8.0


async def test_a_reader_that_says_so_does_not_wait_for_a_writer(sessions: database.Sessions) -> None:
    engine = sessions.kw["bind"]
    async with sessions() as writing:
        writing.add(Agent(name="a", state="ready", since=0.0))
        await writing.flush()
        async with engine.execution_options(read_only=True).connect() as reading:
            assert (await reading.execute(select(Agent))).all() == []
        await writing.commit()


async def test_a_role_that_does_not_exist_is_refused_by_the_table(sessions: database.Sessions) -> None:
    user = User(id="0" * 32, name="x", role="king", password_hash="", ha1_md5="", ha1_sha256="", realm="", created_at=0)
    async with sessions() as session:
        session.add(user)
        with pytest.raises(IntegrityError) as caught:
            await session.commit()
    assert "king" not in str(caught.value)  # parameters are personal data


async def test_errors_say_what_mends_them(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(database.DatabaseError, match="choose another `data`"):
        database.open_engine(f"sqlite:///{blocked}/hotline.db")
    with pytest.raises(database.DatabaseError, match="is no URL"):
        database.open_engine("nonsense")
    (tmp_path / "hotline.db").write_bytes(b"this is no database at all" * 100)
    for asking in (database.upgrade(url_in(tmp_path)), database.revisions(url_in(tmp_path))):
        with pytest.raises(database.DatabaseError, match="does not answer"):
            await asking


def test_a_draft_of_a_migration_says_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(Path(database.__file__).parent / "migrations", migrations)
    monkeypatch.setattr(migration, "__file__", str(tmp_path / "migration.py"))
    before = set(migrations.glob("versions/*.py"))
    database.draft("nothing new")
    (new,) = set(migrations.glob("versions/*.py")) - before
    text = new.read_text()
    assert text.startswith('"""nothing new\n')
    assert text.count("    pass") == 2


async def test_a_database_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
    with pytest.raises(database.DatabaseError, match="pip install asyncpg"):
        database.open_engine("postgresql://hotline:secret@localhost/hotline")


def holds_zebra(folder: Path) -> bool:
    return any(b"Zebra" in path.read_bytes() for path in folder.glob("hotline.db*"))


async def test_nothing_of_what_was_deleted_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, file = url_in(tmp_path), tmp_path / "hotline.db"
    await database.upgrade(url)
    engine = database.open_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO agents (name, state, reason, since) VALUES ('a', 'b', 'Zebra', 1)"))
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM agents"))
    assert holds_zebra(tmp_path)
    monkeypatch.setattr(database, "SCRUB_TRIES", 2)
    async with engine.execution_options(read_only=True).connect() as reader:
        await reader.execute(text("SELECT * FROM agents"))
        monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)
        with pytest.raises(database.DatabaseError, match="try again"):
            await database.scrub(url)
    assert "overwritten" in await database.scrub(url, file.stat().st_size - 1)
    assert "written anew" in await database.scrub(url)
    assert not holds_zebra(tmp_path)
    assert "PostgreSQL" in await database.scrub("postgresql://x/y")
    await engine.dispose()
