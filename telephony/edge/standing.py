"""What a media worker has been told, so that another can be told it when that one is gone. Pure.

Rule 1: what counts is how a leg stands, not how it came to that: the last word of each kind, in an order in which a
worker may be told it.

Rule 2: a browser's transport is not told again: user names, passwords and certificates are a worker's own. Its leg is
opened, and waits for what the browser answers to the new ones.

Rule 3: a recording goes on in a part of its own, for the spool of another process is not touched
(`recordings.spool`, rule 3).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from recordings.spool import part_path
from telephony.events import (
    CloseLeg,
    Command,
    ConnectLeg,
    Event,
    GuardKeys,
    IceRestarted,
    Join,
    Leave,
    LegOpened,
    ListenForVoice,
    MediaResumed,
    MediaStalled,
    OpenLeg,
    PauseRecording,
    PlaySamples,
    PromptFinished,
    RecordingStopped,
    ResumeRecording,
    StartRecording,
    StartStream,
    StopPlaying,
    StopRecording,
    StopStream,
    StreamStopped,
    WebRtc,
)

ALONE: Final[tuple[type[Command], ...]] = (ConnectLeg, GuardKeys, ListenForVoice)
TOGETHER: Final[tuple[type[Command], ...]] = (Join, PlaySamples)
"""Of each leg the last one of each kind, told again in this order: what is of itself, then what is of others, too."""
LOST: Final = "the media worker died"
DEATHS, DEATHS_S = 3, 60.0
"""Whose worker died so often in so long is given up: it may be what ends them, one after the other."""
ENDS: Final[dict[type[Command], type[Command]]] = {Leave: Join, StopPlaying: PlaySamples}
"""What takes back which."""


@dataclass(slots=True)
class Leg:
    """A leg that is open, or is being opened, in a slot. `told`: its `LegOpened` has been passed on, `stalled`: that
    it is not heard. `at` is where its far end sends to."""

    opening: OpenLeg
    slot: int
    told: bool = False
    stalled: bool = False
    lost: bool = False
    """Given up: it is nowhere until it is closed."""
    moves: int = 0
    moved_at: float = 0.0
    """How often its worker died of late, and when it did last."""
    at: tuple[tuple[str, int], ...] = ()
    words: dict[type[Command], Command] = field(default_factory=dict)

    def again(self, kinds: tuple[type[Command], ...]) -> Iterator[Command]:
        """Give what another worker is to be told, of these kinds."""
        for kind in kinds:
            word = self.words.get(kind)
            if word is not None and not (isinstance(word, ConnectLeg) and word.webrtc is not None):
                yield word


@dataclass(slots=True)
class Recording:
    """A recording that runs in a slot, in its part number `part`."""

    starting: StartRecording
    slot: int
    part: int = 0
    paused: bool = False
    stopping: bool = False
    order: list[str] = field(default_factory=list)
    """Of a recording with a channel per leg: whose they are."""

    def again(self) -> Iterator[Command]:
        """Give what another worker is to be told; the part is the next one."""
        self.part += 1
        path = str(part_path(self.starting.path, self.part))
        yield msgspec.structs.replace(self.starting, path=path, order=tuple(self.order))
        if self.paused:
            yield PauseRecording(self.starting.recording)


@dataclass(slots=True)
class Stream:
    """A live stream that runs in a slot."""

    starting: StartStream
    slot: int


@dataclass(slots=True)
class Standing:
    """Everything that the workers have been told and that still holds, by name."""

    legs: dict[str, Leg] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)

    def slot_of(self, message: Command | Event) -> int | None:
        """Return the slot that a message is for, or may come from; None for what is not open."""
        for name, of in (("recording", self.recordings), ("stream", self.streams), ("leg", self.legs)):
            found = of.get(getattr(message, name, ""))
            if found is not None:
                return found.slot
        return None

    def note(self, command: Command, slot: int) -> None:
        """A worker is being told this."""
        match command:
            case OpenLeg():
                self.legs.setdefault(command.leg, Leg(command, slot))
            case CloseLeg():
                self.legs.pop(command.leg, None)
            case StartRecording():
                self.recordings[command.recording] = Recording(command, slot)
                self._note_channels(self._bridge_of(command.leg))
            case StopRecording():
                if command.recording in self.recordings:
                    self.recordings[command.recording].stopping = True
            case PauseRecording() | ResumeRecording():
                if command.recording in self.recordings:
                    self.recordings[command.recording].paused = isinstance(command, PauseRecording)
            case StartStream():
                self.streams[command.stream] = Stream(command, slot)
            case StopStream():
                self.streams.pop(command.stream, None)
            case _:
                self._note_word(command)

    def _note_word(self, command: Command) -> None:
        leg = self.legs.get(getattr(command, "leg", ""))
        if leg is None:
            return
        ended = ENDS.get(type(command))
        if type(command) in (*ALONE, *TOGETHER):
            leg.words[type(command)] = command
            if isinstance(command, Join):
                self._note_channels(command.bridge)
        elif ended is not None and not self._is_of_another_playback(command, leg):
            leg.words.pop(ended, None)

    def _note_channels(self, bridge: str) -> None:
        """Whoever comes into the bridge of a recording with a channel per leg takes the next (`media.tap`)."""
        for recording in self.recordings.values():
            leg, order = recording.starting.leg, recording.order
            if recording.starting.channels == "legs" and self._bridge_of(leg) == bridge:
                there = [leg, *(name for name in self.legs if bridge and self._bridge_of(name) == bridge)]
                order += [name for name in dict.fromkeys(there) if name not in order]

    def _bridge_of(self, leg: str) -> str:
        """Return the bridge in which a leg is a party."""
        join = self.legs[leg].words.get(Join) if leg in self.legs else None
        return join.bridge if isinstance(join, Join) and join.role == "party" else ""

    @staticmethod
    def _is_of_another_playback(command: Command, leg: Leg) -> bool:
        played = leg.words.get(PlaySamples)
        return (
            isinstance(command, StopPlaying) and isinstance(played, PlaySamples) and played.playback != command.playback
        )

    def heard(self, event: Event) -> None:
        """A worker says this."""
        match event:
            case LegOpened() if event.leg in self.legs:
                leg = self.legs[event.leg]
                leg.told = True
                leg.at = ((event.address, event.port),) if event.webrtc is None else _hosts(event.webrtc)
            case IceRestarted() if event.leg in self.legs and event.webrtc is not None:
                self.legs[event.leg].at = _hosts(event.webrtc)
            case PromptFinished():
                self._played(event)
            case MediaStalled() | MediaResumed() if event.leg in self.legs:
                self.legs[event.leg].stalled = isinstance(event, MediaStalled)
            case RecordingStopped():
                self.recordings.pop(event.recording, None)
            case StreamStopped():
                self.streams.pop(event.stream, None)
            case _:
                pass

    def _played(self, event: PromptFinished) -> None:
        leg = self.legs.get(event.leg)
        played = leg.words.get(PlaySamples) if leg is not None else None
        if leg is not None and isinstance(played, PlaySamples) and played.playback == event.playback:
            del leg.words[PlaySamples]

    def of_slot(self, slot: int) -> list[str]:
        """Return the legs of a slot, but those that are given up."""
        return [name for name, leg in self.legs.items() if leg.slot == slot and not leg.lost]

    def hopeless(self, slot: int, now: float) -> list[str]:
        """A worker died at `now`: return the legs that have had that too often."""
        legs = [(name, self.legs[name]) for name in self.of_slot(slot)]
        for _, leg in legs:
            leg.moves, leg.moved_at = leg.moves + 1 if now - leg.moved_at < DEATHS_S else 1, now
        return [name for name, leg in legs if leg.moves >= DEATHS]

    def give_up(self, legs: list[str]) -> None:
        """Tell nobody of legs any more."""
        for name in legs:
            self.legs[name].lost = True

    def is_lost(self, leg: str) -> bool:
        """Whether a leg is given up, and not closed yet."""
        return leg in self.legs and self.legs[leg].lost

    def _is_gone(self, leg: str) -> bool:
        return leg not in self.legs or self.is_lost(leg)

    def has_call(self, call: str) -> bool:
        """Whether any leg of a call is open."""
        return any(call_of(name) == call for name in self.legs)

    def of_leg(self, leg: str) -> list[str]:
        """Return the recordings of a leg."""
        return [name for name, each in self.recordings.items() if each.starting.leg == leg and not each.stopping]

    def bridge_slot(self, bridge: str, but: str) -> int | None:
        """Return the slot in which a bridge's legs are, other than this one; None where there are none."""
        for name, leg in self.legs.items():
            join = leg.words.get(Join)
            if name != but and isinstance(join, Join) and join.bridge == bridge:
                return leg.slot
        return None

    def again(self, legs: list[str]) -> Iterator[Command]:
        """Give what another worker is to be told of legs, and of what is recorded and streamed of them. What was being
        stopped is over, and is not: see `over`."""
        known = set(legs)
        for name in legs:
            leg = self.legs[name]
            yield msgspec.structs.replace(leg.opening, at=leg.at)
            yield from leg.again(ALONE)
        for name in legs:
            yield from self.legs[name].again(TOGETHER)
        for recording in self.recordings.values():
            if recording.starting.leg in known and not recording.stopping:
                yield from recording.again()
        for stream in self.streams.values():
            if stream.starting.leg in known:
                yield stream.starting

    def unfinished(self, slot: int) -> list[Event]:
        """Return what a worker that is gone cannot tell any more: the end of recordings that were being stopped, and of
        recordings and streams whose leg is closed or given up."""
        over = [
            RecordingStopped(name, 0, LOST)
            for name, each in self.recordings.items()
            if each.slot == slot and (each.stopping or self._is_gone(each.starting.leg))
        ]
        ended = [
            StreamStopped(name, 0, LOST)
            for name, each in self.streams.items()
            if each.slot == slot and self._is_gone(each.starting.leg)
        ]
        return [*over, *ended]

    def move(self, legs: list[str], slot: int) -> None:
        """Legs, with what is recorded and streamed of them, are in another slot from now on."""
        known = set(legs)
        for name in legs:
            self.legs[name].slot = slot
        goes_on = (each for each in self.recordings.values() if not each.stopping)
        runs: list[Recording | Stream] = [*goes_on, *self.streams.values()]
        for what in runs:
            if what.starting.leg in known:
                what.slot = slot


def _hosts(webrtc: WebRtc) -> tuple[tuple[str, int], ...]:
    """Return the addresses and ports of our own sockets among candidates (RFC 8839 section 5.1)."""
    fields = (candidate.split() for candidate in webrtc.candidates)
    return tuple((each[4], int(each[5])) for each in fields if each[7] == "host")


def call_of(leg: str) -> str:
    """Return the call that a leg was opened for: legs are named `CALL.WHOM`."""
    return leg.partition(".")[0]
