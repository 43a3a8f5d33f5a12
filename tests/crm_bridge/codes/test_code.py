"""A code as a state machine: whatever is keyed, whenever, it is good once, in time, and for three wrong ones."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.codes.code import CODE, Code, Input, State, Verdict, made, tried
from crm_bridge.codes.words import HIDDEN, KEYED, SPOKEN, SUBJECT, text_of

KEY, DIGITS, VALID_S = b"k" * 32, "482913", 300.0
STATES: tuple[State, ...] = ("waiting", "used", "spent", "expired")
INPUTS: tuple[Input, ...] = ("right", "wrong", "wrong_again", "late")


def code(state: State = "waiting") -> Code:
    fresh = made(KEY, "call", "lan", DIGITS, VALID_S)
    return Code(fresh.call, fresh.customer, fresh.digest, fresh.expires_at, state)


@pytest.mark.parametrize(("state", "keyed"), list(itertools.product(STATES, INPUTS)))
def test_the_table_is_what_happens_and_everything_else_is_refused(state: State, keyed: Input) -> None:
    digits = DIGITS if keyed in ("right", "late") else "000000"
    now = VALID_S if keyed == "late" else VALID_S - 0.001
    after, verdict = tried(code(state), KEY, digits, now, last=keyed == "wrong_again")
    assert (after.state, verdict) == CODE.get((state, keyed), (state, "refused"))


@given(
    st.lists(st.tuples(st.sampled_from([DIGITS, "000000", "48291", ""]), st.floats(0, 200), st.booleans()), max_size=12)
)
def test_a_code_is_good_once_in_its_time_and_before_the_last_wrong_one(keyed: list[tuple[str, float, bool]]) -> None:
    known, now, over = code(), 0.0, False
    for digits, passes_s, last in keyed:
        now += passes_s
        known, verdict = tried(known, KEY, digits, now, last=last)
        expected: Verdict = "refused"
        if not over and now < VALID_S:
            expected = "verified" if digits == DIGITS else "refused" if last else "wrong"
        assert verdict == expected
        over = over or expected != "wrong"


@pytest.mark.parametrize(
    ("key", "call", "customer"), [(KEY, "other", "lan"), (KEY, "call", "minh"), (b"another", "call", "lan")]
)
def test_the_same_digits_of_another_call_person_or_process_have_another_digest(
    key: bytes, call: str, customer: str
) -> None:
    assert made(key, call, customer, DIGITS, VALID_S).digest != code().digest
    assert DIGITS not in repr(code())


def test_the_words_have_the_code_in_both_languages_and_can_be_kept_without_it() -> None:
    for spoken in (False, True):
        for language, text in text_of(DIGITS, 300.0, spoken=spoken).items():
            assert DIGITS in text
            assert "5" in text.replace(DIGITS, HIDDEN)
            assert language in SUBJECT
    assert list(KEYED) == list(SPOKEN) == ["vi", "en"]
