"""The media plane: every leg of a worker, moved on by one tick of 20 ms at a time.

Rule 1: pure. Datagrams come in as rows and go out as rows; the edge owns sockets, files and clocks. Files of prompts
come in as sample arrays, recordings leave as rows of samples.

Rule 2: a tick does, in this order: headers, jitter ring, decoding, keys, mixing, recording tap, prompts, encoding. So a
key ends a prompt within the tick in which it is heard, and a recording has what was said, not what was played.

Rule 3: `perform` is called between ticks, with the tick that comes next. What it starts is in that tick.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.events import (
    CloseLeg,
    ConnectLeg,
    DigitPressed,
    DigitSource,
    Join,
    Leave,
    LegClosed,
    MediaEvent,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    PlaySamples,
    PromptEnding,
    PromptFinished,
    RecordingStarted,
    RecordingStopped,
    StartRecording,
    StopPlaying,
    StopRecording,
)
from telephony.media import g711, opus
from telephony.media.dtmf import ToneListener
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.media.legs import NO_OPUS, Leg, LegTable, Origin
from telephony.media.mix import saturate, total_minus_own
from telephony.media.prompts import NothingToPlay, Playback
from telephony.media.reception import Fault, Reception
from telephony.rtp.packet import HEADER_OCTETS, Integers, Octets, write_headers
from telephony.rtp.telephone_event import Press

DEAF_TO_TONES_TICKS: Final = 10 * TICKS_PER_S
"""A leg that sends telephone-events sends its keys so; tones in its audio are the same keys again."""
SAME_PRESS_TICKS: Final = 6
"""120 ms: a tone found so long before an event began is that event's press."""
KEYS_AT_ONCE: Final = 40
KEYS_PER_TICK: Final = 0.2
"""No dialler sends more than ten keys a second. Packets can claim four hundred, and each would be journaled."""
STALL_TICKS: Final = TICKS_PER_S
"""Phones send all the time, whether anybody speaks or not: a second without is a network or a page that is gone."""
DATAGRAM_OCTETS: Final = HEADER_OCTETS + SAMPLES_PER_TICK

PlaneCommand = ConnectLeg | CloseLeg | PlaySamples | StopPlaying | Join | Leave | StartRecording | StopRecording


class Refused(ValueError):
    """A command that cannot be performed, and why."""


@dataclass(frozen=True, slots=True)
class Tap:
    """What to record of a tick: samples[i], int16[160, 2] (the leg, everybody else), belongs to recordings[i]."""

    recordings: list[str]
    samples: Samples


