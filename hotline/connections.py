"""Connections to the web side: how many there may be, and how long one may take to ask for something.

Every connection is an open file of the process that also keeps the calls, and whoever connects has shown no token yet.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 2048  # a desk holds two WebSockets open
REQUEST_S: Final = 10.0


class Connection(H11Protocol):
    """Uvicorn's connection; beyond `MAX_CONNECTIONS` it is dropped, and so is one that brings no whole request head
    for `REQUEST_S` to twice as long."""

    _answered: Any = None
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._look = self.loop.call_later(REQUEST_S, self._look_again)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # a WebSocket now, which had its token looked at
        waits = getattr(self.cycle, "response_complete", True)  # before the first request there is no cycle
        if waits and self.cycle is self._answered:
            self.transport.close()
            return
        self._answered = self.cycle
        self._look = self.loop.call_later(REQUEST_S, self._look_again)
