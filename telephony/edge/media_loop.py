"""The media worker's loop: wait for commands until the next tick is due, tick, and so on. One thread, no tasks."""

import contextlib
import gc
import ipaddress
import logging
import os
import secrets
from collections import deque
from pathlib import Path
from typing import Final

from recordings.spool import CHANNELS, MOST_CHANNELS
from telephony.clock import TICKS_PER_S, time_of
from telephony.edge import g722_library, opus_library, secure_rtp, trained_voice
from telephony.edge.browsers import Browsers
from telephony.edge.clips import Clips
from telephony.edge.control_link import ControlLink
from telephony.edge.live_audio import LiveAudio
from telephony.edge.media_settings import MediaSettings
from telephony.edge.process_clock import ProcessClock
from telephony.edge.recorder import Recorder
from telephony.edge.rtp_sockets import RtpSockets
from telephony.edge.ticker import Ticker
from telephony.edge.wire import ToMedia
from telephony.events import (
    AddCandidates,
    CloseLeg,
    ConnectLeg,
    LegOpened,
    LegRefused,
    ListenForVoice,
    MediaEvent,
    OpenLeg,
    PlaneCommand,
    PlaySamples,
    PromptFinished,
    RecordingStopped,
    RestartIce,
    SrtpKey,
    StartRecording,
    StartStream,
    StopRecording,
    StopStream,
    StreamStopped,
    TicksCounted,
    WorkerBeat,
    WorkerStarted,
)
from telephony.media.codec import Libraries
from telephony.media.latch import NOWHERE
from telephony.media.legs import Origin, UnknownLeg
from telephony.media.plane import MediaPlane, Refused, refusal
from telephony.media.tones import UnknownTone
from telephony.media.voices import ListeningSettings

BEAT_TICKS: Final = TICKS_PER_S // 5
COLLECT_TICKS: Final = 10 * TICKS_PER_S
COUNT_TICKS: Final = 5 * TICKS_PER_S
REPORT_TICKS: Final = 60 * TICKS_PER_S
REMEMBERED_RECORDINGS: Final = 1000

log = logging.getLogger("hotline.media")


