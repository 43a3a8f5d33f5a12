"""Events and commands between processes: a length of four octets (big endian), then one msgpack-encoded struct."""

import asyncio
from typing import Final, Generic, TypeVar

import msgspec

from telephony.events import (
    FileTranscribed,
    FollowRecording,
    HearStream,
    MediaCommand,
    MediaEvent,
    PhraseRecognised,
    PromptRendered,
    RenderPrompt,
    StopFollowing,
    StopHearing,
    StreamHeard,
    TranscribeFile,
    WorkerBeat,
    WorkerStarted,
)

LENGTH_OCTETS: Final = 4
MAX_FRAME_OCTETS: Final = 64 * 1024 * 1024

ToMedia = MediaCommand
FromMedia = MediaEvent | WorkerStarted | WorkerBeat
ToSpeech = RenderPrompt | TranscribeFile | FollowRecording | StopFollowing | HearStream | StopHearing
FromSpeech = PromptRendered | FileTranscribed | PhraseRecognised | StreamHeard | WorkerStarted

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()


class FrameTooLong(ValueError):
    """A frame's length is beyond `MAX_FRAME_OCTETS`: the stream cannot be trusted any more."""


def encode(message: msgspec.Struct) -> bytes:
    """Return one frame."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_OCTETS, "big") + body


class Decoder(Generic[T]):
    """Feed it octets as they come; it gives back whole messages of one union."""

    def __init__(self, union: object) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(union)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Return the messages completed by `data`. Raises `FrameTooLong` or `msgspec.ValidationError`."""
        self._buffer += data
        messages: list[T] = []
        position = 0
        try:
            while len(self._buffer) - position >= LENGTH_OCTETS:
                start = position + LENGTH_OCTETS
                length = int.from_bytes(self._buffer[position:start], "big")
                if length > MAX_FRAME_OCTETS:
                    raise FrameTooLong(f"a frame of {length} octets; the limit is {MAX_FRAME_OCTETS}")
                if len(self._buffer) < start + length:
                    break
                position = start + length  # first: a frame that cannot be read is not read again
                messages.append(self._decoder.decode(bytes(self._buffer[start:position])))
        finally:
            del self._buffer[:position]
        return messages


async def read_messages(reader: asyncio.StreamReader, decoder: Decoder[T]) -> list[T]:
    """Wait for at least one message; an empty list means that the other side closed."""
    while True:
        data = await reader.read(65536)
        if not data:
            return []
        messages = decoder.feed(data)
        if messages:
            return messages
