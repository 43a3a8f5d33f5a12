"""The web server: uvicorn, in the clear or over TLS."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from hotline.connections import Connection
from hotline.handshake import over_tls
from hotline.tls import Certificate, server_context

MAX_FRAME_OCTETS: Final = 65_536  # of a WebSocket: as much as a datagram can be
PING_S: Final = 10.0
"""A page whose network is gone says nothing of it: its WebSocket is asked, and closed after as long without answer."""


class WebServer(uvicorn.Server):
    """Uvicorn, whose signals are ours, and which says when it listens. With a certificate it speaks TLS alone."""

    def __init__(self, app: ASGIApp, certificate: Certificate | None) -> None:
        connection = over_tls(Connection, server_context(certificate)) if certificate is not None else Connection
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                http=connection,
                ws_max_size=MAX_FRAME_OCTETS,
                ws_per_message_deflate=False,  # 64 kB a connection, for anybody who opens one
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                ws="websockets-sansio",
                timeout_graceful_shutdown=2,
            )
        )
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets=sockets)
        self.listening.set()

    async def end(self, task: asyncio.Task[None]) -> None:
        """Close connections and wait for the end."""
        self.should_exit = True
        await task
