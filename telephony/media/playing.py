"""Playing: what all legs of a worker hear of prompts, music and tones, in one go each tick.

Rule 1: where a leg is in its clip is a column. A leg is looked at by itself where its playback begins, ends, or goes
from one clip to the next, and at no other time. Legs that play one clip are read by one gather from a view of it in
which every sample begins a window of 20 ms; clips that few legs play are cut one by one, which is cheaper there.

Rule 2: the gain of a level costs those who have one, adding up costs those who are in a bridge. Neither wraps around.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.g711 import Samples
from telephony.media.legs import Leg, LegTable
from telephony.media.limiter import LOUDEST, SOFTEST, saturate
from telephony.media.prompts import Playback
from telephony.rtp.packet import Integers

FEW: Final = 3
"""Legs on one clip, up to which they are read one by one."""
NO_SAMPLES: Final[Samples] = np.zeros(0, np.int16)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who plays what, until somebody begins, ends, joins or leaves. Numbers are places among those who play: first
    those who share a clip, side by side, then those who are read one by one, then those whose clip has not even 20 ms.
    """

    rows: Integers
    """Table rows."""
    places: Integers
    """Where they are in `LegTable.open_rows`."""
    shared: list[tuple[int, int, Samples]]
    """(first, end, windows int16[n, 160]) of those who share a clip."""
    first_single: int
    single: list[Samples]
    """The clips of those who are read one by one."""
    levelled: Integers
    bridged: Integers


class Playing:
    """Cursors and gains of table rows."""

    def __init__(self, table: LegTable, rows: int) -> None:
        self._table = table
        self._at = np.zeros(rows, np.int64)
        self._last = np.zeros(rows, np.int64)
        """From here on a clip does not have more than 20 ms left: see `Playback.read_into`."""
        self._clip = np.zeros(rows, np.int64)
        """Tells clips apart: the same array, the same number."""
        self._samples: list[Samples] = [NO_SAMPLES] * rows
        self._gain = np.ones(rows, np.float32)
        self._windows: dict[int, Samples] = {}
        self._version = 0
        self._known = (-1, -1)
        self._plan = self._planned()

    def start(self, leg: Leg, playback: Playback) -> None:
        """Let a leg that plays nothing play this."""
        leg.playback = playback
        self._table.playing[leg.row] = True
        self._gain[leg.row] = playback.gain
        self._lay(leg.row, playback)
        self._version += 1

    def stop(self, leg: Leg) -> Playback | None:
        """End what a leg plays, and return it."""
        playback, leg.playback = leg.playback, None
        self._table.playing[leg.row] = False
        self._samples[leg.row] = NO_SAMPLES
        self._version += 1
        return playback

    def seek(self, leg: Leg, to: int, *, relative: bool = False) -> None:
        """Let what a leg plays go on from another place, in samples; `relative`: so much further on."""
        if leg.playback is not None:
            leg.playback.at = int(self._at[leg.row])
            leg.playback.seek(leg.playback.position + to if relative else to)
            self._lay(leg.row, leg.playback)

    def add(self, mixed: Samples) -> list[Leg]:
        """Add what each leg plays to what it hears, int16[n, 160] in the order of `open_rows`; return the legs whose
        playback is over with that."""
        plan = self._present()
        if not plan.rows.size:
            return []
        at = self._at[plan.rows]
        heard, ending = self._read(plan, at)
        self._at[plan.rows] = at + SAMPLES_PER_TICK
        passed = [self._pass(int(plan.rows[number]), int(at[number]), heard[number]) for number in ending.tolist()]
        if plan.levelled.size:
            louder = np.rint(heard[plan.levelled] * self._gain[plan.rows[plan.levelled], None])
            heard[plan.levelled] = np.clip(louder, SOFTEST, LOUDEST).astype(np.int16)
        if plan.bridged.size:
            self._table.mixed[plan.rows[plan.bridged]] = True
            sums = mixed[plan.places[plan.bridged]].astype(np.int32) + heard[plan.bridged]
            heard[plan.bridged] = saturate(sums)
        mixed[plan.places] = heard
        return sorted((leg for leg in passed if leg is not None), key=lambda leg: leg.row)

    def _read(self, plan: _Plan, at: Integers) -> tuple[Samples, Integers]:
        """Return the next 20 ms of everybody, int16[n, 160], and who is near a seam, whose row is anything."""
        heard = np.empty((len(plan.rows), SAMPLES_PER_TICK), np.int16)
        last = self._last[plan.rows]
        ending = np.flatnonzero(at >= last)
        begins = np.minimum(at, last) if ending.size else at
        for first, end, windows in plan.shared:
            heard[first:end] = windows[begins[first:end]]
        if plan.single:
            single = slice(plan.first_single, plan.first_single + len(plan.single))
            each = zip(plan.single, begins[single].tolist(), strict=True)
            parts = [clip[begin : begin + SAMPLES_PER_TICK] for clip, begin in each]
            np.concatenate(parts, out=heard[single].reshape(-1))
        return heard, ending

    def _pass(self, row: int, at: int, heard: Samples) -> Leg | None:
        """Read over the seam between two clips, into int16[160]; return the leg where its playback ends there."""
        heard[:] = 0
        leg = self._table.at(row)
        if leg.playback is None:
            return None
        leg.playback.at = at
        leg.playback.read_into(heard)
        if leg.playback.over:
            return leg
        self._lay(row, leg.playback)
        return None

    def _lay(self, row: int, playback: Playback) -> None:
        """Put a playback's place into the columns."""
        clip = playback.clip
        self._at[row], self._last[row] = playback.at, len(clip) - SAMPLES_PER_TICK
        if self._samples[row] is not clip:
            self._samples[row], self._clip[row] = clip, id(clip)
            self._version += 1

    def _present(self) -> _Plan:
        known = self._version, self._table.version
        if self._known != known:
            self._known, self._plan = known, self._planned()
        return self._plan

    def _planned(self) -> _Plan:
        table = self._table
        rows = table.open_rows[table.playing[table.open_rows]]
        rows = rows[np.argsort(self._clip[rows], kind="stable")]
        begins = np.flatnonzero(np.diff(self._clip[rows], prepend=-1))
        sizes = np.diff(begins, append=len(rows))
        long = self._last[rows] >= 0
        many = long & np.repeat(sizes > FEW, sizes)
        few = rows[long & ~many]
        shared = self._shared(rows[begins], sizes)
        rows = np.concatenate([rows[many], few, rows[~long]])
        return _Plan(
            rows,
            table.place[rows],
            shared,
            int(many.sum()),
            [self._samples[row] for row in few.tolist()],
            np.flatnonzero(self._gain[rows] != 1),
            np.flatnonzero(table.bridge[rows] >= 0),
        )

    def _shared(self, rows: Integers, sizes: Integers) -> list[tuple[int, int, Samples]]:
        """Lay those who share a clip one after another, from one row of each clip and how many play it."""
        shared, before, first = [], self._windows, 0
        self._windows = {}
        chosen = (sizes > FEW) & (self._last[rows] >= 0)
        for row, size in zip(rows[chosen].tolist(), sizes[chosen].tolist(), strict=True):
            clip = int(self._clip[row])
            windows = self._windows[clip] = before[clip] if clip in before else _windows(self._samples[row])
            shared.append((first, first + size, windows))
            first += size
        return shared


def _windows(samples: Samples) -> npt.NDArray[np.int16]:
    """Return a view of a clip, int16[n - 159, 160]: row i is what is heard from sample i on."""
    return np.lib.stride_tricks.sliding_window_view(samples, SAMPLES_PER_TICK)
