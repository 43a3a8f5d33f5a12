"""The sending half of the plane: int16[legs, 160] in, datagrams out.

Rule 1: every leg that has somewhere to send to and is not held gets a datagram a tick, be it silence: recordings at the
far end and NAT bindings live on it.

Rule 2: the timestamp counts ticks, not packets, so a skipped tick is a gap at the far end and no drift.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.keys import EventPacket
from telephony.media.latch import Address
from telephony.media.legs import NO_CODER, LegTable
from telephony.media.passing import NOT_PASSED, Passed
from telephony.rtp.packet import HEADER_OCTETS, Integers, Octets, write_headers

DATAGRAM_OCTETS: Final = HEADER_OCTETS + SAMPLES_PER_TICK
Outgoing = tuple[Octets, list[int], list[int], list[Address]]
"""datagrams uint8[n, width], of each so many octets, from the socket of this table row, to this address."""


class Sending:
    """What legs are sent, by their own codec, under their own SSRC."""

    def __init__(self, table: LegTable) -> None:
        self._table = table
        self._known = (-1, -1)
        self._senders: list[int] = []
        self._destinations: list[Address] = []

    def datagrams(self, speech: Samples, passed: Passed, keys: Mapping[int, EventPacket], tick: int) -> Outgoing:
        """Return what goes out in this tick; `speech` is what each open leg hears, int16[n, 160], `passed` what it is
        sent of that as it came, and `keys` by row what it is sent instead of either."""
        table = self._table
        senders, destinations = self._due(passed)
        rows = np.array(senders, np.int64)
        source = passed.source[table.place[rows]]
        coded = self._coded(rows, source, speech, passed) if table.has_coders else {}
        events = {i: keys[row] for i, row in enumerate(senders) if row in keys} if keys else {}
        coded |= {i: event.payload for i, event in events.items()}
        width = max([DATAGRAM_OCTETS, *(HEADER_OCTETS + len(payload) for payload in coded.values())])
        datagrams = np.empty((len(rows), width), np.uint8)
        timestamp = table.timestamp[rows] + tick * table.clock[rows]
        marker, payload_type = table.sent[rows] == 0, table.payload_type[rows]
        for i, event in events.items():
            timestamp[i] += (event.began - tick) * table.clock[rows[i]]
            marker[i], payload_type[i] = event.first, event.payload_type
        write_headers(datagrams, payload_type, marker, table.sequence[rows], timestamp, table.ssrc[rows])
        self._write_laws(datagrams[:, HEADER_OCTETS:DATAGRAM_OCTETS], rows, source, speech, passed)
        lengths = [DATAGRAM_OCTETS] * len(senders)
        table.octets[rows] += SAMPLES_PER_TICK
        for i, payload in coded.items():
            table.octets[rows[i]] += len(payload) - SAMPLES_PER_TICK
            lengths[i] = HEADER_OCTETS + len(payload)
            datagrams[i, HEADER_OCTETS : lengths[i]] = np.frombuffer(payload, np.uint8)
        table.sequence[rows] += 1
        table.sent[rows] += 1
        return datagrams, lengths, senders, destinations

    def _due(self, passed: Passed) -> tuple[list[int], list[Address]]:
        """Return the rows that send, and where to. Who is passed a gap only counts it."""
        table = self._table
        if self._known != (table.version, table.ways):
            self._known = table.version, table.ways
            self._find_ways()
        senders, destinations = self._senders, self._destinations
        if passed.gap.any():
            quiet = passed.gap[table.place[senders]].tolist()
            table.sequence[[row for row, gap in zip(senders, quiet, strict=True) if gap]] += 1
            destinations = [each for each, gap in zip(destinations, quiet, strict=True) if not gap]
            senders = [each for each, gap in zip(senders, quiet, strict=True) if not gap]
        return senders, destinations

    def _find_ways(self) -> None:
        self._senders, self._destinations = [], []
        for leg, sends in zip(self._table.legs(), self._table.sends[self._table.open_rows].tolist(), strict=True):
            destination = leg.latch.destination
            if sends and destination is not None:
                self._senders.append(leg.row)
                self._destinations.append(destination)

    def _write_laws(self, payloads: Octets, rows: Integers, source: Integers, speech: Samples, passed: Passed) -> None:
        """Write G.711 for all, passed or encoded; what coders made takes its place afterwards."""
        table = self._table
        mixed = source == NOT_PASSED
        if mixed.all():
            payloads[:] = g711.encode(speech[table.place[rows]], table.payload_type[rows])
            return
        law = np.flatnonzero(~mixed & (table.coder_type[rows] == NO_CODER))
        payloads[law] = passed.played.payload[source[law]]
        rest = np.flatnonzero(mixed)
        payloads[rest] = g711.encode(speech[table.place[rows[rest]]], table.payload_type[rows[rest]])

    def _coded(self, rows: Integers, source: Integers, speech: Samples, passed: Passed) -> dict[int, bytes]:
        """Return what is sent by legs with a coder, by their places in `rows`."""
        payloads = {}
        for i in np.flatnonzero(self._table.coder_type[rows] != NO_CODER).tolist():
            coder = self._table.at(int(rows[i])).coder
            if source[i] != NOT_PASSED:
                payloads[i] = passed.coded[int(source[i])]
            elif coder is not None:
                payloads[i] = coder.encode(speech[self._table.place[rows[i]]])
        return payloads
