"""Whom a number may mean: who owns it, who proved to use it, and nobody who only says so."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import candidates, fact_rows, facts, person, told
from crm_bridge.context import find_caller
from crm_bridge.facts import Saying
from crm_bridge.match import claim, claim_by
from crm_bridge.person import Grounds
from crm_bridge.tables import Identity, IdentityUser
from crm_bridge.telling_apart import verify
from crm_bridge.timeline import NewInteraction, record
from tests.crm_bridge.family import HERS, HIS, HIS_OWN, PHONE, family, said


async def test_who_owns_a_number_is_taken_for_the_caller_and_the_others_are_named(session: AsyncSession) -> None:
    both = await family(session)
    _, found = await find_caller(session, PHONE, False, "", "VN", 10.0)
    assert (found.customer, found.name, found.assurance) == (both.lan, "Nguyễn Thị Lan", 1)
    assert (found.candidates, found.tell_apart_by) == ((both.lan, both.minh), "birthday")


async def test_a_shared_number_finds_nobody_and_names_whom_it_may_mean(session: AsyncSession) -> None:
    both = await family(session)
    await session.execute(update(Identity).where(Identity.value == PHONE).values(shared_at=5.0))
    ani, found = await find_caller(session, PHONE, False, "", "VN", 10.0)
    assert (ani, found.customer, found.known, found.name) == (PHONE, "", False, "")
    assert (found.open_cases, found.last_interactions, found.fields) == ((), (), ())
    assert (found.candidates, found.tell_apart_by) == ((both.lan, both.minh), "birthday")


async def test_one_number_of_one_person_is_asked_about_nobody(session: AsyncSession) -> None:
    await said(session, "lan", "Lan", PHONE)
    _, found = await find_caller(session, PHONE, False, "", "VN", 10.0)
    assert (found.candidates, found.tell_apart_by) == ((), "")


async def test_who_became_one_person_is_told_from_nobody(session: AsyncSession) -> None:
    both = await family(session)
    await person.merge(session, both.lan, both.minh, Grounds("they are one", "page", "hoa"), 5.0)
    _, found = await find_caller(session, PHONE, False, "", "VN", 10.0)
    assert (found.candidates, found.tell_apart_by) == ((), "")
    assert (await candidates.of_identity(session, "phone", PHONE)).profiles == (both.lan,)


async def test_what_proves_nothing_makes_nobody_a_candidate(session: AsyncSession) -> None:
    """The attacker has a number, and types the victim's address with it."""
    attacker = await said(session, "attacker", "X", PHONE)
    await record(session, NewInteraction("email", "inbound", 2.0, (claim("email", "email", "lan@example.vn"),)), 2.0)
    claims = (claim_by(None, "email", "lan@example.vn"), claim_by(None, "phone", PHONE))
    await record(session, NewInteraction("form", "inbound", 3.0, claims, public=True), 3.0)
    assert (await candidates.of_identity(session, "phone", PHONE)).profiles == (attacker,)


async def test_what_is_known_of_candidates_leaves_out_the_number_itself_and_what_callers_told(
    session: AsyncSession,
) -> None:
    both = await family(session)
    await told.remember(session, both.lan, {"postcode": "70000"}, channel="call", at=9.0)
    lan, minh, gone = both.lan, both.minh, "0" * 32
    found = await candidates.read(session, [lan, minh, gone], PHONE)
    assert {each.customer: dict(each.fields) for each in found} == {
        lan: {"birthday": {HERS}, "order": {"20264561"}, "name": {"Nguyễn Thị Lan"}, "name_initial": {"n", "l"}},
        minh: {"birthday": {HIS}, "phone": {HIS_OWN}, "name": {"Trần Văn Minh"}, "name_initial": {"t", "m"}},
    }


async def test_the_same_user_is_kept_once(session: AsyncSession) -> None:
    both = await family(session)
    again = await candidates.add_user(session, "phone", PHONE, both.minh, source="page", evidence="she said so", at=9.0)
    assert not again
    assert len((await session.scalars(select(IdentityUser))).all()) == 1


async def test_a_shared_number_decides_for_nobody_who_has_anything_else(session: AsyncSession) -> None:
    both = await family(session)
    await session.execute(update(Identity).where(Identity.value == PHONE).values(shared_at=5.0))
    hoa = await said(session, "hoa", "Hoa", PHONE, at=6.0)
    assert hoa not in (both.lan, both.minh)
    assert (await candidates.of_identity(session, "phone", PHONE)).profiles == (both.lan, both.minh, hoa)


async def test_an_event_that_has_nothing_but_a_shared_number_is_kept_and_changes_nothing(session: AsyncSession) -> None:
    both = await family(session)
    await session.execute(update(Identity).where(Identity.value == PHONE).values(shared_at=5.0))
    fields = {"fields": {"birthday": "2001-01-01"}}
    event = NewInteraction("store", "inbound", 7.0, (claim("store", "phone", PHONE),), tags=("vip",), attributes=fields)
    assert (await record(session, event, 7.0)).person == both.lan
    whole = await person.whole(session, both.lan)
    assert whole.tags == []
    assert (await candidates.read(session, [both.lan]))[0].fields["birthday"] == {HERS}


async def test_the_birthday_and_the_orders_that_are_known_are_compared_too(session: AsyncSession) -> None:
    both = await family(session)
    sayings = [
        Saying("profile", facts.PROFILE, {"birthday": "--03-04"}),
        Saying("order", "20265000", {"state": "shipped"}),
    ]
    await fact_rows.say(session, both.lan, sayings, fact_rows.Source(9.0, "store", origin="i1"), 9.0)
    (lan,) = await candidates.read(session, [both.lan])
    assert lan.fields["birthday"] == {"--03-04"}
    assert lan.fields["order"] == {"20264561", "20265000"}
    assert verify([lan], "birthday", "04031990") == (both.lan,)
