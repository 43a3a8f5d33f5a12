"""A thousand events of two hundred people, many at once, in every spelling of a number, over what was imported before.

Twenty of the people come from another system's file, in numbers of before 2018, and the same file again in the middle.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_bridge.context import find_caller
from crm_bridge.identity import VIETNAM_2018, phone
from crm_bridge.importing.run import Job, run
from crm_bridge.importing.source_file import look
from crm_bridge.keep import keep_event
from crm_bridge.match import claim
from crm_bridge.tables import Customer, Identity, Interaction
from crm_bridge.timeline import NewInteraction, record, record_call
from crm_bridge.webhooks.outbox import Webhooks
from hotline.database import reading
from tests.crm_bridge.calls import snapshot
from tests.crm_bridge.conftest import Api, Sessions

PEOPLE = 200
EVENTS = 1000
AT_ONCE = 3  # more would measure how SQLite's writers wait for each other
OLD = {new: old for old, new in VIETNAM_2018.items()}
PREFIXES = ("38", "32", "70", "79", "83", "58", "90", "91", "98", "86")
WITHHELD = ("anonymous", "", "Restricted", "113", "1800 1234")


def spelled(national: str, how: int) -> str:
    written = [f"0{national}", f"84{national}", f"+84 {national[:3]} {national[3:]}", f"0084{national}"]
    if old := OLD.get(national[:2]):
        written += [f"0{old}{national[2:]}", f"84{old}{national[2:]}"]
    return written[how % len(written)]


async def called(sessions: Sessions, call_id: str, number: str, now: float) -> str:
    """Have a number call, as telephony does: look the caller up, and put the call on the timeline afterwards."""
    async with sessions.begin() as session:
        ani, found = await find_caller(session, number, not number, "", "VN", now)
        call = snapshot(found.customer, id=call_id, ani=ani, context=found, started_at=now)
        await record_call(session, call, now)
    return found.customer


async def wrote(sessions: Sessions, number: str, event_id: str, now: float) -> str:
    """Have a text come from a number, as the doors of channels take it."""
    made = (claim("sms", "phone", phone(number)),)
    event = NewInteraction("sms", "inbound", now, made, external_id=event_id)
    kept = await keep_event(sessions, lambda session: record(session, event, now), Webhooks(), now)
    return kept.recorded.interaction.customer_id


@pytest.mark.timeout(120)  # a thousand writers at once, on a machine that may be busy
async def test_a_thousand_events_at_once_make_two_hundred_profiles(
    api: Api, sessions: Sessions, tmp_path: Path
) -> None:
    chance = random.Random(2018)  # noqa: S311 - the same thousand events each time
    people = [PREFIXES[index % 10] + f"{chance.randrange(10**7):07}" for index in range(PEOPLE)]
    file = tmp_path / "pos.csv"
    rows = [f"{index},0{OLD.get(each[:2], each[:2])}{each[2:]}" for index, each in enumerate(people[:20])]
    file.write_text("Mã khách hàng,Số điện thoại\n" + "\n".join(rows), "utf-8")
    job = Job(look(file), "pos", "VN", rows=7)
    await run(sessions, job, lambda: api.now)
    events = [(each, how) for each in people for how in range(EVENTS // PEOPLE)]
    chance.shuffle(events)
    went: dict[str, Counter[str]] = {each: Counter() for each in people}
    strangers: Counter[str] = Counter()
    turns = asyncio.Semaphore(AT_ONCE)

    async def happen(number: int, person: str, how: int) -> None:
        async with turns:
            written, now = spelled(person, how), api.now + number
            if number % 2:
                profile = await called(sessions, f"{number:032x}", written, now)
            elif number % 6:
                profile = await wrote(sessions, written, f"text-{number}", now)
            else:
                posted = await api.post(channel="form", identities=[{"kind": "phone", "value": written}])
                profile = posted["customer"]
            went[person][profile] += 1
            if number % 20 == 0:
                hidden = WITHHELD[number // 20 % len(WITHHELD)]
                strangers[await called(sessions, f"f{number:031x}", hidden, now)] += 1
            if number == EVENTS // 2:
                await run(sessions, job, lambda: now)

    await asyncio.gather(*(happen(number, *each) for number, each in enumerate(events)))
    assert strangers == {"": EVENTS // 20}
    assert [sorted(each.values()) for each in went.values()] == [[EVENTS // PEOPLE]] * PEOPLE
    assert len({profile for each in went.values() for profile in each}) == PEOPLE
    async with reading(sessions)() as session:
        assert await session.scalar(select(func.count()).select_from(Customer)) == PEOPLE
        assert await session.scalar(select(func.count()).select_from(Interaction)) == EVENTS
        phones = (await session.scalars(select(Identity.value).where(Identity.kind == "phone"))).all()
    assert sorted(phones) == sorted(f"+84{each}" for each in people)
