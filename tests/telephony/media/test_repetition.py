"""Losses between packets of every length that phones send: 10 to 60 ms."""

import numpy as np
import pytest

from telephony.media.concealment import REPEATS, RETURN
from telephony.media.g711 import Samples
from telephony.media.repetition import Repetition
from tests.telephony.media.signals import sine

LENGTHS = [80, 160, 240, 320, 480]


def told(samples: Samples, length: int) -> Repetition:
    """What has heard that much in packets of so many samples."""
    repetition = Repetition()
    for packet in samples.reshape(-1, length):
        repetition.remember(packet.copy())
    return repetition


@pytest.mark.parametrize("length", LENGTHS)
def test_the_first_samples_after_a_loss_are_faded_in(length: int) -> None:
    repetition = told(np.full(960, 8000, np.int16), length)
    repetition.tick()
    again = np.full(length, -8000, np.int16)
    repetition.remember(again)
    assert again[0] > 5000
    assert (np.diff(again[:RETURN]) < 0).all()
    assert (again[RETURN:] == -8000).all()
    following = np.full(length, -8000, np.int16)
    repetition.remember(following)
    assert (following == -8000).all()


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_repeated_goes_on_from_the_last_sample_that_came(length: int) -> None:
    tone = sine(125, 0.24)
    heard = told(tone[:960], length).tick()
    assert np.abs(heard[:80].astype(int) - tone[960:1040]).max() < 100  # 10 ms at full level


@pytest.mark.parametrize("length", LENGTHS)
def test_a_long_loss_is_silence_and_the_next_one_repeats_again(length: int) -> None:
    repetition = told(sine(125, 0.12), length)
    for _ in range(2):
        ticks = [repetition.tick() for _ in range(REPEATS + 1)]
        assert all(tick.any() for tick in ticks[:REPEATS])
        assert not ticks[-1].any()
        repetition.remember(sine(125, 0.02))


def test_before_anything_was_heard_there_is_silence_and_nothing_to_fade_from() -> None:
    repetition = Repetition()
    assert not repetition.tick().any()
    first = np.full(160, 5000, np.int16)
    repetition.remember(first)
    assert (first == 5000).all()
