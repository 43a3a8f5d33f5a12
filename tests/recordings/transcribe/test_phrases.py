"""Phrases by loudness, on rows whose loudness is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.transcribe.phrases import (
    DIP_ROWS,
    LONG_ROWS,
    LONGEST_ROWS,
    PAD_ROWS,
    PAUSE_ROWS,
    Phrase,
    PhraseCutter,
    Rows,
)
from telephony.clock import SAMPLES_PER_TICK


def rows(*runs: tuple[int, int]) -> Rows:
    """Rows of (how many, how loud). Each is a square wave, and so as loud as its samples."""
    levels = np.repeat([level for _, level in runs], [count for count, _ in runs])
    wave = np.where(np.arange(SAMPLES_PER_TICK) % 2, 1, -1)
    made: Rows = (levels[:, None] * wave[None, :]).astype(np.int16)
    return made


def spoken(pcm: Rows, step: int = 10, first_row: int = 0) -> list[Phrase]:
    cutter = PhraseCutter(0, first_row)
    return [phrase for begin in range(0, len(pcm), step) for phrase in cutter.take(pcm[begin : begin + step])]


def spans(phrases: list[Phrase]) -> list[tuple[int, int]]:
    return [(phrase.start_row, phrase.end_row) for phrase in phrases]


def test_a_phrase_is_from_its_first_loud_row_to_its_last_and_carries_what_was_before() -> None:
    pcm = rows((100, 10), (50, 3000), (100, 10))
    (phrase,) = spoken(pcm)
    assert (phrase.start_row, phrase.end_row, phrase.closed) == (100, 150, True)
    assert (phrase.start, phrase.end) == (2.0, 3.0)
    audio = phrase.take()
    np.testing.assert_array_equal(audio, pcm[100 - PAD_ROWS : 150 + PAUSE_ROWS].ravel())
    assert len(phrase.take()) == 0


def test_what_begins_with_the_recording_has_silence_before_it() -> None:
    pcm = rows((50, 3000), (100, 0))
    (phrase,) = spoken(pcm)
    audio = phrase.take().reshape(-1, SAMPLES_PER_TICK)
    assert (phrase.start_row, phrase.end_row) == (0, 50)
    assert not audio[:PAD_ROWS].any()
    np.testing.assert_array_equal(audio[PAD_ROWS:], pcm[: 50 + PAUSE_ROWS])


def test_a_short_pause_belongs_to_a_phrase_and_a_long_one_ends_it() -> None:
    said = ((50, 3000), (PAUSE_ROWS - 1, 10), (50, 3000))
    assert spans(spoken(rows((60, 10), *said, (60, 10)))) == [(60, 189)]
    apart = ((50, 3000), (PAUSE_ROWS, 10), (50, 3000))
    assert spans(spoken(rows((60, 10), *apart, (60, 10)))) == [(60, 110), (140, 190)]


@pytest.mark.parametrize(
    "pcm",
    [
        rows((500, 0)),
        rows((500, 19)),
        rows((2000, 100)),
        rows(*((50, 10), (2, 8000)) * 20),
    ],
    ids=["nothing", "idle G.711", "a hum", "clicks"],
)
def test_what_is_not_speech_begins_no_phrase(pcm: Rows) -> None:
    assert not [phrase for phrase in spoken(pcm) if phrase.is_speech]


def test_a_click_is_a_phrase_without_speech() -> None:
    (phrase,) = spoken(rows((60, 0), (3, 8000), (60, 0)))
    assert phrase.closed
    assert not phrase.is_speech


def test_music_without_end_becomes_noise_and_speech_above_it_is_heard() -> None:
    pcm = rows((40 * 50, 2000), (50, 20000), (100, 2000))
    found = spoken(pcm)
    assert spans(found)[-1] == (2000, 2050)
    assert all(end - start <= LONGEST_ROWS for start, end in spans(found))
    assert sum(end - start for start, end in spans(found)) < 40 * 50


def test_one_lost_packet_does_not_make_noise_speech() -> None:
    quiet = [(10, 300), (1, 0)] * 100
    found = spoken(rows((1500, 300), *quiet))
    assert all(start < 750 for start, _ in spans(found))


def test_talk_without_a_pause_is_cut_at_a_dip_and_in_the_end_anywhere() -> None:
    dip = rows((LONG_ROWS + 20, 3000), (DIP_ROWS, 10), (200, 3000), (60, 10))
    end = LONG_ROWS + 20
    assert spans(spoken(dip)) == [(0, end), (end + DIP_ROWS, end + DIP_ROWS + 200)]
    endless = spoken(rows((LONGEST_ROWS + 300, 3000), (60, 10)))
    assert spans(endless) == [(0, LONGEST_ROWS), (LONGEST_ROWS, LONGEST_ROWS + 300)]
    heard = np.concatenate([phrase.take().reshape(-1, SAMPLES_PER_TICK)[PAD_ROWS:] for phrase in endless])
    assert len(heard) == LONGEST_ROWS + 300 + PAUSE_ROWS  # nothing twice, nothing lost


def test_what_is_skipped_is_in_no_phrase() -> None:
    cutter = PhraseCutter(1, 500)
    (phrase,) = cutter.take(rows((20, 3000)))
    assert (phrase.start_row, phrase.closed, phrase.channel) == (500, False, 1)
    cutter.skip_to(1000)
    assert phrase.closed
    (phrase,) = cutter.take(rows((20, 3000)))
    assert phrase.start_row == 1000
    assert not phrase.take()[: PAD_ROWS * SAMPLES_PER_TICK].any()
    cutter.close()
    assert phrase.closed


RUNS = st.lists(st.tuples(st.integers(1, 120), st.sampled_from([0, 10, 100, 200, 3000, 30000])), max_size=20)


@given(RUNS, st.integers(1, 300))
def test_phrases_follow_one_another_however_the_rows_come(runs: list[tuple[int, int]], step: int) -> None:
    pcm = rows((1, 0), *runs)
    found = spoken(pcm, step)
    assert spans(found) == spans(spoken(pcm, 1))
    for phrase in found:
        assert 0 <= phrase.start_row < phrase.end_row <= len(pcm)
        assert phrase.end_row - phrase.start_row <= LONGEST_ROWS
        assert phrase.is_speech or phrase.loud_rows < 5
        assert len(phrase.take()) <= (PAD_ROWS + LONGEST_ROWS + PAUSE_ROWS) * SAMPLES_PER_TICK
    for phrase, following in itertools.pairwise(found):
        assert phrase.closed
        assert phrase.end_row <= following.start_row
