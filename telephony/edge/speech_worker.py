"""A speech worker: one process that renders prompts or transcribes recordings, one request at a time.

    python -m telephony.edge.speech_worker --fd N --role render|transcribe --settings JSON

`N` is one end of a Unix socket pair (`telephony.edge.wire`: `ToSpeech` in, `FromSpeech` out, `WorkerStarted` first).
The end of that socket is the end of the process. A request that fails is answered with its cause and kills nothing.

The engines are imported here alone, each by the role that needs it, and after the command line: the control process
imports `SpeechSettings` from this module.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from ivr_flows.prompts import PromptError, VoiceSettings
from recordings.transcribe.engine import RecogniserSettings
from telephony.edge.wire import Decoder, FromSpeech, ToSpeech, encode
from telephony.events import FileTranscribed, PromptRendered, RenderPrompt, TranscribeFile, WorkerStarted

Role = Literal["render", "transcribe"]
Answer = Callable[[ToSpeech], FromSpeech]

NICENESS: Final[Mapping[Role, int]] = {"render": 5, "transcribe": 10}
"""Below the media worker: a caller waits for a prompt, nobody for a transcript."""
READ_OCTETS: Final = 65536


class SpeechSettings(msgspec.Struct, frozen=True):
    """Voices and recognisers by language."""

    voices: dict[str, VoiceSettings] = {}
    recognisers: dict[str, RecogniserSettings] = {}


def serve(connection: socket.socket, role: Role, answer: Answer) -> None:
    """Answer requests until the other side closes. Raises what a broken stream raises: there is no way back from it."""
    decoder: Decoder[ToSpeech] = Decoder(ToSpeech)
    connection.sendall(encode(WorkerStarted(role, os.getpid())))
    while octets := connection.recv(READ_OCTETS):
        for request in decoder.feed(octets):
            connection.sendall(encode(answer(request)))


def renderer(settings: SpeechSettings) -> Answer:
    """Return what answers `RenderPrompt`."""
    from ivr_flows.rendering import Renderer  # noqa: PLC0415 - engines under the GPL: in this process and role alone

    renderer = Renderer(settings.voices)

    def answer(request: ToSpeech) -> FromSpeech:
        if not isinstance(request, RenderPrompt):
            return refuse(request, "render")
        try:
            renderer.render(request.kind, request.value, request.language, Path(request.path))
        except PromptError as error:
            return PromptRendered(request.key, str(error))
        except Exception as error:  # an engine's own, unforeseen: the caller who waits must hear of it
            return PromptRendered(request.key, f"rendering failed: {type(error).__name__}: {error}")
        return PromptRendered(request.key)

    return answer


def transcriber(settings: SpeechSettings) -> Answer:
    """Return what answers `TranscribeFile`."""
    from recordings.transcribe.recogniser import RecogniserCache, transcribe_file  # noqa: PLC0415 - heavy engines

    cache = RecogniserCache()

    def answer(request: ToSpeech) -> FromSpeech:
        if not isinstance(request, TranscribeFile):
            return refuse(request, "transcribe")
        return transcribe_file(
            Path(request.path), request.language, settings.recognisers, cache, recording=request.recording
        )

    return answer


def refuse(request: ToSpeech, role: Role) -> FromSpeech:
    """Answer a request that belongs to the other role."""
    cause = f"this worker's role is {role}"
    if isinstance(request, RenderPrompt):
        return PromptRendered(request.key, cause)
    return FileTranscribed(request.recording, "failed", language=request.language, cause=cause)


ROLES: Final[Mapping[Role, Callable[[SpeechSettings], Answer]]] = {"render": renderer, "transcribe": transcriber}


def main(arguments: list[str] | None = None) -> int:
    """Run the worker; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m telephony.edge.speech_worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--role", choices=get_args(Role), required=True)
    parser.add_argument("--settings", default="{}")
    given = parser.parse_args(arguments)
    try:
        settings = msgspec.json.decode(given.settings, type=SpeechSettings)
    except msgspec.DecodeError as error:
        parser.error(f"--settings: {error}")
    # Ctrl-C goes to the whole group; the control process ends its workers in its own order, by closing their sockets.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS[given.role])
    with socket.socket(fileno=given.fd) as connection:
        connection.setblocking(True)
        # When the control process is gone, nobody waits for the answer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            serve(connection, given.role, ROLES[given.role](settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
