"""The recognisers of a transcribing process: which engine hears which language, and a whole recording heard by it.

Outcomes are never guessed from an empty list. `awaiting_model` means that no engine could be started for want of
something to install; `failed` that one was there and broke; `done` that the engine ran over every channel. A `done`
without any word carries a cause that says so and which channels held sound, so that it cannot pass for a transcript.
"""

import wave
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from recordings.transcribe import vosk_engine, whisper_engine
from recordings.transcribe.engine import (
    EngineFailed,
    EngineName,
    ModelMissing,
    Partial,
    PhraseStream,
    RecognisedWord,
    Recogniser,
    RecogniserSettings,
    RecogniserStream,
    Samples,
)
from telephony.events import FileTranscribed, Word

__all__ = [
    "EngineFailed",
    "ModelMissing",
    "Partial",
    "PhraseStream",
    "RecognisedWord",
    "Recogniser",
    "RecogniserCache",
    "RecogniserSettings",
    "RecogniserStream",
    "missing",
    "settings_for",
    "transcribe_file",
]

CHANNEL_NAMES: Final = ("the caller", "everyone else")
ROW_S: Final = 0.02
SOUND_LEVEL: Final = 200.0  # root mean square of a row; G.711's idle noise is below 20
SOUND_ROWS: Final = 5

LOADERS: Final[dict[EngineName, Callable[[str, RecogniserSettings], Recogniser]]] = {
    "vosk": lambda _, settings: vosk_engine.VoskRecogniser(settings),
    "whisper": whisper_engine.WhisperRecogniser,
}
CHECKS: Final[dict[EngineName, Callable[[str, RecogniserSettings], str]]] = {
    "vosk": lambda _, settings: vosk_engine.missing(settings),
    "whisper": lambda language, settings: whisper_engine.missing(settings, language),
}


def base_language(language: str) -> str:
    """Return the first subtag of a BCP 47 tag, in lower case (`en-US` -> `en`)."""
    return language.replace("_", "-").split("-")[0].lower()


def settings_for(recognisers: Mapping[str, RecogniserSettings], language: str) -> RecogniserSettings:
    """Return the settings for a language tag or for its base. Raises `ModelMissing` with the mend."""
    if not language:
        raise ModelMissing(
            "The language of the recording is not known: set the flow's language and transcribe it again."
        )
    found = recognisers.get(language) or recognisers.get(base_language(language))
    if found is None:
        raise ModelMissing(
            f"No recogniser is set for the language {language}: unpack a model of it, and set "
            f"speech.recognisers.{base_language(language)} to its engine and folder."
        )
    return found


def missing(recognisers: Mapping[str, RecogniserSettings], languages: Sequence[str]) -> list[str]:
    """Return a sentence with its mend for each language that cannot be transcribed as things are. Loads nothing."""
    causes: list[str] = []
    for language in languages:
        try:
            settings = settings_for(recognisers, language)
        except ModelMissing as error:
            causes.append(str(error))
            continue
        cause = CHECKS[settings.engine](base_language(language), settings)
        if cause:
            causes.append(f"Recordings in {language} await a model. {cause}")
    return causes


class RecogniserCache:
    """The loaded models of this process: one per language, the least recently used dropped beyond `capacity`.

    Not safe for several threads: a transcribing worker hears one file at a time.
    """

    def __init__(self, capacity: int = 2) -> None:
        self._capacity = max(1, capacity)
        self._loaded: OrderedDict[str, tuple[RecogniserSettings, Recogniser]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._loaded)

    def get(self, language: str, settings: RecogniserSettings) -> Recogniser:
        """Return the loaded recogniser. Loading takes seconds and may raise `ModelMissing` or `EngineFailed`."""
        base = base_language(language)
        known = self._loaded.get(base)
        if known is None or known[0] != settings:
            self._loaded.pop(base, None)
            while len(self._loaded) >= self._capacity:
                self._loaded.popitem(last=False)
            known = (settings, LOADERS[settings.engine](base, settings))
            self._loaded[base] = known
        self._loaded.move_to_end(base)
        return known[1]


