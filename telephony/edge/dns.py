"""Asking the DNS (RFC 3263 names the records), with answers kept for as long as they say, and longer while none come.

dnspython lives here alone. What the answers mean is decided in `telephony.sip.locate`.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.IN.SRV
import dns.resolver
import structlog

from telephony.sip.locate import Naptr, Open, Place, Question, Record, Srv, locate
from telephony.sip.uri import Uri

LIFETIME_S: Final = 5.0
NEGATIVE_S: Final = 60.0
"""How long it is believed that there are no such records."""
SHORTEST_S, LONGEST_S = 5.0, 3600.0
RETRY_S: Final = 15.0
"""When a name server that does not answer is asked again."""
MAX_ROUNDS: Final = 8
MAX_KEPT: Final = 1024

log = structlog.get_logger("hotline.dns")


class Unanswered(Exception):
    """No name server answers; the text says why."""


@dataclass(slots=True)
class Kept:
    """An answer, and until when it is good."""

    records: tuple[Record, ...]
    until: float


class Dns:
    """A resolver that remembers. `servers` are addresses and ports; none: the system's."""

    def __init__(
        self, servers: Sequence[tuple[str, int]], now: Callable[[], float], token: Callable[[int], str]
    ) -> None:
        self._now = now
        self._token = token
        self._system = not servers
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.lifetime = LIFETIME_S
        self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._kept: dict[Question, Kept] = {}

    async def locate(self, uri: Uri) -> tuple[tuple[Place, ...], float]:
        """Return the addresses of a URI in order, and until when they hold. Raises `Unanswered` where nothing is known
        and nobody answers."""
        until = self._now() + LONGEST_S
        answers: dict[Question, tuple[Record, ...]] = {}
        for _ in range(MAX_ROUNDS):
            found = locate(uri, answers, self._token)
            if not isinstance(found, Open):
                return found, max(until, self._now() + SHORTEST_S)
            for question, kept in zip(
                found.questions, await asyncio.gather(*map(self._answer, found.questions)), strict=True
            ):
                answers[question] = kept.records
                until = min(until, kept.until)
        raise Unanswered("names that lead to names without end")

    async def _answer(self, question: Question) -> Kept:
        known = self._kept.get(question)
        if known is not None and known.until > self._now():
            return known
        try:
            records, seconds = await self._ask(question)
        except Unanswered:
            if known is None:
                raise
            known.until = self._now() + RETRY_S
            return known
        kept = Kept(records, self._now() + min(max(seconds, SHORTEST_S), LONGEST_S))
        self._kept.pop(question, None)
        self._kept[question] = kept
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return kept

    async def _ask(self, question: Question) -> tuple[tuple[Record, ...], float]:
        if self._system and not self._resolver.nameservers:
            self._configure()
        try:
            answer = await self._resolver.resolve(question.name, question.kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return await self._local(question) or (), NEGATIVE_S
        except (dns.exception.DNSException, OSError) as error:
            local = await self._local(question)
            if local is not None:
                return local, NEGATIVE_S
            raise Unanswered(str(error) or type(error).__name__) from None
        if answer.rrset is None:
            return await self._local(question) or (), NEGATIVE_S
        return tuple(filter(None, map(_record, answer.rrset))), float(answer.rrset.ttl)

    def _configure(self) -> None:
        try:
            system = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration as error:
            raise Unanswered(str(error)) from None
        self._resolver.nameservers = system.nameservers

    async def _local(self, question: Question) -> tuple[Record, ...] | None:
        """What the system knows without the DNS (`/etc/hosts`), where it is the system that is to be asked; None for a
        name that it does not know."""
        families = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
        if not self._system or question.kind not in families:
            return None
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(question.name, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # the latter for what is no name, such as pbx..example.com
            return None
        of_kind = (address for family, *_, address in found if family == families[question.kind])
        return tuple(dict.fromkeys(str(address[0]) for address in of_kind))


def _record(data: object) -> Record | None:
    match data:
        case dns.rdtypes.IN.SRV.SRV():
            return Srv(data.priority, data.weight, data.port, data.target.to_text())
        case dns.rdtypes.IN.NAPTR.NAPTR():
            flags, service = data.flags.decode("ascii", "replace"), data.service.decode("ascii", "replace")
            return Naptr(data.order, data.preference, flags, service, data.replacement.to_text())
        case _:
            address = getattr(data, "address", None)
            return str(address) if address is not None else None
