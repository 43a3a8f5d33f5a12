"""What the program's tests share: a migrated database in a temporary folder, and settings that point at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotline import database
from hotline.config import Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The embedded default, with its data in a folder of its own."""
    return load(None, {}, data=tmp_path / "data")


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[database.Sessions]:
    """Sessions on a database that has been through the migrations."""
    await database.upgrade(settings.database_url)
    engine = database.open_engine(settings.database_url)
    yield database.session_factory(engine)
    await engine.dispose()
