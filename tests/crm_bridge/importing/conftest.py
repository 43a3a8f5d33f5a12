"""The database with the tables of imports, and files in a folder."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase

from crm_bridge import customer
from crm_bridge.importing import tables
from crm_bridge.importing.report import Report
from crm_bridge.importing.run import Job, run
from crm_bridge.importing.source_file import look
from crm_bridge.privacy.tables import Base as PrivacyBase
from crm_bridge.tables import Base, Case, Customer, CustomerLink, Identity, Interaction
from hotline.database import reading
from tests.crm_bridge.conftest import Sessions

NOW = 1_800_000_000.0


async def make_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(tables.Base.metadata.create_all)
        await connection.run_sync(PrivacyBase.metadata.create_all)


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    def made(text: str, source: str = "pos", **more: Any) -> Job:
        path = tmp_path / "people.csv"
        path.write_text(text, "utf-8")
        return Job(look(path), source, "VN", **more)

    return made


@pytest.fixture
def imported(sessions: Sessions, job: Callable[..., Job]) -> Callable[..., Awaitable[Report]]:
    async def done(text: str, source: str = "pos", now: float = NOW, **more: Any) -> Report:
        return await run(sessions, job(text, source, **more), lambda: now)

    return done


async def everybody(sessions: Sessions) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the people, to compare what was with what is."""
    found = {}
    async with reading(sessions)() as session:
        for table in (Customer, Identity, Case, Interaction, CustomerLink):
            columns = table.__table__.columns
            rows = await session.execute(select(*columns).order_by(columns.id))
            found[table.__tablename__] = [tuple(row) for row in rows]
    return found


async def profile_of(sessions: Sessions, kind: str, value: str) -> customer.Profile:
    async with reading(sessions)() as session:
        owner = await session.scalar(select(Identity.customer_id).where(Identity.kind == kind, Identity.value == value))
        assert owner is not None
        found = await customer.read(session, owner)
        assert found is not None
        return found


async def count(sessions: Sessions, table: type[DeclarativeBase]) -> int:
    async with reading(sessions)() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0
