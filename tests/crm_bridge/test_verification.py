"""An answer proves to be one of several, a bounded number of times, whatever is started again."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.tables import VerificationAttempt
from crm_bridge.verification import PER_CALLER, PER_CUSTOMER, WINDOW_S, Asked, Verified, proves, verify
from tests.crm_bridge.family import PHONE, Family, family

NOW = 1000.0


@pytest.fixture
async def both(session: AsyncSession) -> Family:
    return await family(session)


def asked(both: Family, answer: str, field: str = "birthday", caller: str = PHONE, call: str = "c1") -> Asked:
    return Asked(call, caller, (both.lan, both.minh), field, answer)


async def test_the_answer_says_which_of_two_calls(session: AsyncSession, both: Family) -> None:
    assert await verify(session, asked(both, "1705"), NOW) == Verified("verified", both.lan)
    assert await verify(session, asked(both, "02111988"), NOW) == Verified("verified", both.minh)
    assert (await session.scalars(select(VerificationAttempt))).all() == []


async def test_a_wrong_answer_and_one_that_several_give_are_refused(session: AsyncSession, both: Family) -> None:
    assert await verify(session, asked(both, "0101"), NOW) == Verified("refused")
    assert await verify(session, asked(both, "", "name"), NOW) == Verified("refused")


async def test_what_nobody_is_known_to_have_cannot_be_asked_and_is_not_counted(
    session: AsyncSession, both: Family
) -> None:
    for _ in range(PER_CALLER + 1):
        assert await verify(session, asked(both, "70000", "postcode"), NOW) == Verified("unknown")
    nobody = Asked("c1", PHONE, (), "birthday", "1705")
    assert await verify(session, nobody, NOW) == Verified("unknown")


async def test_who_tries_too_often_is_not_looked_at_until_an_hour_is_over(session: AsyncSession, both: Family) -> None:
    for each in range(PER_CALLER):
        assert await verify(session, asked(both, f"{each + 10}01"), NOW + each) == Verified("refused")
    assert await verify(session, asked(both, "1705", call="c2"), NOW + 60) == Verified("exhausted")
    late = NOW + PER_CALLER + WINDOW_S
    assert await verify(session, asked(both, "1705"), late) == Verified("verified", both.lan)
    assert (await session.scalars(select(VerificationAttempt))).all() == []


async def test_other_numbers_give_no_more_attempts_at_the_same_people(session: AsyncSession, both: Family) -> None:
    for each in range(PER_CUSTOMER):
        caller = f"+8490000000{each}"
        assert await verify(session, asked(both, "0101", caller=caller), NOW) == Verified("refused")
    assert await verify(session, asked(both, "1705", caller="+84900000099"), NOW) == Verified("exhausted")


async def test_a_withheld_number_has_the_attempts_of_its_call(session: AsyncSession, both: Family) -> None:
    for _ in range(PER_CALLER):
        await verify(session, asked(both, "0101", caller=""), NOW)
    assert (await verify(session, asked(both, "1705", caller=""), NOW)).verdict == "exhausted"
    assert (await verify(session, asked(both, "1705", caller="", call="c2"), NOW)).verdict == "verified"


async def test_nothing_personal_is_in_what_counts(session: AsyncSession, both: Family) -> None:
    await verify(session, asked(both, "0101"), NOW)
    rows = (await session.scalars(select(VerificationAttempt))).all()
    assert len(rows) == 3
    assert not any(secret in row.mark for row in rows for secret in (PHONE[1:], both.lan, "0101"))


def test_a_name_says_which_of_several_and_proves_nothing() -> None:
    assert proves("birthday")
    assert not proves("name_initial")
