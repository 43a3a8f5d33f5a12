"""Connections to the web side that are not yet private: how many there may be, and how long each may take.

A TLS server of asyncio tells nobody of a connection before its handshake is done. Whoever opens connections and says
nothing would hold open files of the process that also keeps the calls, unseen by `hotline.connections`. So a
connection is taken in the clear, and its socket handed over to a second one over TLS before anything is read from it.
(`loop.start_tls` is no way: uvloop reads as soon as `connection_made` returns, whatever was paused, and the client's
first words would be lost.)
"""

import asyncio
import contextlib
import functools
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

MAX_HANDSHAKES: Final = 128
HANDSHAKE_S: Final = 10.0
GOODBYE_S: Final = 10.0  # for the other side to take the rest of an answer and say that it is done, too

MakeConnection = Callable[[], asyncio.Protocol]


def over_tls(connection: Callable[..., asyncio.Protocol], context: ssl.SSLContext) -> type[asyncio.Protocol]:
    """Return what makes a connection over TLS where `connection` makes one in the clear (uvicorn's `http`).

    Whatever the maker is called with goes to `connection`, once a handshake is done. A certificate that is loaded into
    `context` later holds from then on.
    """
    under_way: dict[_Handshake, None] = {}

    def make(**wiring: Any) -> asyncio.Protocol:
        return _Handshake(functools.partial(connection, **wiring), context, under_way)

    return cast(type[asyncio.Protocol], make)  # uvicorn asks for a class, and calls it


class _Handshake(asyncio.Protocol):
    """A connection until it is private."""

    def __init__(self, make: MakeConnection, context: ssl.SSLContext, under_way: "dict[_Handshake, None]") -> None:
        self._make, self._context, self._under_way = make, context, under_way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. Where too many have, the oldest gives way: an honest one has long been done."""
        clear = cast(asyncio.Transport, transport)
        try:
            self._socket = socket.socket(fileno=os.dup(clear.get_extra_info("socket").fileno()))
        except OSError:  # no file descriptor is left
            clear.abort()
            return
        clear.abort()  # nothing was read, and a socket is shut down with the last of its file descriptors only
        while len(self._under_way) >= MAX_HANDSHAKES:
            next(iter(self._under_way)).give_up()
        self._under_way[self] = None
        self._task = asyncio.create_task(self._shake_hands(), name="handshake")

    def give_up(self) -> None:
        """End a handshake that is under way."""
        self._under_way.pop(self, None)
        self._task.cancel()
        with contextlib.suppress(OSError):  # gone already
            self._socket.shutdown(socket.SHUT_RDWR)

    async def _shake_hands(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        try:
            await loop.connect_accepted_socket(
                self._make,
                self._socket,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=GOODBYE_S,
            )
        except OSError:  # also what TLS refuses, and the time-out: nothing that a stranger should fill the log with
            pass
        finally:
            self._under_way.pop(self, None)
