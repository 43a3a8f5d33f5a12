"""What is said while a call goes on, beside the script that was laid out before it."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ivr_flows.audio import read_wav, to_samples
from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples

SILENCE: Final = bytes(2 * SAMPLES_PER_TICK)


class Mouth:
    """Says one thing after another. Any thread may have something said; one takes the ticks."""

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[Samples] = queue.SimpleQueue()

    def play(self, path: Path) -> None:
        """Say what a `.wav` file has. Raises `ivr_flows.prompts.PromptError`."""
        self.say(to_samples(read_wav(path)))

    def say(self, samples: Samples) -> None:
        """Say something, int16[n] at 8 kHz, after what is being said."""
        self._said.put(samples)

    def ticks(self) -> Iterator[bytes | None]:
        """Yield, for every 20 ms for ever, native 16-bit samples of what is said; None for nothing."""
        while True:
            try:
                samples = self._said.get_nowait()
            except queue.Empty:
                yield None
                continue
            for begin in range(0, len(samples), SAMPLES_PER_TICK):
                tick = samples[begin : begin + SAMPLES_PER_TICK].astype(np.int16)
                yield tick.tobytes().ljust(len(SILENCE), b"\0")
