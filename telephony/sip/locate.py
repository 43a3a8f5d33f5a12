"""From a SIP URI to addresses (RFC 3263 section 4): what to ask the DNS, and what the answers come to. Pure.

`locate` is asked again and again: it returns either the questions that are still open, or the addresses in the order in
which they are to be tried. So the rules are here, and asking is somebody else's business.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from telephony.sip.headers import param
from telephony.sip.uri import Uri

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]
Transport = Literal["UDP", "TCP", "TLS"]

WEIGHT_OCTETS: Final = 4
MAX_HOPS: Final = 32
"""Of one target: an answer may be long, and each costs a caller's patience."""
PORTS: Final[Mapping[Transport, int]] = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
_SERVICES: Final[Mapping[str, Transport]] = {"sip+d2u": "UDP", "sip+d2t": "TCP", "sips+d2t": "TLS"}
_PREFIXES: Final[Mapping[Transport, str]] = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
_NOWHERE: Final = frozenset({"", "."})


class Question(NamedTuple):
    """A name, in lower case and without a dot at its end, and the kind of records that are wanted of it."""

    name: str
    kind: Kind


class Naptr(msgspec.Struct, frozen=True):
    """A NAPTR record (RFC 3403); of a SIP service the replacement is the name of SRV records."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(msgspec.Struct, frozen=True):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
Answers = Mapping[Question, tuple[Record, ...]]
"""What is known: no records under a question means that there are none. Addresses are texts."""


class Place(NamedTuple):
    """Where a request can be sent."""

    transport: Transport
    host: str
    port: int


class Open(NamedTuple):
    """Questions that have to be answered first."""

    questions: tuple[Question, ...]


def locate(uri: Uri, answers: Answers, token: Callable[[int], str]) -> tuple[Place, ...] | Open:
    """Return where requests to a sip: or sips: URI go, the best first; no place for a name that leads nowhere.

    `token(n)` gives n octets of randomness in hex: records of equal priority are put in an order by their weights.
    """
    host = uri.host.strip("[]").lower().rstrip(".")
    asked = _asked_transport(uri)
    if _is_address(host):
        transport = asked or _default_transport(uri)
        return (Place(transport, host, uri.port or PORTS[transport]),)
    if uri.port is not None:
        # "If the port is explicit, an A or AAAA lookup": neither NAPTR nor SRV (sections 4.1 and 4.2).
        return _at([(asked or _default_transport(uri), host, uri.port)], answers)
    if asked is not None:
        services = [(asked, _PREFIXES[asked] + host)]
    else:
        naptr = Question(host, "NAPTR")
        if naptr not in answers:
            return Open((naptr,))
        services = _services(uri, answers[naptr]) or [
            (transport, _PREFIXES[transport] + host) for transport in _candidates(uri)
        ]
    return _by_services(uri, host, asked, services, answers, token)


def _by_services(
    uri: Uri,
    host: str,
    asked: Transport | None,
    services: list[tuple[Transport, str]],
    answers: Answers,
    token: Callable[[int], str],
) -> tuple[Place, ...] | Open:
    questions = tuple(Question(name, "SRV") for _, name in services)
    if unasked := tuple(question for question in questions if question not in answers):
        return Open(unasked)
    found: list[tuple[Transport, str, int]] = []
    there_are_records = False
    for (transport, _), question in zip(services, questions, strict=True):
        records = [record for record in answers[question] if isinstance(record, Srv)]
        there_are_records = there_are_records or bool(records)
        found += [(transport, _name(each.target), each.port) for each in in_order(records, token)]
    if not there_are_records:
        transport = asked or _default_transport(uri)
        found = [(transport, host, PORTS[transport])]
    return _at(found, answers)


def in_order(records: Iterable[Srv], token: Callable[[int], str]) -> list[Srv]:
    """Return SRV records in the order in which they are to be tried: by priority, and within one at random, each as
    likely to be next as its weight says (RFC 2782). A target of `.` says that there is no such service."""
    left = sorted((each for each in records if _name(each.target) not in _NOWHERE), key=lambda each: each.priority)
    ordered: list[Srv] = []
    while left:
        best = [each for each in left if each.priority == left[0].priority]
        left = left[len(best) :]
        best.sort(key=lambda each: each.weight)  # those of weight 0 first: they have a small chance then
        while best:
            ordered.append(best.pop(_drawn([each.weight for each in best], token)))
    return ordered


def _drawn(weights: list[int], token: Callable[[int], str]) -> int:
    """Return the place of the first whose running sum reaches a number drawn from 0 to the sum of all."""
    total = sum(weights)
    drawn = int(token(WEIGHT_OCTETS), 16) % (total + 1)
    running = 0
    for place, weight in enumerate(weights):
        running += weight
        if running >= drawn:
            return place
    return len(weights) - 1


def _services(uri: Uri, records: tuple[Record, ...]) -> list[tuple[Transport, str]]:
    """The SIP services of NAPTR records that we can speak, in their order; for sips: those over TLS alone (4.1)."""
    naptrs = [each for each in records if isinstance(each, Naptr) and each.flags.lower() == "s"]
    found: list[tuple[Transport, str]] = []
    for each in sorted(naptrs, key=lambda record: (record.order, record.preference)):
        transport = _SERVICES.get(each.service.lower())
        name = _name(each.replacement)
        if transport is not None and name not in _NOWHERE and (uri.scheme != "sips" or transport == "TLS"):
            found.append((transport, name))
    return found


def _candidates(uri: Uri) -> tuple[Transport, ...]:
    return ("TLS",) if uri.scheme == "sips" else ("UDP", "TCP", "TLS")


def _default_transport(uri: Uri) -> Transport:
    return "TLS" if uri.scheme == "sips" else "UDP"


def _asked_transport(uri: Uri) -> Transport | None:
    """What `;transport=` says; a sips: URI means TLS (RFC 3261 section 26.2.2)."""
    match (param(uri.params, "transport") or "").lower():
        case "udp":
            return None if uri.scheme == "sips" else "UDP"
        case "tcp":
            return "TLS" if uri.scheme == "sips" else "TCP"
        case "tls":
            return "TLS"
        case _:
            return None


def _at(found: list[tuple[Transport, str, int]], answers: Answers) -> tuple[Place, ...] | Open:
    """The addresses of the hosts, those of each host together, IPv4 first."""
    questions = [Question(name, kind) for _, name, _ in found if not _is_address(name) for kind in ("A", "AAAA")]  # type: list[Question]
    if unasked := tuple(dict.fromkeys(question for question in questions if question not in answers)):
        return Open(unasked)
    places: dict[Place, None] = {}
    for transport, name, port in found:
        for address in _addresses(name, answers):
            places.setdefault(Place(transport, address, port))
    return tuple(places)[:MAX_HOPS]


def _addresses(name: str, answers: Answers) -> list[str]:
    if _is_address(name):
        return [name]
    kinds: tuple[Kind, ...] = ("A", "AAAA")
    return [text for kind in kinds for text in answers[Question(name, kind)] if isinstance(text, str)]


def _name(text: str) -> str:
    return text.lower().rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
