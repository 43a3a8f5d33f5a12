"""Secret keys: while a leg is guarded, its tones and telephone-events are silence for everybody but the flow.

Rule 1: what a guarded leg says waits `WAITING_TICKS` before it goes on to mixing and the tap. A tone is known for one
within that time, so its beginning is still here to be silenced, wherever in a tick it lies.

Rule 2: in doubt there is silence. A tone is feared sooner than it is believed (`telephony.media.dtmf.Suspicion`), and
lost packets are not concealed.

Rule 3: a guard ends some time after it was told to, and never while a key sounds.

A plane in which no leg is guarded looks at the length of an empty array in each tick.
"""

from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.media.dtmf import Suspicion
from telephony.media.g711 import Samples
from telephony.media.legs import LONG_AGO, LegTable
from telephony.media.reception import Reception
from telephony.rtp.jitter import MAX_TARGET_TICKS
from telephony.rtp.packet import Integers

WAITING_TICKS: Final = 3
AFTER_TONE_TICKS: Final = 5
"""What is left of a tone in its last tick may be too short to be known, codecs ring on, and under speech a tone is lost
from sight for some ticks."""
AFTER_LOSS_TICKS: Final = 1
"""A lost packet may have been the greater part of a key, and what conceals it repeats a key of a while ago. The next is
faded in from that."""
AFTER_EVENT_TICKS: Final = MAX_TARGET_TICKS + AFTER_TONE_TICKS
"""Events are read as they come; the audio around them, in which gateways leave the beginning of the tone, may wait in
the ring as long as that."""
LINGER_TICKS: Final = TICKS_PER_S
"""The last key may still sound, or one too many be on its way."""
NEVER: Final = np.iinfo(np.int64).max


class KeyGuard:
    """The guarded legs, and what they said last."""

    def __init__(self, table: LegTable, rows: int) -> None:
        self._table = table
        self._rows: Integers = np.zeros(0, np.int64)
        self._suspicion = Suspicion(rows)
        self._waiting = np.zeros((rows, WAITING_TICKS, SAMPLES_PER_TICK), np.int16)
        self._silent_until = np.full(rows, LONG_AGO)
        self._ends_at = np.full(rows, NEVER)

    def turn(self, row: int, tick: int, *, on: bool) -> None:
        """Guard a row from `tick` on, or let it go in a while."""
        guarded = bool(self._table.guarded[row])
        if on and not guarded:
            self._suspicion.reset(row)
            self._waiting[row] = 0
            self._silent_until[row] = LONG_AGO
            self._table.guarded[row] = True
            self._look_who()
        self._ends_at[row] = NEVER if on else min(int(self._ends_at[row]), tick + LINGER_TICKS)

    def forget(self, row: int) -> None:
        """Let a row go at once: its leg is closed."""
        if self._table.guarded[row]:
            self._table.guarded[row] = False
            self._look_who()

    def keep(self, heard: Samples, reception: Reception, tick: int) -> Samples:
        """Return what others may hear of what each open leg says, int16[n, 160] both: the same, but for guarded legs
        what they said a while ago, without keys."""
        rows = self._rows
        if not rows.size:
            return heard
        places = self._table.place[rows]
        now = heard[places]
        event, lost = self._table.event_at[rows] == tick, reception.missing(rows)
        key = self._suspicion.of(rows, now)
        silent = tick <= self._silent_until[rows]
        after = np.select((event, key, lost), (AFTER_EVENT_TICKS, AFTER_TONE_TICKS, AFTER_LOSS_TICKS), LONG_AGO)
        self._silent_until[rows] = np.maximum(self._silent_until[rows], tick + after)
        line = np.concatenate((self._waiting[rows], now[:, None]), axis=1)
        line[after > 0] = 0
        line[silent, -1] = 0
        self._waiting[rows] = line[:, 1:]
        kept = heard.copy()
        kept[places] = line[:, 0]
        self._let_go(rows, tick)
        return kept

    def _let_go(self, rows: Integers, tick: int) -> None:
        over = rows[(self._ends_at[rows] <= tick) & (self._silent_until[rows] < tick)]
        if over.size:
            self._table.guarded[over] = False
            self._look_who()

    def _look_who(self) -> None:
        self._rows = np.flatnonzero(self._table.guarded)
