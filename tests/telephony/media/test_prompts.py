import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.prompts import NothingToPlay, Playback

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
