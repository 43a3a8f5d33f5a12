"""Prompts into sample files: the whole way from words, a `.wav` file or a music's name to 8 kHz samples."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr_flows.audio import level, read_wav, resample, to_samples, trim, write_samples
from ivr_flows.music import music
from ivr_flows.prompts import PromptError, VoiceSettings, voice_for
from ivr_flows.voices import Engines
from telephony.events import RenderedKind


class Renderer:
    """Renders prompts in the voices of its settings."""

    def __init__(self, voices: Mapping[str, VoiceSettings]) -> None:
        self._voices = voices
        self._engines = Engines()

    def render(self, kind: RenderedKind, value: str, language: str, path: Path) -> None:
        """Put a prompt's samples at `path`, unless they are there. Raises `PromptError`."""
        if not path.exists():
            write_samples(path, self.samples(kind, value, language))

    def samples(self, kind: RenderedKind, value: str, language: str) -> NDArray[np.int16]:
        """Return a prompt's samples (8 kHz, mono). A file keeps its own level and silences. Raises `PromptError`."""
        match kind:
            case "text":
                return self._speak(value, language)
            case "file":
                return to_samples(read_wav(Path(value)))
            case "music":
                return to_samples(music(value))

    def _speak(self, text: str, language: str) -> NDArray[np.int16]:
        voice = voice_for(language, self._voices)
        speech = self._engines.get(voice.engine).speak(text, language, voice)
        try:
            return to_samples(level(trim(resample(speech.sound, speech.rate_hz))))
        except PromptError as error:
            raise PromptError(f"{voice.engine} says nothing for this text in '{language}': {error}") from error
