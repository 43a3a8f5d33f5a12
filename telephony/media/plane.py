"""The media plane: every leg of a worker, moved on by one tick of 20 ms at a time.

Rule 1: pure. Datagrams come in as rows and go out as rows; the edge owns sockets, files and clocks. Files of prompts
come in as sample arrays, recordings leave as rows of samples.

Rule 2: a tick does, in this order: headers, jitter ring, decoding, keys and voices, the guard of secret keys, mixing,
recording tap, prompts, keys that are sent, encoding. So a key ends a prompt within the tick in which it is heard, a
recording has what was said, not what was played or pressed, and behind the guard nobody hears what it keeps back.

Rule 3: `perform` is called between ticks, with the tick that comes next. What it starts is in that tick.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from telephony.clock import TICKS_PER_S
from telephony.events import (
    CloseLeg,
    ConnectLeg,
    DigitPressed,
    DigitSource,
    GainMode,
    GuardKeys,
    Join,
    Leave,
    LegClosed,
    ListenForVoice,
    MediaEvent,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    PauseRecording,
    PlaneCommand,
    PlaySamples,
    PromptEnding,
    PromptFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    ResumeRecording,
    SeekPlaying,
    SendKeys,
    StartRecording,
    StartStream,
    StopPlaying,
    StopRecording,
    StopStream,
    StreamStopped,
)
from telephony.media import g711
from telephony.media.codec import Libraries, NoCodec
from telephony.media.dtmf import ToneListener
from telephony.media.g711 import Samples
from telephony.media.key_guard import KeyGuard
from telephony.media.keys import Keying, Unsendable
from telephony.media.latch import Address
from telephony.media.legs import Leg, LegTable, Origin
from telephony.media.mix import Mixing
from telephony.media.passing import Passing
from telephony.media.playing import Playing
from telephony.media.prompts import SAMPLES_PER_MS, LevelOutOfRange, NothingToPlay, Playback
from telephony.media.reception import Fault, Reception
from telephony.media.reports import Report, Reports
from telephony.media.sending import Sending
from telephony.media.tap import Kind, Tap, Tapped, Taps
from telephony.media.voices import ListeningSettings, TrainedDetector, Voices
from telephony.rtp.packet import Integers, Octets
from telephony.rtp.rtcp import RtcpError
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


class Refused(ValueError):
    """A command that cannot be performed, and why."""


@dataclass(frozen=True, slots=True)
class TickResult:
    """What a tick brought: the first lengths[i] octets of datagrams[i] go out of the socket of table row
    senders[i] to destinations[i]; `faults` are (leg, kind) of packets thrown away, each kind once per leg; `reports`
    are RTCP, each with the table row whose far end is to get it."""

    datagrams: Octets
    lengths: list[int]
    senders: list[int]
    destinations: list[Address]
    events: list[MediaEvent]
    tap: Tap
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)


class MediaPlane:
    """Legs, bridges, playbacks and recordings, and the tick that moves them."""

    def __init__(
        self,
        max_legs: int,
        media_timeout_s: float,
        libraries: Libraries | None = None,
        automatic_gain: GainMode = "off",
        cname: str = "hotline",
        listening: ListeningSettings | None = None,
        trained: TrainedDetector | None = None,
    ) -> None:
        self._libraries = libraries or Libraries()
        self._legs = LegTable(max_legs)
        self._timeout_ticks = round(media_timeout_s * TICKS_PER_S)
        self._reception = Reception(self._legs, max_legs)
        self._reports = Reports(self._legs, self._reception, cname)
        self._passing = Passing(self._legs, max_legs, gained=automatic_gain == "always")
        self._keying = Keying(self._legs)
        self._sending = Sending(self._legs)
        self._tones = ToneListener(max_legs)
        self._guard = KeyGuard(self._legs, max_legs)
        self._voices = Voices(self._legs, max_legs, listening or ListeningSettings(), trained)
        self._mixing = Mixing(self._legs, max_legs, automatic_gain)
        self._taps = Taps(self._legs)
        self._playing = Playing(self._legs, max_legs)

    # ------------------------------------------------------------------------------------------- commands

    def open(self, leg: str, origin: Origin) -> int:
        """Open a leg; return its table row. Raises `Refused`."""
        if leg in self._legs:
            raise Refused(f"leg {leg} is open already")
        if self._legs.full:
            raise Refused("this worker has all the legs it may have; raise media.workers or limits")
        row = self._legs.open(leg, origin).row
        self._reception.reset(row)
        self._reports.reset(row)
        self._passing.reset(row)
        self._tones.reset(row)
        self._voices.reset(row)
        self._mixing.reset(row)
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
            case SeekPlaying() | StopPlaying():
                return self._seek_or_stop(command, tick)
            case Join() | Leave() | GuardKeys() | ListenForVoice():
                self._arrange(command, tick)
                return []
            case StartRecording():
                return self._start_recording(command, tick)
            case StopRecording():
                return self._stop("recording", command.recording, tick)
            case PauseRecording() | ResumeRecording():
                return self._pause(command, tick)
            case StartStream():
                return self._start_stream(command, tick)
            case StopStream():
                return self._stop("stream", command.stream, tick)
            case SendKeys():
                return self._send_keys(command)
            case _:
                assert_never(command)

    def end_all(self, tick: int) -> list[MediaEvent]:
        """Close every leg, as before the end of the worker."""
        return [event for leg in self._legs.legs() for event in self._close(leg, tick)]

    def faults(self, leg: str) -> dict[str, int]:
        """Return how many packets of a leg were thrown away, by reason. Raises `UnknownLeg`."""
        found = self._legs.named(leg)
        row = found.row
        return {**found.faults, "late": self._reception.late(row), "stretched": self._reception.stretched(row)}

    def _connect(self, command: ConnectLeg, tick: int) -> list[MediaEvent]:
        leg = self._legs.named(command.leg)
        if command.codec in ("PCMU", "PCMA") and command.payload_type not in g711.LAWS:
            raise Refused(f"payload type {command.payload_type} is neither 0 (PCMU) nor 8 (PCMA)")
        receives = command.receives if command.receives >= 0 else command.payload_type
        try:
            self._legs.speak(leg, command.codec, command.payload_type, receives, self._libraries)
        except NoCodec as error:
            raise Refused(str(error)) from error
        self._reception.settle(leg.row)
        self._legs.ways += 1
        if command.webrtc is not None:
            leg.latch.trust()
        else:
            leg.latch.connect(command.address, command.port)
        self._legs.telephone_event[leg.row] = command.telephone_event
        leg.event_clock = command.event_clock
        self._legs.connected[leg.row] = True
        self._legs.sends[leg.row] = command.direction in ("sendrecv", "sendonly")
        self._legs.expected[leg.row] = command.direction == "sendrecv"
        self._legs.heard_at[leg.row], self._legs.timed_out[leg.row] = tick, False
        return []

    def _arrange(self, command: Join | Leave | GuardKeys | ListenForVoice, tick: int) -> None:
        """Who hears a leg, and what of it; whether its voice is listened for."""
        leg = self._legs.named(command.leg)
        match command:
            case Join():
                self._legs.join(leg, command.bridge, command.role, command.to)
            case Leave():
                self._legs.join(leg, "")
            case GuardKeys():
                self._guard.turn(leg.row, tick, on=command.on)
            case ListenForVoice():
                self._voices.listen_for(leg, on=command.on, detector=command.detector)

    def _play(self, command: PlaySamples, tick: int, clips: Sequence[Samples]) -> list[MediaEvent]:
        leg = self._legs.named(command.leg)
        events = self._end_playback(leg, "stopped", tick)
        try:
            playback = Playback(
                command.playback, clips, command.barge_in, command.loop, command.level_db, command.offset_ms
            )
        except (NothingToPlay, LevelOutOfRange) as error:
            return [*events, PromptFinished(command.leg, command.playback, "failed", tick, str(error))]
        self._playing.start(leg, playback)
        if command.barge_in_by_voice:
            self._voices.interrupt(leg, playback, command.detector)
        return events

    def _seek_or_stop(self, command: SeekPlaying | StopPlaying, tick: int) -> list[MediaEvent]:
        leg = self._legs.named(command.leg)
        plays = leg.playback is not None and leg.playback.name == command.playback
        if isinstance(command, StopPlaying):
            return self._end_playback(leg, "stopped", tick) if plays else []
        if not plays:
            raise Refused(f"leg {leg.name} does not play {command.playback}: it is over, or has not begun")
        self._playing.seek(leg, command.to_ms * SAMPLES_PER_MS, relative=command.relative)
        return []

    def _end_playback(self, leg: Leg, ending: PromptEnding, tick: int) -> list[MediaEvent]:
        playback = self._playing.stop(leg)
        return [] if playback is None else [PromptFinished(leg.name, playback.name, ending, tick)]

    def _start_recording(self, command: StartRecording, tick: int) -> list[MediaEvent]:
        if ("recording", command.recording) in self._taps:
            return []
        leg = self._legs.named(command.leg)
        order = {name: channel for channel, name in enumerate(command.order)}
        self._taps.start(Tapped(command.recording, "recording", leg, tick, command.channels, order))
        return [RecordingStarted(command.recording, tick)]

    def _start_stream(self, command: StartStream, tick: int) -> list[MediaEvent]:
        if ("stream", command.stream) not in self._taps:
            self._taps.start(Tapped(command.stream, "stream", self._legs.named(command.leg), tick))
        return []

    def _pause(self, command: PauseRecording | ResumeRecording, tick: int) -> list[MediaEvent]:
        paused = isinstance(command, PauseRecording)
        if ("recording", command.recording) not in self._taps:
            raise Refused(f"recording {command.recording} is not running")
        if not self._taps.pause(command.recording, paused=paused):
            return []
        return [(RecordingPaused if paused else RecordingResumed)(command.recording, tick)]

    def _send_keys(self, command: SendKeys) -> list[MediaEvent]:
        try:
            self._keying.add(self._legs.named(command.leg), command)
        except Unsendable as error:
            raise Refused(str(error)) from error
        return []

    def _stop(self, kind: Kind, name: str, tick: int) -> list[MediaEvent]:
        tapped = self._taps.stop(kind, name)
        if tapped is None:
            raise Refused(f"{kind} {name} is not running")
        return [_stopped(tapped, tick)]

    def _close(self, leg: Leg, tick: int) -> list[MediaEvent]:
        events = self._end_playback(leg, "stopped", tick)
        for tapped in self._taps.of(leg):
            events += self._stop(tapped.kind, tapped.name, tick)
        row, table = leg.row, self._legs
        self._guard.forget(row)
        self._voices.reset(row)
        counts = int(table.received[row]), int(table.sent[row]), self._reception.lost(row), int(table.concealed[row])
        self._keying.reset(row)
        table.close(leg)
        return [*events, LegClosed(leg.name, *counts)]

    # ------------------------------------------------------------------------------------------- the tick

    def tick(
        self, rows: Octets, lengths: Integers, legs: Integers, sources: Sequence[Address], tick: int
    ) -> TickResult:
        """Move every leg on by 20 ms. Received datagrams are uint8[n, 2048] with their lengths, the table rows of the
        legs whose sockets they came to, and where they came from, in the order of arrival."""
        presses, faults = self._reception.receive(rows, lengths, legs, sources, tick)
        self._passing.begin()
        heard = self._reception.play_out(tick)
        events = self._keys(presses, heard, tick)
        events += self._listen(heard, tick)
        heard = self._guard.keep(heard, self._reception, tick)
        mixed, said = self._mixing.mix(heard, tick)
        tap = self._taps.take(heard, said)
        events += self._speak(mixed, tick)
        self._voices.send(mixed, tick)
        events += self._stall(tick)
        events += self._time_out(tick)
        keys = self._keying.press(mixed, tick)
        passed = self._passing.choose(self._reception.played, self._reception.coded)
        datagrams, sizes, senders, destinations = self._sending.datagrams(mixed, passed, keys, tick)
        named = [(self._legs.at(row).name, fault) for row, fault in faults]
        reports, qualities = self._reports.due(tick)
        events += qualities
        return TickResult(datagrams, sizes, senders, destinations, events, tap, named, reports)

    def take_report(self, row: int, datagram: bytes, source: Address, now: float) -> None:
        """Take RTCP from the far end of the leg of a table row. What is none, or comes from elsewhere, is counted."""
        try:
            self._reports.take(row, datagram, source, now)
        except RtcpError as error:
            leg = self._legs.at(row)
            leg.faults["not_rtcp"] += 1
            if leg.faults["not_rtcp"] == 1:
                raise Refused(f"RTCP of leg {leg.name}: {error}") from error

    def goodbye(self, leg: str, tick: int) -> list[Report]:
        """Return the RTCP with which a leg takes its leave. Raises `UnknownLeg`."""
        return self._reports.goodbye(self._legs.named(leg), tick)

    def report_address(self, row: int) -> Address | None:
        """Return where a leg's RTCP goes, None for nowhere."""
        return self._reports.address(row)

    def _keys(self, presses: list[tuple[int, Press]], heard: Samples, tick: int) -> list[MediaEvent]:
        events: list[MediaEvent] = []
        for row, press in presses:
            leg = self._legs.at(row)
            begun = tick - press.held * TICKS_PER_S // leg.event_clock - SAME_PRESS_TICKS
            if leg.last_tone != press.digit or leg.last_tone_at < begun:
                events += self._press(leg, press.digit, "rfc4733", tick)
        for row, digit in self._tones.listen(self._legs.open_rows, heard):
            leg = self._legs.at(row)
            if tick - self._legs.event_at[row] > DEAF_TO_TONES_TICKS:
                leg.last_tone, leg.last_tone_at = digit, tick
                events += self._press(leg, digit, "inband", tick)
        return events

    def _press(self, leg: Leg, digit: str, source: DigitSource, tick: int) -> list[MediaEvent]:
        leg.keys = max(0.0, leg.keys - (tick - leg.key_at) * KEYS_PER_TICK)
        leg.key_at = tick
        if leg.keys + 1 > KEYS_AT_ONCE:
            leg.faults["key_flood"] += 1
            return []
        leg.keys += 1
        pressed: list[MediaEvent] = [DigitPressed(leg.name, digit, source, tick)]
        if leg.playback is not None and leg.playback.barge_in:
            pressed += self._end_playback(leg, "barged_in", tick)
        return pressed

    def _listen(self, heard: Samples, tick: int) -> list[MediaEvent]:
        """Tell of voices, and end the prompts that they end."""
        told, interrupted = self._voices.listen(heard, tick)
        return [*told, *(over for leg in interrupted for over in self._end_playback(leg, "barged_in", tick))]

    def _speak(self, mixed: Samples, tick: int) -> list[MediaEvent]:
        """Add each leg's prompt to what it hears of its bridge."""
        return [event for leg in self._playing.add(mixed) for event in self._end_playback(leg, "finished", tick)]

    def _stall(self, tick: int) -> list[MediaEvent]:
        """Tell which legs have fallen silent, and which are heard again."""
        table, rows = self._legs, self._legs.open_rows
        silent = table.expected[rows] & (tick - table.heard_at[rows] > STALL_TICKS)
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
        overdue = table.expected[rows] & (tick - table.heard_at[rows] > self._timeout_ticks)
        silent = rows[table.connected[rows] & ~table.timed_out[rows] & overdue]
        table.timed_out[silent] = True
        return [MediaTimedOut(table.at(row).name, tick) for row in silent.tolist()]


def _stopped(tapped: Tapped, tick: int) -> RecordingStopped | StreamStopped:
    if tapped.kind == "stream":
        return StreamStopped(tapped.name, tick)
    return RecordingStopped(tapped.name, tick - tapped.first_tick)


def refusal(command: PlaneCommand, tick: int, cause: str) -> list[MediaEvent]:
    """Return the answer that is due when `command` could not be performed; for most there is none."""
    match command:
        case PlaySamples():
            return [PromptFinished(command.leg, command.playback, "failed", tick, cause)]
        case StartRecording() | StopRecording():
            return [RecordingStopped(command.recording, 0, cause)]
        case StartStream() | StopStream():
            return [StreamStopped(command.stream, tick, cause)]
        case CloseLeg():
            return [LegClosed(command.leg, 0, 0, 0, 0)]
        case _:
            return []
