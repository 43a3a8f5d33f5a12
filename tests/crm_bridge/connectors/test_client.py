"""The limits within which a CRM is asked."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from crm_bridge.connectors import load
from crm_bridge.connectors.breaker import FAILURES
from crm_bridge.connectors.client import MAX_ANSWER_OCTETS, MAX_ROWS
from crm_bridge.connectors.errors import NotLetIn, Rejected, Unavailable
from crm_bridge.connectors.language import Limits
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.playing import asking, call_values, phone_values


async def test_one_that_hangs_is_given_up_in_time() -> None:
    crm = crms.Rest()
    crm.hangs = asyncio.Event()
    async with asking(crm, "rest", timeout_s=0.3) as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable, match="no answer in time"):
            await client.ask("find_by_phone", phone_values())
        assert asyncio.get_running_loop().time() - began < 3
        assert client.outcomes["failed"] >= 1


async def test_one_that_is_not_there_is_said_to_be_away() -> None:
    async with asking(crms.Rest(), "rest") as client:
        pass
    with pytest.raises(Unavailable, match="no answer: ConnectError"):
        await client.ask("log_call", {"call": "c"})


@pytest.mark.parametrize(
    ("status", "said", "headers", "error"),
    [
        (302, {}, {"Location": "https://evil.example.com/"}, Unavailable),
        (403, {"code": "forbidden"}, {}, NotLetIn),
        (410, {}, {}, Rejected),
        (200, "x" * MAX_ANSWER_OCTETS, {}, Unavailable),
    ],
)
async def test_what_is_no_answer(status: int, said: Any, headers: dict[str, str], error: type[Exception]) -> None:
    crm = crms.Rest()
    async with asking(crm, "rest") as client:
        crm.trouble.extend([(status, said, headers)] * 3)
        with pytest.raises(error):
            await client.ask("find_by_phone", phone_values())


async def test_a_list_has_an_end() -> None:
    crm = crms.Rest()
    crm.cases = [{"id": number} for number in range(400)]
    async with asking(crm, "rest") as client:
        limits = client.place.connector.limits
        assert len(await client.ask("cases", {"person": "7"})) == 2 * limits.pages <= MAX_ROWS


async def test_a_burst_is_spread_as_the_limits_say() -> None:
    crm = crms.Rest()
    async with asking(crm, "rest", timeout_s=60.0) as client:
        began = client.now()
        limits = client.place.connector.limits
        await asyncio.gather(*(client.ask("check", {}) for _ in range(limits.burst + 5)))
        assert client.now() - began >= 5 / limits.per_s - 0.1


@pytest.mark.parametrize(
    ("trouble", "state"), [((500, "", {}), "open"), ((429, {}, {"Retry-After": "60"}), "closed")], ids=["500", "429"]
)
async def test_who_waits_for_the_pace_is_told_what_others_were_answered(
    trouble: tuple[int, Any, dict[str, str]], state: str
) -> None:
    crm = crms.Rest()
    crm.trouble.extend([trouble] * 20)
    connector = replace(load.load(load.shipped()["rest"]), limits=Limits(per_s=1, burst=FAILURES))
    async with asking(crm, "rest", connector=connector, timeout_s=60.0) as client:
        slept = asyncio.Event()

        async def sleep(_: float) -> None:
            await slept.wait()

        client.sleep = sleep
        calls = [asyncio.create_task(client.ask("log_call", call_values(call=f"c{number}"))) for number in range(20)]
        await asyncio.wait(calls[:FAILURES], timeout=10)
        slept.set()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, Unavailable) for error in errors)
        assert len(crm.seen) == FAILURES
        assert client.outcomes["left_alone"] == 20 - FAILURES
        assert client.breaker.state == state
        assert all(isinstance(error, Unavailable) and error.wait_s > 3 for error in errors[FAILURES:])


async def test_pages_are_counted_by_offset_where_a_crm_does_so() -> None:
    file = load.shipped()["rest"].read_text("utf-8")
    counted = load.parse(file.replace("pages: {cursor: cursor, from: next}", "pages: {offset: cursor, size: 2}"), "f")
    crm = crms.Rest()
    crm.cases = [{"id": number} for number in range(5)]
    async with asking(crm, "rest", connector=counted) as client:
        assert [row["id"] for row in await client.ask("cases", {"person": "7"})] == ["0", "1", "2", "3", "4"]
    assert [each.query["cursor"] for each in crm.seen] == ["0", "2", "4"]
