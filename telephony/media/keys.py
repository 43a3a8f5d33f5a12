"""Keys that are pressed for somebody: sent to a leg's far end as RFC 4733 telephone-events where it has agreed on them,
else as tones in its audio.

Rule 1: one key at a time. It is down for some ticks and up for some, and what waits behind it is bounded. Time goes on
whether the leg is sent to or not: a key that falls into a hold is lost, as voice is, and not pressed later on.

Rule 2: while a key is down its far end gets nothing else (section 2.1: an event is "treated the same as other codecs",
and voice beneath a tone spoils it). Between keys it hears what it would hear anyway.

Rule 3: where nobody has a key to send, a tick costs one look at an empty dictionary.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from telephony.clock import SAMPLES_PER_TICK, TICK_MS, TICKS_PER_S
from telephony.events import SendKeys
from telephony.media.g711 import Samples
from telephony.media.legs import NO_TELEPHONE_EVENT, Leg, LegTable
from telephony.media.tones import dtmf
from telephony.rtp.telephone_event import DIGITS, write

MAX_WAITING: Final = 64
SHORTEST_MS: Final = 40
"""ITU-T Q.24: 40 ms of tone and 40 ms of pause must do; and the two repeated ends of an event lie in its pause."""
LONGEST_MS: Final = 1000
"""At 48 kHz the duration field holds 1.36 s. Longer keys would go on in further events (section 2.5.1.3)."""
REPEATED_ENDS: Final = 2
"""Section 2.5.1.4: "The final packet for each event [...] SHOULD be sent a total of three times." """


class Unsendable(ValueError):
    """Keys that are not sent, and why."""


class EventPacket(NamedTuple):
    """What a leg is sent in place of audio in this tick. The event `began` with a tick, whose timestamp it has;
    `first` is the packet that gets the marker (section 2.2.2)."""

    payload_type: int
    first: bool
    began: int
    payload: bytes


class Key(NamedTuple):
    """A key, and for how many ticks it is down and then up."""

    digit: str
    down: int
    up: int


@dataclass(slots=True)
class _Pressing:
    """The keys of a leg: the first is being pressed, the others wait."""

    keys: deque[Key] = field(default_factory=deque)
    at: int = 0
    """How many ticks the first key has had."""
    began: int = 0
    """The tick of its first."""
    stream: tuple[int, int] = 0, NO_TELEPHONE_EVENT
    """SSRC and payload type under which it began. In another stream its rest would be another press."""
    tones: Samples = field(default_factory=lambda: np.zeros(0, np.int16))


class Keying:
    """Presses keys, for whichever legs have any."""

    def __init__(self, table: LegTable) -> None:
        self._table = table
        self._pressing: dict[int, _Pressing] = {}
        """By row."""

    def reset(self, row: int) -> None:
        """Forget a row's keys."""
        self._pressing.pop(row, None)

    def add(self, leg: Leg, command: SendKeys) -> None:
        """Take keys that are to follow those a leg is sent already. Raises `Unsendable`, and takes none of them."""
        keys = _read(command)
        if not (self._table.connected[leg.row] and self._table.sends[leg.row]):
            raise Unsendable(f"leg {leg.name} is not sent to: it is on hold, or not connected yet")
        waiting = self._pressing[leg.row].keys if leg.row in self._pressing else ()
        if len(waiting) + len(keys) > MAX_WAITING:
            raise Unsendable(f"{len(waiting)} keys wait already, and {MAX_WAITING} may: send them when those are out")
        self._pressing.setdefault(leg.row, _Pressing()).keys.extend(keys)

    def press(self, speech: Samples, tick: int) -> dict[int, EventPacket]:
        """Return by row what goes out in place of audio in this tick, and write tones over `speech`, which is what each
        open leg hears, int16[n, 160]."""
        packets: dict[int, EventPacket] = {}
        for row, pressing in list(self._pressing.items()):
            key = pressing.keys[0]
            if not pressing.at:
                self._begin(row, pressing, key, tick)
            if pressing.stream[1] == NO_TELEPHONE_EVENT:
                self._sound(row, pressing, key, speech)
            elif pressing.at < key.down + REPEATED_ENDS and self._stream(row) == pressing.stream:
                packets[row] = self._packet(row, pressing, key)
                self._table.mixed[row] = True
            self._step(row, pressing, key)
        return packets

    def _stream(self, row: int) -> tuple[int, int]:
        return int(self._table.ssrc[row]), int(self._table.telephone_event[row])

    def _begin(self, row: int, pressing: _Pressing, key: Key, tick: int) -> None:
        pressing.began, pressing.stream = tick, self._stream(row)
        if pressing.stream[1] == NO_TELEPHONE_EVENT:
            pressing.tones = dtmf(key.digit, key.down * TICK_MS, 0)

    def _sound(self, row: int, pressing: _Pressing, key: Key, speech: Samples) -> None:
        if pressing.at < key.down:
            begin = pressing.at * SAMPLES_PER_TICK
            speech[self._table.place[row]] = pressing.tones[begin : begin + SAMPLES_PER_TICK]
            self._table.mixed[row] = True

    def _packet(self, row: int, pressing: _Pressing, key: Key) -> EventPacket:
        ticks = min(pressing.at + 1, key.down)
        per_tick = self._table.at(row).event_clock // TICKS_PER_S
        payload = write(key.digit, ticks * per_tick, ended=ticks == key.down)
        return EventPacket(pressing.stream[1], pressing.at == 0, pressing.began, payload)

    def _step(self, row: int, pressing: _Pressing, key: Key) -> None:
        pressing.at += 1
        if pressing.at == key.down + key.up:
            pressing.at = 0
            pressing.keys.popleft()
            if not pressing.keys:
                del self._pressing[row]


def _read(command: SendKeys) -> list[Key]:
    """Return the keys of a command. Raises `Unsendable`."""
    digits = command.keys.upper()
    if not digits:
        raise Unsendable("there is no key to be sent")
    for digit in digits:
        if digit not in DIGITS:
            raise Unsendable(f"{digit!r} is no key of a telephone: those are 0 to 9, *, # and A to D")
    for name, ms in (("tone_ms", command.tone_ms), ("pause_ms", command.pause_ms)):
        if not SHORTEST_MS <= ms <= LONGEST_MS:
            raise Unsendable(f"{name} is {ms}, and has to be from {SHORTEST_MS} to {LONGEST_MS}")
    down, up = (-(-ms // TICK_MS) for ms in (command.tone_ms, command.pause_ms))
    return [Key(digit, down, up) for digit in digits]
