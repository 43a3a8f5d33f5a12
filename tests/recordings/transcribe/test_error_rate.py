import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.transcribe.error_rate import edits, normalised, word_error_rate

WORDS = st.lists(st.sampled_from(["a", "b", "c", "parcel", "order", "tomorrow"]), max_size=12)


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("Hello, this is Anna.", "hello this is anna"),
        ("It's a follow-up", "its a follow up"),
        ("It’s late", "it's late"),
        ("my number is four seven one two", "My number is 4712."),
        ("twenty five", "25"),
        ("twenty-five", "25"),
        ("two thousand five hundred and one", "2,501"),
        ("one hundred twenty thousand", "120,000"),
        ("three million", "3,000,000"),
        ("nineteen eighty four", "1984"),
        ("at nine thirty", "at 9:30"),
        ("the 21st of May", "the 21 of may"),
        ("zero nine one two", "0912"),
        ("ten zero five", "10 05"),
        ("Đặt chỗ", "đặt chỗ"),
    ],
)
def test_the_same_words_written_otherwise(spoken: str, written: str) -> None:
    assert normalised(spoken) == normalised(written)
    assert word_error_rate(spoken, written) == 0.0


def test_other_words_are_errors() -> None:
    assert word_error_rate("one two three four", "one two four") == 0.25
    assert word_error_rate("the late delivery", "the great delivery today") == pytest.approx(2 / 3)
    assert word_error_rate("đặt chỗ", "đạt cho") == 1.0
    assert word_error_rate("", "") == 0.0
    assert word_error_rate("...", "made up words") == 3.0
    assert word_error_rate("said", "") == 1.0
    assert word_error_rate("hundreds and thousands", "and") == pytest.approx(2 / 3)


@given(WORDS, WORDS, WORDS)
def test_edits_are_a_distance(a: list[str], b: list[str], c: list[str]) -> None:
    assert edits(a, a) == 0
    assert edits(a, b) == edits(b, a)
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))
    assert edits(a, c) <= edits(a, b) + edits(b, c)
    assert (edits(a, b) == 0) == (a == b)


@given(st.lists(st.sampled_from(["parcel", "order", "late"]), min_size=1, max_size=12), st.data())
def test_one_lost_word_is_one_error(words: list[str], data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(words) - 1))
    rate = word_error_rate(" ".join(words), " ".join(words[:lost] + words[lost + 1 :]))
    assert rate == pytest.approx(1 / len(words))


@given(st.text())
def test_any_text_has_a_rate(text: str) -> None:
    assert word_error_rate(text, text) == 0.0
    assert normalised(" ".join(normalised(text))) == normalised(text)


@given(st.integers(0, 999_999_999))
def test_digits_come_apart(number: int) -> None:
    assert "".join(normalised(f"{number:,}")) == str(number)
