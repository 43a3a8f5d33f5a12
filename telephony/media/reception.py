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
from telephony.media.concealment import Concealment
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.media.legs import LegTable
from telephony.rtp.jitter import JitterRing
from telephony.rtp.packet import Flags, Headers, Integers, Octets, parse
from telephony.rtp.sequence import Continuity
from telephony.rtp.telephone_event import Press

EVENT_GAP_TICKS: Final = 5
"""For so long after a telephone-event packet missing audio is the key's doing, and nothing is concealed."""

Fault = Literal["not_rtp", "not_connected", "payload_type", "foreign_source"]
COMFORT_NOISE: Final = 13
"""RFC 3389: a payload type that phones send unasked when they are silent; no fault, and no audio of ours."""


class Reception:
    """Everything between a received row and what a leg is heard to say."""

    def __init__(self, table: LegTable, rows: int) -> None:
        self._table = table
        self._ring = JitterRing(rows)
        self._continuity = Continuity(rows)
        self._concealment = Concealment(rows)

    def reset(self, row: int) -> None:
        """Forget a row's stream."""
        self._ring.reset(row)
        self._continuity.reset(row)
        self._concealment.reset(row)

    def lost(self, row: int) -> int:
        """Return how many packets of a row's stream never came."""
        return self._continuity.lost(row)

    def late(self, row: int) -> int:
        """Return how many packets came too late to be played, or twice."""
        decoder = self._table.at(row).decoder
        return int(self._ring.late[row]) + (decoder.late if decoder is not None else 0)

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
            self._take(headers.take(each), rows, each, legs[each], event[each])
            presses += self._keys(headers, rows, legs, each[event[each]], tick)
        return presses, faults

    def play_out(self, tick: int) -> Samples:
        """Return what each open leg says in this tick: int16[n, 160]."""
        legs = self._table.open_rows
        playout = self._ring.play(legs)
        present = playout.present
        if present.all():
            heard = g711.decode(playout.payload, playout.payload_type)
            self._concealment.remember(legs, heard)
            return self._play_opus(heard) if self._table.speaks_opus else heard
        heard = np.zeros((len(legs), SAMPLES_PER_TICK), np.int16)
        heard[present] = g711.decode(playout.payload[present], playout.payload_type[present])
        self._concealment.remember(legs[present], heard[present])
        pressing = tick - self._table.event_at[legs] <= EVENT_GAP_TICKS
        self._concealment.hush(legs[playout.missing & pressing])
        missing = playout.missing & ~pressing
        if missing.any():
            heard[missing], concealed = self._concealment.fill(legs[missing])
            self._table.concealed[legs[missing]] += concealed
        return self._play_opus(heard) if self._table.speaks_opus else heard

    def _sort(self, headers: Headers, legs: Integers) -> tuple[Flags, Flags, list[tuple[int, Fault]]]:
        """Return which rows carry what their leg listens to, which of them are telephone-events, and the faults."""
        table = self._table
        connected = table.connected[legs]
        payload_type = headers.payload_type
        event = payload_type == table.telephone_event[legs]
        audio = (payload_type == g711.PCMU) | (payload_type == g711.PCMA) | (payload_type == table.opus_type[legs])
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
        """Return which of the chosen packets come from where their leg listens to."""
        admitted = np.ones(len(chosen), np.bool_)
        for place, (i, row) in enumerate(zip(chosen.tolist(), legs[chosen].tolist(), strict=True)):
            latch = self._table.at(row).latch
            if sources[i] == latch.locked:
                latch.heard(tick)
            elif not latch.admits(sources[i], tick):
                admitted[place] = False
                self._blame(row, "foreign_source", faults)
        return admitted

    def _blame(self, row: int, fault: Fault, faults: list[tuple[int, Fault]]) -> None:
        counts = self._table.at(row).faults
        counts[fault] += 1
        if counts[fault] == 1:
            faults.append((row, fault))

    def _take(self, headers: Headers, rows: Octets, each: Integers, legs: Integers, event: Flags) -> None:
        """Count one packet per leg, and put audio into the ring."""
        self._table.received[legs] += 1
        self._continuity.note(legs, headers.ssrc, headers.sequence)
        opus = headers.payload_type == self._table.opus_type[legs]
        if opus.any():
            self._take_opus(headers, rows, each, legs, np.flatnonzero(opus & ~event))
        audio = np.flatnonzero(~event & ~opus)
        if audio.size == len(each):
            self._ring.insert(legs, headers, rows[each])
        elif audio.size:
            self._ring.insert(legs[audio], headers.take(audio), rows[each[audio]])

    def _take_opus(self, headers: Headers, rows: Octets, each: Integers, legs: Integers, chosen: Integers) -> None:
        for i in chosen.tolist():
            decoder = self._table.at(int(legs[i])).decoder
            if decoder is not None:
                begin = int(headers.offset[i])
                payload = rows[each[i], begin : begin + int(headers.octets[i])].tobytes()
                decoder.put(int(headers.ssrc[i]), int(headers.timestamp[i]), payload)

    def _play_opus(self, heard: Samples) -> Samples:
        """Put what legs say in Opus in its place; a leg that has said nothing in it yet may still speak G.711."""
        for place, leg in enumerate(self._table.legs()):
            decoder = leg.decoder
            if decoder is not None and decoder.started:
                concealed = decoder.concealed
                heard[place] = decoder.play()
                self._table.concealed[leg.row] += decoder.concealed - concealed
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
        _, first = np.unique(legs[chosen], return_index=True)
        if first.size == chosen.size:
            yield chosen
            return
        first.sort()
        yield chosen[first]
        chosen = np.delete(chosen, first)
