import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.media.comfort import Comfort, noise_loop


@pytest.mark.parametrize("dbov", [30, 50, 70])
def test_the_noise_is_as_loud_as_is_said(dbov: int) -> None:
    loop = noise_loop(bytes([dbov])).astype(float)
    level = 20 * np.log10(np.sqrt(np.mean(loop**2)) / 32768)
    assert abs(level + dbov) < 0.5


def test_a_reflection_coefficient_colours_it() -> None:
    """A(z) = 1 - 0.9 / z is a low-pass."""
    spectrum = np.abs(np.fft.rfft(noise_loop(bytes([40, 127 - 115])).reshape(-1).astype(float))) ** 2
    assert spectrum[:1000].sum() > 4 * spectrum[1000:].sum()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40))
def test_any_payload_is_legal_and_no_louder_than_a_background(payload: bytes) -> None:
    comfort = Comfort()
    comfort.take(3, payload, 0)
    said = np.concatenate([comfort.play(3, tick) for tick in range(50)]).astype(float)
    assert np.sqrt(np.mean(said**2)) <= 3300
    comfort.take(3, bytes([30]), 49)
    assert (comfort.play(3, 7) == said[7 * 160 : 8 * 160]).all()
    comfort.take(3, bytes([30]), 50)
    assert comfort.play(3, 7).any()
    comfort.reset(3)
    assert not comfort.play(3, 0).any()
