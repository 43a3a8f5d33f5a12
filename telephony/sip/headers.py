"""Header fields: an ordered collection without regard to case, and the scanners that cut their values apart.

Names inside the code are lower case and long (`call-id`, never `i`). Every scanner here reads its text once, so a
hostile header costs no more than an honest one of the same length.
"""

import re
from collections.abc import Iterator
from typing import Final

# RFC 3261 section 7.3.3 and 20, and RFC 3515, 3892, 4028, 6665 for the letters that came later.
COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}

_UNUSUAL: Final = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "mime-version": "MIME-Version",
    "min-se": "Min-SE",
    "rack": "RAck",
    "rseq": "RSeq",
    "www-authenticate": "WWW-Authenticate",
}
# Fields that most messages have: their names are looked up instead of being scanned, cut and put together.
_USUAL: Final = (
    "accept", "allow", "allow-events", "authorization", "call-id", "call-info", "contact", "content-disposition",
    "content-encoding", "content-length", "content-type", "cseq", "date", "event", "expires", "from", "max-forwards",
    "min-se", "organization", "p-asserted-identity", "path", "privacy", "proxy-authenticate", "proxy-authorization",
    "rack", "record-route", "refer-to", "remote-party-id", "replaces", "require", "retry-after", "route", "rseq",
    "server", "session-expires", "subject", "supported", "timestamp", "to", "unsupported", "user-agent", "via",
    "www-authenticate", "x-hotline-call",
)  # fmt: skip

TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_SPECIAL: Final = re.compile(r'[",<>\\]')
_PARAM: Final = re.compile(r'\s*;\s*([^\s;=",<>]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;",]*))?\s*')


class Headers:
    """Header fields by lower-case name, each with the values of its lines in order."""

    __slots__ = ("_lines",)

    def __init__(self, fields: tuple[tuple[str, str], ...] = ()) -> None:
        self._lines: dict[str, list[str]] = {}
        for name, value in fields:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Append one line."""
        lines = self._lines.get(name)
        if lines is None:
            self._lines[name] = [value]
        else:
            lines.append(value)

    def set(self, name: str, *values: str) -> None:
        """Put these lines in place of whatever lines the name has."""
        self._lines[name] = list(values)

    def get(self, name: str, default: str = "") -> str:
        """Return the first line of a name."""
        lines = self._lines.get(name)
        return lines[0] if lines else default

    def lines(self, name: str) -> list[str]:
        """Return every line of a name, as written."""
        return self._lines.get(name, [])

    def values(self, name: str) -> list[str]:
        """Return every value of a name whose grammar is a comma-separated list (RFC 3261 section 7.3.1)."""
        return [value for line in self._lines.get(name, ()) for value in split_commas(line) if value]

    def repeated(self) -> bool:
        """Return whether any name has more than one line."""
        return any(len(lines) > 1 for lines in self._lines.values())

    def __contains__(self, name: str) -> bool:
        return name in self._lines

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._lines == other._lines

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable; typeshed declares __hash__ a method

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, lines in self._lines.items():
            for line in lines:
                yield name, line

    def __repr__(self) -> str:
        return f"Headers({tuple(self)!r})"


def canonical(name: str) -> str:
    """Return a field name as the code knows it. Raises `ValueError` for what is no name."""
    known = _CANONICAL.get(name)
    if known is None:
        if not TOKEN.fullmatch(name):
            raise ValueError("not a field name")
        lower = name.lower()
        known = COMPACT.get(lower, lower)
    return known


def written(name: str) -> str:
    """Return a field name as it goes on the wire."""
    return _WRITTEN.get(name) or _spell(name)


def _spell(name: str) -> str:
    return _UNUSUAL.get(name) or "-".join(part.capitalize() for part in name.split("-"))


_WRITTEN: Final = {name: _spell(name) for name in _USUAL}
_CANONICAL: Final = {
    spelling: name for usual in _USUAL for name, spelling in ((usual, usual), (usual, _spell(usual)))
} | {spelling: name for letter, name in COMPACT.items() for spelling in (letter, letter.upper())}


def split_commas(text: str) -> list[str]:
    """Cut at commas outside quoted strings and angle brackets."""
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(",")]
    parts: list[str] = []
    start = 0
    quoted = angled = False
    skip = -1
    for special in _SPECIAL.finditer(text):
        position, sign = special.start(), special.group()
        if position == skip:
            continue
        if quoted:
            if sign == "\\":
                skip = position + 1
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign == "<":
            angled = True
        elif sign == ">":
            angled = False
        elif sign == "," and not angled:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return parts


def parse_params(text: str) -> tuple[tuple[str, str | None], ...]:
    """Read `;name=value;flag` into pairs; names become lower case, quoted values lose their quotes.

    Raises `ValueError` for anything that is not a parameter.
    """
    pairs: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        found = _PARAM.match(text, position)
        if found is None:
            if text[position:].strip() == "" or text[position:].strip() == ";":
                break
            raise ValueError("not a parameter")
        name, value = found.groups()
        pairs.append((name.lower(), unquote(value) if value is not None else None))
        position = found.end()
    return tuple(pairs)


def write_params(params: tuple[tuple[str, str | None], ...]) -> str:
    """Write pairs as `;name=value;flag`, quoting what is no token."""
    return "".join(f";{name}" if value is None else f";{name}={_param_value(value)}" for name, value in params)


def param(params: tuple[tuple[str, str | None], ...], name: str) -> str | None:
    """Return the value of a parameter: `""` for one without a value, None for one that is not there."""
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None


def quote(text: str) -> str:
    """Return a quoted-string (RFC 3261 section 25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """Undo `quote`; a text without quotes comes back as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return re.sub(r"\\(.)", r"\1", inner) if "\\" in inner else inner


_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]/@&$()?#{}|^=]+")


def _param_value(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else quote(value)


def presentable(text: str) -> str:
    """Return text that may leave the SIP core: octets that were no UTF-8 become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


def one_line(text: str) -> str:
    """Return `presentable` text without control characters, for names and numbers that people will read."""
    return "".join(sign for sign in presentable(text) if sign.isprintable())