class MediaLoop:
    """A worker at work: it joins the pure plane with sockets, files and the clock."""

    def __init__(self, settings: MediaSettings, control: int) -> None:
        self._clock = ProcessClock(settings.anchor)
        self._link = ControlLink(control)
        self._sockets = RtpSockets(settings.address, settings.ports, settings.max_legs, settings.ports_from)
        libraries = Libraries(opus_library.find(), g722_library.find())
        cname = f"{secrets.token_hex(12)}@hotline"  # RFC 7022: it tells nobody where it runs
        # Loading it takes longer than a tick: it is there from the beginning or not at all.
        self._trained = trained_voice.find(settings.max_legs) if settings.voice_detector == "trained" else None
        self._missed_trained = settings.voice_detector == "trained"
        """Whether it has been said that there is none."""
        self._plane = MediaPlane(
            settings.max_legs,
            settings.media_timeout_s,
            libraries,
            settings.automatic_gain,
            cname,
            ListeningSettings(settings.barge_in_ms, settings.voice_detector),
            self._trained,
        )
        self._recorder = Recorder()
        self._live_audio = LiveAudio()
        self._clips = Clips(settings.tones)
        self._browsers = Browsers(settings, self._sockets, self._link.send)
        self._opened: dict[str, tuple[int, int]] = {}
        """Row and port of each leg."""
        self._keys: dict[str, tuple[SrtpKey, ...]] = {}
        """Of each phone's leg, for what we send should it be encrypted."""
        self._over: deque[str] = deque(maxlen=REMEMBERED_RECORDINGS)
        self._ticker = Ticker(self._clock.now())
        self._reported = self._beat = 0
        self._stopping = False

    def stop(self) -> None:
        """End `run` soon; may be called by a signal."""
        self._stopping = True

    def run(self) -> None:
        """Tick until stopped or left alone, then close every spool."""
        self._link.send(WorkerStarted("media", os.getpid()))
        gc.collect()
        gc.freeze()
        # A collection at the wrong moment is a late tick; it is done after one instead.
        gc.disable()
        self._ticker = Ticker(self._clock.now())
        try:
            while not (self._stopping or self._link.closed):
                if self._link.wait(self._ticker.wait_s(self._clock.now()), *self._sockets.watched):
                    for command in self._link.receive():
                        self._perform(command)
                self._browsers.read()
                self._take_reports()
                for tick in self._ticker.due(self._clock.now()):
                    self._tick(tick)
                if self._trained is not None:
                    self._trained.work(time_of(self._ticker.next_tick), self._clock.now)
        finally:
            self._end()

    def _tick(self, tick: int) -> None:
        received = self._sockets.drain()
        self._browsers.turn()
        result = self._plane.tick(received.rows, received.lengths, received.legs, received.sources, tick)
        self._sockets.send(result.datagrams, result.lengths, result.senders, result.destinations)
        for row, report in result.reports:
            self._send_report(row, report)
        self._recorder.put(tick, result.tap)
        for stream, cause in self._live_audio.put(tick, result.tap.live) if result.tap.live else ():
            self._stream_lost(stream, tick, cause)
        self._tell(result.events)
        for leg, fault in result.faults:
            log.warning("rtp_ignored leg=%s kind=%s", leg, fault)
        for stopped in self._recorder.ended():
            self._recording_over(stopped, tick)
        if tick >= self._beat + BEAT_TICKS:  # whichever ticks were skipped
            self._beat = tick
            self._link.send(WorkerBeat(tick))
        self._link.flush()
        if tick % COLLECT_TICKS == 0:
            gc.collect()
        if tick % COUNT_TICKS == 0:
            self._link.send(TicksCounted(*self._ticker.counted()))
        if tick % REPORT_TICKS == 0:
            self._report_lateness()

    def _tell(self, events: list[MediaEvent]) -> None:
        """Send events on. The end of a recording is told when its spool is complete."""
        for event in events:
            if isinstance(event, RecordingStopped):
                self._recorder.end(event.recording, event.ticks)
                continue
            if isinstance(event, StreamStopped):
                self._live_audio.end(event.stream)
            self._link.send(event)

    def _take_reports(self) -> None:
        """Read RTCP, as soon as it comes: the round trip is measured by that."""
        for came in self._sockets.take_reports():
            try:
                self._plane.take_report(came.row, came.datagram, came.source, self._clock.now())
            except (Refused, UnknownLeg) as error:  # its first fault, or a leg that was closed meanwhile
                log.warning("rtcp_ignored cause=%r", str(error))

    def _send_report(self, row: int, report: bytes) -> None:
        destination = self._plane.report_address(row)
        if destination is not None:
            self._sockets.send_report(row, report, destination)

    def _recording_over(self, stopped: RecordingStopped, tick: int) -> None:
        self._over.append(stopped.recording)
        with contextlib.suppress(Refused):
            # The disk may have ended it before anyone asked.
            self._tell(self._plane.perform(StopRecording(stopped.recording), tick + 1))
        self._link.send(stopped)

    def _stream_lost(self, stream: str, tick: int, cause: str) -> None:
        log.warning("live_audio_lost stream=%s cause=%r", stream, cause)
        with contextlib.suppress(Refused):
            # Its leg may have ended in this very tick.
            self._plane.perform(StopStream(stream), tick + 1)
        self._live_audio.end(stream)
        self._link.send(StreamStopped(stream, tick, cause))

    def _perform(self, command: ToMedia) -> None:
        tick = self._ticker.next_tick
        try:
            if isinstance(command, OpenLeg) and command.kind == "webrtc":
                self._open_browser(command)
            elif isinstance(command, OpenLeg):
                self._open(command.leg, command.at[0][1] if command.at else 0)
            elif isinstance(command, RestartIce):
                self._browsers.restart(command.leg)
            elif isinstance(command, AddCandidates):
                self._browsers.add(command.leg, command.ufrag, command.candidates)
            else:
                self._perform_in_plane(command, tick)
        except (Refused, UnknownLeg, UnknownTone, OSError, secure_rtp.BadKey) as error:
            cause = str(error)
            log.warning("command_refused command=%s cause=%r", type(command).__name__, cause)
            for answer in self._refusal(command, tick, cause):
                self._link.send(answer)

    def _perform_in_plane(self, command: PlaneCommand, tick: int) -> None:
        if isinstance(command, PlaySamples | ListenForVoice) and command.detector == "trained":
            self._miss_trained()
        match command:
            case PlaySamples():
                self._play(command, tick)
            case ConnectLeg():
                if not self._browsers.connect(command.leg, command.webrtc):
                    self._check_address(command.address)
                if command.leg not in self._browsers and command.leg in self._opened:  # before it sends anything
                    self._sockets.secure(self._opened[command.leg][0], command.srtp)
                self._tell(self._plane.perform(command, tick))
            case StartRecording():
                started = self._plane.perform(command, tick)
                if started:
                    channels = MOST_CHANNELS if command.channels == "legs" else CHANNELS
                    self._recorder.begin(command.recording, Path(command.path), tick, channels)
                self._tell(started)
            case StartStream():
                self._start_stream(command, tick)
            case CloseLeg():
                faults = self._plane.faults(command.leg)
                for row, report in self._plane.goodbye(command.leg, tick):
                    self._send_report(row, report)
                self._tell(self._plane.perform(command, tick))
                row, port = self._opened.pop(command.leg)
                self._keys.pop(command.leg, None)
                faults |= self._close_sockets(command.leg, row)
                counts = " ".join(f"{kind}={count}" for kind, count in faults.items() if count)
                log.info("leg_closed leg=%s port=%d %s", command.leg, port, counts)
            case _:
                self._tell(self._plane.perform(command, tick))

    def _start_stream(self, command: StartStream, tick: int) -> None:
        # In this order: where nobody listens, nothing is to be heard.
        self._live_audio.begin(command.stream, command.path)
        try:
            self._tell(self._plane.perform(command, tick))
        except UnknownLeg:
            self._live_audio.end(command.stream)
            raise

    def _miss_trained(self) -> None:
        if self._trained is None and not self._missed_trained:
            self._missed_trained = True
            log.warning("trained_voice_missing mend='the plain detector is used; set media.voice_detector to trained'")

    def _play(self, command: PlaySamples, tick: int) -> None:
        try:
            clips = [self._clips.open(path) for path in command.paths]
        except (UnknownTone, OSError) as error:
            log.warning("not_played leg=%s cause=%r", command.leg, str(error))
            # What played before is over all the same; nothing takes its place.
            ended = self._plane.perform(command, tick, [])
            self._tell([*ended[:-1], PromptFinished(command.leg, command.playback, "failed", tick, str(error))])
        else:
            self._tell(self._plane.perform(command, tick, clips))

    def _refusal(self, command: ToMedia, tick: int, cause: str) -> list[MediaEvent]:
        if isinstance(command, OpenLeg):
            return [LegRefused(command.leg, cause)]
        if isinstance(command, RestartIce | AddCandidates):
            return []
        if isinstance(command, StopRecording) and command.recording in self._over:
            return []
        return refusal(command, tick, cause)

    def _open(self, leg: str, wanted: int) -> None:
        if leg not in self._opened:
            origin = Origin(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32))
            row = self._plane.open(leg, origin)
            try:
                self._opened[leg] = row, self._sockets.open(row, wanted)
            except OSError:
                self._plane.perform(CloseLeg(leg), self._ticker.next_tick)
                raise
            self._keys[leg] = secure_rtp.fresh_keys()
        self._link.send(LegOpened(leg, self._sockets.address, self._opened[leg][1], None, self._keys[leg]))

    def _open_browser(self, command: OpenLeg) -> None:
        name = command.leg
        if name in self._browsers:
            return
        row = self._plane.open(name, Origin(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32)))
        self._opened[name] = row, 0

        def opened(port: int) -> None:
            self._opened[name] = row, port

        self._browsers.open(
            command, row, opened, lambda: self._perform_in_plane(CloseLeg(name), self._ticker.next_tick)
        )

    def _close_sockets(self, leg: str, row: int) -> dict[str, int]:
        """Return what was counted at them."""
        counts = self._browsers.close(leg)
        if counts is None:
            counts = {"srtp_rejected": self._sockets.rejected(row)}
            self._sockets.close(row)
        return counts

    def _check_address(self, address: str) -> None:
        """A name would be looked up by the socket, in the middle of a tick. Raises `Refused`."""
        if address in NOWHERE:
            return
        try:
            version = ipaddress.ip_address(address).version
        except ValueError as error:
            raise Refused(f"{address!r} is no IP address") from error
        if version != self._sockets.version:
            raise Refused(f"{address} cannot be reached from {self._sockets.address}: the IP versions differ")

    def _report_lateness(self) -> None:
        if self._ticker.skipped > self._reported:
            log.warning("ticks_skipped skipped=%d late=%d", self._ticker.skipped, self._ticker.late)
            self._reported = self._ticker.skipped

    def _end(self) -> None:
        """Close the legs as a last act; what the control process can no longer read is in the spools."""
        self._tell(self._plane.end_all(self._ticker.next_tick))
        self._live_audio.close()
        self._recorder.close()
        for stopped in self._recorder.ended():
            self._link.send(stopped)
        self._browsers.end()
        self._sockets.close_all()
        self._browsers.close_loop()
        self._link.close()
