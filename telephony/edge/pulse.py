"""Whether worker processes are alive, told by their beats: a process that is stopped, or waits for something that never
comes, has not died and does nothing.

Rule 1: a worker that hangs is told from one that gets no time. Whoever is runnable, or has used the processor since its
last beat, is starved rather than hung, and is given longer: to kill it would move its work to another process on the
same busy machine.

Rule 2: what this process itself slept through is nobody's silence.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

EVERY_S: Final = 0.1
HUNG_S: Final = 1.0
"""So long without a beat a worker that does nothing hangs. It beats five times a second."""
FIRST_BEAT_S: Final = 4.0
"""So long the first tick of a worker may take."""
STARVED_S: Final = 4.0
"""So long one that is busy or waits for a processor: an endless loop."""
_STATE, _UTIME, _STIME = 0, 11, 12
"""Places in /proc/PID/stat after the command's name (proc(5))."""


@dataclass(slots=True)
class Pulse:
    """When a process was last heard (`time.monotonic`), and the processor time it had used then. Before its first beat
    it is as one that will be heard in a while."""

    process: int = 0
    beat_at: float = field(default_factory=lambda: time.monotonic() + FIRST_BEAT_S)
    used: int = 0


@dataclass(slots=True)
class Pulses:
    """Those that are watched, by number; `hung` is told of one with the seconds of its silence, once."""

    hung: Callable[[int, float], None]
    watched: dict[int, Pulse] = field(default_factory=dict)

    def beat(self, number: int) -> None:
        """One was heard."""
        pulse = self.watched.get(number)
        if pulse is not None:
            pulse.beat_at = time.monotonic()

    async def watch(self) -> None:
        """Look at all of them, for ever."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(EVERY_S)
            now = time.monotonic()
            self.look(now, now - before - EVERY_S)
            before = now

    def look(self, now: float, late_s: float) -> None:
        """Find those that hang; `late_s` is how much later than meant this comes."""
        for number, pulse in list(self.watched.items()):
            pulse.beat_at = max(pulse.beat_at, min(now, pulse.beat_at + late_s))
            silent_s = now - pulse.beat_at
            if silent_s < EVERY_S * 2.5:
                pulse.used = 0
                continue
            state, used = activity(pulse.process)
            # "D" is a wait for the disk, say for a page of a prompt: another process would wait likewise.
            is_busy = state in ("R", "D") or (pulse.used and used > pulse.used)
            pulse.used = pulse.used or used
            if silent_s > (STARVED_S if is_busy else HUNG_S):
                del self.watched[number]
                self.hung(number, silent_s)


def activity(process: int) -> tuple[str, int]:
    """Return a process's state, one letter, and the processor time that it has used, in the kernel's ticks; "" and 0
    where there is none (any more)."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "", 0
    fields = text.rpartition(")")[2].split()
    return fields[_STATE], int(fields[_UTIME]) + int(fields[_STIME])
