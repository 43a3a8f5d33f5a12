"""Another way to a far end whose connection over TCP or TLS is gone (RFC 3261 sections 12.2.1.1, 18.1.1 and 18.2.2).

Rule 1: nobody may aim us at a third party. A new connection goes to the very host that the old one came from, or to
what we had connected to ourselves. A Contact or Via that names another host is one behind a NAT, or a lie.

Rule 2: what went over TLS goes over TLS.
"""

from ipaddress import ip_address

from telephony.sip.address import PORTS, Address, Flow, Remote, Transport, is_stream
from telephony.sip.headers import param
from telephony.sip.message import Via
from telephony.sip.uri import Uri

_BY_NAME: dict[str, Transport] = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}


def transport_asked(uri: Uri) -> Transport | None:
    """Return the transport that a URI asks for (section 19.1.1, RFC 3263 section 4.1); None for one we do not speak."""
    named = _BY_NAME.get((param(uri.params, "transport") or "udp").lower())
    return "TLS" if uri.scheme == "sips" and named is not None else named


def way_of_requests(flow: Flow, next_hop: Uri) -> Address | None:
    """Return where requests of a dialog go when `flow` is lost; None where nobody can be reached until they speak."""
    if not is_stream(flow):
        return None
    if flow.opened is not None:
        return flow.opened
    transport = transport_asked(next_hop)
    if transport is None or not _is_host(next_hop.host, flow) or (flow.transport == "TLS" != transport):
        return None
    port = next_hop.port or PORTS[transport]
    return Remote(flow.host, port, transport) if transport in {"TCP", "TLS"} else (flow.host, port)


def way_of_responses(flow: Flow, via: Via) -> Remote | None:
    """Return where the response to a request goes when the connection that brought it is lost: to its source, at the
    port of sent-by, unless a NAT stands between (section 18.2.2)."""
    if not is_stream(flow) or not _is_host(via.host, flow):
        return None
    transport = flow.transport
    return Remote(flow.host, via.port or PORTS[transport], "TLS" if transport == "TLS" else "TCP")


def _is_host(named: str, flow: Flow) -> bool:
    """Whether a host is the IP address that a connection comes from, however it is written."""
    try:
        return ip_address(named.strip("[]")) == ip_address(flow.host)
    except ValueError:
        return False
