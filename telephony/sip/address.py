"""Where messages come from and go to: a host and port for datagrams, a connection that is there, or one to be opened.

Over a connection everything of a dialog goes by that connection. A browser's WebSocket (RFC 7118 section 5) has nothing
else: a page's Contact ends in `.invalid` and its Via names nobody, so neither is ever looked at. A phone behind a NAT
is no better off over TCP.
"""

from typing import Final, Literal, NamedTuple, TypeGuard

Transport = Literal["UDP", "TCP", "TLS", "WS", "WSS"]

PORTS: Final[dict[Transport, int]] = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"""Where a far end listens that names no port (RFC 3261 section 19.1.2)."""


class Remote(NamedTuple):
    """A far end that listens for connections. The edge opens one, or takes the one it opened before; what comes back
    comes over a `Flow`. `name` is whom a TLS certificate must name (RFC 5922), the host where it is empty."""

    host: str
    port: int
    transport: Literal["TCP", "TLS"]
    name: str = ""


class Flow(NamedTuple):
    """A connection that is open, or was. `host` and `port` are the far end's as its socket shows them; `connection` is
    the edge's name for it, never used twice; `transport` is the word in Via (RFC 3261 section 20.42, RFC 7118 5.2).
    `opened` is the far end that we opened it to, None where the far end did."""

    host: str
    port: int
    connection: str
    transport: Transport = "WS"
    opened: Remote | None = None


Address = tuple[str, int] | Flow | Remote


def transport_of(address: Address) -> Transport:
    """Return the transport that leads to an address."""
    return address.transport if isinstance(address, Flow | Remote) else "UDP"


def is_reliable(address: Address) -> bool:
    """Whether what is sent there arrives, or is known not to (RFC 3261 section 17: fewer timers)."""
    return isinstance(address, Flow | Remote)


def is_page(address: Address) -> TypeGuard[Flow]:
    """Whether a browser's page is there: nothing else speaks SIP over WebSocket here."""
    return isinstance(address, Flow) and address.transport in {"WS", "WSS"}


def is_stream(address: Address) -> TypeGuard[Flow]:
    """Whether this is a connection over TCP or TLS, whose far end may be one that can be connected to."""
    return isinstance(address, Flow) and address.transport in {"TCP", "TLS"}
