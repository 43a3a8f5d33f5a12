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

from telephony.clock import TICKS_PER_S
from telephony.edge import opus_library, webrtc
from telephony.edge.clips import Clips
from telephony.edge.control_link import ControlLink
from telephony.edge.media_settings import MediaSettings
from telephony.edge.process_clock import ProcessClock
from telephony.edge.recorder import Recorder
from telephony.edge.rtp_sockets import RtpSockets
from telephony.edge.ticker import Ticker
from telephony.edge.wire import ToMedia
from telephony.events import (
    CloseLeg,
    ConnectLeg,
    LegOpened,
    LegRefused,
    MediaEvent,
    OpenLeg,
    PlaySamples,
    RecordingStopped,
    StartRecording,
    StopRecording,
    WebRtc,
    WorkerStarted,
)
from telephony.media.latch import NOWHERE
from telephony.media.legs import Origin, UnknownLeg
from telephony.media.plane import MediaPlane, PlaneCommand, Refused, refusal

COLLECT_TICKS: Final = 10 * TICKS_PER_S
REPORT_TICKS: Final = 60 * TICKS_PER_S
REMEMBERED_RECORDINGS: Final = 1000
CLOSING_TICKS: Final = 2 * TICKS_PER_S

log = logging.getLogger("hotline.media")


