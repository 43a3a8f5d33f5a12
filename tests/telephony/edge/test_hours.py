"""The rows of emergency switches: turned once, whoever is first."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from hotline import database
from telephony.edge import hours
from telephony.edge.hours import change_of, switches, turn
from telephony.events import HoursChanged
from telephony.tables import HoursSwitch
from tests.databases import migrate


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[database.Sessions]:
    url = f"sqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    yield database.session_factory(engine)
    await engine.dispose()


async def written(sessions: database.Sessions) -> list[tuple[str, bool, int, float, str]]:
    async with sessions() as session:
        return [(row.name, row.emergency, row.version, row.at, row.by) for row in await switches(session)]


async def test_a_second_click_turns_nothing(sessions: database.Sessions) -> None:
    row, turned = await turn(sessions, "office", True, "huong", 1.0)
    assert (change_of(row), turned) == (HoursChanged("office", True, 1), True)
    row, turned = await turn(sessions, "office", True, "lan", 2.0)
    assert (change_of(row), turned) == (HoursChanged("office", True, 1), False)
    assert await written(sessions) == [("office", True, 1, 1.0, "huong")]
    await turn(sessions, "office", False, "lan", 3.0)
    assert await written(sessions) == [("office", False, 2, 3.0, "lan")]


async def test_a_switch_that_was_off_all_along_is_turned_by_nobody(sessions: database.Sessions) -> None:
    row, turned = await turn(sessions, "office", False, "huong", 1.0)
    assert (row.version, turned) == (0, False)


async def test_who_turns_it_at_the_same_time_turns_it_once(sessions: database.Sessions) -> None:
    done = await asyncio.gather(*(turn(sessions, "office", True, f"p{each}", 1.0) for each in range(8)))
    assert sum(turned for _, turned in done) == 1
    assert {row.version for row, _ in done} == {1}


async def test_another_writer_whose_row_is_there_first(
    sessions: database.Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL two may find no row at the same time, and one of them comes second."""
    once = hours._turn

    async def overtaken(*_asked: object) -> tuple[HoursSwitch, bool]:
        monkeypatch.setattr(hours, "_turn", once)
        await once(sessions, "office", False, "lan", 1.0)
        raise IntegrityError("INSERT", None, Exception("the row is there"))

    monkeypatch.setattr(hours, "_turn", overtaken)
    row, turned = await turn(sessions, "office", True, "huong", 2.0)
    assert (change_of(row), turned) == (HoursChanged("office", True, 1), True)
