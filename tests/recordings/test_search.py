"""Numbers as people write them. What the filters find is in `test_routes`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.search import Filter, number_patterns, query


@pytest.mark.parametrize(
    ("written", "patterns"),
    [
        ("+84 912", ["+84912%"]),
        ("912", ["%912%"]),
        ("0912", ["%0912%", "+_912%", "+__912%", "+___912%"]),
        ("0084912", ["%0084912%", "+84912%"]),
        ("00", ["%00%"]),
        ("+39 06 698", ["+3906698%"]),
        ("+49 (0)30", ["+4930%"]),
        ("", []),
        ("none", []),
    ],
)
def test_a_number_is_looked_for_as_it_may_stand(written: str, patterns: list[str]) -> None:
    assert number_patterns(written) == patterns


@given(st.text())
def test_whatever_is_written_only_digits_are_looked_for(written: str) -> None:
    for pattern in number_patterns(written):
        assert pattern.strip("%").removeprefix("+").lstrip("_").isdecimal()
        assert pattern.isascii()


def test_without_a_filter_every_recording_is_listed_and_no_transcript_read() -> None:
    said = str(query(Filter.model_validate({})))
    assert "transcripts" not in said
    assert "WHERE" not in said