class MediaLoop:
    """A worker at work: it joins the pure plane with sockets, files and the clock."""

    def __init__(self, settings: MediaSettings, control: int) -> None:
        self._clock = ProcessClock(settings.anchor)
        self._link = ControlLink(control)
        self._sockets = RtpSockets(settings.address, settings.ports, settings.max_legs)
        self._plane = MediaPlane(settings.max_legs, settings.media_timeout_s, opus_library.find())
        self._recorder = Recorder()
        self._clips = Clips()
        webrtc.reach_by(settings.ice_addresses or (settings.address,))
        self._loop = webrtc.TickLoop(self._sockets.bind, self._sockets.forget)
        self._certificate = webrtc.make_certificate()
        self._browsers: dict[str, webrtc.WebRtcLeg] = {}
        self._opened: dict[str, tuple[int, int]] = {}
        """Row and port of each leg."""
        self._over: deque[str] = deque(maxlen=REMEMBERED_RECORDINGS)
        self._ticker = Ticker(self._clock.now())
        self._reported = 0
        self._stopping = False
        self._closing = 0
        """For so many ticks more the loop is turned, whoever is left, so that legs can say goodbye."""

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
                if self._link.wait(self._ticker.wait_s(self._clock.now()), self._sockets.setting_up):
                    for command in self._link.receive():
                        self._perform(command)
                if self._browsers and self._sockets.drain_setting_up():
                    self._loop.turn(webrtc.TURNS)
                    self._sockets.settle()
                for tick in self._ticker.due(self._clock.now()):
                    self._tick(tick)
        finally:
            self._end()

    def _tick(self, tick: int) -> None:
        received = self._sockets.drain()
        if self._browsers or self._closing:
            # What keeps browsers' legs alive has timers, too.
            self._loop.turn()
            self._sockets.settle()
            self._closing = max(0, self._closing - 1)
        result = self._plane.tick(received.rows, received.lengths, received.legs, received.sources, tick)
        self._sockets.send(result.datagrams, result.lengths, result.senders, result.destinations)
        self._recorder.put(tick, result.tap)
        self._tell(result.events)
        for leg, fault in result.faults:
            log.warning("rtp_ignored leg=%s kind=%s", leg, fault)
        for stopped in self._recorder.ended():
            self._recording_over(stopped, tick)
        self._link.flush()
        if tick % COLLECT_TICKS == 0:
            gc.collect()
        if tick % REPORT_TICKS == 0:
            self._report_lateness()

    def _tell(self, events: list[MediaEvent]) -> None:
        """Send events on. The end of a recording is told when its spool is complete."""
        for event in events:
            if isinstance(event, RecordingStopped):
                self._recorder.end(event.recording, event.ticks)
            else:
                self._link.send(event)

    def _recording_over(self, stopped: RecordingStopped, tick: int) -> None:
        self._over.append(stopped.recording)
        with contextlib.suppress(Refused):
            # The disk may have ended it before anyone asked.
            self._tell(self._plane.perform(StopRecording(stopped.recording), tick + 1))
        self._link.send(stopped)

    def _perform(self, command: ToMedia) -> None:
        tick = self._ticker.next_tick
        try:
            if isinstance(command, OpenLeg) and command.kind == "webrtc":
                self._open_browser(command)
            elif isinstance(command, OpenLeg):
                self._open(command.leg)
            else:
                self._perform_in_plane(command, tick)
        except (Refused, UnknownLeg, OSError) as error:
            cause = str(error)
            log.warning("command_refused command=%s cause=%r", type(command).__name__, cause)
            for answer in self._refusal(command, tick, cause):
                self._link.send(answer)

    def _perform_in_plane(self, command: PlaneCommand, tick: int) -> None:
        match command:
            case PlaySamples():
                self._tell(self._plane.perform(command, tick, [self._clips.open(path) for path in command.paths]))
            case ConnectLeg():
                browser = self._browsers.get(command.leg)
                if browser is not None and command.webrtc is not None:
                    browser.connect(command.webrtc)
                else:
                    self._check_address(command.address)
                self._tell(self._plane.perform(command, tick))
            case StartRecording():
                started = self._plane.perform(command, tick)
                if started:
                    self._recorder.begin(command.recording, Path(command.path), tick)
                self._tell(started)
            case CloseLeg():
                faults = self._plane.faults(command.leg)
                self._tell(self._plane.perform(command, tick))
                row, port = self._opened.pop(command.leg)
                self._close_sockets(command.leg, row)
                counts = " ".join(f"{kind}={count}" for kind, count in faults.items() if count)
                log.info("leg_closed leg=%s port=%d %s", command.leg, port, counts)
            case _:
                self._tell(self._plane.perform(command, tick))

    def _refusal(self, command: ToMedia, tick: int, cause: str) -> list[MediaEvent]:
        if isinstance(command, OpenLeg):
            return [LegRefused(command.leg, cause)]
        if isinstance(command, StopRecording) and command.recording in self._over:
            return []
        return refusal(command, tick, cause)

    def _open(self, leg: str) -> None:
        if leg not in self._opened:
            origin = Origin(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32))
            row = self._plane.open(leg, origin)
            try:
                self._opened[leg] = row, self._sockets.open(row)
            except OSError:
                self._plane.perform(CloseLeg(leg), self._ticker.next_tick)
                raise
        self._link.send(LegOpened(leg, self._sockets.address, self._opened[leg][1]))

    def _open_browser(self, command: OpenLeg) -> None:
        """Gather where a browser may find the leg; that takes a turn of the loop or two."""
        name = command.leg
        if name in self._browsers:
            return
        row = self._plane.open(name, Origin(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32)))
        leg = webrtc.WebRtcLeg(self._loop, name, row, self._certificate, offers=command.offers)
        self._browsers[name] = leg
        self._opened[name] = row, 0
        self._sockets.add(leg)

        def gathered(own: WebRtc | None) -> None:
            if own is None:
                cause = "no UDP port is free on media.ice_addresses, or they are not addresses of this machine"
                self._perform_in_plane(CloseLeg(name), self._ticker.next_tick)
                self._link.send(LegRefused(name, cause))
                return
            endpoint = next(iter(leg.endpoints.values()))
            address, port = endpoint.get_extra_info("sockname")[:2]
            self._opened[name] = row, port
            self._link.send(LegOpened(name, address, port, own))

        leg.gather(gathered)
        self._loop.turn(webrtc.TURNS)

    def _close_sockets(self, leg: str, row: int) -> None:
        browser = self._browsers.pop(leg, None)
        if browser is None:
            self._sockets.close(row)
            return
        self._sockets.remove(browser)
        browser.close()
        self._closing = CLOSING_TICKS

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
        self._recorder.close()
        for stopped in self._recorder.ended():
            self._link.send(stopped)
        for browser in self._browsers.values():
            browser.close()
        self._loop.turn(10 * webrtc.TURNS)
        self._sockets.close_all()
        self._loop.close()
        self._link.close()
