"""A number of two people: the flow asks one question by keys, and the call is of whom the answer fits, from the real
database to the timeline."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from crm_bridge.tables import Identity, Interaction
from hotline.database import Sessions
from telephony.events import DialogEnded
from telephony.tables import Call
from tests.crm_bridge.family import PHONE, Family, family
from tests.telephony.edge.test_funnel import House, sessions

__all__ = ["sessions"]

FLOW = """
flow: main
title: {en: Test}
languages: [en]
variables: {day: {type: digits, length: 4}}
start: birthday
steps:
  birthday:
    gather: {into: day, prompt: {en: Please key in day and month of your birthday.}}
    next: prove
    no_input: agent
    no_match: agent
  prove:
    verify: {field: birthday, value: day}
    verified: greeting
    refused: birthday
    failed: agent
  greeting:
    say: {en: "Hello {{ caller.name }}, level {{ caller.assurance }}."}
    next: agent
  agent:
    queue: {to: care}
    answered: end
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup: {en: Goodbye.}
"""


class Home(House):
    """A house whose number has two people, and a call in its question."""

    people: Family

    async def row(self, call: str) -> Call:
        await self.funnel.lane.drained()
        async with self.sessions() as session:
            return await session.get_one(Call, call)

    async def call_entries(self) -> list[tuple[str, str | None]]:
        async with self.sessions() as session:
            found = await session.execute(
                select(Interaction.customer_id, Interaction.call_id).where(Interaction.channel == "call")
            )
            return [(customer, call) for customer, call in found]


@pytest.fixture
async def home(tmp_path: Path, sessions: Sessions) -> AsyncIterator[Home]:
    made = Home(tmp_path, sessions, FLOW)
    async with sessions.begin() as session:
        made.people = await family(session)
    yield made
    await made.funnel.close()


@pytest.mark.parametrize("is_shared", [False, True])
async def test_the_call_lands_on_the_timeline_of_whom_the_answer_fits(home: Home, *, is_shared: bool) -> None:
    if is_shared:
        async with home.sessions.begin() as session:
            await session.execute(update(Identity).where(Identity.value == PHONE).values(shared_at=5.0))
    call = await home.call("0912 345 678")
    home.types(call, "0211")
    await home.until(lambda: "Hello Trần Văn Minh, level 2." in home.heard())
    row = await home.row(call)
    assert (row.customer_id, row.ani) == (home.people.minh, PHONE)
    assert row.context["verified_by"] == "birthday"
    home.funnel.sip_events([DialogEnded("d1", "bye")])
    await home.funnel.lane.drained()
    assert await home.call_entries() == [(home.people.minh, call)]


async def test_a_wrong_answer_is_asked_again_and_leaves_no_trace_of_itself(home: Home) -> None:
    call = await home.call("0912 345 678")
    home.types(call, "0101")
    await home.until(lambda: "refused" in str([each.message for each in home.journal.read(call)]))
    home.funnel.sip_events([DialogEnded("d1", "bye")])
    row = await home.row(call)
    assert row.customer_id == home.people.lan  # the number's owner, at what the number is worth
    assert row.context["assurance"] == 1
    asked = [line for line in map(str, (each.message for each in home.journal.read(call))) if "FlowRequest" in line]
    assert asked
    assert "0101" not in asked[0]


async def test_a_shared_number_that_is_not_told_apart_is_on_nobodys_timeline(home: Home) -> None:
    async with home.sessions.begin() as session:
        await session.execute(update(Identity).where(Identity.value == PHONE).values(shared_at=5.0))
    call = await home.call("0912 345 678")
    home.funnel.sip_events([DialogEnded("d1", "bye")])
    row = await home.row(call)
    assert (row.customer_id, row.ani) == (None, PHONE)
    assert row.context["candidates"] == [home.people.lan, home.people.minh]
    assert await home.call_entries() == []
