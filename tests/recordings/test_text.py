from hypothesis import given
from hypothesis import strategies as st

from recordings.text import excerpt, fold, terms, text_of, utterances
from telephony.events import Word


def words(*spoken: tuple[int, float, float, str]) -> list[Word]:
    return [Word(text, start, end, 1.0, channel) for channel, start, end, text in spoken]


def test_folding_takes_case_and_diacritics_away() -> None:
    assert fold("Đặt chỗ, XIN!") == " dat cho xin "
    assert fold("예약") == fold("예약".encode().decode())
    assert fold("...") == ""
    assert terms("  Thứ Ba ") == ["thu", "ba"]


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_a_channels_words_stay_together_until_a_pause() -> None:
    talk = words((0, 0.0, 0.4, "hello"), (0, 0.5, 0.9, "there"), (0, 2.0, 2.4, "anyone"))
    assert text_of(talk) == "hello there\nanyone"


def test_two_at_once_are_two_lines() -> None:
    talk = words((0, 0.0, 0.4, "I"), (1, 0.2, 0.6, "yes"), (0, 0.5, 0.9, "want"), (1, 0.7, 1.0, "please"))
    assert text_of(talk) == "I want\nyes please"


def test_an_answer_comes_between() -> None:
    talk = words((0, 0.0, 0.4, "tomorrow"), (1, 0.4, 0.6, "when"), (0, 0.7, 0.9, "morning"), (1, 1.0, 1.2, "good"))
    assert text_of(talk) == "tomorrow\nwhen\nmorning\ngood"


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 100), st.floats(0, 2)).map(
            lambda spoken: Word("w", spoken[1], spoken[1] + spoken[2], 1.0, spoken[0])
        ),
        max_size=30,
    )
)
def test_no_word_is_lost_and_none_changes_sides(spoken: list[Word]) -> None:
    found = utterances(spoken)
    assert sorted(map(repr, spoken)) == sorted(repr(word) for utterance in found for word in utterance)
    assert all(len({word.channel for word in utterance}) == 1 for utterance in found)
    starts = [utterance[0].start for utterance in found]
    assert starts == sorted(starts)


def test_an_excerpt_ends_after_a_word() -> None:
    assert excerpt("short\ntext") == "short text"
    assert excerpt("one two three", 9) == "one two…"
    assert excerpt("abcdefghij", 5) == "abcd…"
    assert excerpt("") == ""
