"""The ordered lane."""

import asyncio
from functools import partial

from telephony.edge.lane import Lane


async def test_work_is_done_in_order_and_a_failure_holds_nothing_up() -> None:
    lane = Lane()
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number == 2:
            raise OSError("disk full")
        done.append(number)

    lane.start()
    for number in range(5):
        lane.put("row", partial(work, number))
    await lane.drained()
    assert done == [0, 1, 3, 4]
    await lane.stop()


async def test_stopping_finishes_what_is_there() -> None:
    lane = Lane()
    done: list[str] = []

    async def work() -> None:
        done.append("row")

    lane.start()
    lane.put("row", work)
    await lane.stop()
    assert done == ["row"]


async def test_a_lane_that_never_started_stops() -> None:
    await Lane().stop()
