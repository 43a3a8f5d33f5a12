import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.prompts import LevelOutOfRange, NothingToPlay, Playback

lengths = st.lists(st.integers(0, 500), min_size=1, max_size=6).filter(any)


@given(lengths, st.booleans())
def test_clips_follow_each_other_without_a_gap(lengths: list[int], loop: bool) -> None:
    clips = [np.full(length, 1, np.int16).cumsum().astype(np.int16) + 1000 * i for i, length in enumerate(lengths)]
    once = np.concatenate(clips)
    expected = np.concatenate([once, once, once]) if loop else once
    playback = Playback("p", clips, barge_in=True, loop=loop)
    heard: list[int] = []
    while len(heard) < len(expected) and not playback.over:
        row = np.zeros(160, np.int16)
        heard += row[: playback.read_into(row)].tolist()
    assert heard[: len(expected)] == expected.tolist()
    assert playback.over is not loop
    if not loop:
        assert len(heard) == len(expected)
        assert playback.read_into(np.zeros(160, np.int16)) == 0


@pytest.mark.parametrize("clips", [[], [np.zeros(0, np.int16)] * 2])
def test_nothing_to_play(clips: list[np.ndarray[tuple[int], np.dtype[np.int16]]]) -> None:
    with pytest.raises(NothingToPlay, match="no sample"):
        Playback("p", clips, barge_in=True, loop=True)


@given(lengths, st.integers(-100, 400), st.booleans())
def test_a_place_is_found_again(lengths: list[int], to_ms: int, loop: bool) -> None:
    total = sum(lengths)
    playback = Playback("p", [np.zeros(length, np.int16) for length in lengths], True, loop, offset_ms=to_ms)
    bounded = min(max(to_ms * 8, 0), total)
    assert playback.position == (bounded % total if loop else bounded)
    assert 0 <= playback.at <= len(playback.clip)
    assert not playback.over


@pytest.mark.parametrize("level_db", [-61.0, 12.1, float("nan")])
def test_no_level(level_db: float) -> None:
    with pytest.raises(LevelOutOfRange, match="-60 to"):
        Playback("p", [np.zeros(9, np.int16)], barge_in=True, loop=True, level_db=level_db)


def test_the_gain_of_a_level() -> None:
    gains = [Playback("p", [np.zeros(9, np.int16)], True, True, level_db).gain for level_db in (-60, -20, 0, 12)]
    assert gains == pytest.approx([0.001, 0.1, 1.0, 3.981], rel=1e-3)
