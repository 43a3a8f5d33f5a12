"""A number that is given late makes one person, and releases nothing to whoever gave it."""

from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, customer, joining, person, timeline
from crm_bridge.identity import Kind
from crm_bridge.match import claim_by
from crm_bridge.person import Grounds
from crm_bridge.timeline import NewInteraction, Recorded

PHONE, OTHER, MAIL = "+84912345678", "+84987654321", "an@example.vn"
Pairs = Sequence[tuple[Kind, str]]


async def said(session: AsyncSession, channel: Kind | None, *pairs: tuple[Kind, str], at: float = 1.0) -> Recorded:
    """An event with these identities, signed for the kind that its channel is named after; of None, a form."""
    claims = tuple(claim_by(channel, kind, value) for kind, value in pairs)
    event = NewInteraction(channel or "form", "inbound", at, claims, public=True)
    return await timeline.record(session, event, at)


async def whole(session: AsyncSession, id_: str) -> customer.Profile:
    found = await customer.read(session, id_)
    assert found is not None
    return found


async def test_a_greeting_and_then_the_number_of_somebody_known_is_that_person(session: AsyncSession) -> None:
    known = await said(session, "zalo", ("zalo", "z1"), ("phone", PHONE))
    greeting = await said(session, "facebook", ("facebook", "f1"), at=2.0)
    assert greeting.person != known.person
    given = await said(session, "facebook", ("facebook", "f1"), ("phone", PHONE), at=3.0)
    assert given.person == known.person
    assert given.interaction.outcome["conflicts"] == []
    assert given.linked is not None
    assert given.interaction.outcome["merge"] == given.linked.row.id
    profile = await whole(session, known.person)
    worth = {each.value: joining.worth(each, profile.person) for each in profile.identities}
    assert worth == {"z1": (2, 1.0), PHONE: (0, 0.5), "f1": (0, 0.5)}
    await person.undo(session, given.linked.row.id, Grounds("a mistake", "page", "hoa"), 4.0)
    alone = await whole(session, greeting.person)
    assert [joining.worth(each, alone.person) for each in alone.identities] == [(2, 1.0)]
    again = await said(session, "facebook", ("facebook", "f1"), ("phone", PHONE), at=5.0)
    assert (again.person, again.linked) == (greeting.person, None)
    assert len(again.interaction.outcome["conflicts"]) == 1


HERS: Pairs = [("zalo", "z1"), ("phone", PHONE)]


@pytest.mark.parametrize(
    ("has", "gives"),
    [
        ([("facebook", "f1"), ("phone", OTHER)], [("facebook", "f1"), ("phone", PHONE)]),
        ([("zalo", "z2")], [("zalo", "z2"), ("phone", PHONE)]),
        ([("email", MAIL)], [("email", MAIL), ("phone", PHONE)]),
        ([("email", MAIL)], [("phone", PHONE), ("email", MAIL)]),
    ],
    ids=["has a number", "has another account there", "is an address", "is a form"],
)
async def test_what_speaks_against_it_is_left_to_a_person(session: AsyncSession, has: Pairs, gives: Pairs) -> None:
    victim = await said(session, "zalo", *HERS)
    claimant = await said(session, has[0][0], *has, at=2.0)
    given = await said(session, None if gives[0][0] == "phone" else gives[0][0], *gives, at=3.0)
    assert given.linked is None
    assert (await whole(session, victim.person)).person.id != (await whole(session, claimant.person)).person.id
    assert given.interaction.outcome["conflicts"]


async def test_a_claim_puts_nobody_together_whom_somebody_holds_apart(session: AsyncSession) -> None:
    known = await said(session, "zalo", ("zalo", "z1"), ("phone", PHONE))
    guest = await said(session, "facebook", ("facebook", "f1"), at=2.0)
    await person.hold_apart(session, known.person, guest.person, Grounds("his wife", "page", "hoa"), 2.5)
    given = await said(session, "facebook", ("facebook", "f1"), ("phone", PHONE), at=3.0)
    assert (given.linked, given.person) == (None, guest.person)


async def test_what_a_claim_put_together_somebody_confirms(session: AsyncSession) -> None:
    known = await said(session, "zalo", ("zalo", "z1"), ("phone", PHONE))
    guest = await said(session, "facebook", ("facebook", "f1"), at=2.0)
    await said(session, "facebook", ("facebook", "f1"), ("phone", PHONE), at=3.0)
    grounds = Grounds("she said so on the phone", "page", "hoa")
    confirmed = await person.merge(session, guest.person, known.person, grounds, 4.0)
    assert (confirmed.repeated, confirmed.effect) == (False, "none")
    whole_now = await whole(session, known.person)
    assert whole_now.person.guests == frozenset()
    assert {each.value: joining.worth(each, whole_now.person)[0] for each in whole_now.identities}["f1"] == 2
    assert (await person.merge(session, known.person, guest.person, grounds, 5.0)).repeated
    await person.undo(session, confirmed.row.id, Grounds("no", "page", "hoa"), 6.0)
    assert (await whole(session, known.person)).person.guests == {guest.person}


async def test_numbers_of_two_people_are_left_to_a_person(session: AsyncSession) -> None:
    for account, number in (("z1", PHONE), ("z2", OTHER)):
        await said(session, "zalo", ("zalo", account), ("phone", number))
    await said(session, "facebook", ("facebook", "f1"), at=2.0)
    given = await said(session, "facebook", ("facebook", "f1"), ("phone", PHONE), ("phone", OTHER), at=3.0)
    assert given.linked is None


async def heard(session: AsyncSession, number: str) -> int:
    """Return the assurance of who calls by a number."""
    _, found = await context.find_caller(session, number, False, "", "VN", 10.0)
    return found.assurance


@pytest.mark.parametrize("greets_first", [False, True])
async def test_the_attacker_who_types_a_victims_number_is_told_nothing_on_the_phone(
    session: AsyncSession, *, greets_first: bool
) -> None:
    await said(session, "zalo", ("zalo", "victim"), ("phone", PHONE))
    if greets_first:
        await said(session, "facebook", ("facebook", "attacker"), at=2.0)
    await said(session, "facebook", ("facebook", "attacker"), ("phone", PHONE), at=3.0)
    await said(session, "facebook", ("facebook", "attacker"), ("phone", OTHER), at=4.0)
    assert await heard(session, OTHER) == 0
    assert await heard(session, PHONE) == 1


async def test_a_number_in_a_form_beside_the_victims_opens_nothing(session: AsyncSession) -> None:
    await said(session, "zalo", ("zalo", "victim"), ("phone", PHONE))
    await said(session, None, ("phone", PHONE), ("phone", OTHER), at=2.0)
    assert await heard(session, OTHER) == 0


async def test_the_number_that_the_owner_of_an_account_gave_is_greeted(session: AsyncSession) -> None:
    await said(session, "zalo", ("zalo", "z1"))
    await said(session, "zalo", ("zalo", "z1"), ("phone", PHONE), at=2.0)
    assert await heard(session, PHONE) == 1
