"""The ordered lane."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from telephony.edge.lane import Lane


class Database:
    """Takes rows, unless it is away (raises) or locked (waits)."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.away = False
        self.unlocked = asyncio.Event()
        self.unlocked.set()

    async def write(self, row: str) -> None:
        await self.unlocked.wait()
        if self.away:
            raise OSError("the database is away")
        if row == "broken":
            raise ValueError("a broken constraint")
        self.rows.append(row)


@pytest.fixture
async def database() -> Database:
    return Database()


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    made = Lane(hold_up_s=0.02, retry_s=0.01)
    made.start()
    yield made
    await made.stop()


async def until_paid(lane: Lane) -> None:
    async with asyncio.timeout(5):
        while lane.away:  # noqa: ASYNC110 - the lane tells nobody
            await asyncio.sleep(0.005)


async def test_work_is_done_in_order_and_a_failure_holds_nothing_up(lane: Lane) -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number == 2:
            raise RuntimeError("a mistake of ours")
        done.append(number)

    for number in range(5):
        lane.put("work", partial(work, number))
    await lane.drained()
    assert done == [0, 1, 3, 4]


async def test_rows_wait_for_a_database_that_is_away_and_nothing_else_does(lane: Lane, database: Database) -> None:
    told: list[str] = []

    async def tell(what: str) -> None:
        told.append(what)

    database.away = True
    lane.put_row("call", "1", partial(database.write, "1 ringing"))
    lane.put("invite", partial(tell, "1"))
    lane.put_row("call", "2", partial(database.write, "2 ringing"))
    lane.put_row("call", "1", partial(database.write, "1 ended"))
    await lane.drained()
    assert (told, database.rows, lane.away) == (["1"], [], True)
    database.away = False
    await until_paid(lane)
    assert database.rows == ["1 ended", "2 ringing"], "the last of each, in the order in which they came to be owed"
    lane.put_row("call", "2", partial(database.write, "2 ended"))
    await lane.drained()
    assert database.rows[-1] == "2 ended"


async def test_a_row_that_is_being_written_when_its_time_is_up_is_neither_cancelled_nor_overtaken(
    lane: Lane, database: Database
) -> None:
    database.unlocked.clear()
    lane.put_row("call", "1", partial(database.write, "1 ringing"))
    lane.put_row("call", "1", partial(database.write, "1 ended"))
    async with asyncio.timeout(1):
        await lane.drained()
    assert lane.away
    database.unlocked.set()
    await until_paid(lane)
    assert database.rows == ["1 ringing", "1 ended"]
    assert len(lane) == 0


async def test_a_broken_row_is_not_tried_again(lane: Lane, database: Database) -> None:
    lane.put_row("call", "1", partial(database.write, "broken"))
    lane.put_row("call", "2", partial(database.write, "2"))
    await lane.drained()
    assert (database.rows, lane.away) == (["2"], False)
    database.away = True
    lane.put_row("call", "3", partial(database.write, "broken"))
    lane.put_row("call", "4", partial(database.write, "4"))
    await lane.drained()
    database.away = False
    await until_paid(lane)
    assert database.rows == ["2", "4"]


async def test_draining_does_not_wait_for_what_comes_later(lane: Lane) -> None:
    async def again() -> None:
        await asyncio.sleep(0)
        lane.put("work", again if not drained.done() else done)

    async def done() -> None:
        pass

    lane.put("work", again)
    drained = asyncio.create_task(lane.drained())
    async with asyncio.timeout(1):
        await drained


async def test_stopping_writes_what_is_there_and_what_is_owed(database: Database) -> None:
    lane = Lane(hold_up_s=0.02, retry_s=0.01)
    lane.start()
    database.away = True
    lane.put_row("call", "1", partial(database.write, "1"))
    await lane.drained()
    database.away = False
    lane.put_row("call", "2", partial(database.write, "2"))
    await lane.stop()
    assert database.rows == ["1", "2"]


async def test_a_lane_that_never_started_stops() -> None:
    await Lane().stop()
