"""An event loop that somebody else turns, and whose datagram sockets are somebody else's: the media loop's.

Rule 1: nothing runs between turns, so there is one thread, and no task is woken for a packet of media.

Rule 2: every UDP socket of it is read by the media loop, which knows it by its descriptor. TCP (a TURN server that is
reached so) is the loop's own, and read when it is turned.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, Protocol

ANYWHERE: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - of a socket that is connected

log = logging.getLogger("hotline.media")

Forget = Callable[[socket.socket], None]


class Owner(Protocol):
    """Whoever a socket is made for."""

    def adopt(self, endpoint: "Endpoint") -> None:
        """Take a new socket."""
        ...


OWNER: ContextVar[Owner] = ContextVar("owner")
"""For whom the task that runs makes its sockets."""


class Endpoint(asyncio.DatagramTransport):
    """What aioice takes for asyncio's transport: one of the media loop's sockets.

    `is_settled`: nothing is being set up over it any more, so that it is read by the tick alone.
    """

    def __init__(self, udp: socket.socket, protocol: asyncio.DatagramProtocol, forget: Forget) -> None:
        super().__init__()
        self.udp = udp
        self.descriptor = udp.fileno()
        self.protocol = protocol
        self.is_settled = False
        self._forget = forget
        self._closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket's name; nobody is to change its options."""
        return self.udp.getsockname() if name == "sockname" else default

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send now or not at all: STUN and DTLS repeat what is lost."""
        if not self._closed:
            with contextlib.suppress(OSError):
                self.udp.send(data) if addr is None else self.udp.sendto(data, addr)

    def close(self) -> None:
        """Close the socket; the protocol hears of it in the next turn."""
        if not self._closed:
            self._closed = True
            self._forget(self.udp)
            self.udp.close()
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close


class TickLoop(asyncio.SelectorEventLoop):
    """The loop. `bind(owner, address)` returns a new socket that is read by whoever turns the loop; `forget(socket)`
    says that it closes."""

    def __init__(self, bind: Callable[[Any, str], socket.socket], forget: Forget) -> None:
        super().__init__()
        self._bind = bind
        self._forget = forget
        self.set_exception_handler(_ignored)

    async def create_datagram_endpoint(  # type: ignore[override]  # what aioice asks for, and no more
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: Any = None,
        remote_addr: Any = None,
        **_: Any,
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Return an endpoint over a socket of the media loop, for the owner whose task this is; with `remote_addr` it
        is connected, and hears nobody else. Raises `OSError`."""
        owner = OWNER.get()
        if remote_addr is None:
            udp = self._bind(owner, local_addr[0])
        else:
            found = await self.getaddrinfo(*remote_addr[:2], type=socket.SOCK_DGRAM)
            family, _type, _protocol, _name, where = found[0]
            udp = self._bind(owner, ANYWHERE[socket.AddressFamily(family)])
            udp.connect(where)
        protocol = protocol_factory()
        endpoint = Endpoint(udp, protocol, self._forget)
        owner.adopt(endpoint)
        protocol.connection_made(endpoint)
        return endpoint, protocol

    def turn(self, times: int = 1) -> None:
        """Run what is ready and due, and return."""
        for _ in range(times):
            self.call_soon(self.stop)
            self.run_forever()


def _ignored(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aioice and OpenSSL read what strangers send; whatever they trip over is theirs."""
    log.debug("webrtc_datagram_ignored cause=%r", str(context.get("exception") or context.get("message")))
