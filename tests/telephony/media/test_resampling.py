"""The half-band filter: flat where voice is, closed where it would fold, and the same in whatever pieces it comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.media.resampling import Doubling, Halving
from tests.telephony.media.signals import gain_db, loudest, sine


@pytest.mark.parametrize("hertz", [100, 300, 1000, 2000, 3000, 3300, 3400])
def test_the_passband_is_flat_to_a_tenth_of_a_decibel(hertz: int) -> None:
    said = sine(hertz, 1, 16_000)
    heard = Halving().take(said)
    assert gain_db(heard, said) == pytest.approx(0, abs=0.1)
    assert loudest(heard) == pytest.approx(hertz, abs=2)
    narrow = sine(hertz, 1)
    wide = Doubling().take(narrow)
    assert gain_db(wide, narrow) == pytest.approx(0, abs=0.1)
    assert loudest(wide, 16_000) == pytest.approx(hertz, abs=2)


@pytest.mark.parametrize("hertz", [4600, 5000, 6000, 7000, 7900])
def test_what_would_fold_is_58_decibels_down(hertz: int) -> None:
    said = sine(hertz, 1, 16_000, 30_000)
    assert gain_db(Halving().take(said), said) < -58


@pytest.mark.parametrize("hertz", [100, 1000, 3000, 3400])
def test_the_image_above_four_kilohertz_is_58_decibels_down(hertz: int) -> None:
    wide = Doubling().take(sine(hertz, 1, level=30_000))[8000:]
    power = np.abs(np.fft.rfft(wide * np.blackman(len(wide)))) ** 2
    image = np.fft.rfftfreq(len(wide), 1 / 16_000) > 4000
    assert 10 * np.log10(power[image].sum() / power[~image].sum()) < -58


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_pieces_give_what_the_whole_gives(pieces: list[int], seed: int) -> None:
    said = np.random.default_rng(seed).integers(-32768, 32768, 2 * sum(pieces)).astype(np.int16)
    cuts = np.cumsum(pieces)[:-1]
    halving, doubling = Halving(), Doubling()
    halves = np.concatenate([halving.take(piece) for piece in np.split(said, 2 * cuts)])
    assert np.abs(halves.astype(int) - Halving().take(said)).max(initial=0) <= 1
    assert len(halves) == sum(pieces)
    doubled = np.concatenate([doubling.take(piece) for piece in np.split(said, 2 * cuts)])
    assert np.abs(doubled.astype(int) - Doubling().take(said)).max(initial=0) <= 1
    assert len(doubled) == 2 * len(said)


def test_full_scale_is_held_and_does_not_wrap() -> None:
    square = np.where(np.arange(3200) // 40 % 2, 32767, -32768).astype(np.int16)
    heard = Halving().take(square)[100:]
    assert (np.sign(heard.astype(int)) == np.sign(square[200 - 25 :: 2][: len(heard)].astype(int))).mean() > 0.95
