"""The leg table: one row per leg, its numbers in columns (for the tick), its rarer state in a `Leg` object."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Final, get_args

import numpy as np

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.events import Codec, Role
from telephony.media.codec import CLOCK_PER_TICK, Coder, Libraries
from telephony.media.latch import Latch
from telephony.media.prompts import Playback
from telephony.media.waiting import Waiting
from telephony.rtp.packet import Integers
from telephony.rtp.telephone_event import TelephoneEvents

NO_TELEPHONE_EVENT: Final = -1
NO_CODER: Final = -1
NO_PARTNER: Final = -1
ALONE: Final = -1
"""The bridge of a leg that is in none."""
NOBODY: Final = -1
ROLES: Final = get_args(Role)
"""Their places here are their numbers in the table."""
PARTY, MONITOR, WHISPER, ECHO = range(len(ROLES))
CODECS: Final = get_args(Codec)
"""Their places here are their numbers in the table."""
NEXT_SSRC: Final = 0x9E3779B9
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
    event_clock: int = SAMPLE_RATE_HZ
    """In Hz, by which the durations of telephone-events count; their timestamps are those of the audio."""
    playback: Playback | None = None
    codec: Codec = "PCMU"
    coder: Coder | None = None
    """Of a leg that speaks something else than G.711."""
    waiting: Waiting | None = None
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
        self.sends = np.ones(rows, np.bool_)
        self.expected = np.ones(rows, np.bool_)
        """Whether the far end sends all the time, so that its silence means something."""
        self.timed_out, self.stalled = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
        self.payload_type = np.zeros(rows, np.uint8)
        self.telephone_event = np.full(rows, NO_TELEPHONE_EVENT, np.int64)
        self.coder_type = np.full(rows, NO_CODER, np.int64)
        """The payload type that a leg's coder reads."""
        self.codec = np.zeros(rows, np.int64)
        self.clock = np.full(rows, SAMPLES_PER_TICK, np.int64)
        """What the RTP clock counts in a tick."""
        self.ssrc = np.zeros(rows, np.int64)
        self.sequence, self.timestamp = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.heard_at = np.zeros(rows, np.int64)
        self.event_at = np.full(rows, LONG_AGO, np.int64)
        self.bridge = np.full(rows, ALONE, np.int64)
        self.partner = np.full(rows, NO_PARTNER, np.int64)
        """The row of the only leg that a leg hears."""
        self.altered, self.guarded = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
        """Whose samples are, in this tick, not what came from the far end; and whose keys nobody is to hear
        (`telephony.media.key_guard`), which is a reason for it."""
        self.heeded = np.ones(rows, np.bool_)
        """Whose samples somebody needs in this tick."""
        self.recorded, self.watched = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
        """Whose samples are taken down, or listened to by a machine; whose voice is listened for."""
        self.playing = np.zeros(rows, np.bool_)
        """Who has a playback."""
        self.mixed = np.zeros(rows, np.bool_)
        """Who hears, in this tick, something besides its partner."""
        self.role = np.zeros(rows, np.int64)
        self.whispers_to = np.full(rows, NOBODY, np.int64)
        """The row of the one leg that hears a whisper."""
        self.ways = 0
        """Changes whenever a leg begins to send, stops, or sends elsewhere."""
        self.version = 0
        """Changes whenever a leg comes, goes, joins or leaves."""
        self.received, self.sent = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.octets = np.zeros(rows, np.int64)
        """Of payload, sent."""
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
        self.sends[row] = self.expected[row] = True
        self.telephone_event[row] = NO_TELEPHONE_EVENT
        self.coder_type[row], self.codec[row], self.clock[row] = NO_CODER, 0, SAMPLES_PER_TICK
        self.ssrc[row], self.sequence[row], self.timestamp[row] = origin.ssrc, origin.sequence, origin.timestamp
        self.event_at[row] = LONG_AGO
        self.bridge[row] = ALONE
        self.received[row] = self.sent[row] = self.octets[row] = self.concealed[row] = 0
        self._index()
        return leg

    def close(self, leg: Leg) -> None:
        """Take a leg's row back."""
        self.join(leg, "")
        self.whispers_to[self.whispers_to == leg.row] = NOBODY  # the row will be another leg's
        if leg.coder is not None:
            leg.coder.close()
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
    def has_coders(self) -> bool:
        """Whether any leg speaks something else than G.711."""
        return bool((self.coder_type[self.open_rows] != NO_CODER).any())

    def speak(self, leg: Leg, codec: Codec, payload_type: int, receives: int, libraries: Libraries) -> None:
        """Let a leg speak a codec from now on, sent under one payload type and received under another, or the same. The
        same codec goes on with the coder there is. Raises `NoCodec`, and all is as it was.

        RFC 7160 section 4.1: a sender "MUST use a different SSRC for each different clock rate". The new one is as
        little to be guessed as the old one.
        """
        if codec != leg.codec:
            coder = libraries.make(codec)
            if leg.coder is not None:
                leg.coder.close()
            leg.codec, leg.coder = codec, coder
            leg.waiting = Waiting(coder) if coder is not None else None
        row = leg.row
        if self.sent[row] and self.clock[row] != CLOCK_PER_TICK[codec]:
            self.ssrc[row] = (self.ssrc[row] + NEXT_SSRC) & 0xFFFFFFFF
        self.clock[row], self.codec[row] = CLOCK_PER_TICK[codec], CODECS.index(codec)
        self.payload_type[row] = payload_type
        self.coder_type[row] = receives if leg.coder is not None else NO_CODER

    def legs(self) -> list[Leg]:
        """Return all open legs, in the order of `open_rows`."""
        return self._open

    def join(self, leg: Leg, bridge: str, role: Role = "party", to: str = "") -> None:
        """Put a leg into a bridge in some role, or with an empty name into none. A whisper is heard by the leg `to`
        alone, by nobody where that is not open."""
        left = int(self.bridge[leg.row])
        if leg.bridge:
            self._members[leg.bridge] -= 1
            if not self._members[leg.bridge]:
                del self._members[leg.bridge], self._bridges[leg.bridge]
        leg.bridge = bridge
        if bridge:
            self._members[bridge] += 1
            self._bridges.setdefault(bridge, next(self._numbers))
        listener = self._by_name.get(to)
        self.bridge[leg.row] = self._bridges.get(bridge, ALONE)
        self.role[leg.row] = ROLES.index(role)
        self.whispers_to[leg.row] = NOBODY if listener is None else listener.row
        self.version += 1
        self.partner[leg.row] = NO_PARTNER
        for number in {left, int(self.bridge[leg.row])} - {ALONE}:
            self._pair(number)

    def _pair(self, bridge: int) -> None:
        """Tell the legs of a bridge whether they are two parties: whoever monitors them changes nothing for them, not
        even their codec, and a whisper something for the one who hears it."""
        rows = np.flatnonzero(self.bridge == bridge)
        self.partner[rows] = NO_PARTNER
        parties = rows[self.role[rows] == PARTY]
        if len(parties) == 2:
            whispered = self.whispers_to[rows[self.role[rows] == WHISPER]]
            self.partner[parties] = np.where(np.isin(parties, whispered), NO_PARTNER, parties[::-1])
        echoes = rows[self.role[rows] == ECHO]
        self.partner[echoes] = echoes

    def _index(self) -> None:
        self.version += 1
        self._open = [leg for leg in self._by_row if leg is not None]
        self.open_rows = np.array([leg.row for leg in self._open], np.int64)
        self.place[self.open_rows] = np.arange(len(self.open_rows))
