"""What callers say to questions: their legs' audio goes to the hearing worker, what it understands to the switchboard.

Rule 1: nothing waits for it. Without a worker, or without a recogniser for the language, nobody is listened to, and the
keys answer.

Rule 2: an answer belongs to the question it was begun for. Whatever comes of a stream that was ended is dropped.

Rule 3: what was said is nowhere but in the event: in no log, no file, no row.
"""

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from recordings.transcribe.recogniser import base_language
from telephony.events import (
    Event,
    HearStream,
    Listen,
    ListenForVoice,
    StartStream,
    StopHearing,
    StopStream,
    StreamHeard,
    StreamStopped,
    UtteranceBegan,
    UtteranceDismissed,
    UtteranceRecognised,
)


@dataclass(slots=True)
class _Listening:
    """A caller who is listened to. `stream` is empty while the worker is not there."""

    command: Listen
    stream: str = ""
    talking: bool = False


@dataclass(slots=True)
class Hearing:
    """`languages` are those with a recogniser; `path` is the worker's socket for audio."""

    to_media: Callable[[StartStream | StopStream | ListenForVoice], None]
    to_worker: Callable[[HearStream | StopHearing], None]
    happened: Callable[[Event], None]
    path: str = ""
    languages: Collection[str] = ()
    _ready: bool = False
    _calls: dict[str, _Listening] = field(default_factory=dict)
    _call_of: dict[str, str] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def listen(self, command: Listen) -> None:
        """Begin to listen to a caller, in place of what was listened for."""
        self.stop(command.call)
        if command.language in self.languages or base_language(command.language) in self.languages:
            self._calls[command.call] = _Listening(command)
            if self._ready:
                self._start(self._calls[command.call])

    def stop(self, call: str) -> None:
        """Listen to a caller no more."""
        listening = self._calls.pop(call, None)
        if listening is not None and listening.stream:
            self._call_of.pop(listening.stream, None)
            self.to_media(StopStream(listening.stream))
            self.to_media(ListenForVoice(listening.command.leg, on=False))
            self.to_worker(StopHearing(listening.stream))

    def heard(self, event: StreamHeard) -> None:
        """Take what the worker understood."""
        listening = self._calls.get(self._call_of.get(event.stream, ""))
        if listening is None:
            return
        call = listening.command.call
        listening.talking = event.outcome == "began"
        match event.outcome:
            case "began":
                self.happened(UtteranceBegan(call, event.start))
            case "words":
                self.happened(UtteranceRecognised(call, event.text, event.confidence, event.start, event.end))
            case "nothing":
                self.happened(UtteranceDismissed(call))

    def stopped(self, event: StreamStopped) -> None:
        """A stream is over: its media worker is gone, or nobody takes it. What was being said is not understood."""
        listening = self._calls.get(self._call_of.pop(event.stream, ""))
        if listening is not None:
            self.to_worker(StopHearing(event.stream))
            self._give_up(listening)

    def worker_started(self) -> None:
        """The worker takes audio: listen to whoever waits for it."""
        self._ready = True
        for listening in self._calls.values():
            if not listening.stream:
                self._start(listening)

    def worker_died(self) -> None:
        """Nobody is heard until the next one is there."""
        self._ready = False
        for listening in list(self._calls.values()):
            if listening.stream:
                self._call_of.pop(listening.stream, None)
                self.to_media(StopStream(listening.stream))
                self._give_up(listening)

    def _start(self, listening: _Listening) -> None:
        command = listening.command
        listening.stream = f"hear.{next(self._numbers)}"
        self._call_of[listening.stream] = command.call
        self.to_worker(HearStream(listening.stream, command.language, command.phrases))
        self.to_media(ListenForVoice(command.leg))
        self.to_media(StartStream(listening.stream, command.leg, self.path))

    def _give_up(self, listening: _Listening) -> None:
        listening.stream = ""
        if listening.talking:
            listening.talking = False
            self.happened(UtteranceDismissed(listening.command.call))
