"""Calls over trunks: the ways that an INVITE of ours may take, and which trunk an INVITE of theirs came by.

Rule: a trunk is known by where its messages come from, and by nothing that they say. What they say only tells two
trunks at the same address apart. No trunk speaks over a WebSocket: a proxy that passes pages on may have its address.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from telephony.events import Invite
from telephony.sip.address import Address, is_page, transport_of
from telephony.sip.headers import one_line
from telephony.sip.identity import MAX_LENGTH, Identity, identify
from telephony.sip.invitation import Attempt
from telephony.sip.message import Request
from telephony.sip.numbering import NumberFormat, as_listed, read, write
from telephony.sip.settings import EndpointSettings
from telephony.sip.trunk import Trunk, Way
from telephony.sip.uri import NameAddr, Uri

ANONYMOUS: Final = Uri(user="anonymous", host="anonymous.invalid")
_NUMERALS: Final = frozenset("+0123456789")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sources:
    """The addresses of one trunk's settings."""

    __slots__ = ("hosts", "networks")

    def __init__(self, sources: Iterable[str]) -> None:
        self.hosts: set[tuple[str, int]] = set()
        self.networks: list[Network] = []
        for source in sources:
            host, colon, port = source.rpartition(":")
            if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
                self.hosts.add((host.strip("[]"), int(port)))
            else:
                self.networks.append(ipaddress.ip_network(source, strict=False))

    def have(self, host: str, port: int) -> bool:
        """Whether an address is among them."""
        if (host, port) in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


class TrunkCalls:
    """Makes and recognises the calls of an endpoint's trunks."""

    def __init__(self, settings: EndpointSettings, trunks: Mapping[str, Trunk]) -> None:
        self._settings = settings
        self._trunks = trunks
        self._sources = {name: Sources(trunk.settings.sources) for name, trunk in trunks.items()}

    # ----------------------------------------------------------------------------------------------- from them

    def of(self, request: Request, source: Address, *, from_phone: bool = False) -> Trunk | None:
        """Return the trunk that a request came by: by its very address first, then by its host, unless it is from a
        phone that is registered there. A PBX and phones may be behind one NAT."""
        if is_page(source):
            return None
        exact = [trunk for trunk in self._trunks.values() if _has_way(trunk, source)]
        if exact or from_phone:
            return _choose(exact, request)
        return _choose([each for name, each in self._trunks.items() if self._is_source(name, each, source)], request)

    def know(self, source: Address) -> bool:
        """Whether the messages of any trunk come from there."""
        return not is_page(source) and any(
            _has_way(trunk, source) or self._is_source(name, trunk, source) for name, trunk in self._trunks.items()
        )

    def _is_source(self, name: str, trunk: Trunk, source: Address) -> bool:
        """A loopback address belongs to whoever has the port: everything of this machine is there."""
        host = source[0]
        if self._sources[name].have(host, source[1]):
            return True
        return not _is_loopback(host) and any(address[0] == host for address in _addresses(trunk, source))

    def read(self, trunk: Trunk, request: Request) -> tuple[Identity, str]:
        """Return who calls by a trunk, the number in E.164 where it is one, and what was dialled, in the form in which
        the settings have it."""
        settings, region = trunk.settings, self._settings.region
        identity = identify(request, trusted=True)
        identity = msgspec.structs.replace(
            identity,
            number=read(identity.number, region, settings.caller) or identity.number,
            diverted=read(identity.diverted, region, settings.called) or identity.diverted,
        )
        by_contact = request.uri.user == settings.contact_user
        party = request.to.uri if by_contact or settings.number_from == "to" else request.uri
        dialled = one_line(party.number)[:MAX_LENGTH]
        return identity, as_listed(dialled, self._settings.numbers, region, settings.called)

    # ------------------------------------------------------------------------------------------------- to them

    def attempts(self, command: Invite) -> tuple[Attempt, ...]:
        """Return the ways to a number outside, the best first; none where nothing of the trunk is known."""
        trunk = self._trunks.get(command.trunk)
        return () if trunk is None else tuple(self._attempt(trunk, way, command) for way in trunk.in_order())

    def _attempt(self, trunk: Trunk, way: Way, command: Invite) -> Attempt:
        settings, region, target = trunk.settings, self._settings.region, way.target
        number = write(command.to, region, settings.called)
        called = Uri(
            scheme=target.scheme,
            user=settings.prefix + number if set(number) <= _NUMERALS else number,
            host=target.host,
            port=target.port,
            params=target.params,
        )
        shown = write(command.number, region, settings.caller)
        caller, fields = self._caller(trunk, command, shown, trunk.domain_at(target))
        return Attempt(
            target=called,
            address=way.address,
            caller=caller,
            called=NameAddr(Uri(scheme=target.scheme, user=called.user, host=target.host)),
            routes=trunk.service_route if trunk.is_registered and way is trunk.at else (),
            fields=(*fields, *_forwarded(command, called, region, settings.caller)),
            credentials=settings.credentials,
            contact_user=settings.contact_user,
            patience_s=settings.patience_s,
        )

    def _caller(
        self, trunk: Trunk, command: Invite, shown: str, domain: str
    ) -> tuple[NameAddr, tuple[tuple[str, str], ...]]:
        """Return From, and what is asserted beside it (RFC 3323, RFC 3325)."""
        settings = trunk.settings
        account = settings.credentials.user if settings.credentials is not None else ""
        name = one_line(command.display_name)
        own = NameAddr(Uri(user=account or self._settings.domain, host=domain))
        real = NameAddr(Uri(user=shown, host=domain), name) if shown else own
        asserted = ("p-asserted-identity", real.write())
        if command.withheld:
            return NameAddr(ANONYMOUS, "Anonymous"), (asserted, ("privacy", "id"))
        if settings.shows_account and account and shown:
            return NameAddr(own.uri, name), (asserted,)
        return real, ()


def _forwarded(command: Invite, called: Uri, region: str, form: NumberFormat) -> tuple[tuple[str, str], ...]:
    """Say that the call was for somebody else first, in both ways (RFC 5806, RFC 7044)."""
    if not command.diverted:
        return ()
    first = Uri(user=write(command.diverted, region, form), host=called.host)
    entries = f"{NameAddr(first).write()};index=1, {NameAddr(called).write()};index=1.1;mp=1"
    return ("diversion", f"{NameAddr(first).write()};reason=unconditional"), ("history-info", entries)


def _choose(trunks: list[Trunk], request: Request) -> Trunk | None:
    """Of several at one address, the one that we registered the called Contact with, or whose account is called."""
    users = (request.uri.user, request.to.uri.user)
    for trunk in trunks:
        credentials = trunk.settings.credentials
        if request.uri.user == trunk.settings.contact_user or (credentials is not None and credentials.user in users):
            return trunk
    return trunks[0] if trunks else None


def _addresses(trunk: Trunk, source: Address) -> Iterable[Address]:
    """Return where its messages may come from, as `source` came: the DNS may have taken away who has our registration,
    and from whom we reach by TLS alone nothing is believed that anybody could have written."""
    for address in (*(way.address for way in trunk.ways), *trunk.granted):
        if transport_of(address) != "TLS" or transport_of(source) == "TLS":
            yield address


def _has_way(trunk: Trunk, source: Address) -> bool:
    found = ((address[0], address[1]) for address in _addresses(trunk, source))
    return source == trunk.flow or (source[0], source[1]) in found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
