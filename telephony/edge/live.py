"""Live events for whoever listens on the WebSocket: numbered, bounded, and never waiting for a slow listener.

What is soon out of date (the words of a phrase that is still spoken, how a talk sounds) is told without a number to
those who listen now: it is not kept, and one who is behind does without.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

KEPT_EVENTS: Final = 2000
LISTENER_BACKLOG: Final = 1000
PASSING_BACKLOG: Final = 50

Watcher = Callable[[str, dict[str, object]], None]
"""Takes an event's type and body."""


class ListenerTooSlow(RuntimeError):
    """A listener is so far behind that it must connect again and catch up from its last number."""


class Listener:
    """One listener's queue."""

    def __init__(self, backlog: deque[dict[str, object]]) -> None:
        self._events = backlog
        self._arrived = asyncio.Event()
        self._lost = False

    def offer(self, event: dict[str, object]) -> None:
        """Add an event that one who is behind does without."""
        if len(self._events) < PASSING_BACKLOG:
            self._events.append(event)
            self._arrived.set()

    def put(self, event: dict[str, object]) -> None:
        """Add an event; a full queue marks the listener as lost."""
        if len(self._events) >= LISTENER_BACKLOG:
            self._lost = True
        else:
            self._events.append(event)
        self._arrived.set()

    async def next(self) -> dict[str, object]:
        """Wait for the next event. Raises `ListenerTooSlow`."""
        while not self._events:
            if self._lost:
                raise ListenerTooSlow
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


class Live:
    """Every event gets the next `seq`; the last `KEPT_EVENTS` are kept for those who come back."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, object]] = deque(maxlen=KEPT_EVENTS)
        self._listeners: set[Listener] = set()
        self._watchers: list[Watcher] = []
        self._seq = 0

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self._seq

    def publish(self, type_: str, body: dict[str, object], at: str, *, kept: bool = True) -> None:
        """Number an event and give it to every listener; one that is not to be kept has no number. `at` is its instant
        in ISO 8601."""
        for watcher in self._watchers:
            watcher(type_, body)
        if not kept:
            for listener in self._listeners:
                listener.offer({"at": at, "type": type_, **body})
            return
        self._seq += 1
        event: dict[str, object] = {"seq": self._seq, "at": at, "type": type_, **body}
        self._kept.append(event)
        for listener in self._listeners:
            listener.put(event)

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody in this process of every event from now on, as it is published."""
        self._watchers.append(watcher)

    def listen(self, since: int | None = None) -> Listener:
        """Return a new listener; with `since`, it first gets what is kept after that number."""
        missed = () if since is None else (event for event in self._kept if _seq(event) > since)
        listener = Listener(deque(missed))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)


def _seq(event: dict[str, object]) -> int:
    seq = event["seq"]
    return seq if isinstance(seq, int) else 0
