"""The timers of RFC 3261 (Table 4) and RFC 6026, and the one heap that holds every deadline of the SIP core.

The letters are the RFC's. Intervals that double (A, E, G and the 2xx retransmission of section 13.3.1.4) are named by
where they begin.
"""

import heapq
from itertools import count
from typing import Final

T1_S: Final = 0.5
T2_S: Final = 4.0
T4_S: Final = 5.0

TIMER_A_S: Final = T1_S  # INVITE client: retransmission, doubles
TIMER_B_S: Final = 64 * T1_S  # INVITE client: gives up
TIMER_C_S: Final = 180.0  # an INVITE that rings and rings; section 16.6 wants more than three minutes of a proxy
TIMER_D_S: Final = 32.0  # INVITE client: absorbs retransmitted final responses
TIMER_E_S: Final = T1_S  # non-INVITE client: retransmission, doubles up to T2
TIMER_F_S: Final = 64 * T1_S  # non-INVITE client: gives up
TIMER_G_S: Final = T1_S  # INVITE server: retransmission of a final response, doubles up to T2
TIMER_H_S: Final = 64 * T1_S  # INVITE server: no ACK came
TIMER_I_S: Final = T4_S  # INVITE server: absorbs retransmitted ACKs
TIMER_J_S: Final = 64 * T1_S  # non-INVITE server: absorbs retransmitted requests
TIMER_K_S: Final = T4_S  # non-INVITE client: absorbs retransmitted responses
TIMER_L_S: Final = 64 * T1_S  # INVITE server, Accepted: absorbs retransmitted INVITEs (RFC 6026)
TIMER_M_S: Final = 64 * T1_S  # INVITE client, Accepted: takes retransmitted and forked 2xx (RFC 6026)


class Deadlines:
    """Every deadline of the core, in one heap: (owner, name) -> when.

    Setting a name again replaces its deadline. What is replaced or cancelled stays in the heap until it surfaces or
    until it is the greater part of the heap, and is then thrown out, so memory follows the deadlines in force.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, object, str]] = []
        self._live: dict[object, dict[str, tuple[float, int]]] = {}
        self._numbers = count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def set(self, owner: object, name: str, when: float) -> None:
        """Arm the timer `name` of `owner`; owners are told apart by equality."""
        number = next(self._numbers)
        names = self._live.setdefault(owner, {})
        self._size += name not in names
        names[name] = (when, number)
        heapq.heappush(self._heap, (when, number, owner, name))
        if len(self._heap) > 4 * self._size + 64:
            self._heap = [entry for entry in self._heap if self._holds(entry)]
            heapq.heapify(self._heap)

    def cancel(self, owner: object, name: str) -> None:
        """Disarm one timer; one that is not armed is no error."""
        names = self._live.get(owner)
        if names is not None and names.pop(name, None) is not None:
            self._size -= 1
            if not names:
                del self._live[owner]

    def cancel_all(self, owner: object) -> None:
        """Disarm every timer of `owner`."""
        self._size -= len(self._live.pop(owner, ()))

    def next(self) -> float | None:
        """Return the earliest deadline, None for none."""
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> tuple[object, str] | None:
        """Take out the earliest deadline that is not after `now`, None for none."""
        when = self.next()
        if when is None or when > now:
            return None
        _, _, owner, name = heapq.heappop(self._heap)
        self.cancel(owner, name)
        return owner, name

    def _holds(self, entry: tuple[float, int, object, str]) -> bool:
        when, number, owner, name = entry
        return self._live.get(owner, {}).get(name) == (when, number)
