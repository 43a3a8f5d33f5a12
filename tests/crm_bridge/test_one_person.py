"""The requirements that the bridge exists for: one person is one profile, on whatever channel, in whatever spelling."""

import random
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_bridge.context import find_caller
from crm_bridge.identity import VIETNAM_2018
from crm_bridge.tables import Customer, Interaction
from crm_bridge.timeline import record_call
from tests.crm_bridge.calls import snapshot
from tests.crm_bridge.conftest import Api, Sessions

OLD_PREFIXES = {new: old for old, new in VIETNAM_2018.items()}


async def customers(sessions: Sessions) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(Customer)) or 0


async def call(sessions: Sessions, call_id: str, number: str, now: float) -> str:
    """Have a number call, as telephony would: look the caller up, then put the call on the timeline."""
    async with sessions() as session:
        ani, found = await find_caller(session, number, False, "", "VN", now)
        await record_call(
            session, snapshot(found.customer, id=call_id, ani=ani, context=found, started_at=now), now=now
        )
        await session.commit()
        return found.customer


async def test_zalo_email_facebook_then_a_call_are_one_person_with_one_timeline(api: Api, sessions: Sessions) -> None:
    phone = {"kind": "phone", "value": "0912 345 678"}
    for day, kind, value in ((16, "zalo", "z1"), (17, "email", "an@example.vn"), (18, "facebook", "psid-1")):
        await api.post(
            channel=kind,
            occurred_at=f"2026-11-{day}T10:00:00+07:00",
            identities=[{"kind": kind, "value": value}, phone],
        )
    person = await call(sessions, "c" * 32, "sip:+84912345678@trunk", api.now)
    assert await customers(sessions) == 1
    items = (await api.get(f"/customers/{person}/timeline"))["items"]
    assert [each["channel"] for each in reversed(items)] == ["zalo", "email", "facebook", "call"]


async def test_one_person_is_found_by_every_identity_they_ever_used(api: Api) -> None:
    identities: dict[str, str] = {
        "phone": "0912345678",
        "email": "an@example.vn",
        "zalo": "z1",
        "facebook": "psid-1",
        "external": "crm:7",
    }
    for kind, value in identities.items():
        event: dict[str, Any] = {"channel": "form", "identities": [{"kind": kind, "value": value}]}
        event["identities"].append({"kind": "phone", "value": "+84 912 345 678"})
        await api.post(**event)
    found = [(await api.get("/customers", query={kind: value}))["items"] for kind, value in identities.items()]
    assert all(len(each) == 1 for each in found)
    assert len({each[0]["id"] for each in found}) == 1


def spellings(national: str) -> list[str]:
    written = [f"0{national}", f"84{national}", f"+84 {national[:3]} {national[3:]}", f"0084{national}"]
    old = OLD_PREFIXES.get(national[:2])
    return [*written, f"0{old}{national[2:]}"] if old else written


@pytest.mark.timeout(120)  # a thousand writers at once, on a machine that may be busy
async def test_a_thousand_events_of_two_hundred_people_make_two_hundred_profiles(api: Api, sessions: Sessions) -> None:
    chance = random.Random(2018)  # noqa: S311 - the same thousand events each time
    prefixes = ("38", "32", "70", "79", "83", "58", "90", "91", "98", "86")
    people = [prefixes[index % len(prefixes)] + f"{chance.randrange(10**7):07}" for index in range(200)]
    assert len(set(people)) == 200
    withheld = ["anonymous", "", "Restricted", "113"]
    events = [(index, person) for person in people for index in range(5)]
    chance.shuffle(events)
    for number, (index, person) in enumerate(events):
        spelling = spellings(person)[index % len(spellings(person))]
        if index % 2:
            await call(sessions, f"{number:032x}", spelling, api.now + number)
        else:
            await api.post(channel="form", identities=[{"kind": "phone", "value": spelling}])
        if number % 50 == 0:
            assert await call(sessions, f"f{number:031x}", chance.choice(withheld), api.now) == ""
    assert await customers(sessions) == 200
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Interaction)) == 1000
