"""SIP messages: parse and write (RFC 3261 sections 7, 18.3, 20 and 25).

Rule 1: `parse_datagram` returns a message whose Via, From, To, Call-ID and CSeq are there and well formed, or raises
`RemoteError` with what could be read, so that 400 can be answered. Nothing above here sees a broken message.

Rule 2: text is UTF-8 with surrogateescape: octets that are none survive the way in and out unchanged.

Rule 3: no value holds CR or LF, neither on the way in (a bare CR is an error) nor on the way out (`LocalError`).
"""

import re
from functools import cached_property
from typing import Final

import msgspec

from telephony.sip.address import Address, Flow
from telephony.sip.errors import LocalError, Partial, RemoteError
from telephony.sip.headers import TOKEN, Headers, canonical, param, parse_params, write_params, written
from telephony.sip.uri import DEFAULT_PORT, NameAddr, Params, Uri, UriError, parse_name_addr, parse_uri

MAX_CSEQ: Final = 2**31  # section 8.1.1.5: "MUST be less than 2**31"
BRANCH_COOKIE: Final = "z9hG4bK"

REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    505: "Version Not Supported",
    513: "Message Too Large",
    603: "Decline",
}


class MessageLimits(msgspec.Struct, frozen=True):
    """How much of a message is read: octets in all, header lines, octets of one header line once unfolded."""

    octets: int = 16384
    header_lines: int = 128
    line_octets: int = 8192


class Via(msgspec.Struct, frozen=True):
    """One Via value (section 20.42)."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @property
    def branch(self) -> str:
        """The branch parameter, `""` for none."""
        return param(self.params, "branch") or ""

    def write(self) -> str:
        """Return the value as text."""
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{write_params(self.params)}"


class CSeq(msgspec.Struct, frozen=True):
    """A CSeq value (section 20.16)."""

    number: int
    method: str


class Message:
    """What requests and responses have in common. The parsed fields raise `ValueError` when the text is none."""

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body

    @cached_property
    def via(self) -> Via:
        """The topmost Via."""
        return parse_via(_first(self.headers.values("via")))

    @cached_property
    def from_(self) -> NameAddr:
        """From."""
        return parse_name_addr(self.headers.get("from"))

    @cached_property
    def to(self) -> NameAddr:
        """To."""
        return parse_name_addr(self.headers.get("to"))

    @cached_property
    def cseq(self) -> CSeq:
        """CSeq."""
        return parse_cseq(self.headers.get("cseq"))

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.headers.get("call-id")

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def write(self) -> bytes:
        """Return the message as octets. Content-Length is always written anew. Raises `LocalError` for CR or LF."""
        lines = [self.start_line]
        lines += [f"{written(name)}: {value}" for name, value in self.headers if name != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise LocalError("a header value with CR or LF: clean it before it becomes one")
        return text.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Message)
            and self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]  # headers may change; typeshed declares __hash__ a method

    def __repr__(self) -> str:
        return f"<{self.start_line}>"


class Request(Message):
    """A request; `target` is the Request-URI as written."""

    def __init__(self, method: str, target: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.target = target

    @cached_property
    def uri(self) -> Uri:
        """The Request-URI. Raises `UriError`."""
        return parse_uri(self.target)

    @property
    def start_line(self) -> str:
        """Request-Line."""
        return f"{self.method} {self.target} SIP/2.0"


class Response(Message):
    """A response."""

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @property
    def start_line(self) -> str:
        """Status-Line."""
        return f"SIP/2.0 {self.status} {self.reason}"


def respond(request: Request, status: int, reason: str = "", to_tag: str = "") -> Response:
    """Return a response to `request` with the fields of section 8.2.6.2, a To tag added where there is none yet."""
    return respond_to_headers(request.headers, status, reason, to_tag if not request.to.tag else "")


def respond_to_headers(received: Headers, status: int, reason: str = "", to_tag: str = "") -> Response:
    """`respond` for what could be read of a broken request."""
    headers = Headers()
    headers.set("via", *received.lines("via"))
    headers.set("from", received.get("from"))
    to = received.get("to")
    headers.set("to", f"{to};tag={to_tag}" if to_tag else to)
    headers.set("call-id", received.get("call-id"))
    headers.set("cseq", received.get("cseq"))
    if status == 100 and "timestamp" in received:
        headers.set("timestamp", received.get("timestamp"))
    return Response(status, reason or REASONS.get(status, "Unknown"), headers)


def stamp_via(headers: Headers, via: Via, source: Address) -> Via:
    """Write `received` and `rport` into the topmost Via (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    params = tuple(pair for pair in via.params if pair[0] not in {"received", "rport"})
    if param(via.params, "rport") is not None:
        params += (("rport", str(source[1])), ("received", source[0]))
    elif via.host.strip("[]") != source[0]:
        params += (("received", source[0]),)
    else:
        return via
    stamped = Via(via.transport, via.host, via.port, params)
    headers.set("via", stamped.write(), *headers.values("via")[1:])
    return stamped


def reply_address(via: Via, source: Address) -> Address:
    """Return where a response goes: by the connection that brought the request, and over UDP to where it came from, by
    sent-by's port unless it asked for `rport` (RFC 3261 section 18.2.2, RFC 3581 section 4). `maddr` is not obeyed: it
    would aim us at third parties."""
    if isinstance(source, Flow):
        return source
    if param(via.params, "rport") is not None:
        return source
    return source[0], via.port or DEFAULT_PORT


# --------------------------------------------------------------------------------------------------- parsing

_START_RESPONSE: Final = re.compile(r"SIP/2\.0 ([0-9]{3})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_VERSION: Final = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
_VIA: Final = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)\s*(?::\s*([0-9]{1,5}))?",
    re.IGNORECASE,
)
_CSEQ: Final = re.compile(r"([0-9]{1,10})\s+([A-Za-z0-9\-.!%*_+`'~]+)")
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
# Grammar without a comma-separated list: a second one contradicts the first (section 7.3.1; RFC 4475 section 3.3.8).
_SINGLE: Final = ("call-id", "cseq", "from", "to", "content-length", "content-type", "max-forwards", "expires")


