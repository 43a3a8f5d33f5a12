"""The receiving half of the plane: datagrams in, int16[legs, 160] and keys out.

Rule 1: whatever is thrown away is counted on its leg, by reason, and its first time is reported so that the edge logs
it once.

Rule 2: only a packet that would be heard can move a leg's latch. Garbage never does.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media import g711
from telephony.media.comfort import Comfort
from telephony.media.concealment import Concealment
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.media.legs import LegTable
from telephony.media.stretch import Stretching, blended
from telephony.rtp.interarrival import Interarrival
from telephony.rtp.jitter import JitterRing
from telephony.rtp.packet import Flags, Headers, Integers, Octets, parse
from telephony.rtp.sequence import Continuity, Heard
from telephony.rtp.telephone_event import Press

EVENT_GAP_TICKS: Final = 5
"""For so long after a telephone-event packet missing audio is the key's doing, and nothing is concealed."""

Fault = Literal["not_rtp", "not_connected", "payload_type", "foreign_source"]
COMFORT_NOISE: Final = 13
"""RFC 3389: a payload type that phones send unasked when they are silent; no fault, and no audio. It is a sign of
life, says that what is missing from now on is meant to be, and how the background sounds in the meantime."""


class Reception:
    """Everything between a received row and what a leg is heard to say."""

    def __init__(self, table: LegTable, rows: int) -> None:
        self._table = table
        self._ring = JitterRing(rows)
        self._continuity = Continuity(rows)
        self._interarrival = Interarrival(rows)
        self._concealment = Concealment(rows)
        self._stretching = Stretching(rows)
        self._comfort = Comfort()
        self.played = self._ring.play(table.open_rows)
        """What was due in the last tick, as it came."""
        self.coded: dict[int, bytes] = {}
        """Of legs with a coder, by place: the packet that was the whole of the last tick; empty where it is missing."""
        self._locked: list[Address | None] = [None] * rows
        """Whose packets are heard without asking, by row: what the latches say, and None where they are to be asked."""
        self._unnoted = np.zeros(rows, np.int64)
        """How many of those packets a latch has not been told of."""
        self._noted_at = np.zeros(rows, np.int64)
        self._resting = np.zeros(rows, np.bool_)
        """Of whom comfort noise was the last to come."""

    def reset(self, row: int) -> None:
        """Forget a row's stream."""
        self._locked[row], self._unnoted[row] = None, 0
        self._ring.reset(row)
        self._continuity.reset(row)
        self._interarrival.reset(row)
        self._concealment.reset(row)
        self._stretching.reset(row)
        self._comfort.reset(row)
        self._resting[row] = False

    def lost(self, row: int) -> int:
        """Return how many packets of a row's stream never came."""
        return self._continuity.lost(row)

    def heard(self, row: int) -> Heard | None:
        """Return what came of the present source of a row, None where there is none."""
        return self._continuity.heard(row)

    def jitter(self, row: int) -> float:
        """Return a row's interarrival jitter in units of its RTP clock."""
        return self._interarrival.jitter(row)

    def delay(self, row: int) -> int:
        """Return how many ticks of a row's audio wait to be played."""
        return self._ring.delay(row)

    def late(self, row: int) -> int:
        """Return how many packets came too late to be played, or twice."""
        waiting = self._table.at(row).waiting
        return int(self._ring.late[row]) + (waiting.late if waiting is not None else 0)

    def missing(self, rows: Integers) -> Flags:
        """Return whose last tick was not there when it was due, whatever was heard in its place."""
        places = self._table.place[rows]
        missing: Flags = self.played.missing[places]
        if self.coded:
            missing |= np.array([self.coded.get(place) == b"" for place in places.tolist()], np.bool_)
        return missing

    def receive(
        self, rows: Octets, lengths: Integers, legs: Integers, sources: Sequence[Address], tick: int
    ) -> tuple[list[tuple[int, Press]], list[tuple[int, Fault]]]:
        """Take datagrams uint8[n, 2048] of table rows `legs`. Return the keys pressed by telephone-event as
        (table row, press), and the first faults of their kind as (table row, fault)."""
        if not len(legs):
            return [], []
        headers = parse(rows, lengths)
        wanted, event, faults = self._sort(headers, legs)
        chosen = np.flatnonzero(wanted)
        heard = self._admitted(chosen, legs, sources, tick, faults)
        chosen = chosen[heard]
        self._table.heard_at[legs[chosen]] = tick
        self._table.timed_out[legs[chosen]] = False
        presses: list[tuple[int, Press]] = []
        for each in _rounds(legs, chosen):
            if len(each) == len(legs):  # each leg's one packet, as nearly always: nothing is copied
                self._take(headers, rows, legs, event, tick)
            else:
                self._take(headers.take(each), rows[each], legs[each], event[each], tick)
            presses += self._keys(headers, rows, legs, each[event[each]], tick)
        noise = headers.valid & (headers.payload_type == COMFORT_NOISE)
        if noise.any():
            self._rest(np.flatnonzero(noise), headers, rows, legs, sources, tick)
        return presses, faults

    def play_out(self, tick: int) -> Samples:
        """Return what each open leg says in this tick: int16[n, 160]."""
        legs = self._table.open_rows
        playout = self.played = self._ring.play(legs)
        self.coded = {}
        present = playout.present
        if present.all():
            heard = g711.decode(playout.payload, playout.payload_type)
            if self._ring.has_surplus:
                self._shorten(legs, heard, present)
            self._remember(legs, heard)
            return self._play_coded(heard) if self._table.has_coders else heard
        heard = np.zeros((len(legs), SAMPLES_PER_TICK), np.int16)
        heard[present] = g711.decode(playout.payload[present], playout.payload_type[present])
        if self._ring.has_surplus:
            self._shorten(legs, heard, present)
        came = heard[present]
        self._remember(legs[present], came)
        heard[present] = came
        pressing = (tick - self._table.event_at[legs] <= EVENT_GAP_TICKS) | self._resting[legs]
        self._concealment.hush(legs[playout.missing & pressing])
        for place in np.flatnonzero(playout.missing & self._resting[legs]).tolist():
            heard[place] = self._comfort.play(int(legs[place]), tick)
        missing = playout.missing & ~pressing
        if missing.any():
            heard[missing], concealed = self._concealment.fill(legs[missing])
            self._table.concealed[legs[missing]] += concealed
        return self._play_coded(heard) if self._table.has_coders else heard

    def _remember(self, legs: Integers, heard: Samples) -> None:
        """Keep what came for what may be lost; what follows a loss is faded in, in place."""
        faded = self._concealment.remember(legs, heard)
        if faded is not None:
            self._table.altered[legs[faded]] = True

    def _shorten(self, legs: Integers, heard: Samples, present: Flags) -> None:
        """Take a tick of delay away from legs that wait longer than they need to, where it is not heard."""
        places = np.flatnonzero(present & (self._ring.surplus[legs] > 0))
        if not places.size:
            return
        rows = legs[places]
        chosen = places[self._stretching.due(rows, self._ring.surplus[rows], heard[places])]
        after = self._ring.skip(legs[chosen])
        there = chosen[after.present]  # what is not there was waited for in vain, and is left out
        second = g711.decode(after.payload[after.present], after.payload_type[after.present])
        heard[there] = blended(heard[there], second)
        self._table.altered[legs[there]] = True

    def stretched(self, row: int) -> int:
        """Return how many ticks of a row's stream were faded into the next ones."""
        return int(self._stretching.stretched[row])

    def _sort(self, headers: Headers, legs: Integers) -> tuple[Flags, Flags, list[tuple[int, Fault]]]:
        """Return which rows carry what their leg listens to, which of them are telephone-events, and the faults."""
        table = self._table
        connected = table.connected[legs]
        payload_type = headers.payload_type
        event = payload_type == table.telephone_event[legs]
        audio = (payload_type == g711.PCMU) | (payload_type == g711.PCMA) | (payload_type == table.coder_type[legs])
        wanted = headers.valid & connected & (audio | event)
        faults: list[tuple[int, Fault]] = []
        for i in np.flatnonzero(~wanted).tolist():
            if not headers.valid[i]:
                self._blame(int(legs[i]), "not_rtp", faults)
            elif not connected[i]:
                self._blame(int(legs[i]), "not_connected", faults)
            elif payload_type[i] != COMFORT_NOISE:
                self._blame(int(legs[i]), "payload_type", faults)
        return wanted, wanted & event, faults

    def _admitted(
        self,
        chosen: Integers,
        legs: Integers,
        sources: Sequence[Address],
        tick: int,
        faults: list[tuple[int, Fault]],
    ) -> Flags:
        """Return which of the chosen packets come from where their leg listens to.

        Nearly all come from where the leg is locked to: those are noted all at once, in columns that the latch is told
        of when it is asked the next time.
        """
        rows = legs[chosen].tolist()
        locked = self._locked
        known = [sources[i] == locked[row] for i, row in zip(chosen.tolist(), rows, strict=True)]
        admitted = np.array(known, np.bool_)
        np.add.at(self._unnoted, legs[chosen[admitted]], 1)
        self._noted_at[legs[chosen[admitted]]] = tick
        for place in np.flatnonzero(~admitted).tolist():
            admitted[place] = self._admits(rows[place], sources[int(chosen[place])], tick, faults)
        return admitted

    def _admits(self, row: int, source: Address, tick: int, faults: list[tuple[int, Fault]]) -> bool:
        self.settle(row)
        latch = self._table.at(row).latch
        before = latch.destination
        admitted = latch.admits(source, tick)
        if not admitted:
            self._blame(row, "foreign_source", faults)
        if latch.destination != before:
            self._table.ways += 1
        self._locked[row] = latch.locked
        return admitted

    def settle(self, row: int) -> None:
        """Tell a row's latch of all that came; it will be asked for the next packet."""
        packets = int(self._unnoted[row])
        if packets:
            self._table.at(row).latch.heard(packets, int(self._noted_at[row]))
        self._unnoted[row], self._locked[row] = 0, None

    def _rest(
        self,
        noise: Integers,
        headers: Headers,
        rows: Octets,
        legs: Integers,
        sources: Sequence[Address],
        tick: int,
    ) -> None:
        """Take comfort noise from the far end that is heard anyway: it moves no latch and fills no slot."""
        for i in noise.tolist():
            row = int(legs[i])
            if not self._table.connected[row] or sources[i] != self._table.at(row).latch.locked:
                continue
            self._table.at(row).latch.heard(1, tick)
            self._table.heard_at[row] = tick
            self._table.timed_out[row] = False
            one = legs[i : i + 1]
            self._table.received[one] += 1
            self._continuity.note(one, headers.ssrc[i : i + 1], headers.sequence[i : i + 1])
            self._resting[row] = True
            begin = int(headers.offset[i])
            self._comfort.take(row, rows[i, begin : begin + int(headers.octets[i])].tobytes(), tick)

    def _blame(self, row: int, fault: Fault, faults: list[tuple[int, Fault]]) -> None:
        counts = self._table.at(row).faults
        counts[fault] += 1
        if counts[fault] == 1:
            faults.append((row, fault))

    def _take(self, headers: Headers, rows: Octets, legs: Integers, event: Flags, tick: int) -> None:
        """Count one packet per leg, and put audio into the ring."""
        self._table.received[legs] += 1
        self._resting[legs] = False
        self._continuity.note(legs, headers.ssrc, headers.sequence)
        self._note_arrival(headers, legs, event, tick)
        coded = headers.payload_type == self._table.coder_type[legs]
        if coded.any():
            self._take_coded(headers, rows, legs, np.flatnonzero(coded & ~event))
        audio = np.flatnonzero(~event & ~coded)
        if audio.size == len(legs):
            self._ring.insert(legs, headers, rows)
        elif audio.size:
            self._ring.insert(legs[audio], headers.take(audio), rows[audio])

    def _note_arrival(self, headers: Headers, legs: Integers, event: Flags, tick: int) -> None:
        """Measure how evenly audio comes. A telephone-event keeps its timestamp while it lasts, and tells nothing."""
        if not event.any():
            self._interarrival.note(legs, headers.ssrc, headers.timestamp, tick, self._table.clock[legs])
            return
        audio = ~event
        heard = legs[audio]
        clock = self._table.clock[heard]
        self._interarrival.note(heard, headers.ssrc[audio], headers.timestamp[audio], tick, clock)

    def _take_coded(self, headers: Headers, rows: Octets, legs: Integers, chosen: Integers) -> None:
        for i in chosen.tolist():
            waiting = self._table.at(int(legs[i])).waiting
            if waiting is not None:
                begin = int(headers.offset[i])
                payload = rows[i, begin : begin + int(headers.octets[i])].tobytes()
                waiting.put(int(headers.ssrc[i]), int(headers.timestamp[i]), payload)

    def _play_coded(self, heard: Samples) -> Samples:
        """Put what legs say in a codec of their own in its place; a leg that has said nothing in it yet may still speak
        G.711."""
        for place, leg in enumerate(self._table.legs()):
            waiting = leg.waiting
            if waiting is not None and waiting.started:
                # The ring of a leg that spoke G.711 before runs on; what is not in it is no loss.
                self.played.missing[place] = False
                concealed = waiting.concealed
                heard[place] = waiting.play(bool(self._table.heeded[leg.row]))
                self._table.concealed[leg.row] += waiting.concealed - concealed
                if waiting.whole is not None:
                    self.coded[place] = waiting.whole
        return heard

    def _keys(
        self, headers: Headers, rows: Octets, legs: Integers, events: Integers, tick: int
    ) -> list[tuple[int, Press]]:
        presses: list[tuple[int, Press]] = []
        for i in events.tolist():
            row = int(legs[i])
            self._table.event_at[row] = tick
            begin, octets = int(headers.offset[i]), int(headers.octets[i])
            payload = rows[i, begin : begin + octets].tobytes()
            press = self._table.at(row).events.receive(int(headers.ssrc[i]), int(headers.timestamp[i]), payload)
            if press is not None:
                presses.append((row, press))
        return presses


def _rounds(legs: Integers, chosen: Integers) -> Iterator[Integers]:
    """Split packets, in the order of their arrival, into rounds in which no leg occurs twice."""
    while chosen.size:
        if np.bincount(legs[chosen]).max() == 1:
            yield chosen
            return
        _, first = np.unique(legs[chosen], return_index=True)
        first.sort()
        yield chosen[first]
        chosen = np.delete(chosen, first)
