"""Somebody made up: one number in many spellings."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.identity import normalise
from hotline.omnitest.persona import made_up


@given(st.integers(0, 2**32))
def test_all_spellings_are_one_number_and_the_ids_are_the_runs_own(seed: int) -> None:
    who = made_up(Random(seed))  # noqa: S311 - no secret
    assert {normalise("phone", each) for each in who.spellings} == {who.number}
    assert len(set(who.spellings)) == 5
    assert normalise("email", who.email) == who.email
    assert [normalise("zalo", each) for each in who.accounts.values()] == list(who.accounts.values())
    assert set(who.accounts) == {"zalo", "facebook"}


@pytest.mark.parametrize(("number", "spellings"), [("0381234567", 5), ("0987 654 321", 4), ("+442079460000", 3)])
def test_a_number_of_ones_own_has_the_spellings_that_there_are(number: str, spellings: int) -> None:
    who = made_up(Random(1), number)  # noqa: S311 - no secret
    assert {normalise("phone", each) for each in who.spellings} == {normalise("phone", number)}
    assert len({who.spelling(each) for each in range(10)}) == spellings


def test_a_number_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="`113` identifies nobody"):
        made_up(Random(1), "113")  # noqa: S311 - no secret
