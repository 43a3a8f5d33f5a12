"""The database of a scenario's server: an agent, and the caller as the scenario knows them."""

import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.identity import phone
from crm_bridge.tables import Case, Customer, Identity
from hotline import auth, database
from ivr_flows.facts import Facts
from ivr_flows.trials.reading_world import DAY_S

DOMAIN: Final = "hotline.trial"
AGENT: Final = "agent-in-queues"


@dataclass(frozen=True, slots=True)
class Base:
    """A database to begin with, and the agent in it."""

    database: bytes
    agent: auth.NewUser


async def base() -> Base:
    """Make the database that every house begins with, once: all its tables, and an agent."""
    with tempfile.TemporaryDirectory(prefix="hotline-trial-") as folder:
        file = Path(folder) / "hotline.db"
        url = f"sqlite:///{file}"
        await database.upgrade(url)
        engine = database.open_engine(url)
        try:
            async with database.session_factory(engine).begin() as session:
                agent = await auth.add_user(session, AGENT, "agent", DOMAIN, time.time())
        finally:
            await engine.dispose()
        return Base(file.read_bytes(), agent)


async def furnish(data: Path, base: Base, facts: Facts, region: str, agents: Collection[str]) -> list[auth.NewUser]:
    """Put a database into a new folder in which the caller is known as the scenario has it, and these agents besides.
    Raises `auth.AuthError`."""
    file = _copied(data, base)
    engine = database.open_engine(f"sqlite:///{file}")
    try:
        async with database.session_factory(engine).begin() as session:
            await _know(session, facts, region, time.time())
            return [await auth.add_user(session, name, "agent", DOMAIN, time.time()) for name in agents]
    finally:
        await engine.dispose()


def _copied(data: Path, base: Base) -> Path:
    data.mkdir(mode=0o700)
    file = data / "hotline.db"
    file.write_bytes(base.database)
    return file


async def _know(session: AsyncSession, facts: Facts, region: str, now: float) -> None:
    caller = facts.caller
    number = phone(facts.ani, region)
    if not caller.known or not number:
        return
    customer = Customer(
        id=uuid4().hex, name=caller.name, name_folded=caller.name.casefold(), language=caller.language,
        tags=list(caller.tags), created_at=now - DAY_S, updated_at=now - DAY_S,
    )  # fmt: skip
    session.add(customer)
    await session.flush()
    session.add(
        Identity(
            id=uuid4().hex, customer_id=customer.id, kind="phone", value=number, assurance=1, source="call",
            created_at=now - DAY_S,
        )
    )  # fmt: skip
    session.add_all(
        Case(
            id=case.id, customer_id=customer.id, subject=case.subject, topic=case.topic, state="open",
            channel=case.channel, opened_at=now - DAY_S - index,
        )
        for index, case in enumerate(caller.open_cases)
    )  # fmt: skip
