"""A database with the tables of both rooms, and recordings as a call leaves them."""

import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from crm_bridge import timeline
from crm_bridge.tables import Customer, Interaction
from hotline.database import open_engine, session_factory
from telephony.events import CallerContext, CallSnapshot
from tests.databases import migrate

STARTED_AT = 1_795_348_800.0  # 2026-11-22T12:00:00Z
CUSTOMER = "c" * 32


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return session_factory(engine)


@pytest.fixture
async def session(sessions: async_sessionmaker[AsyncSession]) -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


async def call_on_the_timeline(session: AsyncSession, call: str, customer: str = CUSTOMER) -> None:
    """Give a call the entry that its recording is linked to."""
    if await session.get(Customer, customer) is None:
        session.add(Customer(id=customer, name="Lan", created_at=STARTED_AT, updated_at=STARTED_AT))
        await session.flush()
    snapshot = CallSnapshot(
        id=call, state="talking", number="0912345678", ani="+84912345678", dnis="1900", customer=customer,
        context=CallerContext(), language="en", flow="", flow_path=(), queue="", agent="", recording="", case="",
        started_at=STARTED_AT,
    )  # fmt: skip
    await timeline.record_call(session, snapshot, STARTED_AT)
    await session.commit()


async def entry_of(session: AsyncSession, call: str) -> Interaction:
    """Return a call's entry as it now stands."""
    query = select(Interaction).where(Interaction.call_id == call).execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


def write_wav(path: Path, seconds: float = 1.0) -> Path:
    """Write a stereo file of silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(int(4 * 8000 * seconds)))
    return path
