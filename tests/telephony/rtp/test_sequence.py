import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.sequence import Continuity, unwrap

LEG = np.array([1])


@given(st.integers(-(2**40), 2**40), st.integers(-(2**15), 2**15 - 1))
def test_unwrap_finds_the_nearest(reference: int, distance: int) -> None:
    number = np.array([(reference + distance) % 2**16])
    assert unwrap(np.array([reference]), number, 16)[0] == reference + distance


def counted(sequence: list[int], ssrc: int = 1, continuity: Continuity | None = None) -> Continuity:
    continuity = continuity or Continuity(2)
    for number in sequence:
        continuity.note(LEG, np.array([ssrc]), np.array([number % 2**16]))
    return continuity


@given(st.integers(0, 65535), st.integers(2, 300), st.data())
def test_losses_are_counted_in_any_order_and_across_the_wrap(first: int, count: int, data: st.DataObject) -> None:
    # Neither the first nor the last packet can be missed by someone who sees only packets.
    lost = data.draw(st.sets(st.integers(1, count - 2), max_size=count - 2)) if count > 2 else set()
    arrived = [first + i for i in range(count) if i not in lost]
    shuffled = data.draw(st.permutations(arrived))
    assert counted(shuffled).lost(1) == len(lost)


def test_duplicates_never_make_the_count_negative() -> None:
    assert counted([5, 5, 5, 6]).lost(1) == 0


@pytest.mark.parametrize(("ssrc", "number"), [(2, 9), (1, 30_000)])
def test_a_new_source_or_a_jump_begins_anew_and_keeps_what_was_lost(ssrc: int, number: int) -> None:
    continuity = counted([number, number + 2], ssrc, counted([1, 3, 5]))
    assert continuity.lost(1) == 3


def test_reset_forgets() -> None:
    continuity = counted([1, 9])
    continuity.reset(1)
    assert continuity.lost(1) == 0
    assert continuity.lost(0) == 0
