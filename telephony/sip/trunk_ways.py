"""What hops, registrars' answers and header values of trunks come to. Pure functions, each on its own."""

import re
from collections.abc import Callable
from typing import Final

from telephony.events import Hop
from telephony.sip.address import Address, Remote
from telephony.sip.headers import param
from telephony.sip.locate import Open, locate
from telephony.sip.message import Response
from telephony.sip.trunk import Trunk, Way
from telephony.sip.uri import UriError, parse_name_addr

MOST_EXPIRES_S: Final = 86_400
_NUMBER: Final = re.compile(r"\s*([0-9]{1,9})")


def at_once(trunk: Trunk, token: Callable[[int], str]) -> tuple[Hop, ...]:
    """Return the hops to the targets that need no DNS."""
    hops: list[Hop] = []
    for number, target in enumerate(trunk.settings.targets):
        found = locate(target, {}, token)
        if not isinstance(found, Open):
            hops += [Hop(number, place.transport, place.host, place.port, target.host) for place in found]
    return tuple(hops)


def ways_of(trunk: Trunk, hops: tuple[Hop, ...]) -> tuple[Way, ...]:
    """Return the ways that hops come to; those that the trunk has already stay the same."""
    known = {(way.target.write(), way.address): way for way in trunk.ways}
    ways: list[Way] = []
    for hop in hops:
        target, address = trunk.settings.targets[hop.target], address_of(hop)
        ways.append(known.get((target.write(), address)) or Way(target, address))
    return tuple(ways)


def address_of(hop: Hop) -> Address:
    """Return where a hop leads."""
    if hop.transport == "UDP":
        return hop.host, hop.port
    return Remote(hop.host, hop.port, hop.transport, hop.name)


def seconds_in(text: str) -> float:
    """Return the number at the beginning of a Retry-After, Expires or Min-Expires value, 0 for none."""
    found = _NUMBER.match(text)
    return float(found.group(1)) if found is not None else 0.0


def granted_s(response: Response, contact_user: str, asked_s: int) -> float:
    """Return the time that a registrar has granted to our Contact (section 10.2.4); one that does not name it, or no
    time, has granted what was asked. Of several, such as one that an earlier run of ours has left there, the shortest
    is safe: far ends write Contacts of phones behind a NAT anew, so that ours cannot be told by its host."""
    named: list[float] = []
    for value in response.headers.values("contact"):
        try:
            contact = parse_name_addr(value)
        except UriError:
            continue
        expires = param(contact.params, "expires") or ""
        if contact.uri.user == contact_user and expires.isascii() and expires.isdecimal():
            named.append(float(expires[:9]))
    granted = min(named, default=seconds_in(response.headers.get("expires")) or float(asked_s))
    return min(max(granted, 1.0), float(MOST_EXPIRES_S))
