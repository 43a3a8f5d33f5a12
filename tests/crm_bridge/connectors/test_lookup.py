"""What is known of a caller, in time, whatever the CRM does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crm_bridge.connectors import cache
from crm_bridge.connectors.breaker import FAILURES
from crm_bridge.connectors.cache import Found
from crm_bridge.connectors.lookup import Connectors, best, phone_values
from hotline.database import Sessions
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.playing import Crm, Trouble, asking

AN = "+84912345678"
PATIENCE_S = 0.2


def crm_of_an() -> Crm:
    crm = crms.Rest()
    crm.people = [{"id": "7", "name": "Nguyễn Văn An", "phone": AN, "email": "an@example.vn"}]
    crm.cases = [{"id": 1, "subject": "Where is it?", "state": "new"}]
    crm.orders = [{"id": 1, "number": "O-1", "state": "sent"}]
    return crm


@asynccontextmanager
async def looking(crm: Crm, sessions: Sessions, **fields: object) -> AsyncIterator[Connectors]:
    async with asking(crm, "rest", **({"patience_s": PATIENCE_S} | fields)) as client:
        connectors = Connectors([client], sessions, client.now)
        yield connectors
        await connectors.stop()


async def test_a_caller_is_known_with_cases_and_orders(sessions: Sessions) -> None:
    async with looking(crm_of_an(), sessions) as connectors:
        for written in ("0912 345 678", "an@example.vn"):
            [known] = await connectors.lookup(written, 5)
            assert not known.stale
            assert known.found is not None
            assert known.found.person == {"id": "7", "name": "Nguyễn Văn An", "phone": AN, "email": "an@example.vn"}
            assert known.found.cases == ({"id": "1", "subject": "Where is it?", "state": "open"},)
            assert known.found.orders == ({"id": "1", "number": "O-1", "state": "sent"},)
        assert await connectors.name_of(AN) == "Nguyễn Văn An"
        assert await connectors.name_of("+84977777777") == ""
        assert await connectors.lookup("anonymous", 5) == []


async def test_a_fresh_answer_is_not_asked_for_again(sessions: Sessions) -> None:
    crm = crm_of_an()
    async with looking(crm, sessions) as connectors:
        await connectors.lookup(AN, 5)
        asked = len(crm.seen)
        await connectors.lookup(AN, 5)
        assert len(crm.seen) == asked
        await connectors.clients[0].sleep(61)
        await connectors.lookup(AN, 5)
        assert len(crm.seen) > asked


async def test_one_question_is_on_the_way_once(sessions: Sessions) -> None:
    crm = crm_of_an()
    crm.takes_s = 0.5  # so that it is on the way still when the last of them asks
    async with looking(crm, sessions) as connectors:
        await asyncio.gather(*(connectors.lookup(AN, 5) for _ in range(10)))
        assert sum(each.path == "/v1/contacts" for each in crm.seen) == 1


async def test_a_callers_name_does_not_wait_for_cases_and_orders(sessions: Sessions) -> None:
    crm = crm_of_an()
    crm.takes_s = 0.6
    async with looking(crm, sessions, patience_s=1.1) as connectors:
        assert await connectors.name_of(AN) == "Nguyễn Văn An"
        [known] = await connectors.lookup(AN, 5)
        assert known.found is not None
        assert known.found.orders == ({"id": "1", "number": "O-1", "state": "sent"},)
        assert sum(each.path == "/v1/contacts" for each in crm.seen) == 1, "one question is on the way once"


async def test_what_a_crm_does_not_say_in_time_leaves_the_last_name(sessions: Sessions) -> None:
    crm = crm_of_an()
    async with looking(crm, sessions, fresh_s=0) as connectors:
        await connectors.lookup(AN, 5)
        crm.people.clear()
        assert await connectors.name_of(AN) == "", "the CRM knows them no more"
        crm.people = crm_of_an().people
        await connectors.lookup(AN, 5)
        crm.trouble.extend([(422, {}, {})] * 3)
        assert await connectors.name_of(AN) == "Nguyễn Văn An"


async def test_a_crm_that_hangs_is_not_waited_for_and_its_last_answer_holds(sessions: Sessions) -> None:
    crm = crm_of_an()
    async with looking(crm, sessions) as connectors:
        await connectors.lookup(AN, 5)
        await connectors.clients[0].sleep(3600)
        crm.hangs = asyncio.Event()
        began = asyncio.get_running_loop().time()
        [known] = await connectors.lookup(AN, PATIENCE_S)
        assert asyncio.get_running_loop().time() - began < 2
        assert known.stale
        assert known.cause == "it has not answered yet"
        assert known.found is not None
        assert known.found.person is not None
        assert await connectors.name_of(AN) == "Nguyễn Văn An"
        crm.hangs.set()
        [asked] = connectors._asking.values()
        await asked.whole
        [known] = await connectors.lookup(AN, PATIENCE_S)
        assert not known.stale, "what came late is there for whoever asks next"


async def test_the_last_answer_outlives_a_restart(sessions: Sessions) -> None:
    async with looking(crm_of_an(), sessions) as connectors:
        await connectors.lookup(AN, 5)
    dead = crm_of_an()
    dead.trouble.extend([(503, "", {})] * 50)
    async with looking(dead, sessions, fresh_s=0) as connectors:
        [known] = await connectors.lookup(AN, 5)
        assert known.stale
        assert "HTTP 503" in known.cause
        assert known.found is not None
        assert known.found.cases is not None


async def test_a_dead_crm_is_left_alone_until_it_has_rested(sessions: Sessions) -> None:
    crm = crm_of_an()
    crm.trouble.extend([(500, "", {})] * FAILURES)
    async with looking(crm, sessions) as connectors:
        client = connectors.clients[0]
        for _ in range(4):
            [known] = await connectors.lookup(AN, 5)
        assert known.found is None
        assert known.stale
        assert client.breaker.state == "open"
        asked = len(crm.seen)
        assert asked == FAILURES
        await client.sleep(200)
        [known] = await connectors.lookup(AN, 5)
        assert not known.stale
        assert str(client.breaker.state) == "closed"


async def test_a_part_that_fails_leaves_the_whole_last_answer(sessions: Sessions) -> None:
    crm = crm_of_an()
    async with looking(crm, sessions, fresh_s=0) as connectors:
        await connectors.lookup(AN, 5)
        crm.cases = [{"id": 2, "subject": "Another", "state": "new"}]
        person = {"items": crm.people}
        crm.trouble.extend([(200, person, {}), (503, {}, {}), (503, {}, {})])
        [known] = await connectors.lookup(AN, 5)
        assert known.stale
        assert known.found is not None
        assert known.found.cases is not None
        assert known.found.cases[0]["id"] == "1"


async def test_a_list_that_the_crm_refuses_does_not_hold_up_the_others(sessions: Sessions) -> None:
    """As one whose edition has no orders does, every time."""
    crm = crm_of_an()
    async with looking(crm, sessions, fresh_s=0) as connectors:
        for number in ("1", "2"):
            crm.cases = [{"id": number, "subject": "Where is it?", "state": "new"}]
            refusal: Trouble = (400, {"code": "INVALID_TYPE"}, {})
            crm.trouble.extend([(200, {"items": crm.people}, {}), (200, {"items": crm.cases}, {}), refusal])
            [known] = await connectors.lookup(AN, 5)
            assert not known.stale
            assert known.found is not None
            lists = [known.found.cases, known.found.orders]
            assert sum(each is None for each in lists) == 1, "the two are asked at once, in either order"


async def test_what_is_old_is_forgotten(sessions: Sessions) -> None:
    async with sessions() as session:
        await cache.write(session, "rest", "phone:+1", Found(0.0, {"id": "1"}))
        await cache.write(session, "rest", "phone:+1", Found(5.0, {"id": "2"}))
        await cache.write(session, "gone", "phone:+1", Found(cache.KEPT_S, {"id": "3"}))
        assert await cache.read(session, "rest", "phone:+1") == Found(5.0, {"id": "2"})
        await cache.forget(session, ["rest"], cache.KEPT_S)
        assert await cache.read(session, "rest", "phone:+1") is not None
        assert await cache.read(session, "gone", "phone:+1") is None
        await cache.forget(session, ["rest"], cache.KEPT_S + 6)
        assert await cache.read(session, "rest", "phone:+1") is None


@pytest.mark.parametrize(
    ("number", "numbers"),
    [
        (AN, (AN, "84912345678", "0912345678")),
        ("+12015550123", ("+12015550123", "12015550123", "2015550123")),
    ],
)
def test_a_number_is_written_as_crms_write_it(number: str, numbers: tuple[str, ...]) -> None:
    assert phone_values(number, "VN")["numbers"] == numbers


def test_the_one_with_the_very_number_is_meant() -> None:
    rows = [{"name": "no id"}, {"id": "1", "phone": "0900000000"}, {"id": "2", "phone": "0912 345 678"}]
    assert best(rows, "phone", AN, "VN") == rows[2]
    assert best(rows[:2], "phone", AN, "VN") == rows[1]
    assert best([], "phone", AN, "VN") is None
