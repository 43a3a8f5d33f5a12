import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.limiter import LOUDEST, SOFTEST, Limiter, saturate

ROW = np.array([0])


def talkers(count: int, level: float, ticks: int) -> np.ndarray:
    t = np.arange(ticks * 160) / 8000
    return np.rint(sum(level * np.sin(2 * np.pi * (300 + 370 * i) * t) for i in range(count))).astype(np.int32)


def limited(sums: np.ndarray, limiter: Limiter) -> np.ndarray:
    return np.concatenate([limiter.limit(ROW, part[None])[0] for part in sums.reshape(-1, 160)])


def distortion_db(heard: np.ndarray, meant: np.ndarray) -> float:
    """What is in it that is not the sum, at whatever level: the residual of the best fit, against the fit."""
    heard, meant = heard.astype(float), meant.astype(float)
    fit = meant * (heard @ meant) / (meant @ meant)
    return float(10 * np.log10(np.mean((heard - fit) ** 2) / np.mean(fit**2)))


def test_three_loud_talkers_are_distorted_less_than_by_clipping() -> None:
    sums = talkers(3, 30_000, 50)
    soft, hard = limited(sums, Limiter(1)), saturate(sums)
    assert distortion_db(hard, sums) > -15
    assert distortion_db(soft[1600:], sums[1600:]) < -50
    assert distortion_db(soft, sums) < distortion_db(hard, sums) - 10


def test_the_level_comes_back_when_one_talks_again() -> None:
    limiter = Limiter(1)
    limited(talkers(3, 30_000, 10), limiter)
    one = talkers(1, 20_000, 30)
    assert limited(one, limiter)[-160:].tolist() == one[-160:].tolist()


@given(st.lists(st.integers(-8 * 32768, 8 * 32767), min_size=4, max_size=12), st.integers(0, 99))
def test_nothing_wraps_around_and_what_fits_is_not_touched(levels: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(0.5, 1, (len(levels), 160))
    sums = np.rint(np.array(levels)[:, None] * noise).astype(np.int32)
    limiter = Limiter(1)
    fitted = True
    for part in sums:
        heard = limiter.limit(ROW, part[None])[0]
        assert ((np.sign(heard) == np.sign(part)) | (np.abs(part) <= 8)).all()
        fitted = fitted and part.min() >= SOFTEST and part.max() <= LOUDEST
        if fitted:
            assert heard.tolist() == part.tolist()
