"""Vosk: one shared model per language, many short-lived recognisers. The only module that imports vosk.

A `KaldiRecognizer` grows with use, so none lives longer than `seconds_per_recogniser` of audio: it is replaced where
an utterance has just ended, and at twice that age wherever it stands. The next one learns the speaker's voice anew and
hears its first words a little worse, so the life is minutes, not seconds. Samples are passed at their own rate: Kaldi
resamples to the model's (`allow-upsample`).
"""

import importlib.util
import json
import logging
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from recordings.transcribe.engine import (
    EngineFailed,
    Heard,
    ModelMissing,
    Partial,
    RecognisedWord,
    RecogniserSettings,
    Samples,
    options_of,
)

UNKNOWN: Final = "[unk]"
UNKNOWNS: Final = (UNKNOWN, "<unk>", "<UNK>")
"""What models call a word that they do not know."""
SAMPLES_PER_CALL: Final = 4000
LOG_NOTHING: Final = -1
TAIL_S: Final = 0.5
LONGEST_TAIL_S: Final = 1.5
INTERIM_EVERY_S: Final = 0.3

log = logging.getLogger("hotline.speech")


class VoskOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`grammar`: the only phrases to be heard (for models with a dynamic graph); empty means free speech."""

    grammar: tuple[str, ...] = ()
    seconds_per_recogniser: float = 300.0


def missing(settings: RecogniserSettings) -> str:
    """Return what keeps the engine from running and the mend, or an empty string."""
    if importlib.util.find_spec("vosk") is None:
        return "The package vosk is not installed: run `pip install vosk`."
    if not settings.model:
        return "No model folder is set beside the engine: set `model` to one."
    folder = Path(settings.model)
    if not folder.is_dir():
        return f"There is no folder {folder}: unpack a Vosk model there."
    if not ((folder / "am" / "final.mdl").is_file() or (folder / "final.mdl").is_file()):
        return f"{folder} is not a Vosk model (no am/final.mdl in it): point at the folder that holds am/ and graph/."
    return ""


class VoskRecogniser:
    """One loaded Vosk model, shared by every stream of its language."""

    def __init__(self, settings: RecogniserSettings) -> None:
        """Load the model. Raises `ModelMissing` or `EngineFailed`."""
        cause = missing(settings)
        if cause:
            raise ModelMissing(cause)
        import vosk  # noqa: PLC0415 - 60 MB of native code, loaded only where it is used

        vosk.SetLogLevel(LOG_NOTHING)
        self.engine = f"vosk {Path(settings.model).name}"
        self._options = options_of(settings, VoskOptions)
        self._make: Any = vosk.KaldiRecognizer
        try:
            self._model: Any = vosk.Model(settings.model)
        except Exception as error:  # vosk raises nothing finer
            raise EngineFailed(f"Vosk cannot load {settings.model}: {error}") from error
        self._grammar = self._checked_grammar(settings.model)

    def stream(self, sample_rate_hz: int) -> "VoskStream":
        """Return a fresh stream at any rate that telephony uses."""
        return VoskStream(self, sample_rate_hz, self._options.seconds_per_recogniser)

    def phrases(self, sample_rate_hz: int) -> "VoskPhrases":
        """Return a fresh stream of phrases."""
        return VoskPhrases(self, sample_rate_hz, self._options.seconds_per_recogniser)

    def utterances(self, sample_rate_hz: int, phrases: tuple[str, ...]) -> "VoskUtterances":
        """Return a fresh stream of answers. Phrases with a word that the model does not know are left out, which is
        logged; where none is left anything is listened for."""
        known = tuple(phrase for phrase in phrases if all(self._knows(word) for word in phrase.split()))
        if len(known) < len(phrases):
            unknown = ", ".join(sorted(set(phrases) - set(known)))
            log.warning("phrases_unknown engine=%r phrases=%r", self.engine, unknown)
        return VoskUtterances(self, sample_rate_hz, self._grammar_of(known, UNKNOWNS) if known else "")

    def transcribe(self, pcm: Samples, sample_rate_hz: int) -> list[RecognisedWord]:
        """Recognise a whole recording."""
        stream = self.stream(sample_rate_hz)
        words = [word for word in stream.accept(pcm) if isinstance(word, RecognisedWord)]
        return words + stream.finish()

    def recognizer(self, sample_rate_hz: int, grammar: str = "") -> Any:
        """Return a new `KaldiRecognizer` with word times."""
        grammar = grammar or self._grammar
        arguments = (self._model, float(sample_rate_hz), *((grammar,) if grammar else ()))
        made = self._make(*arguments)
        made.SetWords(True)
        return made

    def _checked_grammar(self, model: str) -> str:
        """Vosk drops words that its model does not know with a line in its log; a phrase that can never be heard is
        an error here."""
        phrases = self._options.grammar
        unknown = sorted({word for phrase in phrases for word in phrase.split() if not self._knows(word)})
        if unknown:
            raise EngineFailed(
                f"The grammar has words that the Vosk model {model} does not know: {', '.join(unknown)}. Use others."
            )
        return self._grammar_of(phrases, (UNKNOWN,)) if phrases else ""

    def _grammar_of(self, phrases: tuple[str, ...], unknown: tuple[str, ...]) -> str:
        heard_as_none = [word for word in unknown if self._knows(word)]
        return json.dumps([*phrases, *heard_as_none], ensure_ascii=False)

    def _knows(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)


class VoskStream:
    """Vosk on a stream: words when an utterance ends (about half a second of silence), partials in between."""

    def __init__(self, recogniser: VoskRecogniser, sample_rate_hz: int, seconds_per_recogniser: float) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._life = int(seconds_per_recogniser * sample_rate_hz)
        self._kaldi = recogniser.recognizer(sample_rate_hz)
        self._offset = 0  # samples before the present recogniser
        self._age = 0  # samples given to it

    def accept(self, pcm: Samples) -> list[Partial | RecognisedWord]:
        """Take samples; return words of the utterances that ended in them, then the partial of the next one."""
        found: list[Partial | RecognisedWord] = []
        for start in range(0, len(pcm), SAMPLES_PER_CALL):
            block = pcm[start : start + SAMPLES_PER_CALL]
            self._age += len(block)
            if self._kaldi.AcceptWaveform(block.tobytes()):
                found += self._words(self._kaldi.Result())
                if self._age >= self._life:
                    self._replace()
            elif self._age >= 2 * self._life:
                found += self._words(self._kaldi.FinalResult())
                self._replace()
        partial = json.loads(self._kaldi.PartialResult()).get("partial")  # absent from a recogniser that heard nothing
        return [*found, Partial(partial)] if partial else found

    def finish(self) -> list[RecognisedWord]:
        """Return the last utterance's words. A little silence goes in first: a last word cut off short is else lost."""
        words: list[RecognisedWord] = []
        silence = np.zeros(int(TAIL_S * self._rate_hz), np.int16)
        if self._kaldi.AcceptWaveform(silence.tobytes()):
            words += self._words(self._kaldi.Result())
        return words + self._words(self._kaldi.FinalResult())

    def _replace(self) -> None:
        self._offset += self._age
        self._age = 0
        self._kaldi = self._recogniser.recognizer(self._rate_hz)

    def _words(self, result: str) -> list[RecognisedWord]:
        before = self._offset / self._rate_hz
        return [
            RecognisedWord(word["word"], before + word["start"], before + word["end"], min(1.0, word["conf"]))
            for word in json.loads(result).get("result", ())
            if word["word"] != UNKNOWN
        ]


