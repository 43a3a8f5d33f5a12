"""Codes to people of a real database, and somebody who would like one that is not theirs."""

import asyncio
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy import select, update

from crm_bridge import candidates
from crm_bridge.codes.book import SENT_PER_CALL, SENT_PER_PERSON, WRONG_PER_PERSON, TooManyCodes
from crm_bridge.codes.words import HIDDEN
from crm_bridge.match import Claim, claim, claim_by
from crm_bridge.notify.choice import NotReachable
from crm_bridge.notify.letter import compose
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.tables import Identity
from crm_bridge.webhooks.tables import WebhookEvent
from hotline.database import Sessions
from telephony.clock import iso
from tests.crm_bridge.codes.office import ON_PHONE, PHONE, Office
from tests.crm_bridge.notify.conftest import NOW


@pytest.fixture
def office(sessions: Sessions) -> Office:
    return Office(sessions)


async def test_the_right_code_is_its_customers_once_and_is_nowhere_but_in_the_message(office: Office) -> None:
    lan = await office.lan()
    sent = await office.send(lan, by=("zalo", "email"), language="en")
    assert (sent.channel, sent.expires_at, sent.cause) == ("zalo", NOW + 300.0, "")
    assert office.zalo.parcels[0].to == "lan"
    code = office.code
    assert code not in await office.everything()
    assert code not in repr((office.told, office.codes._codes))
    (made, updated) = office.told
    assert HIDDEN in made[1]["text"]
    delivery = {"state": "sent", "attempts": 1, "at": iso(NOW), "reference": "m1"}
    assert updated[1]["attributes"]["delivery"] == delivery
    async with office.sessions() as session:  # whoever follows by webhooks learns of it, too
        events = await session.scalars(select(WebhookEvent.type).order_by(WebhookEvent.id))
        assert list(events)[-2:] == ["interaction.created", "interaction.updated"]
    checked = await office.codes.check("call", code)
    assert (checked.verdict, checked.customer) == ("verified", lan)
    assert await office.check(code) == "refused"  # it was good once


async def test_the_first_way_that_there_is_is_taken_in_the_order_of_the_flow(office: Office) -> None:
    lan = await office.lan()
    assert (await office.send(lan, by=("email", "zalo"))).channel == "email"
    letter = message_from_bytes(compose(office.email.parcels[0], "care@shop.vn", "", NOW), policy=default)
    assert (letter["subject"], letter["auto-submitted"]) == ("Mã xác minh", "auto-generated")
    assert office.code in letter.get_content()
    office.now += 8 * 86_400.0  # Zalo's seven days are over
    assert (await office.send(lan, by=("zalo", "email"))).channel == "email"
    with pytest.raises(NotReachable, match="no codes are sent by fax"):
        await office.send(lan, by=("fax",))


async def test_what_the_far_end_does_not_take_is_no_code(office: Office) -> None:
    lan = await office.lan()
    office.zalo.answer = Answer(0, "no answer to 100001", is_final=True)
    sent = await office.send(lan, by=("zalo",))
    assert sent.cause == f"no answer to {HIDDEN}"
    assert office.told[-1][1]["attributes"]["delivery"]["state"] == "failed"
    assert await office.check(office.code) == "refused"
    assert office.code not in await office.everything()


@pytest.mark.parametrize(
    "proof",
    [
        claim_by(None, "email", "eve@example.vn"),  # typed into a form
        claim("email", "email", "eve@example.vn"),  # told by another system: anybody can write a From line
        claim("zalo", "zalo", "eve"),
    ],
    ids=["form", "told", "unsigned"],
)
async def test_an_address_that_nobody_vouches_for_gets_no_code(office: Office, proof: Claim) -> None:
    lan = await office.wrote("call", ON_PHONE)
    await office.links(lan, proof, proof.kind)
    with pytest.raises(NotReachable, match=r"nobody vouches|only to people who wrote"):
        await office.send(lan)
    assert not office.zalo.parcels + office.email.parcels


