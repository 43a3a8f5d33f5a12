"""Many deadlines, one next: a heap with lazy deletion.

What is moved or cleared stays in the heap until it surfaces, or until it is the greater part of the heap and is thrown
out: the longest call allowed may be hours away when its call has long ended.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """At most one deadline a key; setting, clearing and asking for the next are O(log n) amortised."""

    def __init__(self) -> None:
        self._when: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = 0

    def __len__(self) -> int:
        """How much memory is taken, in entries."""
        return len(self._heap)

    def put(self, key: K, when: float | None) -> None:
        """Set, move or (None) clear the deadline of `key`."""
        if when is None:
            self._when.pop(key, None)
        elif self._when.get(key) != when:
            self._when[key] = when
            self._order += 1  # equal instants come out in the order they were set; keys need no ordering
            heapq.heappush(self._heap, (when, self._order, key))
            if len(self._heap) > 4 * len(self._when) + 64:
                self._heap = [entry for entry in self._heap if self._when.get(entry[2]) == entry[0]]
                heapq.heapify(self._heap)

    def next(self) -> float | None:
        """Return the earliest deadline."""
        while self._heap and self._when.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[K]:
        """Take out and return the keys whose deadline has come, earliest first."""
        keys: list[K] = []
        while (when := self.next()) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._when[key]
            keys.append(key)
        return keys
