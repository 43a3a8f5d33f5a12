"""An outbox in a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crm_bridge.webhooks.tables import Base
from hotline.database import Sessions, open_engine, session_factory


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    engine = open_engine(f"sqlite:///{tmp_path / 'outbox.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield session_factory(engine)
    await engine.dispose()
