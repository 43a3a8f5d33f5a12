"""What the program's tests share: a migrated database in a temporary folder, and settings that point at it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from hotline import auth, database
from hotline.config import Settings, load
from tests.databases import migrate

NOW = 1_795_000_000.0


class StandingClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The embedded default, with its data in a folder of its own."""
    return load(None, {}, data=tmp_path / "data")


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[database.Sessions]:
    """Sessions on a database that has been through the migrations."""
    migrate(settings.database_url)
    engine = database.open_engine(settings.database_url)
    yield database.session_factory(engine)
    await engine.dispose()


TokenMaker = Callable[[Iterable[str]], Awaitable[str]]


@pytest.fixture
def token_with(sessions: database.Sessions) -> TokenMaker:
    """Make a token with some scopes."""

    async def make(scopes: Iterable[str]) -> str:
        async with sessions.begin() as session:
            return await auth.add_token(session, "test", scopes, NOW)

    return make
