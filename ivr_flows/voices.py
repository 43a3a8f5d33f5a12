"""Engines that speak: espeak-ng through ctypes, and Piper. Both are under the GPL-3.0.

Rule: only the rendering process imports this module, and the engines are imported when they are first asked for: a
hotline that plays files alone needs neither.
"""

import ctypes
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from ivr_flows.audio import Sound
from ivr_flows.prompts import EngineName, PromptError, VoiceSettings, base_language

INSTALL: Final = "install the extra `voice` (pip install 'hotline[voice]')"
SENTENCE_PAUSE_S: Final = 0.25
PIPER_MODELS: Final = 3


class Speech(NamedTuple):
    """What an engine made: sound, and its rate."""

    sound: Sound
    rate_hz: int


class Synthesiser(Protocol):
    """An engine."""

    def speak(self, text: str, language: str, voice: VoiceSettings) -> Speech:
        """Return the text spoken. Raises `PromptError`."""


# espeak-ng's speak_lib.h
_SYNCHRONOUS: Final = 2
_DONT_EXIT: Final = 0x8000
_CHARS_UTF8: Final = 1
_RATE: Final = 1
_VOLUME: Final = 2
_WORDS_PER_MINUTE: Final = 165
_SLOWEST, _FASTEST = 80, 450
_QUIETER: Final = 70
"""Its own 100 clips loud vowels; the level is set afterwards anyway."""
_LONGEST_FOLDER: Final = 120
"""Its buffer for the folder's name is 160 octets, and what is beyond is cut off in silence."""

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """espeak-ng. The library has one state for the whole process, hence one lock for all of these, and an owner of that
    state: whoever speaks next makes it its own, and is kept as long as the library may call it. It is initialised once
    for each folder of voices: again and again it does not bear."""

    _lock = threading.Lock()
    _owner: "Espeak | None" = None
    _initialised = ("", 0)
    """The folder, and the rate that it speaks at."""

    def __init__(self) -> None:
        try:
            import espeakng_loader  # noqa: PLC0415 - under the GPL, and optional
        except ImportError as error:
            raise PromptError(f"espeak-ng is not installed; {INSTALL}") from error
        self._pieces: list[bytes] = []
        folder = str(espeakng_loader.get_data_path())
        if len(folder.encode()) > _LONGEST_FOLDER:
            short = tempfile.mkdtemp(prefix="espeak-")
            weakref.finalize(self, shutil.rmtree, short, ignore_errors=True)
            link = Path(short) / "espeak-ng-data"
            link.symlink_to(folder)
            folder = str(link)
        self._folder = folder
        self._library: Any = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self._callback = _Callback(self._collect)
        with self._lock:
            self._take_over()

    def _take_over(self) -> None:
        if Espeak._owner is self:
            return
        folder, rate_hz = Espeak._initialised
        if folder != self._folder:
            if folder:
                self._library.espeak_Terminate()
            rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, self._folder.encode(), _DONT_EXIT))
            Espeak._initialised = self._folder, rate_hz
        if rate_hz <= 0:
            raise PromptError(f"espeak-ng cannot read its voices in {self._folder}; install the extra `voice` again")
        self._rate_hz = rate_hz
        self._library.espeak_SetSynthCallback(self._callback)
        Espeak._owner = self

    def _collect(self, samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    def speak(self, text: str, language: str, voice: VoiceSettings) -> Speech:
        """Return the text in the voice's name, else in the language's own voice."""
        with self._lock:
            self._take_over()
            self._choose(language, voice)
            words_per_minute = round(min(max(_WORDS_PER_MINUTE * voice.speed, _SLOWEST), _FASTEST))
            self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
            self._library.espeak_SetParameter(_VOLUME, _QUIETER, 0)
            self._pieces.clear()
            octets = text.encode() + b"\0"
            status = self._library.espeak_Synth(octets, ctypes.c_size_t(len(octets)), 0, 1, 0, _CHARS_UTF8, None, None)
            if status == 0:
                status = self._library.espeak_Synchronize()
            if status != 0:
                raise PromptError(f"espeak-ng failed with status {status}")
            samples = np.frombuffer(b"".join(self._pieces), np.int16)
            return Speech((samples / 32768.0).astype(np.float32), self._rate_hz)

    def _choose(self, language: str, voice: VoiceSettings) -> None:
        names = [voice.voice] if voice.voice else [language.lower(), base_language(language)]
        if not any(self._library.espeak_SetVoiceByName(name.encode()) == 0 for name in names):
            raise PromptError(f"espeak-ng has no voice '{names[0]}'; set speech.voices.{language}.voice to one it has")


class Piper:
    """Piper, with the voices that were used last."""

    def __init__(self) -> None:
        try:
            from piper import PiperVoice, SynthesisConfig  # noqa: PLC0415 - under the GPL, and optional
        except ImportError as error:
            raise PromptError(f"Piper is not installed; {INSTALL}") from error
        self._load, self._config = PiperVoice.load, SynthesisConfig
        self._voices: OrderedDict[str, Any] = OrderedDict()

    def speak(self, text: str, language: str, voice: VoiceSettings) -> Speech:
        """Return the text in the voice of the model's file, whatever the language."""
        loaded = self._voice(language, voice.model)
        config = self._config(length_scale=loaded.config.length_scale / voice.speed)
        pieces: list[Sound] = []
        rate_hz = int(loaded.config.sample_rate)
        pause = np.zeros(int(SENTENCE_PAUSE_S * rate_hz), np.float32)
        for chunk in loaded.synthesize(text, syn_config=config):
            pieces += [chunk.audio_float_array.astype(np.float32), pause]
        return Speech(np.concatenate(pieces[:-1]) if pieces else np.zeros(0, np.float32), rate_hz)

    def _voice(self, language: str, model: str) -> Any:
        if model not in self._voices:
            for path in (Path(model), Path(f"{model}.json")):
                if not model or not path.is_file():
                    raise PromptError(f"there is no Piper voice at '{path}'; set speech.voices.{language}.model")
            try:
                self._voices[model] = self._load(model)
            except Exception as error:  # onnxruntime has its own errors, and a broken file can cause any
                raise PromptError(f"the Piper voice '{model}' cannot be loaded: {type(error).__name__}") from error
            if len(self._voices) > PIPER_MODELS:
                self._voices.popitem(last=False)
        self._voices.move_to_end(model)
        return self._voices[model]


class Engines:
    """The engines of this process, each started when first asked for."""

    def __init__(self) -> None:
        self._started: dict[EngineName, Synthesiser] = {}

    def get(self, name: EngineName) -> Synthesiser:
        """Return an engine. Raises `PromptError` where it is not installed."""
        if name not in self._started:
            self._started[name] = Espeak() if name == "espeak" else Piper()
        return self._started[name]
