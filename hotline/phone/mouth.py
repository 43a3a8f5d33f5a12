"""What is said while a call goes on, beside a script that was laid out before it."""

from collections import deque
from pathlib import Path

import numpy as np

from ivr_flows.audio import read_wav, to_samples
from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples


class Mouth:
    """Says one thing after another. Any thread may have something said; one takes the ticks."""

    def __init__(self) -> None:
        self._said: deque[Samples] = deque()

    @property
    def speaks(self) -> bool:
        """Whether something is still to be said."""
        return bool(self._said)

    def play(self, path: Path) -> None:
        """Say what a `.wav` file has. Raises `ivr_flows.prompts.PromptError`."""
        self.say(to_samples(read_wav(path)))

    def say(self, samples: Samples) -> None:
        """Say something, int16[n] at 8 kHz, after what is being said."""
        ticks = -(-len(samples) // SAMPLES_PER_TICK)
        padded = np.zeros(ticks * SAMPLES_PER_TICK, np.int16)
        padded[: len(samples)] = samples
        self._said.extend(padded.reshape(ticks, SAMPLES_PER_TICK))

    def tick(self) -> Samples | None:
        """Return the next 20 ms of what is said, int16[160]; None for nothing."""
        return self._said.popleft() if self._said else None
