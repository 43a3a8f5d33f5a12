"""What may be dialled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.switchboard.dialling import TrunkRules, dialled, refusal

VN = TrunkRules("t")


@pytest.mark.parametrize(
    ("number", "allowed"),
    [
        ("0912345678", True),
        ("02873001234", True),
        ("+84912345678", True),
        ("0084912345678", True),
        ("18001234", True),  # toll-free
        ("113", True),  # the police
        ("115", True),
        ("19001234", False),  # premium
        ("+442079460000", False),
        ("0044 20 7946 0000", False),
        ("+8835100012345", False),  # a satellite
        ("+882345", False),
        ("217", False),
        ("*21*0912345678#", False),
        ("an", False),
        ("", False),
    ],
)
def test_what_people_of_the_country_call_goes_through_and_what_costs_does_not(number: str, allowed: bool) -> None:
    called = dialled(number, "VN")
    assert (bool(called) and not refusal(VN, called, "VN")) is allowed


def test_allow_opens_and_deny_stands_above_it() -> None:
    rules = TrunkRules("t", allow=("+8419001", "2", "*21"), deny=("1900123", "+84912"))
    assert not refusal(rules, dialled("19001999", "VN"), "VN")
    assert not refusal(rules, dialled("217", "VN"), "VN")
    assert not refusal(rules, dialled("*21*5#", "VN"), "VN")
    assert "deny" in refusal(rules, dialled("19001234", "VN"), "VN")
    assert "deny" in refusal(rules, dialled("0912345678", "VN"), "VN")
    assert "deny" in refusal(TrunkRules("t", deny=("113",)), "113", "VN")


def test_deny_is_met_in_whatever_form_the_number_was_dialled() -> None:
    for beginning in ("+8491", "091", "008491"):
        rules = TrunkRules("t", deny=(beginning,))
        for number in ("0912345678", "+84912345678", "0084912345678"):
            assert "deny" in refusal(rules, dialled(number, "VN"), "VN"), (beginning, number)


def test_other_countries_are_those_that_are_named() -> None:
    rules = TrunkRules("t", countries=frozenset({"VN", "GB"}))
    assert not refusal(rules, "+442079460000", "VN")
    assert "abroad (US)" in refusal(rules, "+12125552368", "VN")
    assert refusal(TrunkRules("t", countries=frozenset()), dialled("0912345678", "VN"), "VN")
    assert not refusal(TrunkRules("t", countries=frozenset()), "113", "VN")


def test_an_agent_shows_its_own_number_where_it_has_one() -> None:
    rules = TrunkRules("t", caller_number="+842873001234", caller_numbers={"an": "+842873001235"})
    assert rules.shown("an") == "+842873001235"
    assert rules.shown("binh") == "+842873001234"


@given(st.text(alphabet="+0123456789*#-. ()abc", max_size=30))
def test_whatever_is_dialled_it_is_decided(text: str) -> None:
    called = dialled(text, "VN")
    assert not called or isinstance(refusal(VN, called, "VN"), str)


@given(st.text(alphabet="0123456789", min_size=1, max_size=18))
def test_nothing_abroad_gets_through_however_it_is_written(digits: str) -> None:
    for text in ("+" + digits, "00" + digits):
        called = dialled(text, "VN")
        assert not called or called.startswith("+84") or refusal(VN, called, "VN")
