"""Bridges: everyone in a bridge hears the sum of the others, which is the total minus their own audio.

Rule 1: who hears whom is a matrix, and a role is nothing but a row and a column of it. A bridge of parties alone needs
none: two are told each other's audio as it is, more of them the total minus their own. Only bridges that have other
roles pay for theirs.

Rule 2: sums never wrap around. Two parties' cannot; more go through the limiter (`telephony.media.limiter`).

Rule 3: what is recorded is what was said: of the parties alone, without monitors and whispers, before any gain.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telephony.events import GainMode
from telephony.media.g711 import Samples
from telephony.media.gain import AutomaticGain
from telephony.media.legs import ALONE, ECHO, PARTY, WHISPER, LegTable
from telephony.media.limiter import Limiter, saturate
from telephony.rtp.packet import Flags, Integers

CONFERENCE: Final = 3
"""From so many parties on, a sum can be louder than a sample can be."""

Matrix = npt.NDArray[np.float32]
Sums = npt.NDArray[np.int32]


def who_hears(role: Integers, row: Integers, to: Integers) -> Flags:
    """Return bool[n, n] for the n members of a bridge: whether i hears j. Everybody hears the parties, nobody a
    monitor, and a whisper is heard by the one whose table row is its `to`. An echo is in no matrix."""
    hears: Flags = (role == PARTY)[None, :] | ((role == WHISPER)[None, :] & (to[None, :] == row[:, None]))
    np.fill_diagonal(hears, val=False)
    return hears


def mix_by_matrix(hears: Flags, said: Samples) -> Sums:
    """Return int32[n, 160]: for each i the sum of what all j say that it hears. The products are exact: single
    precision holds the sum of 512 talkers."""
    kind = np.float32 if len(said) <= 512 else np.float64
    summed: Sums = (hears.astype(kind) @ said.astype(kind)).astype(np.int32)
    return summed


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Bridges laid one after another: `members` are places in the tick's order, `begins` where a bridge begins."""

    members: Integers
    begins: Integers
    number: Integers

    def others(self, said: Samples) -> Sums:
        """Return the total of each one's bridge minus its own, int32[n, 160]."""
        audio = said[self.members].astype(np.int32)
        sums: Sums = np.add.reduceat(audio, self.begins, axis=0)[self.number] - audio
        return sums


@dataclass(frozen=True, slots=True)
class _Staged:
    """A bridge that has roles."""

    members: Integers
    hears: Flags
    parties: Flags
    """As `hears`, without whoever is no party."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who hears whom, until somebody joins or leaves. Numbers are places in the order of `LegTable.open_rows`."""

    listener: Integers
    partner: Integers
    """Of bridges of two parties: `listener[i]` hears `partner[i]`. An echo is its own partner."""
    crowd: _Crowd
    staged: list[_Staged]
    echoes: Integers
    """Who hears itself, of which nothing is said to it."""
    gained: Integers
    """Whose level the automatic gain looks after."""


class Mixing:
    """What each leg hears of its bridge, and what of it is recorded."""

    def __init__(self, table: LegTable, rows: int, gain: GainMode) -> None:
        self._table = table
        self._mode = gain
        self._gain = AutomaticGain(rows)
        self._limiter = Limiter(rows)
        self._known = -1
        self._plan = self._planned()

    def reset(self, row: int) -> None:
        """Forget a row's levels."""
        self._gain.reset(row)
        self._limiter.reset(row)

    def mix(self, heard: Samples, tick: int) -> tuple[Samples, Samples]:
        """Return what each leg hears and what others said to it, int16[n, 160] both, for a recording. They are one and
        the same where nothing but the audio of parties is in it: whoever changes the first takes the second before."""
        plan = self._present()
        loud = self._gain.raise_quiet(heard, plan.gained, self._table.open_rows, tick) if plan.gained.size else heard
        if loud is not heard:
            self._table.altered[self._table.open_rows[plan.gained]] = True
        hears = self._sum(plan, loud)
        if loud is heard and not (plan.staged or plan.echoes.size):
            return hears, hears
        said = hears.copy() if loud is heard else self._said(plan, heard)
        for bridge in plan.staged:
            said[bridge.members] = saturate(mix_by_matrix(bridge.parties, heard[bridge.members]))
        said[plan.echoes] = 0
        return hears, said

    def _sum(self, plan: _Plan, loud: Samples) -> Samples:
        hears = np.zeros_like(loud)
        hears[plan.listener] = loud[plan.partner]
        rows = self._table.open_rows
        if plan.crowd.members.size:
            hears[plan.crowd.members] = self._limiter.limit(rows[plan.crowd.members], plan.crowd.others(loud))
        for bridge in plan.staged:
            sums = mix_by_matrix(bridge.hears, loud[bridge.members])
            hears[bridge.members] = self._limiter.limit(rows[bridge.members], sums)
        return hears

    def _said(self, plan: _Plan, heard: Samples) -> Samples:
        said = np.zeros_like(heard)
        said[plan.listener] = heard[plan.partner]
        if plan.crowd.members.size:
            said[plan.crowd.members] = saturate(plan.crowd.others(heard))
        return said

    def _present(self) -> _Plan:
        if self._known != self._table.version:
            self._known, self._plan = self._table.version, self._planned()
        return self._plan

    def _planned(self) -> _Plan:
        table = self._table
        rows = table.open_rows
        bridge, role = table.bridge[rows], table.role[rows]
        echoes = np.flatnonzero((bridge != ALONE) & (role == ECHO))
        joined = (bridge != ALONE) & (role != ECHO)
        has_roles = joined & np.isin(bridge, bridge[joined & (role != PARTY)])
        plain = _grouped(bridge, np.flatnonzero(joined & ~has_roles))
        size = np.bincount(plain.number)[plain.number] if plain.members.size else plain.members
        pairs = plain.members[size == 2].reshape(-1, 2)
        crowd = _grouped(bridge, plain.members[size >= CONFERENCE])
        staged = [
            self._staged(np.flatnonzero(joined & (bridge == each))) for each in np.unique(bridge[has_roles]).tolist()
        ]
        listener, partner = (np.concatenate((each.reshape(-1), echoes)) for each in (pairs, pairs[:, ::-1]))
        return _Plan(listener, partner, crowd, staged, echoes, self._gained(bridge, role, joined))

    def _staged(self, members: Integers) -> _Staged:
        table = self._table
        rows = table.open_rows[members]
        role = table.role[rows]
        hears = who_hears(role, rows, table.whispers_to[rows])
        return _Staged(members, hears, hears & (role == PARTY)[None, :])

    def _gained(self, bridge: Integers, role: Integers, joined: Flags) -> Integers:
        """A talk of two becomes no conference by being listened to: nobody is to notice."""
        if self._mode == "off" or not joined.any():
            return np.zeros(0, np.int64)
        least = CONFERENCE if self._mode == "conference" else 1
        numbers, parties = np.unique(bridge[joined & (role == PARTY)], return_counts=True)
        return np.flatnonzero(joined & np.isin(bridge, numbers[parties >= least]))


def _grouped(bridge: Integers, members: Integers) -> _Crowd:
    """Lay bridges one after another; `members` are the places that count."""
    members = members[np.argsort(bridge[members], kind="stable")]
    grouped = bridge[members]
    begins = np.ones(len(members), np.bool_)
    begins[1:] = grouped[1:] != grouped[:-1]
    return _Crowd(members, np.flatnonzero(begins), np.cumsum(begins) - 1)
