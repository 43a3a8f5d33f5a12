"""Sounds to send through a codec, and what came of them."""

import numpy as np

from telephony.media.g711 import Samples


def sine(hertz: float, seconds: float, rate: int = 8000, level: float = 8000) -> Samples:
    t = np.arange(round(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def loudest(samples: Samples, rate: int = 8000) -> float:
    """The frequency with the most power."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[int(power.argmax())])


def gain_db(heard: Samples, said: Samples) -> float:
    """The level of what was heard against what was said, each without its first quarter."""
    late, early = heard[len(heard) // 4 :].astype(float), said[len(said) // 4 :].astype(float)
    return float(10 * np.log10(max(np.mean(late**2), 1e-9) / np.mean(early**2)))
