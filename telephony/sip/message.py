"""SIP messages: parse and write (RFC 3261 sections 7, 18.3, 20 and 25).

Rule 1: `parse_datagram` returns a message whose Via, From, To, Call-ID and CSeq are there and well formed, or raises
`RemoteError` with what could be read, so that 400 can be answered. Nothing above here sees a broken message.

Rule 2: text is UTF-8 with surrogateescape: octets that are none survive the way in and out unchanged.

Rule 3: no value holds CR or LF, neither on the way in (a bare CR is an error) nor on the way out (`LocalError`).
"""

import re
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
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
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
    protocol: str = "SIP/2.0"

    @property
    def branch(self) -> str:
        """The branch parameter, `""` for none."""
        return param(self.params, "branch") or ""

    def write(self) -> str:
        """Return the value as text."""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {self.host}{port}{write_params(self.params)}"


class CSeq(msgspec.Struct, frozen=True):
    """A CSeq value (section 20.16)."""

    number: int
    method: str


class Message:
    """What requests and responses have in common.

    Via, From, To and CSeq are parsed when they are first asked for, and raise `ValueError` when the text is none.
    """

    __slots__ = ("_cseq", "_from", "_to", "_via", "body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        self.headers = headers
        self.body = body
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: CSeq | None = None

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = parse_via(_first(self.headers.values("via")))
        return self._via

    @property
    def from_(self) -> NameAddr:
        """From."""
        if self._from is None:
            self._from = parse_name_addr(self.headers.get("from"))
        return self._from

    @property
    def to(self) -> NameAddr:
        """To."""
        if self._to is None:
            self._to = parse_name_addr(self.headers.get("to"))
        return self._to

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        if self._cseq is None:
            self._cseq = parse_cseq(self.headers.get("cseq"))
        return self._cseq

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

    __slots__ = ("_uri", "method", "target")

    def __init__(self, method: str, target: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.target = target
        self._uri: Uri | None = None

    @property
    def uri(self) -> Uri:
        """The Request-URI. Raises `UriError`."""
        if self._uri is None:
            self._uri = parse_uri(self.target)
        return self._uri

    @property
    def start_line(self) -> str:
        """Request-Line."""
        return f"{self.method} {self.target} SIP/2.0"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

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
    """`respond` for what could be read of a broken request: a field that it lacks is lacking in the response too."""
    headers = Headers()
    headers.set("via", *received.lines("via"))
    for name in ("from", "to", "call-id", "cseq"):
        value = received.get(name)
        if value:
            headers.set(name, f"{value};tag={to_tag}" if name == "to" and to_tag else value)
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
    stamped = msgspec.structs.replace(via, params=params)
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
    r"SIP\s*/\s*([0-9]+\.[0-9]+)\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)\s*(?::\s*([0-9]{1,5}))?",
    re.IGNORECASE,
)
_CSEQ: Final = re.compile(r"([0-9]{1,10})\s+([A-Za-z0-9\-.!%*_+`'~]+)")
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_BLANK: Final = frozenset({" ", "\t"})
# Grammar without a comma-separated list: a second one contradicts the first (section 7.3.1; RFC 4475 section 3.3.8).
_SINGLE: Final = ("call-id", "cseq", "from", "to", "content-length", "content-type", "max-forwards", "expires")


class _Fault(Exception):
    """What is wrong with a message, before it is known how much of it could be read."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def parse_datagram(
    data: bytes, limits: MessageLimits | None = None, known: RemoteError | None = None
) -> Request | Response:
    """Read one message out of one datagram. Raises `RemoteError`, and nothing else, for whatever octets.

    `known` is what is known to be wrong with it already; it is raised with what could be read of the message.
    """
    limits = limits or MessageLimits()
    faults: list[_Fault] = [] if known is None else [_Fault(known.reason, known.status)]
    if len(data) > limits.octets:
        faults.append(_Fault("Message Too Large", 513))
        data = data[: limits.octets]
    data = data.lstrip(b"\r\n")
    end, begin = find_body(data)
    if not begin:
        faults.append(_Fault("No Empty Line After The Header Fields"))
    head, body = (data[:end], data[begin:]) if begin else (data, b"")
    lines = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    headers = _parse_headers(lines[1:], limits, faults)
    message = _parse_start(lines[0], headers, faults)
    if message is not None:
        _check(message, body, faults)
    if message is None or faults:
        fault = faults[0] if known is None else _Fault(known.reason, known.status)
        method = message.method if isinstance(message, Request) else ""
        raise RemoteError(fault.status, fault.reason, Partial(method, headers))
    return message


def find_body(data: bytes | bytearray, start: int = 0) -> tuple[int, int]:
    """Return where the last header field ends and where the body begins; (0, 0) where there is no empty line from
    `start` on. Lines may end without CR."""
    end = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, end + 1 if end >= 0 else len(data))
    begin = bare + 2 if bare >= 0 else end + 3
    end = bare if bare >= 0 else end
    if end < 0:
        return 0, 0
    return end - (data[end - 1 : end] == b"\r"), begin


def _parse_start(line: str, headers: Headers, faults: list[_Fault]) -> Request | Response | None:
    """Read the first line; None for what is no SIP at all. A request that can be told by its line is returned with
    its fault noted, so that it can be answered."""
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if "/" in method:  # no method has one
        found = _START_RESPONSE.fullmatch(line)
        if found is not None and "\r" not in line:
            status = int(found.group(1))
            if not 100 <= status <= 699:
                faults.insert(0, _Fault("Not A Status Code"))
            return Response(status, found.group(2) or "", headers)
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
    if any(line[:1] in _BLANK for line in lines):
        lines = _unfold(lines, faults)
    longest = limits.line_octets
    for line in lines:
        name, colon, value = line.partition(":")
        try:
            known = canonical(name.rstrip(" \t"))
        except ValueError:
            colon = ""
        if not colon or "\r" in line:
            faults.append(_Fault("Malformed Header Line"))
        elif len(line) > longest:
            faults.append(_Fault("Header Line Too Long"))
        else:
            headers.add(known, value.strip(" \t"))
    return headers


def _unfold(lines: list[str], faults: list[_Fault]) -> list[str]:
    """Put each line that begins with a blank behind the one before; the first has none before it."""
    if lines[0][:1] in _BLANK:
        faults.append(_Fault("Malformed Header Line"))
    unfolded: list[list[str]] = []
    for line in lines:
        if line[:1] in _BLANK and unfolded:
            unfolded[-1].append(line.strip())
        else:
            unfolded.append([line])
    return [" ".join(parts) for parts in unfolded]


def _check(message: Request | Response, body: bytes, faults: list[_Fault]) -> None:
    """Note the first thing that is missing, doubled or malformed in a message whose start line is known."""
    try:
        _check_single(message.headers)
        _check_identity(message)
        message.body = _cut_body(message.headers, body)
    except _Fault as fault:
        faults.append(fault)


def _check_single(headers: Headers) -> None:
    if headers.repeated():
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
    version, transport, host, port = found.groups()
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("not a port")
    pairs = parse_params(semicolon + params)
    return Via(transport.upper(), host.lower(), int(port) if port else None, pairs, f"SIP/{version}")


def parse_cseq(text: str) -> CSeq:
    """Read a CSeq value. Raises `ValueError`."""
    found = _CSEQ.fullmatch(text)
    if found is None or int(found.group(1)) >= MAX_CSEQ:
        raise ValueError("not a CSeq")
    return CSeq(int(found.group(1)), found.group(2))


def _first(values: list[str]) -> str:
    return values[0] if values else ""
