"""What a request is looked at for before anybody serves it (RFC 3261 section 8.2), and what is said to a broken one.

Rule 1: a check raises `RemoteError` with what the answer needs, and changes nothing.

Rule 2: a message that cannot be read is answered where its sender could tell what the answer is to: that takes its
topmost Via and its CSeq, no more (section 17.1.3).
"""

from typing import Final

from telephony.sip import registration
from telephony.sip.errors import RemoteError
from telephony.sip.headers import Headers
from telephony.sip.message import Request, Via, parse_via, reply_address, respond_to_headers, stamp_via
from telephony.sip.outbox import Address
from telephony.sip.uas import ALLOW, SDP_TYPE, SUPPORTED

_SCHEMES: Final = frozenset({"sip", "sips", "tel"})
_REGISTERED: Final = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER"}
    | {"REGISTER", "SUBSCRIBE", "UPDATE"}
)
_ANY_SDP: Final = frozenset({SDP_TYPE, "application/*", "*/*"})


def unserved(method: str) -> RemoteError:
    """Return what is said to a method that we do not serve: 405 to one that we know of, 501 to any other (sections
    8.2.1 and 21.5.2)."""
    status, reason = (405, "Method Not Allowed") if method in _REGISTERED else (501, "Not Implemented")
    return RemoteError(status, reason, extra=(("allow", ALLOW),))


def check_extensions(request: Request) -> None:
    """Sections 8.2.2.1 and 8.2.2.3: the scheme, and the extensions that the far end insists on."""
    if request.uri.scheme not in _SCHEMES:
        raise RemoteError(416, "Unsupported URI Scheme")
    known = SUPPORTED | registration.SUPPORTED if request.method == "REGISTER" else SUPPORTED
    unknown = [option for option in request.headers.values("require") if option.lower() not in known]
    if unknown:
        raise RemoteError(420, "Bad Extension", extra=(("unsupported", ", ".join(unknown)),))


def check_body(request: Request) -> None:
    """Section 8.2.3: an INVITE may bring a session description, as it is, or nothing, and has to take one."""
    ranges = request.headers.values("accept")
    if request.method == "INVITE" and ranges and not any(_media_type(text) in _ANY_SDP for text in ranges):
        raise RemoteError(406, "Not Acceptable", extra=(("accept", SDP_TYPE),))
    if not request.body:
        return
    encoding = request.headers.get("content-encoding", "identity").lower()
    if _media_type(request.headers.get("content-type")) != SDP_TYPE or encoding != "identity":
        raise RemoteError(415, "Unsupported Media Type", extra=(("accept", SDP_TYPE),))


def answer_to_broken(error: RemoteError, source: Address, tag: str) -> tuple[bytes, Address] | None:
    """Return the answer to a message that could not be read, with where it goes, or None where none is due (a response,
    an ACK, what is no SIP) or its sender could not tell what it is to. `tag` is our To tag."""
    partial = error.partial
    if partial is None or partial.method in {"", "ACK"} or not partial.headers.get("cseq"):
        return None
    via = _via_of(partial.headers, source)
    if via is None:
        return None
    tag = "" if ";tag=" in partial.headers.get("to").lower() else tag
    response = respond_to_headers(partial.headers, error.status, error.reason, tag)
    return response.write(), reply_address(via, source)


def _via_of(headers: Headers, source: Address) -> Via | None:
    """Return the topmost Via, stamped; one whose parameters are none is left as it is, so that its sender knows it."""
    topmost = next(iter(headers.values("via")), "")
    try:
        return stamp_via(headers, parse_via(topmost), source)
    except ValueError:
        pass
    try:
        return parse_via(topmost.partition(";")[0])
    except ValueError:
        return None


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()
