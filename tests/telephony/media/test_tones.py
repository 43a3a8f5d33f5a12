import numpy as np
import pytest

from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ
from telephony.media.tones import PROGRESS_HZ, UnknownDigit, busy, dtmf, ringback


def spectrum(samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> list[float]:
    """The frequencies of the two strongest tones."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8000))
    first = int(power.argmax())
    power[max(0, first - 40) : first + 40] = 0
    return sorted([float(first), float(power.argmax())])


@pytest.mark.parametrize("key", range(16))
def test_a_key_is_its_two_tones(key: int) -> None:
    samples = dtmf(KEYS[key].lower(), tone_ms=200, pause_ms=50)
    assert len(samples) == 2000
    assert not samples[1600:].any()
    assert spectrum(samples[:1600]) == pytest.approx([ROWS_HZ[key // 4], COLUMNS_HZ[key % 4]], abs=3)


def test_levels() -> None:
    assert np.abs(dtmf("5", level_dbfs=-13.0)).max() == pytest.approx(2 * 32767 * 10 ** (-13 / 20), rel=0.05)
    assert np.abs(dtmf("5", level_dbfs=0.0).astype(np.int64)).max() == 32767  # cut off, not wrapped around
    assert len(dtmf("")) == 0


def test_what_is_no_key() -> None:
    with pytest.raises(UnknownDigit, match="'x'"):
        dtmf("1x")


def test_progress_tones() -> None:
    assert (len(ringback()), len(busy())) == (40_000, 8000)
    assert not ringback()[8000:].any()
    assert PROGRESS_HZ in spectrum(busy()[:4000])
