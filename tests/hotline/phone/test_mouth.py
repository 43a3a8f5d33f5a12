"""What is said while a call goes on comes in its order, in whole ticks, and then nothing does."""

from pathlib import Path

import numpy as np

from hotline.phone.audio import save_wav
from hotline.phone.mouth import Mouth
from telephony.clock import SAMPLES_PER_TICK


def test_one_thing_is_said_after_another(tmp_path: Path) -> None:
    mouth = Mouth()
    save_wav(tmp_path / "said.wav", np.full(SAMPLES_PER_TICK + 1, 7, np.int16))
    mouth.play(tmp_path / "said.wav")
    mouth.say(np.full(SAMPLES_PER_TICK, 9, np.int16))
    first, second, third = (mouth.tick() for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.tolist() == [7] * SAMPLES_PER_TICK
    assert second.tolist() == [7] + [0] * (SAMPLES_PER_TICK - 1)
    assert third.tolist() == [9] * SAMPLES_PER_TICK
    assert (mouth.speaks, mouth.tick()) == (False, None)
