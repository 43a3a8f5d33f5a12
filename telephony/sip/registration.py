"""What one REGISTER asks for: bindings, read and checked before anything is changed (RFC 3261 section 10.3; Path, RFC
3327; instances, outbound and GRUU, RFC 5626 and RFC 5627)."""

import re
from typing import Final

import msgspec

from telephony.events import BindingRow
from telephony.sip.address import Flow
from telephony.sip.errors import RemoteError
from telephony.sip.headers import param, split_commas
from telephony.sip.message import Request
from telephony.sip.outbox import Address
from telephony.sip.settings import RegistrarSettings
from telephony.sip.uri import NameAddr, Uri, UriError, parse_name_addr, parse_uri

OUTBOUND, GRUU, PATH = "outbound", "gruu", "path"
SUPPORTED: Final = frozenset({OUTBOUND, GRUU, PATH})

_MAX_DIGITS: Final = 10
_MAX_CONTACT: Final = 512
_MAX_PATH: Final = 1024
_MAX_INSTANCE: Final = 128
_INSTANCE: Final = re.compile(r"<([A-Za-z][A-Za-z0-9+.\-]*:[!-~]+)>")


class Binding(msgspec.Struct, frozen=True):
    """One phone of a user: its Contact, where its REGISTER came from, and until when.

    `path` are the Route values toward it, in order. `instance` is the URN of the device itself, empty for one that
    names none. `reg_id` numbers its ways to us (outbound), 0 for a phone that has one and knows no outbound. `secret`
    makes its temporary GRUUs.
    """

    contact: Uri
    source: Address
    expires_at: float
    call_id: str = ""
    cseq: int = -1
    path: tuple[str, ...] = ()
    instance: str = ""
    reg_id: int = 0
    secret: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two bindings the same: the device's way where it numbers them (RFC 5626 section 6), else the
        Contact."""
        return (self.instance, self.reg_id) if self.reg_id else self.contact.identity

    @property
    def address(self) -> Address:
        """Where its requests go: by its connection where it has one, else to the first proxy of its path or to its
        Contact, unless that names another host than the REGISTER came from (NAT)."""
        if isinstance(self.source, Flow):
            return self.source
        next_hop = parse_name_addr(self.path[0]).uri if self.path else self.contact
        host, port = next_hop.address
        return (host, port) if host == self.source[0] else self.source

    @property
    def is_behind_nat(self) -> bool:
        """Whether it is a phone that is reached by nothing but what its NAT remembers."""
        return not (isinstance(self.source, Flow) or self.path) and self.contact.address != self.source

    @property
    def row(self) -> BindingRow:
        """The binding as `BindingChanged` carries it."""
        host, port = self.source[:2]
        device = f"{self.reg_id} {self.instance}" if self.instance else ""
        return BindingRow(self.contact.write(), host, port, self.expires_at, ", ".join(self.path), device)


def restored(row: BindingRow, secret: str) -> Binding:
    """Return the binding of a row. Raises `ValueError` for one that cannot be read."""
    reg_id, _, instance = row.device.partition(" ")
    path = _path([row.path] if row.path else [])
    return Binding(
        parse_uri(row.contact),
        (row.host, row.port),
        row.expires_at,
        path=path,
        instance=instance,
        reg_id=int(reg_id or 0),
        secret=secret,
    )


def read_bindings(
    request: Request, source: Address, bounds: RegistrarSettings, secret: str, now: float
) -> list[Binding]:
    """Return the bindings that a REGISTER asks for, one with `expires_at` of `now` for each that it removes. Raises
    `RemoteError`."""
    try:
        path = _path(request.headers.lines("path"))
    except ValueError:
        raise RemoteError(400, "Malformed Path") from None
    outbound = OUTBOUND in _options(request)
    if outbound and len(request.headers.values("via")) > 1 and not (path and _is_flow_kept(path[-1])):
        outbound = False
    bindings = [_read(text, request, source, bounds, now) for text in request.headers.values("contact")]
    return [
        msgspec.structs.replace(each, path=path, secret=secret, reg_id=each.reg_id if outbound else 0)
        for each in bindings
    ]


def wants(request: Request, option: str) -> bool:
    """Whether the phone knows an extension."""
    return option in _options(request)


def _options(request: Request) -> set[str]:
    named = (*request.headers.values("supported"), *request.headers.values("require"))
    return {option.lower() for option in named}


def _read(text: str, request: Request, source: Address, bounds: RegistrarSettings, now: float) -> Binding:
    try:
        contact = parse_name_addr(text)
    except UriError:
        raise RemoteError(400, "Malformed Contact") from None
    if contact.uri.scheme not in {"sip", "sips"}:
        raise RemoteError(400, "A Contact That Is No SIP URI")
    if len(contact.uri.write()) > _MAX_CONTACT:
        raise RemoteError(400, "Contact Too Long")
    expires = _expires(contact, request, bounds)
    instance = _instance(contact)
    reg_id = param(contact.params, "reg-id") or ""
    number = int(reg_id[:_MAX_DIGITS]) if instance and reg_id.isascii() and reg_id.isdecimal() else 0
    return Binding(
        contact.uri,
        source,
        now + expires,
        request.call_id,
        request.cseq.number,
        instance=instance,
        reg_id=number % 2**31,
    )


def _instance(contact: NameAddr) -> str:
    """The device's URN (RFC 5626 section 4.1); one that is malformed is none."""
    found = _INSTANCE.fullmatch(param(contact.params, "+sip.instance") or "")
    return found.group(1) if found and len(found.group(1)) <= _MAX_INSTANCE and '"' not in found.group(1) else ""


def _expires(contact: NameAddr, request: Request, bounds: RegistrarSettings) -> float:
    """Section 10.2.1.1: the Contact's own parameter, else Expires, else our default; malformed is our default."""
    text = param(contact.params, "expires") or request.headers.get("expires")
    if not text.isdecimal() or not text.isascii():
        return bounds.default_expires_s
    expires = int(text[:_MAX_DIGITS])
    if 0 < expires < bounds.min_expires_s:
        raise RemoteError(423, "Interval Too Brief", extra=(("min-expires", str(bounds.min_expires_s)),))
    return min(expires, bounds.max_expires_s)


def _path(lines: list[str]) -> tuple[str, ...]:
    """Return the values of Path, the proxy nearest to us first. Raises `ValueError`."""
    values = tuple(value for line in lines for value in split_commas(line) if value)
    if sum(map(len, values)) > _MAX_PATH:
        raise ValueError("a path too long")
    for value in values:
        if parse_name_addr(value).uri.scheme not in {"sip", "sips"}:
            raise ValueError("a path of something else than SIP URIs")
    return values


def _is_flow_kept(path: str) -> bool:
    """Whether the first proxy of a phone keeps its connections (`ob`, RFC 5626 section 5.1)."""
    return param(parse_name_addr(path).uri.params, "ob") is not None
