"""What leaves the plane as samples: recordings and live streams of what was said.

Rule 1: row n of a recording is tick `first_tick` + n, whatever became of the call meanwhile: whoever is on hold, gone
or not there yet is silent. Nothing is shifted.

Rule 2: only parties are in it, and only while they are in the bridge of the recording's own leg. That leg itself is in
it all the time.

Rule 3: what is paused is silent in every recording and stream of that leg, from the tick on that comes next. A number
that must not be kept must not leave by another door either.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.events import Channels
from telephony.media.g711 import Samples
from telephony.media.legs import PARTY, Leg, LegTable
from telephony.media.limiter import saturate
from telephony.rtp.packet import Integers

MOST_CHANNELS: Final = 8
"""Of a recording with a channel per leg; whoever comes when all are taken shares the last."""

Kind = Literal["recording", "stream"]


@dataclass(frozen=True, slots=True)
class Tap:
    """What to record of a tick: samples[i], int16[160, 2] (the leg, everybody else), belongs to recordings[i]; of
    `per_leg` each has int16[160, 8], a channel per leg. `live` are streams' samples, int16[160, 2]."""

    recordings: list[str]
    samples: Samples
    per_leg: list[tuple[str, Samples]] = field(default_factory=list)
    live: list[tuple[str, Samples]] = field(default_factory=list)


@dataclass(slots=True)
class Tapped:
    """A recording or a stream that runs."""

    name: str
    kind: Kind
    leg: Leg
    first_tick: int
    channels: Channels = "stereo"
    channel_of: dict[str, int] = field(default_factory=dict)
    """Of each leg that was ever in it, where it has a channel of its own."""


@dataclass(slots=True)
class _Plan:
    """Which rows go where, until something begins, ends, joins or leaves."""

    stereo: list[Tapped]
    recordings: list[str]
    count: int
    """Of `stereo`, the first so many are recordings; streams follow."""
    places: Integers
    silent: Integers
    per_leg: list[Tapped]
    into: tuple[Integers, Integers]
    """(recording, channel) of each place in `of`."""
    of: Integers
    crowded: list[tuple[int, int]]
    """(recording, place) of those that share the last channel."""


class Taps:
    """Everything that is recorded or streamed."""

    def __init__(self, table: LegTable) -> None:
        self._table = table
        self._running: dict[tuple[Kind, str], Tapped] = {}
        self._paused: set[str] = set()
        """Legs."""
        self._changes = 0
        self._known = (-1, -1)
        self._plan = self._planned()

    def __contains__(self, key: tuple[Kind, str]) -> bool:
        return key in self._running

    def start(self, tapped: Tapped) -> None:
        """Begin with the tick that comes next."""
        self._running[tapped.kind, tapped.name] = tapped
        self._changes += 1
        self._table.recorded[tapped.leg.row] = True

    def stop(self, kind: Kind, name: str) -> Tapped | None:
        """End; return what it was, None for what does not run."""
        self._changes += 1
        tapped = self._running.pop((kind, name), None)
        if tapped is not None:
            self._table.recorded[tapped.leg.row] = bool(self.of(tapped.leg))
        if tapped is not None and kind == "recording" and not self._is_recorded(tapped.leg):
            self._paused.discard(tapped.leg.name)
        return tapped

    def pause(self, recording: str, *, paused: bool) -> bool:
        """Silence everything of a recording's leg, or no more. Return whether that is news. Raises `KeyError`."""
        leg = self._running["recording", recording].leg.name
        self._changes += 1
        if (leg in self._paused) == paused:
            return False
        self._paused ^= {leg}
        return True

    def of(self, leg: Leg) -> list[Tapped]:
        """Return what runs of a leg."""
        return [tapped for tapped in self._running.values() if tapped.leg is leg]

    def take(self, heard: Samples, said: Samples) -> Tap:
        """Return the rows of a tick, from int16[n, 160]: what each leg says, and what others say to it."""
        if not self._running:
            return Tap([], np.zeros((0, SAMPLES_PER_TICK, 2), np.int16))
        if self._known != (self._table.version, self._changes):
            self._known, self._plan = (self._table.version, self._changes), self._planned()
        plan = self._plan
        samples = np.stack([heard[plan.places], said[plan.places]], axis=-1)
        samples[plan.silent] = 0
        live = [(tapped.name, samples[plan.count + i]) for i, tapped in enumerate(plan.stereo[plan.count :])]
        per_leg = self._per_leg(plan, heard) if plan.per_leg else []
        return Tap(plan.recordings, samples[: plan.count], per_leg, live)

    def _per_leg(self, plan: _Plan, heard: Samples) -> list[tuple[str, Samples]]:
        rows = np.zeros((len(plan.per_leg), MOST_CHANNELS, SAMPLES_PER_TICK), np.int16)
        rows[plan.into] = heard[plan.of]
        for recording, place in plan.crowded:
            rows[recording, -1] = saturate(rows[recording, -1].astype(np.int32) + heard[place])
        return [(tapped.name, rows[i].T) for i, tapped in enumerate(plan.per_leg)]

    def _is_recorded(self, leg: Leg) -> bool:
        return any(tapped.kind == "recording" for tapped in self.of(leg))

    def _planned(self) -> _Plan:
        running = self._running.values()
        stereo = [each for each in running if each.channels == "stereo" and each.kind == "recording"]
        count = len(stereo)
        stereo += [each for each in running if each.kind == "stream"]
        per_leg = [each for each in running if each.channels == "legs" and each.kind == "recording"]
        places = self._table.place[np.array([each.leg.row for each in stereo], np.int64)]
        silent = np.array([i for i, each in enumerate(stereo) if each.leg.name in self._paused], np.int64)
        members = self._parties({each.leg.bridge for each in per_leg} - {""}) if per_leg else {}
        into: list[tuple[int, int, int]] = []
        crowded: list[tuple[int, int]] = []
        for i, each in enumerate(per_leg):
            each.channel_of.setdefault(each.leg.name, 0)
            present = [each.leg, *(leg for leg in members.get(each.leg.bridge, ()) if leg is not each.leg)]
            for leg in present:
                channel = each.channel_of.setdefault(leg.name, len(each.channel_of))
                place = int(self._table.place[leg.row])
                if each.leg.name in self._paused:
                    continue
                if channel < MOST_CHANNELS:
                    into.append((i, channel, place))
                else:
                    crowded.append((i, place))
        columns = np.array(into, np.int64).reshape(-1, 3)
        return _Plan(
            stereo,
            [each.name for each in stereo[:count]],
            count,
            places,
            silent,
            per_leg,
            (columns[:, 0], columns[:, 1]),
            columns[:, 2],
            crowded,
        )

    def _parties(self, bridges: set[str]) -> dict[str, list[Leg]]:
        found: dict[str, list[Leg]] = {}
        for leg in self._table.legs():
            if leg.bridge in bridges and self._table.role[leg.row] == PARTY:
                found.setdefault(leg.bridge, []).append(leg)
        return found
