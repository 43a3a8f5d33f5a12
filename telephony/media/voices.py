"""Who is listened to for voice, why, and what comes of it.

A leg is watched because somebody asked (`ListenForVoice`) or because a voice ends what it plays
(`PlaySamples.barge_in_by_voice`), and only as long. Legs that are not watched cost nothing.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from telephony.clock import TICK_MS
from telephony.events import VoiceDetector, VoiceEnded, VoiceStarted
from telephony.media.g711 import Samples
from telephony.media.legs import Leg, LegTable
from telephony.media.prompts import Playback
from telephony.media.voice_activity import Floats, VoiceActivity
from telephony.rtp.packet import Integers

SHORTEST_MS: Final = 120


class TrainedDetector(Protocol):
    """Tells voice from other sounds by what it was trained on, at its own pace: it must not hold up a tick."""

    def begin(self, row: int) -> None:
        """Listen to a table row from now on; what was heard on it before was another's."""
        ...

    def hear(self, rows: Integers, heard: Samples) -> None:
        """Take a tick of n distinct rows, int16[n, 160], and return at once."""
        ...

    def verdicts(self) -> list[tuple[Integers, Floats]]:
        """Return on which rows voice was how likely, 0 to 1, since the last call, in order."""
        ...


@dataclass(frozen=True, slots=True)
class ListeningSettings:
    """`shortest_ms` of voice end a prompt, and are told of; `detector` is whose word counts where a command names
    none."""

    shortest_ms: int = SHORTEST_MS
    detector: VoiceDetector = "plain"


class Voices:
    """The legs that are watched."""

    def __init__(
        self, table: LegTable, rows: int, settings: ListeningSettings, trained: TrainedDetector | None
    ) -> None:
        self._table = table
        self._settings = settings
        self._trained = trained
        self._activity = VoiceActivity(rows, -(-settings.shortest_ms // TICK_MS))
        self._told: set[int] = set()
        """Rows that somebody asked to be told of."""
        self._playing: dict[int, tuple[Leg, Playback]] = {}
        """What a voice on a row ends."""
        self._judged = np.zeros(rows, np.bool_)
        """Where the trained detector is asked."""
        self._rows: Integers = np.zeros(0, np.int64)

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._told.discard(row)
        self._playing.pop(row, None)
        self._activity.reset(row)
        self._note()

    def listen_for(self, leg: Leg, *, on: bool, detector: VoiceDetector | None) -> None:
        """Tell of a leg's voice from now on, or no more."""
        if not on:
            self._told.discard(leg.row)
        elif leg.row not in self._told:
            self._told.add(leg.row)
            self._activity.fall_silent(leg.row)
            self._begin(leg.row, detector)
        self._note()

    def interrupt(self, leg: Leg, playback: Playback, detector: VoiceDetector | None) -> None:
        """Let a leg's voice end a playback."""
        self._playing[leg.row] = leg, playback
        self._begin(leg.row, detector)
        self._note()

    def listen(self, heard: Samples, tick: int) -> tuple[list[VoiceStarted | VoiceEnded], list[Leg]]:
        """Take what all open legs say in a tick, int16[n, 160]. Return what is to be told, and whose prompt a voice
        ends."""
        if self._playing:
            self._forget_what_is_over()
        rows = self._rows
        if not rows.size:
            return [], []
        said, judged = heard[self._table.place[rows]], self._judged[rows]
        if self._trained is not None and judged.any():
            for of, likely in self._trained.verdicts():
                self._activity.judge(of, likely, tick)
            self._trained.hear(rows[judged], said[judged])
        voice, began, ended = self._activity.listen(rows, said, tick)
        told = [VoiceStarted(self._name(row), tick) for row in rows[began].tolist() if row in self._told]
        over = [VoiceEnded(self._name(row), tick) for row in rows[ended].tolist() if row in self._told]
        return [*told, *over], [self._playing[row][0] for row in rows[voice].tolist() if row in self._playing]

    def send(self, sent: Samples, tick: int) -> None:
        """Take what all open legs are sent in a tick, int16[n, 160]."""
        if self._rows.size:
            self._activity.send(self._rows, sent[self._table.place[self._rows]], tick)

    def _begin(self, row: int, detector: VoiceDetector | None) -> None:
        asked = (detector or self._settings.detector) == "trained" and self._trained is not None
        goes_on = self._table.watched[row] and self._judged[row]
        if self._trained is not None and asked and not goes_on:
            self._trained.begin(row)
        self._judged[row] = asked
        self._activity.begin(row)

    def _forget_what_is_over(self) -> None:
        over = [row for row, (leg, playback) in self._playing.items() if leg.playback is not playback]
        for row in over:
            del self._playing[row]
        if over:
            self._note()

    def _note(self) -> None:
        rows = sorted(self._told | self._playing.keys())
        self._table.watched[self._rows] = False
        self._rows = np.array(rows, np.int64)
        self._table.watched[self._rows] = True

    def _name(self, row: int) -> str:
        return self._table.at(row).name
