"""Keys pressed while a call goes on, as telephone events (RFC 4733)."""

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from ivr_flows.prompts import PromptError
from telephony.clock import SAMPLES_PER_TICK

HELD_TICKS: Final = 5
ENDS: Final = 3
"""How often the end of a key is sent (RFC 4733 section 2.5.1.4)."""
PAUSE_TICKS: Final = 5
VOLUME: Final = 10
EVENTS: Final = "0123456789*#ABCD"
END_BIT: Final = 0x80


class Press(NamedTuple):
    """20 ms of a key that is down: since how many ticks, and whether this tells its end."""

    key: str
    ticks: int
    ended: bool

    @property
    def begins(self) -> bool:
        """Whether the key goes down now."""
        return self.ticks == 1

    @property
    def payload(self) -> bytes:
        """The event as it is sent (RFC 4733 section 2.3)."""
        end = END_BIT if self.ended else 0
        duration = self.ticks * SAMPLES_PER_TICK
        return bytes((EVENTS.index(self.key), end | VOLUME)) + duration.to_bytes(2, "big")


class Keypad:
    """Keys in the order in which they are pressed. Any thread may press; one takes the ticks."""

    def __init__(self) -> None:
        self._keys: queue.SimpleQueue[str] = queue.SimpleQueue()

    def press(self, keys: str) -> None:
        """Press keys one after another. What is no key is left out."""
        for key in keys.upper():
            if key in EVENTS:
                self._keys.put(key)

    def ticks(self) -> Iterator[Press | None]:
        """Yield, for every 20 ms for ever, the key that is down; None for none."""
        while True:
            try:
                key = self._keys.get_nowait()
            except queue.Empty:
                yield None
                continue
            yield from (Press(key, ticks, ended=False) for ticks in range(1, HELD_TICKS + 1))
            yield from [Press(key, HELD_TICKS, ended=True)] * ENDS
            yield from [None] * PAUSE_TICKS


def obey(lines: TextIO, keypad: Keypad, play: Callable[[Path], None], stopping: threading.Event) -> None:
    """Do what a program says, line by line: `press 12#`, `play F.wav`, `hang_up`. The end of it hangs up, too."""
    for line in lines:
        word, _, what = line.strip().partition(" ")
        if word == "press":
            keypad.press(what)
        elif word == "play":
            try:
                play(Path(what))
            except PromptError as error:
                sys.stderr.write(f"play {what}: {error}\n")
        elif word == "hang_up":
            break
    stopping.set()
