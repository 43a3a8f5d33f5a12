"""Who counts as one sender, for limits: a host; of IPv6 its /64, all of which is the same one's."""

from ipaddress import IPv6Address
from typing import Final

from telephony.sip.outbox import Address

_HOST_BITS: Final = 64


def source_of(address: Address) -> str:
    """Return what stands for the sender at an address."""
    host = address[0]
    if ":" not in host:
        return host
    try:
        number = int(IPv6Address(host.partition("%")[0]))
    except ValueError:
        return host
    return f"{IPv6Address(number >> _HOST_BITS << _HOST_BITS)}/64"
