"""A real database in a file, as the program opens it, and the routes on an application of their own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from crm_bridge import edit_routes, link_routes, routes, sharing_routes
from crm_bridge.webhooks.outbox import Webhooks
from hotline.database import open_engine, session_factory
from tests.databases import migrate

Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    migrate(url)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    return session_factory(engine)


@pytest.fixture
async def session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


@dataclass
class Api:
    """The routes, the clock they read, and what they published."""

    client: httpx.AsyncClient
    app: FastAPI
    now: float = 1_800_000_000.0
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def post(self, status: int = 201, **event: Any) -> Any:
        event = {"channel": "zalo", "occurred_at": "2026-11-16T10:00:00+07:00"} | event
        response = await self.client.post("/interactions", json=event)
        assert response.status_code == status, response.text
        return response.json()

    async def get(
        self, address: str, status: int = 200, query: Mapping[str, str] | None = None, **fields: str | int
    ) -> Any:
        response = await self.client.get(address, params={**(query or {}), **fields})
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture
async def api(sessions: Sessions) -> AsyncIterator[Api]:
    app = FastAPI()
    app.include_router(routes.router, prefix="/api/v1")
    app.include_router(link_routes.router, prefix="/api/v1")
    app.include_router(sharing_routes.router, prefix="/api/v1")
    app.include_router(edit_routes.router, prefix="/api/v1")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hotline/api/v1") as client:
        api = Api(client, app)
        app.state.sessions = sessions
        app.state.settings = SimpleNamespace(region="VN")
        app.state.webhooks = Webhooks()
        app.state.clock = SimpleNamespace(now=lambda: api.now)
        app.state.publish = lambda type_, body: api.published.append((type_, body))
        yield api
