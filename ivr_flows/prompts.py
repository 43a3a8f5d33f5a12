"""Prompts as sample files: how they are voiced, and where each is kept by its content.

This module is light: the control process asks it where a prompt's samples are. What makes them (`ivr_flows.rendering`
and, below it, programs under the GPL) is imported in the rendering process alone.
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from telephony.events import Prompt

EngineName = Literal["espeak", "piper"]

RENDERING: Final = "1"
"""Counts up whenever the same words would come out otherwise: levels, filters, music."""
SUFFIX: Final = ".s16"
"""Raw samples: 8 kHz, mono, signed 16 bit, native order."""

PACKAGES: Final[Mapping[EngineName, tuple[str, str]]] = {
    "espeak": ("espeakng-loader", "espeakng_loader"),
    "piper": ("piper-tts", "piper"),
}
"""For each engine the distribution and the module."""


class VoiceSettings(msgspec.Struct, frozen=True):
    """A voice: `voice` is the engine's name for it (espeak; empty for the language's own), `model` the path of an
    `.onnx` file (piper), `speed` 1.0 the voice's own pace."""

    engine: EngineName = "espeak"
    voice: str = ""
    model: str = ""
    speed: float = 1.0


class PromptError(Exception):
    """A prompt cannot be made: the text tells the cause, the place and the mend."""


def base_language(language: str) -> str:
    """Return the first subtag of a BCP 47 tag, in lower case (`en-US` -> `en`)."""
    return language.partition("-")[0].lower()


def voice_for(language: str, voices: Mapping[str, VoiceSettings]) -> VoiceSettings:
    """Return the voice set for a language or for its base, else espeak-ng's own for it."""
    return voices.get(language) or voices.get(base_language(language)) or VoiceSettings()


def key(text: str, language: str, voice: VoiceSettings) -> str:
    """Return the content key (64 hex digits) of words in a language and a voice."""
    engine = (voice.engine, _version(voice.engine), voice.voice, _file_mark(voice.model), repr(voice.speed))
    return _digest("text", *engine, language, text)


def cache_path(folder: Path, key: str) -> Path:
    """Return where the samples of a key are kept."""
    return folder / key[:2] / f"{key}{SUFFIX}"


def prompt_path(folder: Path, prompt: Prompt, voices: Mapping[str, VoiceSettings]) -> Path:
    """Return where the samples of any prompt are kept. A changed `.wav` file gets another path."""
    if prompt.kind == "text":
        return cache_path(folder, key(prompt.value, prompt.language, voice_for(prompt.language, voices)))
    return cache_path(folder, _digest(prompt.kind, _file_mark(prompt.value) if prompt.kind == "file" else prompt.value))


def missing(voices: Mapping[str, VoiceSettings]) -> list[str]:
    """Return what is not installed for these voices, each with its mend. Imports no engine."""
    causes = []
    for language, voice in voices.items():
        distribution, module = PACKAGES[voice.engine]
        if importlib.util.find_spec(module) is None:
            causes.append(f"speech.voices.{language}: {distribution} is not installed; install the extra `voice`")
        elif voice.engine == "piper" and not (voice.model and Path(voice.model).is_file()):
            causes.append(f"speech.voices.{language}.model: there is no Piper voice at '{voice.model}'")
    return causes


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join((RENDERING, *parts)).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache
def _version(engine: EngineName) -> str:
    try:
        return importlib.metadata.version(PACKAGES[engine][0])
    except importlib.metadata.PackageNotFoundError:
        return ""


def _file_mark(path: str) -> str:
    """Return a path with what tells one version of the file from the next, without reading it."""
    if not path:
        return ""
    try:
        found = Path(path).stat()
    except OSError:
        return path
    return f"{path}\0{found.st_size}\0{found.st_mtime_ns}"
