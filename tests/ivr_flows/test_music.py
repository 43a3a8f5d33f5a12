"""`ivr_flows.music`: there is music, at its level, and it loops."""

import numpy as np
import pytest

from ivr_flows.audio import to_samples
from ivr_flows.flow import WAITING_MUSIC
from ivr_flows.music import LEVEL_DB, TUNES, music
from ivr_flows.prompts import PromptError


@pytest.mark.parametrize("name", ["waiting", "hold"])
def test_music(name: str) -> None:
    tune = music(name)
    assert 15 < len(tune) / 8000 < 60
    assert 20 * np.log10(np.sqrt(np.mean(tune.astype(np.float64) ** 2))) == pytest.approx(LEVEL_DB, abs=1.0)
    assert np.abs(tune).max() < 0.6
    # No silence of half a second anywhere, and the seam no wider than any other step.
    rows = np.sqrt(np.mean(tune[: len(tune) // 4000 * 4000].reshape(-1, 4000) ** 2, axis=1))
    assert rows.min() > 0.005
    assert abs(float(tune[0] - tune[-1])) <= np.abs(np.diff(tune)).max()
    assert np.array_equal(to_samples(tune), to_samples(music(name)))


def test_the_comfort_tone_is_short_soft_and_mostly_silence() -> None:
    tone = music("comfort")
    assert len(tone) == 3 * 8000
    assert np.abs(tone).max() < 0.6
    assert np.sqrt(np.mean(tone[16000:].astype(np.float64) ** 2)) < 0.01
    assert abs(float(tone[0] - tone[-1])) < 0.01


def test_default_music_is_there() -> None:
    assert WAITING_MUSIC in TUNES
    with pytest.raises(PromptError, match="waiting"):
        music("bagpipes")
