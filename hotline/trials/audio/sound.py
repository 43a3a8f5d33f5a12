"""The sound of one call: the media plane, a handset on each leg, the prompts and the recogniser, moved on by ticks.

What a media worker and a hearing worker do in processes of their own is done here between two ticks, by the same parts.
Nothing waits: a prompt is rendered, and an answer understood, within the tick in which that is asked for.
"""

import math
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

import numpy as np

from hotline.config import Settings
from hotline.trials.audio.audible import Audible
from hotline.trials.audio.handset import Handset
from hotline.trials.spoken import Spoken, Unspoken
from ivr_flows.trials.played import words_of
from recordings.transcribe.hear import Hearer
from telephony.clock import time_of
from telephony.edge import trained_voice
from telephony.edge.hearing import Hearing
from telephony.events import (
    CloseLeg,
    ConnectLeg,
    Event,
    HearStream,
    LegOpened,
    Listen,
    ListenForVoice,
    MediaEvent,
    OpenLeg,
    PlaneCommand,
    Play,
    PlaySamples,
    PromptFinished,
    Record,
    SeekPlaying,
    StartRecording,
    StartStream,
    StopHearing,
    StopListening,
    StopStream,
)
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.media.legs import Origin, UnknownLeg
from telephony.media.plane import MediaPlane, Refused, TickResult, refusal
from telephony.media.voices import ListeningSettings
from telephony.rtp.packet import ROW_OCTETS

MAX_LEGS: Final = 8
SoundCommand = OpenLeg | PlaneCommand | Play | Listen | StopListening | Record


class Sound:
    """`happened` gets what the plane and the recogniser tell. `languages` are those with a recogniser."""

    def __init__(
        self,
        settings: Settings,
        spoken: Spoken,
        hearer: Hearer,
        languages: Collection[str],
        happened: Callable[[Event], None],
    ) -> None:
        media = settings.media
        self.handsets: dict[str, Handset] = {}
        self.audible: dict[str, Audible] = {}
        """What each leg hears."""
        self._happened = happened
        self._spoken = spoken
        self._hearer = hearer
        self._trained = trained_voice.find(MAX_LEGS) if media.voice_detector == "trained" else None
        listening = ListeningSettings(round(media.barge_in_after * 1000), media.voice_detector)
        self._plane = MediaPlane(
            MAX_LEGS,
            settings.limits.media_timeout,
            None,
            media.automatic_gain,
            listening=listening,
            trained=self._trained,
        )
        self._hearing = Hearing(self._of_hearing, self._to_hearer, happened, languages=languages)
        self._hearing.worker_started()
        self._tick = 0

    # ------------------------------------------------------------------------------------------------- commands

    def perform(self, command: SoundCommand, tick: int) -> None:
        """Do what a command says before a tick."""
        self._tick = tick
        match command:
            case OpenLeg():
                self._open(command.leg)
            case Play():
                self._play(command)
            case Listen():
                self._hearing.listen(command)
            case StopListening():
                self._hearing.stop(command.call)
            case Record():
                self._in_plane(StartRecording(command.recording, command.call, command.leg, "", command.channels))
            case _:
                if isinstance(command, ConnectLeg) and command.leg in self.handsets:
                    self.handsets[command.leg].connect(command)
                self._in_plane(command)
                if isinstance(command, CloseLeg):
                    self.handsets.pop(command.leg, None)

    def _open(self, leg: str) -> None:
        row = self._plane.open(leg, Origin(len(self.audible) + 1, 0, 0))
        self.handsets[leg], self.audible[leg] = Handset(row), Audible()
        self._happened(LegOpened(leg, *self.handsets[leg].address))

    def _play(self, play: Play) -> None:
        samples = PlaySamples(
            play.leg,
            play.playback,
            (),
            play.barge_in,
            play.loop,
            play.level_db,
            play.offset_ms,
            play.barge_in_by_voice,
        )
        clips, cause = list[Samples](), ""
        try:
            clips = [self._spoken.prompt(prompt) for prompt in play.prompts]
            self._in_plane(samples, clips)
        except Unspoken as error:
            cause = str(error)
        if play.leg in self.handsets:
            words = " ".join(map(words_of, play.prompts))
            self.audible[play.leg].begin(play, words, clips, len(self.handsets[play.leg].heard))
        if cause:
            self._tell(PromptFinished(play.leg, play.playback, "failed", self._tick, cause))

    def _in_plane(self, command: PlaneCommand, clips: Collection[Samples] = ()) -> None:
        try:
            events = self._plane.perform(command, self._tick, list(clips))
        except (Refused, UnknownLeg) as error:
            too_late = isinstance(command, SeekPlaying)
            events = [] if too_late else refusal(command, self._tick, str(error))
        for event in events:
            self._tell(event)

    def _tell(self, event: MediaEvent) -> None:
        if isinstance(event, PromptFinished) and event.leg in self.audible:
            handset = self.handsets.get(event.leg)
            self.audible[event.leg].end(event, [] if handset is None else handset.heard)
        self._happened(event)

    # --------------------------------------------------------------------------------------------- the recogniser

    def _of_hearing(self, command: StartStream | StopStream | ListenForVoice) -> None:
        self._in_plane(command)

    def _to_hearer(self, command: HearStream | StopHearing) -> None:
        if isinstance(command, HearStream):
            self._hearer.hear(command)
        else:
            self._hearer.stop(command.stream)

    def _listen(self) -> None:
        worked = True
        while worked:
            told, worked = self._hearer.turn()
            for heard in told:
                self._hearing.heard(heard)

    # --------------------------------------------------------------------------------------------------- the tick

    def tick(self, tick: int) -> None:
        """Let 20 ms pass: every handset sends a packet and hears one."""
        self._tick = tick
        handsets = list(self.handsets.values())
        rows = np.zeros((len(handsets), ROW_OCTETS), np.uint8)
        lengths, sources = np.zeros(len(handsets), np.int64), list[Address]()
        for number, handset in enumerate(handsets):
            packet = np.frombuffer(handset.packet(), np.uint8)
            rows[number, : len(packet)], lengths[number] = packet, len(packet)
            sources.append(handset.address)
        legs = np.array([handset.row for handset in handsets], np.int64)
        result = self._plane.tick(rows, lengths, legs, sources, tick)
        if self._trained is not None:
            self._trained.work(math.inf, lambda: time_of(tick))
        self._hear(handsets, result)
        for stream, samples in result.tap.live:
            self._hearer.take(stream, tick, samples[:, 0])
        for event in result.events:
            self._tell(event)
        self._listen()

    def _hear(self, handsets: list[Handset], result: TickResult) -> None:
        sent = deque(zip(result.senders, result.datagrams, result.lengths, strict=True))
        by_row = {row: datagram[:length] for row, datagram, length in sent}
        for handset in handsets:
            handset.hear(by_row.get(handset.row))
