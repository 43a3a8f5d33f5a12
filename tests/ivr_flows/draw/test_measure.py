"""`ivr_flows.draw.measure`: text that fits wherever it is shown, and wraps and is cut with a sign."""

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ivr_flows.draw.measure import CUT, cut, width, wrap

LETTERS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=80)


@pytest.mark.parametrize(
    ("plain", "marked"), [("Viet Nam", "Việt Nam"), ("e", "ễ"), ("tieng noi", "tiếng nói"), ("aaaa", "ăâặẫ")]
)
def test_marks_take_no_room(plain: str, marked: str) -> None:
    assert width(marked, 12) == pytest.approx(width(plain, 12))
    assert width(unicodedata.normalize("NFD", marked), 12) == pytest.approx(width(plain, 12))


def test_widths_are_those_of_dejavu_rounded_up() -> None:
    """Advance widths in ems, from the font's own table of them (hmtx)."""
    advances = {"a": 0.613, "đ": 0.635, "ơ": 0.612, "ư": 0.634, "Ơ": 0.913, "W": 0.989, "m": 0.974, " ": 0.318}
    for letter, advance in advances.items():
        assert advance <= width(letter, 1) <= advance + 0.06


@given(LETTERS, st.integers(30, 300), st.integers(1, 4))
@settings(deadline=None)
def test_lines_fit_and_lose_nothing_unseen(text: str, room: int, lines: int) -> None:
    wrapped = wrap(text, 12, room, lines)
    assert len(wrapped) <= lines
    assert all(width(line, 12) <= room or len(line) <= 2 for line in wrapped)
    whole = "".join(text.split())
    seen = "".join("".join(wrapped).split())
    assert seen == whole or (seen.endswith(CUT) and whole.startswith(seen[:-1]))


def test_wrapping() -> None:
    assert wrap("", 12, 100, 3) == ()
    assert wrap("Xin chào quý khách", 12, 70, 3) == ("Xin chào", "quý khách")
    assert wrap("một hai ba bốn năm sáu", 12, 60, 2) == ("một hai", "ba bốn…")
    assert wrap("caller.open_cases[0].id", 12, 90, 3) == ("caller.open_", "cases[0].id")
    assert cut("tong_dai_cham_soc", 12, 60) == "tong_d…"
