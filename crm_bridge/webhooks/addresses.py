"""Where an endpoint's name leads, and whether we go there: a webhook must not become a way into the network that we are
in (server-side request forgery). The address that was looked at is the one that is connected to, so that a name which
leads elsewhere a moment later gains nothing."""

import asyncio
import ipaddress
import socket
from typing import Final

NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last four octets
MAX_TRIED: Final = 4

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(OSError):
    """A name leads nowhere, or to where webhooks do not go; the text says which."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and no way around that (IPv4 within IPv6)."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


async def locate(host: str, port: int, *, private: bool) -> list[str]:
    """Return the addresses to connect to, in order. Raises `AddressRefused`: one of them that is not public is enough,
    unless `private`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"{host} cannot be looked up: {error}") from None
    addresses = [ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found]
    inside = next((each for each in addresses if not is_public(each)), None)
    if inside is not None and not private:
        raise AddressRefused(f"{host} leads to {inside}, which is not of the public internet")
    return [str(each) for each in addresses[:MAX_TRIED]]