class VoskPhrases:
    """Vosk on phrases: it listens as they are spoken, so a look in between costs nothing more.

    One recogniser hears phrase after phrase, for it learns the voice, until it is too old; it is made with the first
    phrase, so that somebody who says nothing has none.
    """

    interim_every_s = INTERIM_EVERY_S

    def __init__(self, recogniser: VoskRecogniser, sample_rate_hz: int, seconds_per_recogniser: float) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._life = int(seconds_per_recogniser * sample_rate_hz)
        self._kaldi: Any = None
        self._age = 0
        self._certain: list[str] = []

    def accept(self, pcm: Samples) -> None:
        """Hear the next samples."""
        for start in range(0, len(pcm), SAMPLES_PER_CALL):
            self._hear(pcm[start : start + SAMPLES_PER_CALL])

    def heard(self) -> str:
        """Return the words so far, the uncertain last ones among them."""
        if self._kaldi is None:
            return ""
        return _text([*self._certain, json.loads(self._kaldi.PartialResult()).get("partial", "")])

    def finish(self) -> str:
        """Return the words. Silence goes in until Vosk sees the end itself; cut off by force, it forgets the voice."""
        if self._kaldi is None:
            return ""
        silence = np.zeros(SAMPLES_PER_CALL, np.int16)
        for _ in range(int(LONGEST_TAIL_S * self._rate_hz) // SAMPLES_PER_CALL):
            if self._hear(silence):
                break
        else:
            self._certain.append(json.loads(self._kaldi.FinalResult())["text"])
        text, self._certain = _text(self._certain), []
        if self._age >= self._life:
            self._kaldi = None
        return text

    def drop(self) -> None:
        """Forget what was heard, the voice too: a reset leaves in the recogniser what it has not decoded yet."""
        self._kaldi, self._certain = None, []

    def _hear(self, block: Samples) -> bool:
        if self._kaldi is None:
            self._kaldi, self._age = self._recogniser.recognizer(self._rate_hz), 0
        self._age += len(block)
        ended = bool(self._kaldi.AcceptWaveform(block.tobytes()))
        if ended:
            self._certain.append(json.loads(self._kaldi.Result())["text"])
        return ended


class VoskUtterances:
    """Vosk on answers: it listens as they are spoken. Each has a recogniser of its own, which costs a millisecond and
    hears nothing of the one before."""

    def __init__(self, recogniser: VoskRecogniser, sample_rate_hz: int, grammar: str) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._grammar = grammar
        self._kaldi: Any = None
        self._words: list[dict[str, Any]] = []

    def accept(self, pcm: Samples) -> None:
        """Hear the next samples."""
        if self._kaldi is None:
            self._kaldi = self._recogniser.recognizer(self._rate_hz, self._grammar)
        for start in range(0, len(pcm), SAMPLES_PER_CALL):
            if self._kaldi.AcceptWaveform(pcm[start : start + SAMPLES_PER_CALL].tobytes()):
                self._words += json.loads(self._kaldi.Result()).get("result", ())

    def finish(self) -> Heard | None:
        """Return what was said: the mean confidence of its words, those that are in no phrase left out; None without a
        word."""
        if self._kaldi is None:
            return None
        self.accept(np.zeros(int(TAIL_S * self._rate_hz), np.int16))
        words = [*self._words, *json.loads(self._kaldi.FinalResult()).get("result", ())]
        self.drop()
        known = [word for word in words if word["word"] not in UNKNOWNS]
        if not known:
            return Heard("", 0.0) if words else None
        confidence = sum(min(1.0, word["conf"]) for word in known) / len(known)
        return Heard(" ".join(word["word"] for word in known), confidence)

    def drop(self) -> None:
        """Forget what was heard."""
        self._kaldi, self._words = None, []


def _text(pieces: list[str]) -> str:
    return " ".join(word for piece in pieces for word in piece.split() if word != UNKNOWN)
