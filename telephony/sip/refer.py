"""Call transfer on the wire: Refer-To, Replaces and the message fragments of NOTIFY (RFC 3515, RFC 3891, RFC 3420)."""

import re
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from telephony.sip.headers import param, parse_params
from telephony.sip.message import REASONS
from telephony.sip.uri import Uri, UriError, parse_name_addr, parse_uri

FRAGMENT_TYPE: Final = "message/sipfrag"
_STATUS: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: |\r|\n|$)", re.IGNORECASE)


class Replaces(msgspec.Struct, frozen=True):
    """A dialog, as the one who sends it away names it (RFC 3891 section 6.1). `to_tag` is the tag of whoever receives
    the INVITE with it, `from_tag` that of the other end. `early_only`: not if it is confirmed already."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    def write(self) -> str:
        """Return the value as text."""
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class ReferTo(msgspec.Struct, frozen=True):
    """Where a REFER points: the URI without its headers, and the dialog to be replaced there."""

    uri: Uri
    replaces: Replaces | None = None


def parse_replaces(text: str) -> Replaces:
    """Read a Replaces value. Raises `ValueError`."""
    call_id, semicolon, rest = text.strip().partition(";")
    params = parse_params(semicolon + rest)
    to_tag, from_tag = param(params, "to-tag"), param(params, "from-tag")
    if not call_id or not to_tag or not from_tag:
        raise ValueError("Replaces without Call-ID and both tags")
    return Replaces(call_id, to_tag, from_tag, param(params, "early-only") is not None)


def parse_refer_to(text: str) -> ReferTo:
    """Read a Refer-To value. Raises `ValueError`, for methods other than INVITE too.

    A URI without the brackets that its `?` asks for (section 20) is whole all the same: phones are at large (baresip)
    that never write them, and Refer-To has no parameters of its own that could be meant.
    """
    try:
        uri = parse_name_addr(text).uri if "<" in text else parse_uri(text.strip())
    except UriError as error:
        raise ValueError(str(error)) from None
    if uri.scheme not in {"sip", "sips", "tel"}:
        raise ValueError("Refer-To is no telephone")
    if (param(uri.params, "method") or "INVITE").upper() != "INVITE":
        raise ValueError("Refer-To asks for another method than INVITE")
    replaces = None
    for pair in uri.headers.split("&"):
        name, equals, value = pair.partition("=")
        if equals and name.lower() == "replaces":
            replaces = parse_replaces(unquote(value))
    return ReferTo(msgspec.structs.replace(uri, headers=""), replaces)


def write_refer_to(uri: Uri, replaces: Replaces | None) -> str:
    """Return a Refer-To value; a dialog to be replaced goes along as a header of the URI (RFC 3891 section 4)."""
    headers = f"Replaces={quote(replaces.write(), safe='')}" if replaces is not None else ""
    return f"<{msgspec.structs.replace(uri, headers=headers).write()}>"


def write_fragment(status: int) -> bytes:
    """Return the body of a NOTIFY that says what came of a REFER."""
    return f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()


def read_fragment(body: bytes) -> int:
    """Return the status in the body of a NOTIFY, 0 for none that can be read."""
    found = _STATUS.match(body.decode("utf-8", "replace"))
    return int(found.group(1)) if found is not None else 0
