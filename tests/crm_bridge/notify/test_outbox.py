"""Messages onto the timeline and into the outbox, in one transaction or not at all."""

import asyncio

import msgspec
import pytest
from sqlalchemy import func, select

from crm_bridge import person, timeline
from crm_bridge.case import CaseReference
from crm_bridge.mail.record import record
from crm_bridge.match import claim_by
from crm_bridge.notify.choice import NotReachable
from crm_bridge.notify.outbox import KeyOfAnother, SubjectMissing
from crm_bridge.notify.parcel import Parcel
from crm_bridge.person import Grounds, NoProfile
from crm_bridge.tables import Interaction
from tests.crm_bridge.mail.letters import NOON, read
from tests.crm_bridge.notify.conftest import ABOUT_7, NOW, House

AN = "an@example.vn"


async def entries(house: House) -> int:
    async with house.sessions() as session:
        outbound = select(func.count()).select_from(Interaction).where(Interaction.direction == "outbound")
        return await session.scalar(outbound) or 0


async def test_a_message_is_on_the_timeline_and_in_the_outbox(house: House) -> None:
    wrote = await house.wrote("email", AN)
    entry = await house.send(wrote.person, by="agent1")
    assert (entry.channel, entry.direction, entry.subject, entry.text) == ("email", "outbound", "Đơn 7", "Xin chào")
    assert entry.attributes == {"delivery": {"state": "queued", "attempts": 0}, "by": "agent1"}
    (row,) = await house.rows()
    assert (row.interaction_id, row.endpoint, row.customer_id, row.state) == (
        entry.id,
        "email",
        wrote.person,
        "pending",
    )
    assert msgspec.json.decode(row.body, type=Parcel) == Parcel(AN, "Xin chào", "Đơn 7", entry.external_id or "")
    assert [(type_, body["id"]) for type_, body in house.told] == [("interaction.created", entry.id)]


async def test_the_same_key_is_sent_once_whoever_says_it_and_by_whatever_way(house: House) -> None:
    wrote = await house.wrote("email", AN)
    first = await house.send(wrote.person, key="T-1")
    async with house.sessions() as session:
        zalo = await house.wrote("zalo", "24684588", at=NOW - 1)
        await person.merge(session, wrote.person, zalo.person, Grounds("same", "api", "x"), NOW)
        await session.commit()
    again = await asyncio.gather(*(house.send(wrote.person, key="T-1") for _ in range(5)))
    assert {each.id for each in again} == {first.id}
    assert (await entries(house), len(await house.rows())) == (1, 1)


async def test_the_same_key_at_the_same_instant_is_sent_once(house: House) -> None:
    wrote = await house.wrote("email", AN)
    sent = await asyncio.gather(*(house.send(wrote.person, key="T-1") for _ in range(8)))
    assert (len({each.id for each in sent}), await entries(house), len(await house.rows())) == (1, 1, 1)
    assert [type_ for type_, _ in house.told] == ["interaction.created"]


async def test_the_key_of_a_message_to_somebody_else_is_refused(house: House) -> None:
    one, other = await house.wrote("email", AN), await house.wrote("email", "binh@example.vn")
    await house.send(one.person, key="T-1")
    with pytest.raises(KeyOfAnother):
        await house.send(other.person, key="T-1")
    assert len(await house.rows()) == 1


async def test_whoever_only_claims_an_address_gets_nothing_unless_somebody_insists(house: House) -> None:
    wrote = await house.wrote("email", AN, claimed=True)
    with pytest.raises(NotReachable, match="only a claim"):
        await house.send(wrote.person)
    assert await entries(house) == 0
    await house.send(wrote.person, claimed=True)
    async with house.sessions() as session:
        (identity,) = (await session.execute(select(Interaction.outcome))).scalars().all()[1:]
    assert identity["matched_by"] == {"kind": "email", "value": AN}


async def test_what_is_refused_leaves_nothing_behind(house: House) -> None:
    wrote = await house.wrote("email", AN)
    with pytest.raises(SubjectMissing):
        await house.send(wrote.person, subject="")
    with pytest.raises(NoProfile):
        await house.send("0" * 32)
    assert (await entries(house), await house.rows()) == (0, [])


async def test_the_persons_language_is_spoken(house: House) -> None:
    wrote = await house.wrote("email", AN, language="en")
    entry = await house.send(wrote.person, {"vi": "Chào", "en": "Hello"}, subject={"vi": "Đơn", "en": "Order"})
    assert (entry.text, entry.subject) == ("Hello", "Order")
    entry = await house.send(wrote.person, "OK 7", subject={"vi": "Đơn", "en": "Order"})
    assert (entry.text, entry.subject) == ("OK 7", "Order")
    entry = await house.send(wrote.person, "OK 7", subject={"vi": "Đơn", "ko": "주문"}, language="ko")
    assert (entry.text, entry.subject) == ("OK 7", "주문")


async def test_an_answer_joins_the_thread_of_the_case_and_the_answer_to_it_comes_back(house: House) -> None:
    async with house.sessions() as session:
        first = await record(session, read(From=f"An <{AN}>"), NOON)
        await session.commit()
    assert first.interaction.case_id is not None
    entry = await house.send(
        first.person, case=CaseReference(id=first.interaction.case_id), subject="", claimed=True, now=NOON + 60
    )
    assert (entry.subject, entry.case_id) == ("Re: Đơn hàng 7", first.interaction.case_id)
    (row,) = await house.rows()
    assert msgspec.json.decode(row.body, type=Parcel).references == ("<1@example.vn>",)
    async with house.sessions() as session:
        mail = read(From=f"An <{AN}>", Message_ID="<2@example.vn>", In_Reply_To=entry.external_id or "")
        answer = await record(session, mail, NOON + 120)
        await session.commit()
    assert answer.interaction.case_id == first.interaction.case_id


async def test_a_message_without_a_letter_before_it_may_open_a_case(house: House) -> None:
    wrote = await house.wrote("zalo", "24684588")
    entry = await house.send(wrote.person, case=ABOUT_7, subject="")
    assert entry.case_id is not None
    assert (entry.channel, entry.subject, entry.external_id and entry.external_id[:4]) == ("zalo", "", "out:")


async def test_what_is_known_of_a_person_is_not_written_to_who_gave_their_number(house: House) -> None:
    number = claim_by(None, "phone", "+84912345678")
    victim = (claim_by("email", "email", AN), number)
    attacker = (claim_by("zalo", "zalo", "attacker"), number)
    async with house.sessions() as session:
        for channel, claims in (("email", victim), ("zalo", attacker[:1]), ("zalo", attacker)):
            event = timeline.NewInteraction(channel, "inbound", NOW - 1, claims)
            joined = await timeline.record(session, event, NOW - 1)
        await session.commit()
    assert joined.linked is not None
    with pytest.raises(NotReachable, match="only a claim"):
        await house.send(joined.person, channel="zalo")
    assert (await house.send(joined.person)).channel == "email"
