"""Where messages come from and go to: a host and port for datagrams, or the connection that carries them.

Over a connection (a browser's WebSocket, RFC 7118 section 5) everything of a dialog goes by that connection: a page's
Contact ends in `.invalid` and its Via names nobody, so neither is ever looked at.
"""

from typing import Literal, NamedTuple

Transport = Literal["UDP", "WS", "WSS"]


class Flow(NamedTuple):
    """A connection that is open, or was. `host` and `port` are the far end's as its socket shows them; `connection` is
    the edge's name for it, never used twice; `transport` is the word in Via (RFC 7118 section 5.2)."""

    host: str
    port: int
    connection: str
    transport: Transport = "WS"


Address = tuple[str, int] | Flow


def transport_of(address: Address) -> Transport:
    """Return the transport that leads to an address."""
    return address.transport if isinstance(address, Flow) else "UDP"
