import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.text import Piece, excerpt, fold, hits, terms, text_of, utterances
from telephony.events import Word


def words(*spoken: tuple[int, float, float, str]) -> list[Word]:
    return [Word(text, start, end, 1.0, channel) for channel, start, end, text in spoken]


def test_folding_takes_case_and_diacritics_away() -> None:
    assert fold("Đặt chỗ, XIN!") == " dat cho xin "
    assert fold("예약") == fold("예약".encode().decode())
    assert fold("...") == ""
    assert terms("  Thứ Ba ") == ["thu", "ba"]


@given(st.text())
def test_a_text_folds_as_its_signs_do(text: str) -> None:
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    words = re.findall(r"\w+", "".join(sign for sign in plain if not unicodedata.category(sign).startswith("M")))
    assert fold(text).split(" ") == ["", *words, ""] if words else fold(text) == ""


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


def shown(pieces: list[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Tôi muốn đặt chỗ.", "dat cho", "Tôi muốn [đặt] [chỗ]."),
        ("Tôi muốn đặt chỗ.", "ĐẶT", "Tôi muốn [đặt] chỗ."),
        ("Tôi muốn đặt chỗ.", "muo", "Tôi [muố]n đặt chỗ."),
        (unicodedata.normalize("NFD", "đặt chỗ"), "đat cho", unicodedata.normalize("NFD", "[đặt] [chỗ]")),
        (unicodedata.normalize("NFD", "chỗ"), "ch", "[ch]" + unicodedata.normalize("NFD", "ỗ")),
        ("Straße, STRASSE", "strasse", "[Straße], [STRASSE]"),
        ("Straße", "stras", "[Straß]e"),
        ("예약 확인", "예", "[예]약 확인"),
        ("xin chào\nđặt chỗ\nvâng", "vang", "xin chào đặt chỗ [vâng]"),
        ("đặt\nđặt chỗ\nchỗ", "dat cho", "[đặt] [đặt] [chỗ] [chỗ]"),
        ("dat dates dat", "dat date", "[dat] [date]s [dat]"),
        ("muốn", "uon", ""),
        ("muốn", "!!!", ""),
        ("muốn", "", ""),
        ("", "a", ""),
    ],
)
def test_what_is_found_is_marked_where_it_stands(text: str, query: str, expected: str) -> None:
    assert shown(hits(text, query)) == expected


def test_an_excerpt_is_a_small_part_of_a_long_text_cut_between_words() -> None:
    text = "trước " * 1000 + "đặt chỗ" + " sau" * 1000
    found = shown(hits(text, "dat"))
    assert found.startswith("…trước trước")
    assert "[đặt] chỗ sau" in found
    assert found.endswith("sau…")
    assert len(found) < 300
    endless = shown(hits("x" * 1000 + " đặt" + "y" * 1000, "dat"))
    assert endless == f"…[đặt]{'y' * 140}…"


LETTERS = st.sampled_from("aAđĐặẶß́̂ﬁ예1_ .\nỗo̴ıİς")
TEXTS = st.text(LETTERS, max_size=60) | st.text(max_size=60)


@given(TEXTS, TEXTS)
def test_whatever_a_search_finds_is_marked_and_nothing_is_changed(text: str, query: str) -> None:
    pieces = hits(text, query)
    wanted = terms(query)
    folded = fold(text)
    assert bool(pieces) == any(f" {term}" in folded for term in wanted)
    joined = "".join(piece.text for piece in pieces)
    line = text.replace("\n", " ")
    assert joined in line or joined.removeprefix("…").removesuffix("…") in line
    for piece in pieces:
        assert piece.text
        if piece.hit:
            assert any(fold(piece.text).strip().startswith(term) for term in wanted)
