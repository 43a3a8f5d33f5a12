"""Session descriptions as text (RFC 8866): read, and written back as they were."""

import re
from typing import Final

import msgspec

MAX_MEDIA: Final = 32
MAX_LINES: Final = 1_000

_MEDIA: Final = re.compile(r"(\S+) ([0-9]{1,5})(?:/([0-9]{1,5}))? (\S+) (.+)")


class SdpError(ValueError):
    """A session description that cannot be read (`status` 400) or not be served (488). `warning` is the code of the
    Warning header field that says why (RFC 3261 section 20.43): 399 for what has no code of its own."""

    def __init__(self, cause: str, status: int = 488, warning: int = 399) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status
        self.warning = warning


class Media(msgspec.Struct, frozen=True):
    """One `m=` section; `lines` are the lines under it as (letter, value)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[tuple[str, str], ...] = ()
    ports: int = 1

    def attributes(self, name: str) -> list[str]:
        """Return the values of `a=name:value` lines."""
        return _attributes(self.lines, name)


class SessionDescription(msgspec.Struct, frozen=True):
    """A description; `lines` are those before the first `m=`, as (letter, value)."""

    lines: tuple[tuple[str, str], ...]
    media: tuple[Media, ...]

    def attributes(self, name: str) -> list[str]:
        """Return the values of session-level `a=name:value` lines."""
        return _attributes(self.lines, name)

    def line(self, letter: str) -> str:
        """Return the value of the first session line with this letter, `""` for none."""
        return next((value for key, value in self.lines if key == letter), "")


def parse(text: str) -> SessionDescription:
    """Read a description. Raises `SdpError` with status 400."""
    session: list[tuple[str, str]] = []
    media: list[Media] = []
    lines = session
    for letter, value in _lines(text):
        if letter == "m":
            if media:
                media[-1] = msgspec.structs.replace(media[-1], lines=tuple(lines))
            media.append(_parse_media(value))
            lines = []
        else:
            lines.append((letter, value))
    if media:
        media[-1] = msgspec.structs.replace(media[-1], lines=tuple(lines))
    if not session or session[0] != ("v", "0"):
        raise SdpError("a session description begins with v=0", 400)
    if len(media) > MAX_MEDIA:
        raise SdpError(f"more than {MAX_MEDIA} m= lines", 400)
    return SessionDescription(tuple(session), tuple(media))


def write(description: SessionDescription) -> str:
    """Return a description as text, with CRLF."""
    lines = list(description.lines)
    for media in description.media:
        ports = f"{media.port}/{media.ports}" if media.ports != 1 else str(media.port)
        lines.append(("m", f"{media.kind} {ports} {media.protocol} {' '.join(media.formats)}"))
        lines += media.lines
    return "".join(f"{letter}={value}\r\n" for letter, value in lines)


def _lines(text: str) -> list[tuple[str, str]]:
    rows = text.replace("\r\n", "\n").split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    if len(rows) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines", 400)
    lines = []
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or row[1] != "=" or not row[0].isalpha() or "\r" in row:
            raise SdpError(f"line {number} is not letter=value", 400)
        lines.append((row[0], row[2:]))
    return lines


def _parse_media(value: str) -> Media:
    found = _MEDIA.fullmatch(value)
    if found is None or int(found.group(2)) > 65535:
        raise SdpError("an m= line that is not media port protocol formats", 400)
    kind, port, ports, protocol, formats = found.groups()
    return Media(kind, int(port), protocol, tuple(formats.split()), (), int(ports or 1))


def _attributes(lines: tuple[tuple[str, str], ...], name: str) -> list[str]:
    start = name + ":"
    return [value[len(start) :] for letter, value in lines if letter == "a" and value.startswith(start)]
