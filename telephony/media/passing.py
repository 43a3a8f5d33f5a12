"""Passing payloads through: where a leg hears one other leg and nothing else, and both speak one codec, it gets the
other's payloads as they came, bit for bit and in full band width.

Rule 1: it is decided anew for every leg in every tick, from columns of the leg table. What changes a leg's samples on
their way (a mask over a secret key, gain, stretching) says so in `LegTable.altered`, what adds to what a leg hears (a
prompt, a whisper) in `LegTable.mixed`; both hold for one tick.

Rule 2: sequence numbers and timestamps are our own either way, so a leg that changes between passed and mixed is one
stream to its far end.

Rule 3: G.711 is decoded in any case, all legs at once, and a tick that is missing is concealed by us. Of other codecs a
missing tick is passed on as what it is: nothing, and a gap in the sequence numbers, so that the far end conceals it by
what it knows better, FEC included. After `GAP_TICKS` of them it is silence that is sent.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.media.legs import NO_CODER, LegTable
from telephony.rtp.jitter import Playout
from telephony.rtp.packet import Flags, Integers

GAP_TICKS: Final = 5
NOT_PASSED: Final = -1


@dataclass(frozen=True, slots=True)
class Passed:
    """By the places of `open_rows`: whose payload each leg gets (a place, or NOT_PASSED), who gets nothing at all in
    this tick, and the payloads: of G.711 in rows, of other codecs by place."""

    source: Integers
    gap: Flags
    played: Playout
    coded: dict[int, bytes]


class Passing:
    """Who is passed what."""

    def __init__(self, table: LegTable, rows: int, *, gained: bool) -> None:
        """`gained`: everybody's level is looked after, so that everybody has to be decoded."""
        self._table = table
        self._gained = gained
        self._gaps = np.full(rows, GAP_TICKS, np.int64)
        """How many ticks in a row were passed as nothing, since the last one that was something."""

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._gaps[row] = GAP_TICKS

    def begin(self) -> None:
        """Begin a tick: but for guarded legs nothing is altered or mixed yet, and whose samples somebody needs is found
        out."""
        table = self._table
        table.altered[:], table.mixed[:] = table.guarded, False
        if table.has_coders:
            self._heed(table.open_rows)

    def _heed(self, rows: Integers) -> None:
        """Whoever is passed on to the only one who hears it needs no decoding, unless the other hears a prompt as well,
        one of the two is recorded or listened to, or the keys of either have to be found in its voice."""
        table = self._table
        keyed = table.guarded[rows] | (table.telephone_event[rows] < 0)
        busy = table.recorded[rows] | table.watched[rows] | keyed | table.playing[rows]
        wants = self._wants(rows)
        heeded = self._gained | busy | ~wants
        heeded[wants] |= busy[table.place[table.partner[rows[wants]]]]
        table.heeded[rows] = heeded

    def choose(self, played: Playout, coded: dict[int, bytes]) -> Passed:
        """Return who gets what of the payloads of this tick; `coded` are those of legs with a coder, by
        place: a packet that is the whole of the tick, or an empty one where it is missing."""
        table, rows = self._table, self._table.open_rows
        source, gap = np.full(len(rows), NOT_PASSED), np.zeros(len(rows), np.bool_)
        hearing = np.flatnonzero(self._wants(rows))
        if hearing.size:
            at = table.place[table.partner[rows[hearing]]]
            plain = table.coder_type[rows[hearing]] == NO_CODER
            came = plain & played.present[at] & (played.payload_type[at] == table.payload_type[rows[hearing]])
            source[hearing[came]] = at[came]
            if not plain.all():
                self._choose_coded(hearing[~plain], rows, coded, source, gap)
        return Passed(source, gap, played, coded)

    def _choose_coded(
        self, hearing: Integers, rows: Integers, coded: dict[int, bytes], source: Integers, gap: Flags
    ) -> None:
        table = self._table
        for place in hearing.tolist():
            row = int(rows[place])
            other = int(table.place[table.partner[row]])
            payload = coded.get(other)
            if payload:
                source[place] = other
                self._gaps[row] = 0
            elif payload is not None and self._gaps[row] < GAP_TICKS:
                gap[place] = True
                self._gaps[row] += 1

    def _wants(self, rows: Integers) -> Flags:
        """Return which legs hear one other leg alone, in the codec that they speak themselves."""
        table = self._table
        partner = table.partner[rows]
        alike: Flags = table.codec[rows] == table.codec[partner]
        return (partner >= 0) & alike & ~table.mixed[rows] & ~table.altered[partner]
