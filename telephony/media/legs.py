"""The leg table: one row per leg, its numbers in columns (for the tick), its rarer state in a `Leg` object."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media.latch import Latch
from telephony.media.mix import ALONE
from telephony.media.opus import Decoder, Encoder
from telephony.media.prompts import Playback
from telephony.rtp.packet import Integers
from telephony.rtp.telephone_event import TelephoneEvents

NO_TELEPHONE_EVENT: Final = -1
NO_OPUS: Final = -1
LONG_AGO: Final = -(10**9)
"""A tick before all ticks."""


class UnknownLeg(LookupError):
    """A command for a leg that is not open: it was closed already, or it is another worker's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a leg's outgoing stream begins: random numbers (RFC 3550 section 5.1), drawn by the edge."""

    ssrc: int
    sequence: int
    timestamp: int


@dataclass(slots=True)
class Leg:
    """What a tick touches only now and then."""

    name: str
    row: int
    latch: Latch = field(default_factory=Latch)
    events: TelephoneEvents = field(default_factory=TelephoneEvents)
    playback: Playback | None = None
    encoder: Encoder | None = None
    decoder: Decoder | None = None
    """Of a leg that speaks Opus."""
    bridge: str = ""
    last_tone: str = ""
    last_tone_at: int = LONG_AGO
    keys: float = 0.0
    """How many keys came of late, less those that have had their time."""
    key_at: int = LONG_AGO
    faults: Counter[str] = field(default_factory=Counter)
    """Packets thrown away, by reason."""


class LegTable:
    """Rows and columns. `open_rows` are the rows in use, ascending; a tick works on those alone."""

    def __init__(self, rows: int) -> None:
        self._by_name: dict[str, Leg] = {}
        self._by_row: list[Leg | None] = [None] * rows
        self._free = list(range(rows - 1, -1, -1))
        self._open: list[Leg] = []
        self.open_rows: Integers = np.zeros(0, np.int64)
        self.place = np.zeros(rows, np.int64)
        """Where in `open_rows` a row is."""
        self.connected = np.zeros(rows, np.bool_)
        self.timed_out = np.zeros(rows, np.bool_)
        self.stalled = np.zeros(rows, np.bool_)
        self.payload_type = np.zeros(rows, np.uint8)
        self.telephone_event = np.full(rows, NO_TELEPHONE_EVENT, np.int64)
        self.opus_type = np.full(rows, NO_OPUS, np.int64)
        self.clock = np.full(rows, SAMPLES_PER_TICK, np.int64)
        """What the RTP clock counts in a tick."""
        self.ssrc = np.zeros(rows, np.int64)
        self.sequence = np.zeros(rows, np.int64)
        self.timestamp = np.zeros(rows, np.int64)
        self.heard_at = np.zeros(rows, np.int64)
        self.event_at = np.full(rows, LONG_AGO, np.int64)
        self.bridge = np.full(rows, ALONE, np.int64)
        self.received = np.zeros(rows, np.int64)
        self.sent = np.zeros(rows, np.int64)
        self.concealed = np.zeros(rows, np.int64)
        self._bridges: dict[str, int] = {}
        self._members: Counter[str] = Counter()
        self._numbers = count()

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def full(self) -> bool:
        """Whether no row is free."""
        return not self._free

    def open(self, name: str, origin: Origin) -> Leg:
        """Give a new leg a row. The table must not be full, and the name must be new."""
        leg = Leg(name, self._free.pop())
        row = leg.row
        self._by_name[name] = self._by_row[row] = leg
        self.connected[row] = self.timed_out[row] = self.stalled[row] = False
        self.telephone_event[row] = NO_TELEPHONE_EVENT
        self.opus_type[row], self.clock[row] = NO_OPUS, SAMPLES_PER_TICK
        self.ssrc[row], self.sequence[row], self.timestamp[row] = origin.ssrc, origin.sequence, origin.timestamp
        self.event_at[row] = LONG_AGO
        self.bridge[row] = ALONE
        self.received[row] = self.sent[row] = self.concealed[row] = 0
        self._index()
        return leg

    def close(self, leg: Leg) -> None:
        """Take a leg's row back."""
        self.join(leg, "")
        for coder in (leg.encoder, leg.decoder):
            if coder is not None:
                coder.close()
        del self._by_name[leg.name]
        self._by_row[leg.row] = None
        self._free.append(leg.row)
        self._index()

    def named(self, name: str) -> Leg:
        """Return a leg. Raises `UnknownLeg`."""
        leg = self._by_name.get(name)
        if leg is None:
            raise UnknownLeg(f"leg {name} is not open here")
        return leg

    def at(self, row: int) -> Leg:
        """Return the leg of a row in use. Raises `UnknownLeg`."""
        leg = self._by_row[row]
        if leg is None:
            raise UnknownLeg(f"row {row} is not in use")
        return leg

    @property
    def speaks_opus(self) -> bool:
        """Whether any leg may."""
        return bool((self.opus_type[self.open_rows] != NO_OPUS).any())

    def legs(self) -> list[Leg]:
        """Return all open legs, in the order of `open_rows`."""
        return self._open

    def join(self, leg: Leg, bridge: str) -> None:
        """Put a leg into a bridge, or with an empty name into none."""
        if leg.bridge:
            self._members[leg.bridge] -= 1
            if not self._members[leg.bridge]:
                del self._members[leg.bridge], self._bridges[leg.bridge]
        leg.bridge = bridge
        if bridge:
            self._members[bridge] += 1
            self._bridges.setdefault(bridge, next(self._numbers))
        self.bridge[leg.row] = self._bridges.get(bridge, ALONE)

    def _index(self) -> None:
        self._open = [leg for leg in self._by_row if leg is not None]
        self.open_rows = np.array([leg.row for leg in self._open], np.int64)
        self.place[self.open_rows] = np.arange(len(self.open_rows))
