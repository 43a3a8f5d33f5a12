"""What is being said in running talks: told to whoever listens, and kept for pages that come (back) in mid-call.

Rule 1: phrases are kept in memory alone, never in a journal or a row. The transcript of the finished recording takes
their place; they go when it is there, or ten minutes after the talk.

Rule 2: of a phrase that grows only the end is an event like others. What comes before is told to those who listen now,
without a number (`Live.publish` with `kept=False`); a page that comes back asks for the phrases as they stand.

Rule 3: a recogniser that dies is given what it followed again; phrases it left unfinished stay as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from telephony.edge.process_clock import ProcessClock
from telephony.events import CallSnapshot, FollowRecording, PhraseRecognised, StopFollowing

KEPT_PHRASES: Final = 2000
"""Of one recording: the newest. An hour's talk has about a thousand."""
KEPT_AFTER_END_S: Final = 600.0


class Publishes(Protocol):
    """Tells whoever listens on the WebSocket."""

    def __call__(self, type_: str, body: dict[str, object], *, kept: bool = True) -> None: ...


@dataclass(slots=True)
class _Talk:
    """A recording whose words are told. `next_phrase` counts on from the call's recording before."""

    call: str
    command: FollowRecording
    next_phrase: int
    agent: str = ""
    phrases: dict[int, PhraseRecognised] = field(default_factory=dict)
    ended_at: float | None = None
    transcribed: bool = False


@dataclass(slots=True)
class LiveWords:
    """`running` gives a call as it is now, None when it is over."""

    send: Callable[[FollowRecording | StopFollowing], None]
    publish: Publishes
    running: Callable[[str], CallSnapshot | None]
    clock: ProcessClock
    _talks: dict[str, _Talk] = field(default_factory=dict)

    def begin(self, recording: str, call: str, path: Path, language: str) -> None:
        """Follow a recording that begins."""
        self._forget_old()
        first = max((talk.next_phrase for talk in self._talks.values() if talk.call == call), default=0)
        talk = self._talks[recording] = _Talk(call, FollowRecording(recording, str(path), language, first), first)
        self.send(talk.command)

    def end(self, recording: str) -> None:
        """Say that a recording is complete; what was said last is still told."""
        talk = self._talks.get(recording)
        if talk is not None and talk.ended_at is None:
            talk.ended_at = self.clock.now()
            self.send(StopFollowing(recording))
        self._forget_old()

    def transcribed(self, recording: str) -> None:
        """Forget the phrases of a recording: its transcript is there."""
        talk = self._talks.get(recording)
        if talk is not None:
            talk.transcribed = True
            talk.phrases.clear()

    def recognised(self, event: PhraseRecognised) -> None:
        """Keep what is understood of a phrase, and tell it. An empty text takes back what was told of it."""
        talk = self._talks.get(event.recording)
        if talk is None or talk.transcribed:
            return
        talk.next_phrase = max(talk.next_phrase, event.phrase + 1)
        if event.text:
            talk.phrases[event.phrase] = event
        else:
            talk.phrases.pop(event.phrase, None)
        while len(talk.phrases) > KEPT_PHRASES:
            del talk.phrases[min(talk.phrases)]
        self._tell(talk, event)

    def recogniser_died(self) -> None:
        """Have the next recogniser follow what the last one did, from where the talks are by then."""
        for talk in list(self._talks.values()):
            for phrase in [each for each in talk.phrases.values() if not each.final]:
                self.recognised(msgspec.structs.replace(phrase, final=True))
            if talk.ended_at is None:
                self.send(msgspec.structs.replace(talk.command, first_phrase=talk.next_phrase))

    def phrases(self, call: str) -> list[PhraseRecognised]:
        """Return what is known of what was said in a call, in the order in which it was begun to be said."""
        of_call = (talk for talk in self._talks.values() if talk.call == call)
        return [phrase for talk in of_call for _, phrase in sorted(talk.phrases.items())]

    def _tell(self, talk: _Talk, event: PhraseRecognised) -> None:
        call = self.running(talk.call)
        if call is not None:  # what was said last may be understood after the end
            talk.agent = call.agent
        body = {"call_id": talk.call, "agent": talk.agent, **msgspec.structs.asdict(event)}
        self.publish("transcript.phrase", body, kept=event.final)

    def _forget_old(self) -> None:
        now = self.clock.now()
        for recording, talk in list(self._talks.items()):
            if talk.ended_at is not None and now - talk.ended_at > KEPT_AFTER_END_S:
                del self._talks[recording]
