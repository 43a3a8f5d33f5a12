"""A speech worker: one process that renders prompts, transcribes recordings, hears talks while they are spoken, or
hears what callers answer to questions.

    python -m telephony.edge.speech_worker --fd N --role render|transcribe|live|hear --settings JSON [--audio PATH]

`N` is one end of a Unix socket pair (`telephony.edge.wire`: `ToSpeech` in, `FromSpeech` out, `WorkerStarted` first).
The end of that socket is the end of the process. Renderer and transcriber take one request at a time; one that fails is
answered with its cause and kills nothing. The live recogniser and the hearing worker answer when
there is something to tell; the latter takes audio from media workers (`telephony.edge.live_audio`) at the Unix socket
`--audio`, and says that it has started when that is there, and its models are loaded.

The engines are imported here alone, each by the role that needs it, and after the command line: the control process
imports `SpeechSettings` from this module.
"""

import argparse
import contextlib
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from ivr_flows.prompts import PromptError, VoiceSettings
from recordings.transcribe.engine import RecogniserSettings
from telephony.edge.wire import Decoder, FromSpeech, ToSpeech, encode
from telephony.events import (
    FileTranscribed,
    FollowRecording,
    HearStream,
    PromptRendered,
    RenderPrompt,
    StopFollowing,
    StopHearing,
    TranscribeFile,
    WorkerStarted,
)

if TYPE_CHECKING:
    from recordings.transcribe.hear import Hearer

Role = Literal["render", "transcribe", "live", "hear"]
Answer = Callable[[ToSpeech], FromSpeech | None]

NICENESS: Final[Mapping[Role, int]] = {"render": 5, "hear": 5, "live": 7, "transcribe": 10}
"""Below the media worker: a caller waits for a prompt or an answer, an agent for words, nobody for a transcript."""
READ_OCTETS: Final = 65536
LOOK_EVERY_S: Final = 0.1
"""Spools grow by a fifth of a second at a time."""

log = logging.getLogger("hotline.speech")


class SpeechSettings(msgspec.Struct, frozen=True):
    """Voices and recognisers by language. `heard` are the languages in which callers may answer: their models are
    loaded at once."""

    voices: dict[str, VoiceSettings] = {}
    recognisers: dict[str, RecogniserSettings] = {}
    heard: tuple[str, ...] = ()


def serve(connection: socket.socket, answer: Answer) -> None:
    """Answer requests until the other side closes. Raises what a broken stream raises: there is no way back from it."""
    decoder: Decoder[ToSpeech] = Decoder(ToSpeech)
    while octets := connection.recv(READ_OCTETS):
        for request in decoder.feed(octets):
            answered = answer(request)
            if answered is not None:
                connection.sendall(encode(answered))


def serve_live(connection: socket.socket, settings: SpeechSettings) -> None:
    """Follow recordings until the other side closes, telling phrases as they are understood. Raises as `serve` does."""
    from recordings.transcribe.follow import Follower  # noqa: PLC0415 - heavy engines
    from recordings.transcribe.recogniser import RecogniserCache  # noqa: PLC0415

    decoder: Decoder[ToSpeech] = Decoder(ToSpeech)
    follower = Follower(settings.recognisers, RecogniserCache())
    worked = False
    while True:
        # With nothing to follow there is nothing to look at: wait for a request.
        wait_s = None if not len(follower) else 0.0 if worked else LOOK_EVERY_S
        if select.select([connection], [], [], wait_s)[0]:
            octets = connection.recv(READ_OCTETS)
            if not octets:
                return
            for request in decoder.feed(octets):
                match request:
                    case FollowRecording():
                        follower.follow(request)
                    case StopFollowing():
                        follower.stop(request.recording)
                    case _:
                        refused = refuse(request, "live")
                        connection.sendall(encode(refused) if refused is not None else b"")
        told, worked = follower.turn()
        if told:
            connection.sendall(b"".join(map(encode, told)))


