"""A database with the tables of the bridge, of the outbox and of the last answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crm_bridge import tables
from crm_bridge.connectors import tables as connector_tables
from crm_bridge.webhooks import tables as webhook_tables
from hotline.database import Sessions, open_engine, session_factory


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    engine = open_engine(f"sqlite:///{tmp_path / 'bridge.db'}")
    async with engine.begin() as connection:
        for base in (tables.Base, connector_tables.Base, webhook_tables.Base):
            await connection.run_sync(base.metadata.create_all)
    yield session_factory(engine)
    await engine.dispose()
