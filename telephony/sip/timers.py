"""The timers of RFC 3261 (Table 4) and RFC 6026, and the heap that holds every deadline of the SIP core (and, another
one, of the switchboard).

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
    """Many deadlines, one next: a heap of (owner, name) -> when.

    Setting a name again replaces its deadline. What is replaced or cancelled leaves no more than its number in the
    heap, until it surfaces there or until such numbers are the greater part of it, and are thrown out: memory follows
    the deadlines in force.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._armed: dict[int, tuple[object, str]] = {}
        self._of_owner: dict[object, dict[str, int]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._armed)

    def set(self, owner: object, name: str, when: float) -> None:
        """Arm the timer `name` of `owner`; owners are told apart by equality."""
        number = next(self._numbers)
        names = self._of_owner.get(owner)
        if names is None:
            self._of_owner[owner] = {name: number}
        else:
            self._armed.pop(names.get(name, -1), None)
            names[name] = number
        self._armed[number] = (owner, name)
        heapq.heappush(self._heap, (when, number))
        if len(self._heap) > 2 * len(self._armed) + 64:
            self._heap = [entry for entry in self._heap if entry[1] in self._armed]
            heapq.heapify(self._heap)

    def cancel(self, owner: object, name: str) -> None:
        """Disarm one timer; one that is not armed is no error."""
        names = self._of_owner.get(owner)
        if names is not None and name in names:
            del self._armed[names.pop(name)]
            if not names:
                del self._of_owner[owner]

    def cancel_all(self, owner: object) -> None:
        """Disarm every timer of `owner`."""
        for number in self._of_owner.pop(owner, {}).values():
            del self._armed[number]

    def next(self) -> float | None:
        """Return the earliest deadline, None for none."""
        heap = self._heap
        while heap and heap[0][1] not in self._armed:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> tuple[object, str] | None:
        """Take out the earliest deadline that is not after `now`, None for none."""
        when = self.next()
        if when is None or when > now:
            return None
        _, number = heapq.heappop(self._heap)
        owner, name = self._armed[number]
        self.cancel(owner, name)
        return owner, name