class _Fault(Exception):
    """What is wrong with a message, before it is known how much of it could be read."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def parse_datagram(data: bytes, limits: MessageLimits | None = None) -> Request | Response:
    """Read one message out of one datagram. Raises `RemoteError`, and nothing else, for whatever octets."""
    limits = limits or MessageLimits()
    faults: list[_Fault] = []
    if len(data) > limits.octets:
        faults.append(_Fault("Message Too Large", 513))
        data = data[: limits.octets]
    head, empty_line, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not empty_line:
        head, empty_line, body = head.partition(b"\n\n")
    if not empty_line:
        faults.append(_Fault("No Empty Line After The Header Fields"))
    lines = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    headers = _parse_headers(lines[1:], limits, faults)
    message = _parse_start(lines[0], headers, faults)
    if message is not None:
        _check(message, body, faults)
    if message is None or faults:
        fault = faults[0]
        method = message.method if isinstance(message, Request) else ""
        raise RemoteError(fault.status, fault.reason, Partial(method, headers))
    return message


def _parse_start(line: str, headers: Headers, faults: list[_Fault]) -> Request | Response | None:
    """Read the first line; None for what is no SIP at all. A request that can be told by its line is returned with
    its fault noted, so that it can be answered."""
    found = _START_RESPONSE.fullmatch(line)
    if found is not None and "\r" not in line:
        status = int(found.group(1))
        if not 100 <= status <= 699:
            faults.insert(0, _Fault("Not A Status Code"))
        return Response(status, found.group(2) or "", headers)
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if "\r" in line or not TOKEN.fullmatch(method) or not line.rstrip().upper().rpartition(" ")[2].startswith("SIP/"):
        faults.insert(0, _Fault("Not SIP"))
        return None
    request = Request(method, target, headers)
    if not _VERSION.fullmatch(version) or not target or target != target.strip():
        faults.insert(0, _Fault("Malformed Request-Line"))
    elif version.upper() != "SIP/2.0":
        faults.insert(0, _Fault("Version Not Supported", 505))
    else:
        try:
            request.uri  # noqa: B018  # parsed here, so that nobody above meets a broken one
        except UriError:
            faults.insert(0, _Fault("Malformed Request-URI"))
    return request


def _parse_headers(lines: list[str], limits: MessageLimits, faults: list[_Fault]) -> Headers:
    """Unfold (section 7.3.1) and read header lines; what cannot be read is a fault and left out."""
    headers = Headers()
    if len(lines) > limits.header_lines:
        faults.append(_Fault("Too Many Header Lines"))
        del lines[limits.header_lines :]
    if lines and lines[0][:1] in {" ", "\t"}:
        faults.append(_Fault("Malformed Header Line"))
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if position < len(lines) and lines[position][:1] in {" ", "\t"}:
            folded = [line]
            while position < len(lines) and lines[position][:1] in {" ", "\t"}:
                folded.append(lines[position].strip())
                position += 1
            line = " ".join(folded)
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or "\r" in line or not TOKEN.fullmatch(name):
            faults.append(_Fault("Malformed Header Line"))
        elif len(line) > limits.line_octets:
            faults.append(_Fault("Header Line Too Long"))
        else:
            headers.add(canonical(name), value.strip(" \t"))
    return headers


def _check(message: Request | Response, body: bytes, faults: list[_Fault]) -> None:
    """Note the first thing that is missing, doubled or malformed in a message whose start line is known."""
    try:
        _check_single(message.headers)
        _check_identity(message)
        message.body = _cut_body(message.headers, body)
    except _Fault as fault:
        faults.append(fault)


def _check_single(headers: Headers) -> None:
    for name in _SINGLE:
        if len(headers.lines(name)) > 1:
            raise _Fault(f"More Than One {written(name)}")
    forwards = headers.get("max-forwards", "70")
    if not _DIGITS.fullmatch(forwards) or int(forwards) > 255:
        raise _Fault("Malformed Max-Forwards")


def _check_identity(message: Request | Response) -> None:
    for name in ("via", "from", "to", "call-id", "cseq"):
        if not message.headers.get(name):
            raise _Fault(f"Missing {written(name)}")
    for name, field in (("Via", "via"), ("From", "from_"), ("To", "to"), ("CSeq", "cseq")):
        try:
            getattr(message, field)
        except ValueError:
            raise _Fault(f"Malformed {name}") from None
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise _Fault("CSeq Method Does Not Match")


def _cut_body(headers: Headers, body: bytes) -> bytes:
    """Section 18.3: what is beyond Content-Length is discarded; a datagram that ends before it is an error."""
    if "content-length" not in headers:
        return body
    length = headers.get("content-length")
    if not _DIGITS.fullmatch(length):
        raise _Fault("Malformed Content-Length")
    if int(length) > len(body):
        raise _Fault("Content-Length Beyond The Datagram")
    return body[: int(length)]


def parse_via(text: str) -> Via:
    """Read one Via value. Raises `ValueError`."""
    head, semicolon, params = text.partition(";")
    found = _VIA.fullmatch(head.strip())
    if found is None:
        raise ValueError("not a Via")
    transport, host, port = found.groups()
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("not a port")
    return Via(transport.upper(), host.lower(), int(port) if port else None, parse_params(semicolon + params))


def parse_cseq(text: str) -> CSeq:
    """Read a CSeq value. Raises `ValueError`."""
    found = _CSEQ.fullmatch(text)
    if found is None or int(found.group(1)) >= MAX_CSEQ:
        raise ValueError("not a CSeq")
    return CSeq(int(found.group(1)), found.group(2))


def _first(values: list[str]) -> str:
    return values[0] if values else ""
