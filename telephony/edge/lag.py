"""How late the loop is, and what a connection has brought besides: octets carry no time of arrival, datagrams do."""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from typing import Final

from telephony.edge.process_clock import ProcessClock

EVERY_S: Final = 0.02


def unread(transport: asyncio.Transport) -> int:
    """Return how many octets lie in the kernel for us, 0 where that cannot be told."""
    opened = transport.get_extra_info("socket")
    if opened is None or opened.fileno() < 0:
        return 0
    count: int = struct.unpack("@i", fcntl.ioctl(opened.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0]
    return count


class LoopLag:
    """Asks the loop for a moment, and tells how much later than asked it came. It does so while there is traffic, which
    `look` says; an idle process sleeps."""

    def __init__(self, clock: ProcessClock, told: Callable[[float], None]) -> None:
        self._clock = clock
        self._told = told
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def look(self) -> None:
        """Something came: measure once more."""
        if self._timer is None:
            self._due = self._clock.now() + EVERY_S
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._on_timer)

    def close(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        self._told(max(0.0, self._clock.now() - self._due))
