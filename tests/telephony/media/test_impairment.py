import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.impairment import BEST_MOS, mos, rating


@pytest.mark.parametrize(
    ("r", "score"),
    # ITU-T G.107 annex B, table B.1: the bounds of user satisfaction.
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, BEST_MOS)],
)
def test_the_scores_of_the_recommendation(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.01)


def test_a_clean_talk_is_as_good_as_g711_gets() -> None:
    assert rating(0, 0) == pytest.approx(93.2)
    assert mos(rating(0, 0)) == pytest.approx(4.41, abs=0.01)


@given(st.floats(0, 2000), st.floats(0, 2000), st.floats(0, 1), st.floats(0, 1))
def test_more_delay_or_loss_is_never_better(delay: float, more: float, loss: float, further: float) -> None:
    worse = rating(delay + more, min(1.0, loss + further))
    assert worse <= rating(delay, loss)
    assert 1 <= mos(worse) <= mos(rating(delay, loss)) + 0.02 <= BEST_MOS + 0.02