@pytest.mark.parametrize("said_so", [True, False])
async def test_an_address_that_several_people_use_gets_no_code(office: Office, said_so: bool) -> None:
    lan = await office.lan()
    minh = await office.wrote("call", claim("call", "phone", "+84987654321"))
    async with office.sessions.begin() as session:
        if said_so:
            await session.execute(update(Identity).where(Identity.kind == "email").values(shared_at=NOW))
        else:
            await candidates.add_user(session, "email", "lan@example.vn", minh, source="crm", evidence="", at=NOW)
    with pytest.raises(NotReachable, match="as theirs alone"):
        await office.send(lan, by=("email",))
    assert (await office.send(lan)).channel == "zalo"


@pytest.mark.parametrize("in_one_message", [True, False])
async def test_who_types_somebodys_number_from_an_account_of_their_own_gets_no_code(
    office: Office, in_one_message: bool
) -> None:
    """The account is signed, and surely Eve's; that it is Lan's is what Eve says."""
    lan = await office.wrote("call", ON_PHONE)
    eve, number = claim_by("zalo", "zalo", "eve"), claim_by("zalo", "phone", PHONE)
    if in_one_message:
        assert await office.wrote("zalo", eve, number) == lan
    else:
        await office.wrote("zalo", eve, at=NOW - 50.0)
        assert await office.wrote("zalo", eve, number, at=NOW - 40.0) == lan
    with pytest.raises(NotReachable, match="nobody vouches"):
        await office.send(lan)
    assert not office.zalo.parcels


async def test_the_code_of_another_call_or_person_and_one_replaced_or_late_are_none(
    office: Office,
) -> None:
    lan = await office.lan()
    await office.send(lan, "one", by=("zalo",))
    first = office.code
    await office.send(lan, "two", by=("zalo",))
    assert await office.check(first, "two") == "wrong"
    assert await office.check(first, "three") == "refused"
    assert await office.check(first, "one", customer="somebody") == "refused"
    await office.send(lan, "one", by=("zalo",))
    assert await office.check(first, "one") == "wrong"
    office.now += 300.0
    assert await office.check(office.code, "one") == "refused"


async def test_a_fourth_attempt_is_refused_even_with_the_right_code_and_a_fresh_one(office: Office) -> None:
    lan = await office.lan()
    await office.send(lan, by=("zalo",))
    assert [await office.check("000000") for _ in range(2)] == ["wrong", "wrong"]
    await office.send(lan, by=("zalo",))  # another code gives no further attempts
    assert await office.check("000000") == "refused"
    assert await office.check(office.code) == "refused"
    with pytest.raises(TooManyCodes):
        await office.send(lan, by=("zalo",))


async def test_more_calls_give_no_more_attempts_on_one_person_until_an_hour_is_over(office: Office) -> None:
    lan = await office.lan()
    for call in range(WRONG_PER_PERSON):
        await office.send(lan, f"call {call}", by=("zalo",))
        await office.check("000000", f"call {call}")
    assert await office.check(office.code, f"call {WRONG_PER_PERSON - 1}") == "refused"
    office.now += 3601.0
    await office.send(lan, "later", by=("zalo",))
    assert await office.check(office.code, "later") == "verified"


async def test_nobody_is_flooded_with_codes(office: Office) -> None:
    lan = await office.lan()
    for number in range(SENT_PER_PERSON):
        await office.send(lan, f"call {number // SENT_PER_CALL}", by=("zalo",))
        if number == SENT_PER_CALL - 1:
            with pytest.raises(TooManyCodes):
                await office.send(lan, "call 0", by=("zalo",))
    with pytest.raises(TooManyCodes):
        await office.send(lan, "another call", by=("zalo",))
    assert len(office.zalo.parcels) == SENT_PER_PERSON


async def test_two_who_key_the_right_code_at_once_are_one(office: Office) -> None:
    lan = await office.lan()
    await office.send(lan, by=("zalo",))
    verdicts = await asyncio.gather(*(office.check(office.code) for _ in range(5)))
    assert sorted(verdicts) == ["refused"] * 4 + ["verified"]
