"""SIP URIs and name-addr: parse and write (RFC 3261 sections 19.1, 20.10 and 25.1; tel: RFC 3966)."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote as percent
from urllib.parse import unquote_to_bytes

import msgspec

from telephony.sip.headers import TOKEN, param, parse_params, quote, unquote, write_params

Params = tuple[tuple[str, str | None], ...]

DEFAULT_PORT: Final = 5060
REMEMBERED: Final = 1024
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_HOST_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)(?::([0-9]{1,5}))?")
# `user` and `user-unreserved` of section 25.1, less the percent sign. A semicolon and a question mark may stand in
# a user part, so the user is cut off at the first `@` before anything else is looked for.
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"
_AFTER_COLON_SAFE: Final = "-_.!~*'()&=+$,"
_BAD: Final = re.compile(r'[\s<>"\x00-\x1f\x7f]')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


class UriError(ValueError):
    """Not a URI, or not one where a URI is due."""


class Uri(msgspec.Struct, frozen=True):
    """A sip:, sips: or tel: URI; `opaque` holds the rest of a URI of any other scheme.

    `user` is unescaped and, in a tel: URI, the number. `host` is lower case and keeps the brackets of an IPv6
    address; `port` is None where none was written.
    """

    scheme: str = "sip"
    user: str = ""
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: str = ""
    password: str = ""
    opaque: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host without brackets, and port or the default one."""
        return self.host.strip("[]"), self.port or DEFAULT_PORT

    @property
    def number(self) -> str:
        """The user part without the parameters that telephone gateways hang on it (RFC 3261 section 19.1.6)."""
        return self.user.partition(";")[0]

    @property
    def identity(self) -> tuple[str, str, str, int | None, str]:
        """What makes two contacts the same binding (section 19.1.4, of the parameters the transport alone)."""
        return self.scheme, self.user, self.host, self.port, (param(self.params, "transport") or "udp").lower()

    def write(self) -> str:
        """Return the URI as text."""
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        if self.scheme == "tel":
            return f"tel:{self.user}{_write_uri_params(self.params)}"
        user = _escape(self.user, _USER_SAFE)
        if self.password:
            user += ":" + _escape(self.password, _AFTER_COLON_SAFE)
        port = "" if self.port is None else f":{self.port}"
        at = "@" if user else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{at}{self.host}{port}{_write_uri_params(self.params)}{headers}"


class NameAddr(msgspec.Struct, frozen=True):
    """`"Display name" <uri>;param=value`, as in From, To, Contact and Route."""

    uri: Uri
    display_name: str = ""
    params: Params = ()

    @property
    def tag(self) -> str:
        """The tag, `""` for none."""
        return param(self.params, "tag") or ""

    def write(self) -> str:
        """Return the value as text, always with angle brackets, so that no parameter changes its owner."""
        name = quote(self.display_name) + " " if self.display_name else ""
        return f"{name}<{self.uri.write()}>{write_params(self.params)}"


def bracketed(host: str) -> str:
    """Return a host as it is written in URIs, Via and logs: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


@lru_cache(maxsize=REMEMBERED)
def parse_uri(text: str) -> Uri:
    """Read a URI. Raises `UriError`. The messages of a call, and those to us, name the same few again and again."""
    found = _SCHEME.match(text)
    if found is None:
        raise UriError("no URI scheme")
    if _BAD.search(text):
        raise UriError("a space, a bracket or a control character inside a URI")
    scheme, rest = found.group(1).lower(), text[found.end() :]
    if not rest:
        raise UriError("an empty URI")
    if scheme in {"sip", "sips"}:
        return _parse_sip(scheme, rest)
    if scheme == "tel":
        number, semicolon, params = rest.partition(";")
        return Uri(scheme=scheme, user=number, params=_parse_uri_params(semicolon + params))
    return Uri(scheme=scheme, opaque=rest)


def _parse_sip(scheme: str, rest: str) -> Uri:
    userinfo, at, tail = rest.rpartition("@")
    if at and not userinfo:
        raise UriError("an empty user")
    if "@" in userinfo:
        raise UriError("two @ in a URI")
    user, _, password = userinfo.partition(":")
    tail, _, headers = tail.partition("?")
    hostport, semicolon, params = tail.partition(";")
    found = _HOST_PORT.fullmatch(hostport)
    if found is None:
        raise UriError("not a host")
    port = int(found.group(2)) if found.group(2) else None
    if port is not None and not 0 < port < 65536:
        raise UriError("not a port")
    return Uri(
        scheme=scheme,
        user=_unescape(user),
        password=_unescape(password),
        host=found.group(1).lower(),
        port=port,
        params=_parse_uri_params(semicolon + params),
        headers=headers,
    )


def _parse_uri_params(text: str) -> Params:
    """URI parameters are escaped, never quoted; they are kept as written, names in lower case."""
    pairs: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        if part:
            name, equals, value = part.partition("=")
            pairs.append((name.lower(), value if equals else None))
    return tuple(pairs)


def _write_uri_params(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


@lru_cache(maxsize=REMEMBERED)
def parse_name_addr(text: str) -> NameAddr:
    """Read a From, To, Contact or Route value. Raises `UriError`."""
    text = text.strip()
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if quoted is None:
            raise UriError("an unterminated quoted string")
        name, rest = unquote(quoted.group()), text[quoted.end() :].lstrip()
        if not rest.startswith("<"):
            raise UriError("a display name without <")
    else:
        name, bracket, after = text.partition("<")
        if not bracket or ":" in name:  # no display name has a colon; this < is in a parameter
            return _parse_addr_spec(text)
        name, rest = name.strip(), bracket + after
        if name and not all(TOKEN.fullmatch(word) or not word.isascii() for word in name.split()):
            raise UriError("a display name that needs quotes")
    uri, closing, params = rest[1:].partition(">")
    if not closing:
        raise UriError("< without >")
    return NameAddr(parse_uri(uri.strip()), name, _header_params(params))


def _parse_addr_spec(text: str) -> NameAddr:
    """Without brackets, whatever follows a semicolon belongs to the header, not to the URI (section 20.10)."""
    uri, semicolon, params = text.partition(";")
    if "?" in uri or "," in uri:
        raise UriError("a URI that needs < and >")
    return NameAddr(parse_uri(uri.strip()), "", _header_params(semicolon + params))


def _header_params(text: str) -> Params:
    try:
        return parse_params(text)
    except ValueError as error:
        raise UriError(str(error)) from None


def _escape(text: str, safe: str) -> str:
    return percent(text, safe=safe, encoding="utf-8", errors="surrogateescape")


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
