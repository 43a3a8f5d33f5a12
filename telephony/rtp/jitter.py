"""The jitter ring: payloads of all legs in slots of 20 ms, played by the tick.

Rule 1: slots are indexed by the RTP timestamp, not the sequence number. The timestamp is the media's own clock, so
packets of 10, 30 or 60 ms, silence suppression and telephone-events (which use up sequence numbers, but carry no
audio) need no special case. The sequence number serves the loss count (`telephony.rtp.sequence`).

Rule 2: a slot carries the index it was filled for. A slot that holds another index is empty, so nothing is ever
cleared, and moving the position of playout is all that adaptation and restarts have to do.

Rule 3: playout moves one slot a tick whatever comes. A stream that is late as a whole moves it back (the delay grows
by exactly what was missing); a delay that was not needed for a while moves it on.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.rtp.packet import HEADER_OCTETS, Flags, Headers, Integers, Octets
from telephony.rtp.sequence import TIMESTAMP_BITS, unwrap

SLOTS: Final = 32
TARGET_TICKS: Final = 2
PAUSE_TICKS: Final = 10
"""A stream that is late by more was paused, not delayed: it begins again with the full target delay."""
ADAPT_TICKS: Final = 2 * TICKS_PER_S
RESTART_AFTER: Final = 3
"""Packets in a row outside the ring before the source is taken to have jumped (RFC 3550 appendix A.1 asks for two)."""
_NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Playout:
    """One tick of n legs: payload uint8[n, 160] and its type, meaningful where `present`. `missing` are the legs in
    a stream whose slot is empty; a leg that is neither has never received anything."""

    payload: Octets
    payload_type: Octets
    present: Flags
    missing: Flags


class JitterRing:
    """Payload slots uint8[legs, SLOTS, 160] and where each leg's playout stands."""

    def __init__(self, legs: int, target: int = TARGET_TICKS) -> None:
        self._target = target
        self._ticks = 0
        self._payload = np.zeros((legs, SLOTS, SAMPLES_PER_TICK), np.uint8)
        self._type = np.zeros((legs, SLOTS), np.uint8)
        self._holds = np.full((legs, SLOTS), _NEVER)
        self._running = np.zeros(legs, np.bool_)
        self._ssrc = np.zeros(legs, np.int64)
        self._phase = np.zeros(legs, np.int64)
        self._end = np.zeros(legs, np.int64)
        self._position = np.zeros(legs, np.int64)
        self._strays = np.zeros(legs, np.int64)
        self._slack = np.full(legs, SLOTS, np.int64)
        self.late = np.zeros(legs, np.int64)

    def reset(self, leg: int) -> None:
        """Forget a leg's stream."""
        self._running[leg] = False
        self.late[leg] = 0

    def insert(self, legs: Integers, headers: Headers, rows: Octets) -> None:
        """Put one audio packet of each leg into its slots; `legs` are distinct, headers and rows are theirs."""
        self._begin_where_new(legs, headers)
        start = unwrap(self._end[legs], headers.timestamp, TIMESTAMP_BITS)
        end = start + headers.octets
        phase = self._phase[legs]
        slot = (start - phase) // SAMPLES_PER_TICK
        last = (end - 1 - phase) // SAMPLES_PER_TICK
        position = self._wait_for_late(legs, start, slot)
        ahead = slot - position
        outside = (ahead < -SLOTS) | (last - position >= SLOTS)
        late = (last < position) & ~outside
        self.late[legs] += late
        self._strays[legs] = np.where(outside, self._strays[legs] + 1, 0)
        fits = ~(outside | late) & (headers.octets > 0)
        self._end[legs] = np.where(fits, np.maximum(self._end[legs], end), self._end[legs])
        self._slack[legs] = np.where(fits, np.minimum(self._slack[legs], ahead), self._slack[legs])
        plain = (headers.octets == SAMPLES_PER_TICK) & (headers.offset == HEADER_OCTETS)
        whole = fits & plain & ((start - phase) % SAMPLES_PER_TICK == 0)
        self._fill(legs[whole], slot[whole], headers.payload_type[whole], rows[whole, HEADER_OCTETS:_PLAIN_END])
        for i in np.flatnonzero(fits & ~whole).tolist():
            payload = rows[i, headers.offset[i] : headers.offset[i] + headers.octets[i]]
            self._fill_piecewise(int(legs[i]), int(start[i]), int(headers.payload_type[i]), payload)

    def play(self, legs: Integers) -> Playout:
        """Return the slots that are due, and move on by a tick."""
        self._ticks += 1
        if self._ticks % ADAPT_TICKS == 0:
            self._shorten()
        running = self._running[legs]
        position = self._position[legs]
        index = position % SLOTS
        present = running & (self._holds[legs, index] == position)
        self._position[legs] = position + running
        return Playout(self._payload[legs, index], self._type[legs, index], present, running & ~present)

    def _begin_where_new(self, legs: Integers, headers: Headers) -> None:
        """Start afresh with a leg's first packet, a new SSRC, or a source that jumped and stays there."""
        jumped = self._strays[legs] >= RESTART_AFTER
        new = np.flatnonzero(~self._running[legs] | (self._ssrc[legs] != headers.ssrc) | jumped)
        if not new.size:
            return
        chosen, timestamp = legs[new], headers.timestamp[new]
        self._holds[chosen] = _NEVER
        self._running[chosen] = True
        self._ssrc[chosen] = headers.ssrc[new]
        self._phase[chosen] = timestamp % SAMPLES_PER_TICK
        self._end[chosen] = timestamp
        self._position[chosen] = timestamp // SAMPLES_PER_TICK - self._target
        self._strays[chosen] = 0
        self._slack[chosen] = SLOTS

    def _wait_for_late(self, legs: Integers, start: Integers, slot: Integers) -> Integers:
        """Move playout back where a stream goes on, in order, but behind its time. Returns the positions.

        Only a packet newer than all before it may do that: going back for one that was overtaken would play the
        others twice.
        """
        position = self._position[legs]
        overdue = (slot < position) & (start >= self._end[legs])
        if overdue.any():
            paused = position - slot > PAUSE_TICKS
            # What was played before the pause would be found again on the way back.
            self._holds[legs[overdue & paused]] = _NEVER
            position = np.where(overdue, np.where(paused, slot - self._target, slot), position)
            self._position[legs] = position
        return position

    def _fill(self, legs: Integers, slot: Integers, payload_type: Octets, payload: Octets) -> None:
        index = slot % SLOTS
        self._payload[legs, index] = payload
        self._type[legs, index] = payload_type
        self._holds[legs, index] = slot

    def _fill_piecewise(self, leg: int, start: int, payload_type: int, payload: Octets) -> None:
        """Lay a payload of any length and phase over the slots it touches."""
        done = 0
        while done < len(payload):
            slot, within = divmod(start + done - int(self._phase[leg]), SAMPLES_PER_TICK)
            octets = min(SAMPLES_PER_TICK - within, len(payload) - done)
            if slot >= self._position[leg]:
                index = slot % SLOTS
                if self._holds[leg, index] != slot or self._type[leg, index] != payload_type:
                    self._payload[leg, index] = SILENCE.get(payload_type, 0)
                self._payload[leg, index, within : within + octets] = payload[done : done + octets]
                self._type[leg, index] = payload_type
                self._holds[leg, index] = slot
            done += octets

    def _shorten(self) -> None:
        """Take away delay that no packet of the last while has needed; half of it at a time, at least a tick."""
        spare = self._slack - self._target
        # Legs that received nothing in this while still have the initial value and stay as they are.
        known = self._running & (self._slack < SLOTS) & (spare > 0)
        self._position += np.where(known, (spare + 1) // 2, 0)
        self._slack[:] = SLOTS


_PLAIN_END: Final = HEADER_OCTETS + SAMPLES_PER_TICK
SILENCE: Final = {0: 0xFF, 8: 0xD5}
"""The octet that decodes to (nearly) nothing, by payload type: it pads a slot that only part of a packet reached."""
