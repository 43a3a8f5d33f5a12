"""What a recogniser is: the one protocol that both engines speak, their settings and their errors.

Rule 1: samples are `int16[n]`, mono, at the rate that is said beside them. Words come back in seconds from the first
sample, in time order.

Rule 2: an engine that cannot run raises. Returning no words means that it ran and heard none.
"""

from typing import Literal, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
EngineName = Literal["vosk", "whisper"]
OptionsStruct = TypeVar("OptionsStruct", bound=msgspec.Struct)


class RecogniserSettings(msgspec.Struct, frozen=True):
    """Which engine hears a language, with which model folder. `options` are the engine's own
    (`vosk_engine.VoskOptions`, `whisper_engine.WhisperOptions`)."""

    engine: EngineName
    model: str
    options: dict[str, object] = {}


class RecognisedWord(msgspec.Struct, frozen=True):
    """A word with its times in seconds from the first sample; `confidence` is 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


class Partial(msgspec.Struct, frozen=True):
    """What an unfinished utterance sounds like so far; the next one replaces it."""

    text: str


class RecogniserStream(Protocol):
    """Speech recognised while it is spoken. Not safe for several threads."""

    def accept(self, pcm: Samples) -> list[Partial | RecognisedWord]:
        """Take the next samples; return the words that became certain, then at most one partial."""
        ...

    def finish(self) -> list[RecognisedWord]:
        """Return the words still due. Nothing may be accepted afterwards."""
        ...


class PhraseStream(Protocol):
    """One speaker, heard phrase by phrase while speaking; somebody else says where a phrase begins and ends.

    Recognition happens inside `heard` and `finish`, or in `accept`, as the engine likes; all of them may take long, and
    raise `EngineFailed`. Not safe for several threads.
    """

    @property
    def interim_every_s(self) -> float:
        """So much new speech makes another look at an unfinished phrase worth its cost."""
        ...

    def accept(self, pcm: Samples) -> None:
        """Take the next samples of the phrase that is spoken."""
        ...

    def heard(self) -> str:
        """Return what the phrase sounds like so far."""
        ...

    def finish(self) -> str:
        """Return the phrase; the next samples begin another."""
        ...

    def drop(self) -> None:
        """Forget the phrase; the next samples begin another."""
        ...


class Heard(msgspec.Struct, frozen=True):
    """What was said to a question. `confidence` is 0 to 1; `text` is empty for words of which none was expected."""

    text: str
    confidence: float


class UtteranceStream(Protocol):
    """One caller's answers; somebody else says where one begins and ends. Otherwise as `PhraseStream`."""

    def accept(self, pcm: Samples) -> None:
        """Take the next samples of the utterance."""
        ...

    def finish(self) -> Heard | None:
        """Return what was said, None for no words at all; the next samples begin another utterance."""
        ...

    def drop(self) -> None:
        """Forget the utterance; the next samples begin another."""
        ...


class Recogniser(Protocol):
    """A loaded model of one language, streaming and whole-file."""

    @property
    def engine(self) -> str:
        """The engine's name and the model's, for the transcript (`whisper tiny.en`)."""
        ...

    def stream(self, sample_rate_hz: int) -> RecogniserStream:
        """Return a fresh stream. Raises `EngineFailed` for a rate that the engine does not take."""
        ...

    def phrases(self, sample_rate_hz: int) -> PhraseStream:
        """Return a fresh stream of phrases, for one speaker."""
        ...

    def utterances(self, sample_rate_hz: int, phrases: tuple[str, ...]) -> UtteranceStream:
        """Return a fresh stream of answers; `phrases` are what is expected, none of them for anything."""
        ...

    def transcribe(self, pcm: Samples, sample_rate_hz: int) -> list[RecognisedWord]:
        """Return every word of a whole recording. Raises `EngineFailed`."""
        ...


class ModelMissing(Exception):
    """No engine or no model for a language: the sentence says what to install."""


class EngineFailed(Exception):
    """An engine is there and did not work: the sentence says where and why."""


def options_of(settings: RecogniserSettings, shape: type[OptionsStruct]) -> OptionsStruct:
    """Return the engine's options, checked. Raises `EngineFailed` naming the wrong one."""
    try:
        return msgspec.convert(settings.options, shape)
    except msgspec.ValidationError as error:
        known = ", ".join(shape.__struct_fields__)
        raise EngineFailed(
            f"The {settings.engine} options for the model {settings.model} are wrong: {error}. Known: {known}."
        ) from error
