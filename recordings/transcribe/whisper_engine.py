"""Whisper through faster-whisper, on the processor with int8 weights. The only module that imports faster_whisper.

Nothing is ever fetched: the model is a folder, the hub is switched off, and a folder without `tokenizer.json` is
refused because faster-whisper would look for one on the hub. Silence is cut out first by the Silero network inside
faster-whisper's wheel: Whisper makes up sentences where there is nothing to hear.

Long recordings are decoded in blocks of at most five minutes, cut where it is quietest: the spectrogram of an hour
would take over a gigabyte. Phrases do not see each other's text (`condition_on_previous_text=False`), so that a mistake
is not repeated, and a cut costs nothing.
"""

import importlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

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

MODEL_RATE_HZ: Final = 16000
TELEPHONE_RATE_HZ: Final = 8000
FULL_SCALE: Final = 32768.0
BLOCK_S: Final = 300
CUT_WITHIN_S: Final = 20
STREAM_BLOCK_S: Final = 28  # Whisper's window is 30 s
PAUSE_S: Final = 0.7
LOOK_EVERY_S: Final = 0.3
KEEP_SILENCE_S: Final = 0.5
SPEECH_PROBABILITY: Final = 0.5
NO_SPEECH: Final = 0.6  # Whisper's own threshold
SPEECH_PAD_MS: Final = 800  # with the 400 of faster-whisper, the first words of a phrase go missing at times
QUIET_WINDOW_S: Final = 0.2
ROW_S: Final = 0.02
AUDIBLE: Final = 10**-2.6  # of the power of a word's loudest row
HALF_TAPS: Final = 32
KAISER_BETA: Final = 8.0
# A second and third try with a little chance when the first loops or guesses; the seed makes them repeatable.
TEMPERATURES: Final = (0.0, 0.2, 0.4)
SEED: Final = 1
ENGLISH_VOCABULARY: Final = 51864
INTERIM_EVERY_S: Final = 1.2  # a look takes a third of a second of a core, however short the phrase is

Audio = NDArray[np.float32]


class WhisperOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`threads`: cores per decoding. `prompt`: words to expect (names of products and places)."""

    beam: int = 5
    threads: int = 1
    prompt: str = ""


def missing(settings: RecogniserSettings, language: str) -> str:
    """Return what keeps the engine from hearing `language` and the mend, or an empty string."""
    if importlib.util.find_spec("faster_whisper") is None:
        return "The package faster-whisper is not installed: run `pip install 'hotline[whisper]'`."
    if not settings.model:
        return "No model folder is set beside the engine: set `model` to one."
    folder = Path(settings.model)
    if not folder.is_dir():
        return f"There is no folder {folder}: put a faster-whisper model there."
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            return f"{folder} is not a whole faster-whisper model (no {name} in it): install it again."
    if language != "en" and is_english_only(folder):
        return f"The model in {folder} knows English alone: install a multilingual one for {language}."
    return ""


def is_english_only(folder: Path) -> bool:
    """Tell `.en` models by their vocabulary: 51864 tokens; a multilingual one has at least one more."""
    lists, lines = folder / "vocabulary.json", folder / "vocabulary.txt"
    if lists.is_file():
        return len(json.loads(lists.read_bytes())) <= ENGLISH_VOCABULARY
    return lines.is_file() and len(lines.read_bytes().rstrip(b"\n").split(b"\n")) <= ENGLISH_VOCABULARY


def upsample(pcm: Samples) -> Audio:
    """Return 8 kHz samples at 16 kHz, float32 of -1 to 1: a half-band FIR in its two phases.

    The even output samples are the input itself; the odd ones are a Kaiser-windowed sinc (64 taps) at half a sample.
    """
    audio = pcm.astype(np.float32) / np.float32(FULL_SCALE)
    offsets = np.arange(-HALF_TAPS, HALF_TAPS) + 0.5
    window = np.i0(KAISER_BETA * np.sqrt(1 - (offsets / HALF_TAPS) ** 2)) / np.i0(KAISER_BETA)
    taps = (np.sinc(offsets) * window).astype(np.float32)
    doubled = np.empty(2 * len(audio), np.float32)
    doubled[0::2] = audio
    if len(audio):
        doubled[1::2] = np.convolve(np.pad(audio, (HALF_TAPS - 1, HALF_TAPS)), taps, mode="valid")
    return doubled


def at_model_rate(pcm: Samples, sample_rate_hz: int) -> Audio:
    """Return samples as Whisper wants them. Raises `EngineFailed` for a rate other than 8 or 16 kHz."""
    if sample_rate_hz == TELEPHONE_RATE_HZ:
        return upsample(pcm)
    if sample_rate_hz == MODEL_RATE_HZ:
        return pcm.astype(np.float32) / np.float32(FULL_SCALE)
    raise EngineFailed(f"Whisper is given {sample_rate_hz} Hz; it takes {TELEPHONE_RATE_HZ} or {MODEL_RATE_HZ}.")


def quietest_cut(pcm: Samples, sample_rate_hz: int, longest_s: float, within_s: float) -> int:
    """Return where to cut off a block of at most `longest_s`: the quietest 200 ms of its last `within_s` seconds."""
    end = int(longest_s * sample_rate_hz)
    if len(pcm) <= end:
        return len(pcm)
    width = int(QUIET_WINDOW_S * sample_rate_hz)
    start = end - int(within_s * sample_rate_hz)
    windows = pcm[start : start + (end - start) // width * width].astype(np.float32).reshape(-1, width)
    return start + int(np.square(windows).sum(axis=1).argmin()) * width + width // 2


def span_of_sound(pcm: Samples, sample_rate_hz: int, start: float, end: float) -> tuple[float, float]:
    """Return `start` and `end` (seconds) drawn in to where the word sounds: its rows within 26 dB of its loudest.

    Whisper gives the first and last word of a phrase some of the silence beside it, up to half a second.
    """
    width = int(ROW_S * sample_rate_hz)
    first = int(start * sample_rate_hz)
    span = pcm[first : int(end * sample_rate_hz)]
    rows = span[: len(span) // width * width].astype(np.float32).reshape(-1, width)
    levels = np.square(rows).mean(axis=1)
    loud = np.flatnonzero(levels > AUDIBLE * levels.max(initial=0.0))
    if not len(loud):
        return start, end
    return (first + int(loud[0]) * width) / sample_rate_hz, (first + (int(loud[-1]) + 1) * width) / sample_rate_hz


class WhisperRecogniser:
    """One loaded Whisper model for one language."""

    def __init__(self, language: str, settings: RecogniserSettings) -> None:
        """Load the model. Raises `ModelMissing` or `EngineFailed`."""
        cause = missing(settings, language)
        if cause:
            raise ModelMissing(cause)
        os.environ["HF_HUB_OFFLINE"] = "1"
        import faster_whisper  # noqa: PLC0415 - 100 MB of native code, loaded only where it is used

        self.engine = f"whisper {Path(settings.model).name}"
        self._language = language
        self._options = options_of(settings, WhisperOptions)
        importlib.import_module("ctranslate2").set_random_seed(SEED)
        try:
            self._model: Any = faster_whisper.WhisperModel(
                settings.model,
                device="cpu",
                compute_type="int8",
                cpu_threads=self._options.threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineFailed(f"Whisper cannot load {settings.model}: {error}") from error

    def stream(self, sample_rate_hz: int) -> "WhisperStream":
        """Return a fresh stream."""
        return WhisperStream(self, sample_rate_hz)

    def phrases(self, sample_rate_hz: int) -> "WhisperPhrases":
        """Return a fresh stream of phrases."""
        return WhisperPhrases(self, sample_rate_hz)

    def utterances(self, sample_rate_hz: int, phrases: tuple[str, ...]) -> "WhisperUtterances":
        """Return a fresh stream of answers. It cannot be told what to expect: Whisper that is given words to expect
        hears them in noise."""
        del phrases
        return WhisperUtterances(self, sample_rate_hz)

    def transcribe(self, pcm: Samples, sample_rate_hz: int) -> list[RecognisedWord]:
        """Recognise a whole recording, block by block."""
        words: list[RecognisedWord] = []
        start = 0
        while start < len(pcm):
            length = quietest_cut(pcm[start:], sample_rate_hz, BLOCK_S, CUT_WITHIN_S)
            words += self.decode(pcm[start : start + length], sample_rate_hz, start / sample_rate_hz)
            start += length
        return words

    def decode(self, pcm: Samples, sample_rate_hz: int, offset_s: float) -> list[RecognisedWord]:
        """Return the words of one block that begins `offset_s` seconds into the recording."""
        audio = at_model_rate(pcm, sample_rate_hz)
        try:
            heard = [word for segment in self._segments(audio, TEMPERATURES) for word in segment.words or ()]
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"Whisper failed {offset_s:.1f} s into the recording: {error}") from error
        words = []
        for word in heard:
            start, end = span_of_sound(pcm, sample_rate_hz, float(word.start), float(word.end))
            if word.word.strip():
                words.append(
                    RecognisedWord(word.word.strip(), offset_s + start, offset_s + end, float(word.probability))
                )
        return words

    def read(self, pcm: Samples, sample_rate_hz: int, temperatures: tuple[float, ...] = TEMPERATURES) -> str:
        """Return a phrase of at most 30 s as text, without the times of its words."""
        audio = at_model_rate(pcm, sample_rate_hz)
        try:
            segments = list(self._segments(audio, temperatures, word_timestamps=False, without_timestamps=True))
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"Whisper failed over a phrase of {len(pcm) / sample_rate_hz:.1f} s: {error}") from error
        return " ".join(segment.text.strip() for segment in segments).strip()

    def answer(self, pcm: Samples, sample_rate_hz: int) -> Heard | None:
        """Return an utterance of at most 30 s, None for no words, or where Whisper holds it for silence. Its confidence
        is the mean probability of its words."""
        audio = at_model_rate(pcm, sample_rate_hz)
        try:
            words = [
                word
                for segment in self._segments(audio, TEMPERATURES[:1])
                if segment.no_speech_prob < NO_SPEECH
                for word in segment.words or ()
            ]
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(
                f"Whisper failed over an answer of {len(pcm) / sample_rate_hz:.1f} s: {error}"
            ) from error
        text = "".join(word.word for word in words).strip()
        return Heard(text, sum(float(word.probability) for word in words) / len(words)) if text else None

    def _segments(self, audio: Audio, temperatures: tuple[float, ...], **options: bool) -> Any:
        segments, _ = self._model.transcribe(
            audio,
            language=self._language,
            beam_size=self._options.beam,
            temperature=temperatures,
            initial_prompt=self._options.prompt or None,
            condition_on_previous_text=False,
            vad_filter=True,
            vad_parameters={"speech_pad_ms": SPEECH_PAD_MS},
            **{"word_timestamps": True} | options,
        )
        return segments

    def has_speech(self, pcm: Samples, sample_rate_hz: int) -> bool:
        """Tell whether the Silero network hears a voice anywhere in `pcm`."""
        from faster_whisper.vad import get_speech_timestamps  # noqa: PLC0415 - see __init__

        return bool(get_speech_timestamps(at_model_rate(pcm, sample_rate_hz), threshold=SPEECH_PROBABILITY))


class WhisperStream:
    """Whisper on a stream. It is no streaming model: what was said is held back until the speaker pauses for 0.7 s, or
    for 28 s at most (then cut where it is quietest), and decoded at once. There are no partials: a phrase comes as
    whole words, some tenths of a second after its end. Silence is dropped, so memory is bounded by 28 s."""

    def __init__(self, recogniser: WhisperRecogniser, sample_rate_hz: int) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._held = np.zeros(0, np.int16)
        self._offset = 0  # samples before the first one held
        self._looked_at = 0  # samples held when the pause was last looked for

    def accept(self, pcm: Samples) -> list[Partial | RecognisedWord]:
        """Take samples; return the words of the phrases that ended with a pause."""
        found: list[Partial | RecognisedWord] = []
        step = int(LOOK_EVERY_S * self._rate_hz)
        for start in range(0, len(pcm), step):
            self._held = np.concatenate([self._held, pcm[start : start + step]])
            if len(self._held) - self._looked_at >= step:
                found += self._look()
        return found

    def finish(self) -> list[RecognisedWord]:
        """Return the words still held back."""
        return self._decode(len(self._held))

    def _look(self) -> list[RecognisedWord]:
        """Decode at a pause or when too much is held. What holds no voice at all goes without decoding."""
        self._looked_at = len(self._held)
        pause = int(PAUSE_S * self._rate_hz)
        if len(self._held) > STREAM_BLOCK_S * self._rate_hz:
            return self._decode(quietest_cut(self._held, self._rate_hz, STREAM_BLOCK_S, CUT_WITHIN_S))
        if len(self._held) <= pause or self._recogniser.has_speech(self._held[-pause:], self._rate_hz):
            return []
        # The end of the silence stays: it is the beginning of the next phrase, and Silero needs a run-up.
        return self._decode(len(self._held) - int(KEEP_SILENCE_S * self._rate_hz))

    def _decode(self, length: int) -> list[RecognisedWord]:
        words = self._recogniser.decode(self._held[:length], self._rate_hz, self._offset / self._rate_hz)
        self._held = self._held[length:]
        self._offset += length
        self._looked_at = len(self._held)
        return words


class WhisperPhrases:
    """Whisper on phrases: each look hears the whole phrase anew. Only the last one tries again when it guesses."""

    interim_every_s = INTERIM_EVERY_S

    def __init__(self, recogniser: WhisperRecogniser, sample_rate_hz: int) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._pcm: list[Samples] = []

    def accept(self, pcm: Samples) -> None:
        """Keep samples; the phrases that come in are short."""
        self._pcm.append(pcm)

    def heard(self) -> str:
        """Return the words so far."""
        return self._read(TEMPERATURES[:1])

    def finish(self) -> str:
        """Return the words."""
        text = self._read(TEMPERATURES)
        self._pcm = []
        return text

    def drop(self) -> None:
        """Forget the samples."""
        self._pcm = []

    def _read(self, temperatures: tuple[float, ...]) -> str:
        return self._recogniser.read(np.concatenate(self._pcm), self._rate_hz, temperatures) if self._pcm else ""


class WhisperUtterances:
    """Whisper on answers: each is heard when it is over."""

    def __init__(self, recogniser: WhisperRecogniser, sample_rate_hz: int) -> None:
        self._recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._pcm: list[Samples] = []

    def accept(self, pcm: Samples) -> None:
        """Keep samples; the utterances that come in are short."""
        self._pcm.append(pcm)

    def finish(self) -> Heard | None:
        """Return what was said."""
        pcm, self._pcm = self._pcm, []
        return self._recogniser.answer(np.concatenate(pcm), self._rate_hz) if pcm else None

    def drop(self) -> None:
        """Forget the samples."""
        self._pcm = []