def transcribe_file(
    path: Path | str,
    language: str,
    recognisers: Mapping[str, RecogniserSettings],
    cache: RecogniserCache,
    *,
    recording: str,
) -> FileTranscribed:
    """Recognise each channel of a WAV file on its own (0 the caller, 1 everyone else). Never raises: says why not.

    Blocks for a good part of the recording's length; run it in a process of its own.
    """
    try:
        recogniser = cache.get(language, settings_for(recognisers, language))
        channels, rate_hz = read_channels(Path(path))
        words = [
            Word(word.text, word.start, word.end, word.confidence, channel)
            for channel, samples in enumerate(channels)
            for word in one_at_a_time(recogniser.transcribe(samples, rate_hz), len(samples) / rate_hz)
        ]
    except ModelMissing as error:
        return FileTranscribed(recording, "awaiting_model", language=language, cause=str(error))
    except EngineFailed as error:
        return FileTranscribed(recording, "failed", language=language, cause=str(error))
    except Exception as error:  # an engine's own, unforeseen: the recording must not be lost from sight
        return FileTranscribed(recording, "failed", language=language, cause=f"{type(error).__name__}: {error}")
    words.sort(key=lambda word: (word.start, word.channel))
    cause = "" if words else _nothing_heard(recogniser.engine, channels, rate_hz)
    return FileTranscribed(recording, "done", recogniser.engine, language, tuple(words), cause)


def read_channels(path: Path) -> tuple[list[Samples], int]:
    """Return a WAV file's channels (16 bit PCM) and its rate in Hz. Raises `EngineFailed` naming what is wrong."""
    try:
        with wave.open(str(path), "rb") as file:
            width, count, rate_hz = file.getsampwidth(), file.getnchannels(), file.getframerate()
            if width != 2:
                raise EngineFailed(f"{path.name} has {8 * width} bit samples; recordings have 16.")
            frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
    except (OSError, EOFError, wave.Error) as error:
        raise EngineFailed(f"The recording {path.name} cannot be read: {error}") from error
    if not len(frames):
        raise EngineFailed(f"The recording {path.name} holds no audio.")
    rows = frames[: len(frames) // count * count].reshape(-1, count)
    return [np.ascontiguousarray(rows[:, channel]) for channel in range(count)], rate_hz


def one_at_a_time(words: Sequence[RecognisedWord], seconds: float) -> list[RecognisedWord]:
    """Return a channel's words so that at any instant at most one is spoken: in order, none beyond the recording, each
    over when the next begins. A replay lights the word that is spoken; engines give times that overlap by a little, or
    lie just behind the end. Rounded to milliseconds."""
    ordered: list[RecognisedWord] = []
    next_start = round(seconds, 3)
    for word in sorted(words, key=lambda word: (word.start, word.end), reverse=True):
        start = round(min(max(word.start, 0.0), next_start), 3)
        end = round(min(max(word.end, start), next_start), 3)
        ordered.append(msgspec.structs.replace(word, start=start, end=end))
        next_start = start
    return ordered[::-1]


def holds_sound(samples: Samples, rate_hz: int) -> bool:
    """Tell whether at least 100 ms of `samples` are louder than a silent line."""
    width = int(ROW_S * rate_hz)
    rows = samples[: len(samples) // width * width].astype(np.float32).reshape(-1, width)
    return int((np.sqrt(np.square(rows).mean(axis=1)) > SOUND_LEVEL).sum()) >= SOUND_ROWS


def _nothing_heard(engine: str, channels: list[Samples], rate_hz: int) -> str:
    """Return the sentence that keeps a transcript without words from passing for one with."""
    states = [
        f"{CHANNEL_NAMES[channel] if channel < len(CHANNEL_NAMES) else f'channel {channel}'}: "
        + ("sound without words" if holds_sound(samples, rate_hz) else "silence")
        for channel, samples in enumerate(channels)
    ]
    return f"{engine} ran over the whole recording and heard no words ({', '.join(states)})."
