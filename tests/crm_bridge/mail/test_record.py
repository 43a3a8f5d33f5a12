"""A reply goes to the case of what it answers, and nobody gets into somebody else's."""

from itertools import permutations

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import person
from crm_bridge.mail.message import Mail
from crm_bridge.mail.record import claim_of, record, thread_key
from crm_bridge.tables import Case, Customer, Identity, Interaction
from tests.crm_bridge.mail.letters import NOON, read

FIRST = {"Message_ID": "<1@x>"}
REPLY = {"Message_ID": "<2@x>", "In_Reply_To": "<1@x>", "References": "<1@x>", "Subject": "Re: Đơn hàng 7"}
AGAIN = {"Message_ID": "<3@x>", "In_Reply_To": "<2@x>", "References": "<1@x> <2@x>", "Subject": "TL: Đơn hàng 7"}

GROUNDS = person.Grounds("both signed as An", "page", "huong")


async def recorded(session: AsyncSession, mail: Mail) -> Interaction:
    return (await record(session, mail, NOON)).interaction


async def cases(session: AsyncSession) -> list[Case]:
    return list(await session.scalars(select(Case).order_by(Case.opened_at).execution_options(populate_existing=True)))


async def test_a_letter_opens_a_case_of_its_matter(session: AsyncSession) -> None:
    item = await recorded(session, read("Ở đâu?", **FIRST))
    (case,) = await cases(session)
    assert (case.subject, case.channel, case.state, case.opened_at) == ("Đơn hàng 7", "email", "open", NOON - 60)
    assert (item.case_id, item.text) == (case.id, "Ở đâu?")
    assert (await session.scalars(select(Customer.name))).one() == "An"


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_thread_is_one_case_in_whatever_order_it_comes(session: AsyncSession, order: tuple[int, ...]) -> None:
    thread = [read(**fields) for fields in (FIRST, REPLY, AGAIN)]
    items = [await recorded(session, thread[each]) for each in order]
    (case,) = await cases(session)
    assert {each.case_id for each in items} == {case.id}
    assert case.subject == "Đơn hàng 7"


async def test_the_same_letter_twice_is_one(session: AsyncSession) -> None:
    assert not (await record(session, read(**FIRST), NOON)).repeated
    assert (await record(session, read(**FIRST), NOON + 1)).repeated


async def test_a_reply_goes_to_the_case_that_somebody_put_the_answered_one_in(session: AsyncSession) -> None:
    item = await recorded(session, read(**FIRST))
    other = Case(id="c" * 32, customer_id=item.customer_id, subject="Bảo hành", channel="call", opened_at=1.0)
    session.add(other)
    await session.flush()
    await session.execute(update(Interaction).values(case_id=other.id))
    assert (await recorded(session, read(**REPLY))).case_id == other.id
    assert other.subject == "Bảo hành"


async def test_a_reply_of_a_person_opens_a_closed_case_again_and_a_machines_does_not(session: AsyncSession) -> None:
    await recorded(session, read(**FIRST))
    await session.execute(update(Case).values(state="closed", closed_at=NOON - 60))
    away = await recorded(session, read(Auto_Submitted="auto-replied", **REPLY))
    (case,) = await cases(session)
    assert (away.case_id, case.state, away.attributes["automatic"]) == (case.id, "closed", "automatic")
    await recorded(session, read(**AGAIN))
    assert [each.state for each in await cases(session)] == ["open"]


async def test_a_machines_letter_opens_no_case(session: AsyncSession) -> None:
    assert (await recorded(session, read(Precedence="bulk"))).case_id is None
    assert await cases(session) == []


async def test_whoever_answers_anothers_letter_gets_a_case_of_their_own(session: AsyncSession) -> None:
    theirs = await recorded(session, read(**FIRST))
    thief = await recorded(session, read(From="thief@example.vn", **REPLY))
    assert thief.customer_id != theirs.customer_id
    assert thief.case_id != theirs.case_id
    assert len(await cases(session)) == 2


async def test_a_reply_goes_to_the_persons_case_whichever_of_their_addresses_wrote(session: AsyncSession) -> None:
    one = await recorded(session, read(**FIRST))
    other = await recorded(session, read(From="an@work.vn", Message_ID="<9@x>", Subject="Khác"))
    await person.merge(session, one.customer_id, other.customer_id, GROUNDS, NOON)
    reply = await recorded(session, read(From="an@work.vn", **REPLY))
    theirs = one.case_id
    assert (reply.customer_id, reply.case_id) == (other.customer_id, theirs)
    lost = REPLY | {"In_Reply_To": "<4@x>", "References": "<1@x> <4@x>", "Message_ID": "<5@x>"}
    await session.execute(update(Interaction).values(case_id=None))  # only the thread says whose it is
    assert (await recorded(session, read(From="an@work.vn", **lost))).case_id == theirs


async def test_a_case_has_a_subject_whatever_the_letter_has(session: AsyncSession) -> None:
    await recorded(session, read("Máy hỏng\nrồi", Subject="Re:", Message_ID="<1@x>"))
    await recorded(session, read("", Subject="", Message_ID="<2@x>"))
    assert {each.subject for each in await cases(session)} == {"Máy hỏng", "E-mail"}


async def test_a_from_is_a_claim_unless_a_trusted_server_vouches_for_it(session: AsyncSession) -> None:
    assert (claim_of(read()).assurance, claim_of(read()).confidence) == (0, 0.5)
    vouched = "mx.shop.vn; dkim=pass header.d=example.vn"
    signed = read("Xin chào", ("mx.shop.vn",), Authentication_Results=vouched, From="b@example.vn")
    await recorded(session, signed)
    identity = (await session.scalars(select(Identity))).one()
    assert (identity.assurance, identity.confidence, identity.source) == (2, 1.0, "email")


def test_the_key_of_a_thread_fits_its_column() -> None:
    assert thread_key(read(References="<1@x>")) == "mail:<1@x>"
    assert len(thread_key(read(References=f"<{'a' * 253}>"))) <= 255