def serve_hearing(connection: socket.socket, listener: socket.socket, settings: SpeechSettings) -> None:
    """Hear streams until the other side closes, telling utterances. Raises as `serve` does."""
    from recordings.transcribe.hear import Hearer  # noqa: PLC0415 - heavy engines
    from recordings.transcribe.recogniser import RecogniserCache  # noqa: PLC0415
    from telephony.edge.live_audio import LiveRows  # noqa: PLC0415

    decoder: Decoder[ToSpeech] = Decoder(ToSpeech)
    hearer = Hearer(settings.recognisers, RecogniserCache(max(2, len(settings.heard))))
    for language in settings.heard:
        hearer.load(language)
    connection.sendall(encode(WorkerStarted("hear", os.getpid())))
    audio: dict[socket.socket, LiveRows] = {}
    worked = False
    while True:
        readable = select.select([connection, listener, *audio], [], [], 0.0 if worked else None)[0]
        if connection in readable:
            octets = connection.recv(READ_OCTETS)
            if not octets:
                return
            for request in decoder.feed(octets):
                _perform(request, hearer, connection)
        if listener in readable:
            audio[listener.accept()[0]] = LiveRows()
        for source in [each for each in audio if each in readable]:
            octets = _received(source)
            for row in audio[source].feed(octets):
                hearer.take(row.stream, row.tick, row.samples[:, 0])
            if not octets:
                del audio[source]
                source.close()
        told, worked = hearer.turn()
        if told:
            connection.sendall(b"".join(map(encode, told)))


def _perform(request: ToSpeech, hearer: "Hearer", connection: socket.socket) -> None:
    match request:
        case HearStream():
            hearer.hear(request)
        case StopHearing():
            hearer.stop(request.stream)
        case _:
            refused = refuse(request, "hear")
            connection.sendall(encode(refused) if refused is not None else b"")


def _received(source: socket.socket) -> bytes:
    """Return what a media worker sent, nothing where it is gone."""
    with contextlib.suppress(ConnectionError):
        return source.recv(READ_OCTETS)
    return b""


def renderer(settings: SpeechSettings) -> Answer:
    """Return what answers `RenderPrompt`."""
    from ivr_flows.rendering import Renderer  # noqa: PLC0415 - engines under the GPL: in this process and role alone

    renderer = Renderer(settings.voices)

    def answer(request: ToSpeech) -> FromSpeech | None:
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

    def answer(request: ToSpeech) -> FromSpeech | None:
        if not isinstance(request, TranscribeFile):
            return refuse(request, "transcribe")
        return transcribe_file(
            Path(request.path), request.language, settings.recognisers, cache, recording=request.recording
        )

    return answer


def refuse(request: ToSpeech, role: Role) -> PromptRendered | FileTranscribed | None:
    """Answer a request that belongs to another role. Live requests have no answer to be refused with."""
    cause = f"this worker's role is {role}"
    match request:
        case RenderPrompt():
            return PromptRendered(request.key, cause)
        case TranscribeFile():
            return FileTranscribed(request.recording, "failed", language=request.language, cause=cause)
        case FollowRecording() | StopFollowing() | HearStream() | StopHearing():
            log.error("request_refused what=%s cause=%r", type(request).__name__, cause)
            return None


def main(arguments: list[str] | None = None) -> int:
    """Run the worker; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m telephony.edge.speech_worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--role", choices=get_args(Role), required=True)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--audio", type=Path)
    given = parser.parse_args(arguments)
    if (given.role == "hear") != (given.audio is not None):
        parser.error("--audio PATH belongs to --role hear")
    try:
        settings = msgspec.json.decode(given.settings, type=SpeechSettings)
    except msgspec.DecodeError as error:
        parser.error(f"--settings: {error}")
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # Ctrl-C goes to the whole group; the control process ends its workers in its own order, by closing their sockets.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS[given.role])
    with socket.socket(fileno=given.fd) as connection:
        connection.setblocking(True)
        # When the control process is gone, nobody waits for the answer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if given.audio is not None:
                hear(connection, given.audio, settings)
            else:
                run(connection, given.role, settings)
    return 0


def run(connection: socket.socket, role: Role, settings: SpeechSettings) -> None:
    """Say that the worker is there, and do its work until the other side closes."""
    answer = {"render": renderer, "transcribe": transcriber}[role](settings) if role != "live" else None
    connection.sendall(encode(WorkerStarted(role, os.getpid())))
    if answer is None:
        serve_live(connection, settings)
    else:
        serve(connection, answer)


def hear(connection: socket.socket, path: Path, settings: SpeechSettings) -> None:
    """Do the work of the hearing worker. What the last one left at the path goes."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        serve_hearing(connection, listener, settings)


if __name__ == "__main__":
    sys.exit(main())
