"""What was to be heard against what was heard."""

from collections.abc import Sequence

import numpy as np
import pytest

from hotline.trials.audio.audible import Audible
from telephony.events import Play, Prompt, PromptEnding, PromptFinished
from telephony.media.g711 import Samples

ROW = 160
TONE: Samples = (8000 * np.sin(np.arange(50 * ROW) / 5)).astype(np.int16)
NOTHING: Samples = np.zeros(50 * ROW, np.int16)


def told(clip: Samples, heard: Samples, ending: PromptEnding = "finished", **how: float) -> str:
    """What is wrong with a prompt of which something was heard, after a second of something else."""
    play = Play("leg", "flow.1", (Prompt("text", "Hello."),), **how)  # type: ignore[arg-type]
    audible, before = Audible(), [NOTHING[:ROW]] * 50
    audible.begin(play, "Hello.", [clip], len(before))
    rows: Sequence[Samples] = [*before, *heard.reshape(-1, ROW)]
    audible.end(PromptFinished("leg", "flow.1", ending, 0, "no voice"), rows)
    return " ".join(audible.wrong)


def test_a_prompt_that_is_heard() -> None:
    assert told(TONE, TONE) == ""
    assert told(TONE, TONE[: 30 * ROW], "barged_in") == ""
    assert told(TONE, np.tile(TONE, 3), "stopped", loop=True) == ""
    assert told(TONE, (TONE // 4), level_db=-12.0) == ""
    assert told(TONE, TONE[10 * ROW :], offset_ms=200) == ""


@pytest.mark.parametrize(
    ("clip", "heard", "ending", "why"),
    [
        (NOTHING, NOTHING, "finished", "“Hello.” is silence"),
        (TONE, NOTHING, "finished", "“Hello.” is not heard"),
        (TONE, TONE // 2, "finished", "“Hello.” is not heard"),
        (TONE, NOTHING, "barged_in", "“Hello.” is not heard"),
        (TONE, TONE[: 20 * ROW], "finished", "lasts 1.0 s, and was over after 0.4 s"),
        (TONE, NOTHING[:0], "failed", "“Hello.” cannot be heard: no voice"),
    ],
)
def test_a_prompt_that_is_not(clip: Samples, heard: Samples, ending: PromptEnding, why: str) -> None:
    assert why in told(clip, heard, ending)