@dataclass(frozen=True, slots=True)
class TickResult:
    """What a tick brought: the first lengths[i] octets of datagrams[i], uint8[172], go out of the socket of table row
    senders[i] to destinations[i]; `faults` are (leg, kind) of packets thrown away, each kind once per leg."""

    datagrams: Octets
    lengths: list[int]
    senders: list[int]
    destinations: list[Address]
    events: list[MediaEvent]
    tap: Tap
    faults: list[tuple[str, Fault]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Recording:
    leg: Leg
    first_tick: int


class MediaPlane:
    """Legs, bridges, playbacks and recordings, and the tick that moves them."""

    def __init__(self, max_legs: int, media_timeout_s: float, library: opus.Library | None = None) -> None:
        self._library = library
        self._legs = LegTable(max_legs)
        self._timeout_ticks = round(media_timeout_s * TICKS_PER_S)
        self._reception = Reception(self._legs, max_legs)
        self._tones = ToneListener(max_legs)
        self._recordings: dict[str, _Recording] = {}

    # ------------------------------------------------------------------------------------------- commands

    def open(self, leg: str, origin: Origin) -> int:
        """Open a leg; return its table row. Raises `Refused`."""
        if leg in self._legs:
            raise Refused(f"leg {leg} is open already")
        if self._legs.full:
            raise Refused("this worker has all the legs it may have; raise media.workers or limits")
        row = self._legs.open(leg, origin).row
        self._reception.reset(row)
        self._tones.reset(row)
        return row

    def perform(self, command: PlaneCommand, tick: int, clips: Sequence[Samples] = ()) -> list[MediaEvent]:
        """Do what a command says before `tick`, and return what it brought about at once.

        `clips` are the samples of a `PlaySamples`. Raises `Refused` or `UnknownLeg`.
        """
        match command:
            case ConnectLeg():
                return self._connect(command, tick)
            case CloseLeg():
                return self._close(self._legs.named(command.leg), tick)
            case PlaySamples():
                return self._play(command, tick, clips)
            case StopPlaying():
                leg = self._legs.named(command.leg)
                playing = leg.playback is not None and leg.playback.name == command.playback
                return _end_playback(leg, "stopped", tick) if playing else []
            case Join():
                self._legs.join(self._legs.named(command.leg), command.bridge)
                return []
            case Leave():
                self._legs.join(self._legs.named(command.leg), "")
                return []
            case StartRecording():
                return self._start_recording(command, tick)
            case StopRecording():
                return self._stop_recording(command.recording, tick)
            case _:
                assert_never(command)

    def end_all(self, tick: int) -> list[MediaEvent]:
        """Close every leg, as before the end of the worker."""
        return [event for leg in self._legs.legs() for event in self._close(leg, tick)]

    def faults(self, leg: str) -> dict[str, int]:
        """Return how many packets of a leg were thrown away, by reason. Raises `UnknownLeg`."""
        found = self._legs.named(leg)
        return {**found.faults, "late": self._reception.late(found.row)}

    def _connect(self, command: ConnectLeg, tick: int) -> list[MediaEvent]:
        leg = self._legs.named(command.leg)
        if command.codec == "opus":
            self._speak_opus(leg, command.payload_type)
        elif command.payload_type not in g711.LAWS:
            raise Refused(f"payload type {command.payload_type} is neither 0 (PCMU) nor 8 (PCMA)")
        else:
            self._legs.opus_type[leg.row], self._legs.clock[leg.row] = NO_OPUS, SAMPLES_PER_TICK
        if command.webrtc is not None:
            leg.latch.trust()
        else:
            leg.latch.connect(command.address, command.port)
        self._legs.payload_type[leg.row] = command.payload_type
        self._legs.telephone_event[leg.row] = command.telephone_event
        self._legs.connected[leg.row] = True
        self._legs.heard_at[leg.row] = tick
        return []

    def _speak_opus(self, leg: Leg, payload_type: int) -> None:
        if self._library is None:
            raise Refused("there is no libopus here: take opus out of media.codecs")
        if leg.encoder is None or leg.decoder is None:
            leg.encoder, leg.decoder = opus.Encoder(self._library), opus.Decoder(self._library)
        self._legs.opus_type[leg.row], self._legs.clock[leg.row] = payload_type, opus.CLOCK_PER_TICK

    def _play(self, command: PlaySamples, tick: int, clips: Sequence[Samples]) -> list[MediaEvent]:
        leg = self._legs.named(command.leg)
        events = _end_playback(leg, "stopped", tick)
        try:
            leg.playback = Playback(command.playback, clips, command.barge_in, command.loop)
        except NothingToPlay as error:
            events.append(PromptFinished(command.leg, command.playback, "failed", tick, str(error)))
        return events

    def _start_recording(self, command: StartRecording, tick: int) -> list[MediaEvent]:
        if command.recording in self._recordings:
            return []
        self._recordings[command.recording] = _Recording(self._legs.named(command.leg), tick)
        return [RecordingStarted(command.recording, tick)]

    def _stop_recording(self, name: str, tick: int) -> list[MediaEvent]:
        recording = self._recordings.pop(name, None)
        if recording is None:
            raise Refused(f"recording {name} is not running")
        return [RecordingStopped(name, tick - recording.first_tick)]

    def _close(self, leg: Leg, tick: int) -> list[MediaEvent]:
        events = _end_playback(leg, "stopped", tick)
        for name in [name for name, recording in self._recordings.items() if recording.leg is leg]:
            events += self._stop_recording(name, tick)
        row, table = leg.row, self._legs
        counts = int(table.received[row]), int(table.sent[row]), self._reception.lost(row), int(table.concealed[row])
        table.close(leg)
        return [*events, LegClosed(leg.name, *counts)]

    # ------------------------------------------------------------------------------------------- the tick

    def tick(
        self, rows: Octets, lengths: Integers, legs: Integers, sources: Sequence[Address], tick: int
    ) -> TickResult:
        """Move every leg on by 20 ms. Received datagrams are uint8[n, 2048] with their lengths, the table rows of the
        legs whose sockets they came to, and where they came from, in the order of arrival."""
        presses, faults = self._reception.receive(rows, lengths, legs, sources, tick)
        heard = self._reception.play_out(tick)
        events = self._keys(presses, heard, tick)
        mixed = total_minus_own(heard, self._legs.bridge[self._legs.open_rows])
        tap = self._tap(heard, mixed)
        events += self._speak(mixed, tick)
        events += self._stall(tick)
        events += self._time_out(tick)
        datagrams, sizes, senders, destinations = self._send(mixed, tick)
        named = [(self._legs.at(row).name, fault) for row, fault in faults]
        return TickResult(datagrams, sizes, senders, destinations, events, tap, named)

    def _keys(self, presses: list[tuple[int, Press]], heard: Samples, tick: int) -> list[MediaEvent]:
        events: list[MediaEvent] = []
        for row, press in presses:
            leg = self._legs.at(row)
            begun = tick - press.held // int(self._legs.clock[row]) - SAME_PRESS_TICKS
            if leg.last_tone != press.digit or leg.last_tone_at < begun:
                events += _press(leg, press.digit, "rfc4733", tick)
        for row, digit in self._tones.listen(self._legs.open_rows, heard):
            leg = self._legs.at(row)
            if tick - self._legs.event_at[row] > DEAF_TO_TONES_TICKS:
                leg.last_tone, leg.last_tone_at = digit, tick
                events += _press(leg, digit, "inband", tick)
        return events

    def _tap(self, heard: Samples, mixed: Samples) -> Tap:
        places = self._legs.place[[recording.leg.row for recording in self._recordings.values()]]
        return Tap(list(self._recordings), np.stack([heard[places], mixed[places]], axis=-1))

    def _speak(self, mixed: Samples, tick: int) -> list[MediaEvent]:
        """Add each leg's prompt to what it hears of its bridge."""
        events: list[MediaEvent] = []
        prompt = np.zeros(SAMPLES_PER_TICK, np.int16)
        for place, leg in enumerate(self._legs.legs()):
            if leg.playback is None:
                continue
            if leg.bridge:
                prompt[:] = 0
                leg.playback.read_into(prompt)
                mixed[place] = saturate(mixed[place].astype(np.int32) + prompt)
            else:
                leg.playback.read_into(mixed[place])
            if leg.playback.over:
                events += _end_playback(leg, "finished", tick)
        return events

    def _stall(self, tick: int) -> list[MediaEvent]:
        """Tell which legs have fallen silent, and which are heard again."""
        table, rows = self._legs, self._legs.open_rows
        silent = tick - table.heard_at[rows] > STALL_TICKS
        now_silent = rows[silent & ~table.stalled[rows] & (table.received[rows] > 0)]
        heard = rows[~silent & table.stalled[rows]]
        table.stalled[now_silent] = True
        table.stalled[heard] = table.timed_out[heard] = False
        return [
            *(MediaStalled(table.at(row).name, tick) for row in now_silent.tolist()),
            *(MediaResumed(table.at(row).name, tick) for row in heard.tolist()),
        ]

    def _time_out(self, tick: int) -> list[MediaEvent]:
        table, rows = self._legs, self._legs.open_rows
        overdue = tick - table.heard_at[rows] > self._timeout_ticks
        silent = rows[table.connected[rows] & ~table.timed_out[rows] & overdue]
        table.timed_out[silent] = True
        return [MediaTimedOut(table.at(row).name, tick) for row in silent.tolist()]

    def _send(self, speech: Samples, tick: int) -> tuple[Octets, list[int], list[int], list[Address]]:
        """Return a datagram for every leg that has somewhere to send to, be it silence: recordings at the far end and
        NAT bindings live on it."""
        table = self._legs
        senders: list[int] = []
        destinations: list[Address] = []
        for leg in table.legs():
            destination = leg.latch.destination
            if destination is not None:
                senders.append(leg.row)
                destinations.append(destination)
        rows = np.array(senders, np.int64)
        datagrams = np.empty((len(rows), DATAGRAM_OCTETS), np.uint8)
        payload_type = table.payload_type[rows]
        # The timestamp counts ticks, not packets, so a skipped tick is a gap at the far end and no drift.
        timestamp = table.timestamp[rows] + tick * table.clock[rows]
        first = table.sent[rows] == 0
        write_headers(datagrams, payload_type, first, table.sequence[rows], timestamp, table.ssrc[rows])
        datagrams[:, HEADER_OCTETS:] = g711.encode(speech[table.place[rows]], payload_type)
        lengths = [DATAGRAM_OCTETS] * len(senders)
        if table.speaks_opus:
            self._encode_opus(datagrams, lengths, rows, speech)
        table.sequence[rows] += 1
        table.sent[rows] += 1
        return datagrams, lengths, senders, destinations

    def _encode_opus(self, datagrams: Octets, lengths: list[int], rows: Integers, speech: Samples) -> None:
        """Write what legs hear in Opus in the place of what was written for them."""
        for i in np.flatnonzero(self._legs.opus_type[rows] != NO_OPUS).tolist():
            encoder = self._legs.at(int(rows[i])).encoder
            if encoder is not None:
                payload = encoder.encode(speech[self._legs.place[rows[i]]])
                datagrams[i, HEADER_OCTETS : HEADER_OCTETS + len(payload)] = payload
                lengths[i] = HEADER_OCTETS + len(payload)


def _press(leg: Leg, digit: str, source: DigitSource, tick: int) -> list[MediaEvent]:
    leg.keys = max(0.0, leg.keys - (tick - leg.key_at) * KEYS_PER_TICK)
    leg.key_at = tick
    if leg.keys + 1 > KEYS_AT_ONCE:
        leg.faults["key_flood"] += 1
        return []
    leg.keys += 1
    pressed: list[MediaEvent] = [DigitPressed(leg.name, digit, source, tick)]
    if leg.playback is not None and leg.playback.barge_in:
        pressed += _end_playback(leg, "barged_in", tick)
    return pressed


def _end_playback(leg: Leg, ending: PromptEnding, tick: int) -> list[MediaEvent]:
    if leg.playback is None:
        return []
    playback, leg.playback = leg.playback, None
    return [PromptFinished(leg.name, playback.name, ending, tick)]


def refusal(command: PlaneCommand, tick: int, cause: str) -> list[MediaEvent]:
    """Return the answer that is due when `command` could not be performed; for most there is none."""
    match command:
        case PlaySamples():
            return [PromptFinished(command.leg, command.playback, "failed", tick, cause)]
        case StartRecording() | StopRecording():
            return [RecordingStopped(command.recording, 0, cause)]
        case CloseLeg():
            return [LegClosed(command.leg, 0, 0, 0, 0)]
        case _:
            return []
