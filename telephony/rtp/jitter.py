"""The jitter ring: payloads of all legs in slots of 20 ms, played by the tick.

Rule 1: slots are indexed by the RTP timestamp, not the sequence number. The timestamp is the media's own clock, so
packets of 10, 30 or 60 ms, silence suppression and telephone-events (which use up sequence numbers, but carry no
audio) need no special case. The sequence number serves the loss count (`telephony.rtp.sequence`).

Rule 2: a slot carries the index it was filled for. A slot that holds another index is empty, so nothing is ever
cleared, and moving the position of playout is all that adaptation and restarts have to do.

Rule 3: playout moves one slot a tick whatever comes. A stream that is late as a whole moves it back at once (the delay
grows by exactly what was missing). A delay below the target grows at slots that are empty when they are due; one above
it is a surplus, which whoever plays takes away where it is not heard (`skip`).

Rule 4: the target is measured. The delay of a packet is the ring's own count of ticks at its arrival less its slot;
what it is above the least of the last windows is jitter, kept in a histogram per leg, and the target a quantile of it.
The least delay moves with the far end's clock, so a clock that drifts is a surplus, or late as a whole, like any other.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICKS_PER_S
from telephony.rtp.packet import HEADER_OCTETS, Flags, Headers, Integers, Octets
from telephony.rtp.sequence import TIMESTAMP_BITS, unwrap

SLOTS: Final = 32
TARGET_TICKS: Final = 2
"""How far playout keeps behind the latest packet at first, until its jitter is known."""
LEAST_TARGET_TICKS: Final = 1
"""Datagrams are read once a tick, and one that comes about then is read now before it, now after it."""
CALM_WINDOWS: Final = 3
"""For so many windows a target has been more than is needed before it falls by a quarter: where there was one spike
there are others, and every change is a seam in what is heard."""
PAUSE_TICKS: Final = 10
"""A stream that is late by more was paused, not delayed: it begins again with the full target delay."""
ADAPT_TICKS: Final = 2 * TICKS_PER_S
"""A window: the least delay is that of the last one and this, and older jitter counts half."""
MAX_TARGET_TICKS: Final = 10
JITTER_COLUMNS: Final = 12
QUANTILE: Final = 0.99
RESTART_AFTER: Final = 3
"""Packets in a row outside the ring before the source is taken to have jumped (RFC 3550 appendix A.1 asks for two)."""
_NEVER: Final = np.iinfo(np.int64).min
_UNKNOWN: Final = 1 << 60


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

    def __init__(self, legs: int) -> None:
        self._target = np.full(legs, TARGET_TICKS, np.int64)
        self._least = np.full(legs, _UNKNOWN, np.int64)
        self._calm = np.zeros(legs, np.int64)
        self._window = np.zeros((legs, JITTER_COLUMNS), np.float32)
        self._jitter = np.zeros((legs, JITTER_COLUMNS), np.float32)
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
        self.late = np.zeros(legs, np.int64)
        self.surplus = np.zeros(legs, np.int64)
        """How many ticks of delay are more than is needed: `skip` takes them away, when whoever plays sees fit."""
        self.has_surplus = False
        self._deficit = np.zeros(legs, np.int64)
        """How many ticks of delay are missing: so often an empty slot is waited at, until what is late has come."""

    def reset(self, leg: int) -> None:
        """Forget a leg's stream."""
        self._running[leg] = False
        self.late[leg] = self.surplus[leg] = self._deficit[leg] = 0

    def delay(self, leg: int) -> int:
        """Return how many slots wait to be played."""
        if not self._running[leg]:
            return 0
        newest = int(self._end[leg] - 1 - self._phase[leg]) // SAMPLES_PER_TICK
        return max(0, newest - int(self._position[leg]) + 1)

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
        self._measure(legs, slot, ~outside & (headers.octets > 0))
        self.late[legs] += late
        self._strays[legs] = np.where(outside, self._strays[legs] + 1, 0)
        fits = ~(outside | late) & (headers.octets > 0)
        self._end[legs] = np.where(fits, np.maximum(self._end[legs], end), self._end[legs])
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
            self._aim()
        if self.has_surplus:
            self._pass_over_the_missing(legs)
        return self._next(legs)

    def skip(self, legs: Integers) -> Playout:
        """Return the slots that come next for legs that have a surplus, and move on by them."""
        self.surplus[legs] -= 1
        self.has_surplus = bool((self.surplus > 0).any())
        return self._next(legs)

    def _pass_over_the_missing(self, legs: Integers) -> None:
        """Where too much waits, what never came need not be waited for."""
        position = self._position[legs]
        missing = self._holds[legs, position % SLOTS] != position
        goes_on = self._holds[legs, (position + 1) % SLOTS] == position + 1
        passed = legs[self._running[legs] & (self.surplus[legs] > 0) & missing & goes_on]
        self._position[passed] += 1
        self.surplus[passed] -= 1

    def _next(self, legs: Integers) -> Playout:
        running = self._running[legs]
        position = self._position[legs]
        index = position % SLOTS
        present = running & (self._holds[legs, index] == position)
        missing = running & ~present
        goes_on = running & ~(missing & (self._deficit[legs] > 0))
        self._position[legs] = position + goes_on
        self._deficit[legs] -= running & ~goes_on
        return Playout(self._payload[legs, index], self._type[legs, index], present, missing)

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
        self._position[chosen] = timestamp // SAMPLES_PER_TICK - TARGET_TICKS
        self._strays[chosen] = self.surplus[chosen] = self._deficit[chosen] = 0
        self._target[chosen] = TARGET_TICKS
        self._calm[chosen] = 0
        self._least[chosen] = _UNKNOWN
        self._jitter[chosen] = self._window[chosen] = 0

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
            stopped, target = legs[overdue & paused], self._target[legs]
            self._holds[stopped] = _NEVER
            self._least[stopped] = _UNKNOWN
            position = np.where(overdue, np.where(paused, slot - target, slot), position)
            self._position[legs] = position
            # What was missing is needed from now on: the target says so at once, or it would be taken away again.
            needed = np.clip(self._ticks - position - self._least[legs], target, MAX_TARGET_TICKS)
            self._target[legs] = np.where(overdue & ~paused, needed, target)
            self._calm[legs[overdue]] = 0
            self.surplus[legs[overdue]] = self._deficit[legs[overdue]] = 0
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

    def _measure(self, legs: Integers, slot: Integers, counts: Flags) -> None:
        """Take down the delay of packets. One that is in its slot already came twice, and says nothing."""
        delay = self._ticks - slot
        jitter = delay - self._least[legs]
        if jitter.any() or not counts.all():
            counted = np.flatnonzero(counts & (self._holds[legs, slot % SLOTS] != slot))
            legs, delay, jitter = legs[counted], delay[counted], jitter[counted]
            self._least[legs] = np.minimum(self._least[legs], delay)
            jitter = np.clip(jitter, 0, JITTER_COLUMNS - 1)
        self._window.reshape(-1)[legs * JITTER_COLUMNS + jitter] += 1

    def _aim(self) -> None:
        """Set the targets by the jitter of the last windows, and find out what waits longer than that."""
        # Legs that received nothing in this while stay as they are.
        known = np.flatnonzero(self._window.any(axis=1))
        window = self._window[known]
        least = np.argmax(window > 0, axis=1)
        self._least[known] += least
        jitter = self._jitter[known] / 2 + window
        column = np.arange(JITTER_COLUMNS) + least[:, None]
        shifted = np.take_along_axis(jitter, np.minimum(column, JITTER_COLUMNS - 1), axis=1)
        shifted[column >= JITTER_COLUMNS] = 0
        self._jitter[known] = shifted
        below = np.cumsum(shifted, axis=1)
        needed = np.argmax(below >= QUANTILE * below[:, -1:], axis=1)
        needed = np.clip(needed, LEAST_TARGET_TICKS, MAX_TARGET_TICKS)
        target = self._target[known]
        calm = np.where(needed < target, self._calm[known] + 1, 0)
        falls = calm >= CALM_WINDOWS
        self._calm[known] = np.where(falls, 0, calm)
        self._target[known] = np.where(falls, np.maximum(needed, target * 3 // 4), np.maximum(needed, target))
        self._window[:] = 0
        surplus = self._ticks - 1 - self._position[known] - self._least[known] - self._target[known]
        surplus *= self._running[known]
        self.surplus[:] = self._deficit[:] = 0
        self.surplus[known], self._deficit[known] = np.maximum(surplus, 0), np.maximum(-surplus, 0)
        self.has_surplus = bool((self.surplus > 0).any())


_PLAIN_END: Final = HEADER_OCTETS + SAMPLES_PER_TICK
SILENCE: Final = {0: 0xFF, 8: 0xD5}
"""The octet that decodes to (nearly) nothing, by payload type: it pads a slot that only part of a packet reached."""
