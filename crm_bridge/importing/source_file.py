"""A file before its rows: its encoding, its format and its digest, found in one reading of it from end to end.

Rule: what is guessed is said. UTF-8 and UTF-16 prove themselves; Windows-1258, in which older Vietnamese programs
write, is what is left, and the report names it.
"""

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Format = Literal["csv", "json", "json lines"]

CHUNK_OCTETS: Final = 1 << 20
HEAD_OCTETS: Final = 1 << 16
MAX_LINE_LENGTH: Final = 1 << 18
"""Characters. No row of people is as long; a file without line breaks is."""
SEPARATORS: Final = ",;\t|"
LAST_RESORT: Final = "cp1258"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unreadable(ValueError):
    """The file as a whole cannot be read; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What there is to know of a file before its rows. `guessed`: nothing in the file proves its encoding.

    `separator` is of CSV, "" elsewhere; `digest` is SHA-256 in hexadecimal.
    """

    path: Path
    name: str
    digest: str
    encoding: str
    guessed: bool
    format: Format
    separator: str

    @contextmanager
    def opened(self) -> Iterator[io.TextIOWrapper]:
        """The file as text, its line breaks as they are."""
        with self.path.open(encoding=self.encoding, newline="") as text:
            yield text


def look(path: Path, name: str = "") -> SourceFile:
    """Return what a file is; `name` is what it is called in messages. Raises `Unreadable`."""
    try:
        digest, head, encodings = _read_through(path)
    except OSError as error:
        raise Unreadable(
            f"{name or path}: cannot be read: {error.strerror}; check its name and who may read it"
        ) from None
    if not head.strip():
        raise Unreadable(f"{name or path}: is empty; save the export again")
    if not encodings:
        raise Unreadable(
            f"{name or path}: is no text in UTF-8, UTF-16 or Windows-1258; save it as CSV in UTF-8 (an .xlsx is none)"
        )
    encoding = encodings[0]
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    format_, separator = _format(text)
    return SourceFile(path, name or str(path), digest, encoding, encoding == LAST_RESORT, format_, separator)


def _read_through(path: Path) -> tuple[str, bytes, list[str]]:
    digest, head, is_first = hashlib.sha256(), b"", True
    decoders: dict[str, codecs.IncrementalDecoder] = {}
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK_OCTETS)
            if is_first:
                is_first, head = False, chunk[:HEAD_OCTETS]
                decoders = {each: codecs.getincrementaldecoder(each)() for each in _candidates(head)}
            digest.update(chunk)
            for encoding in [each for each, decoder in decoders.items() if not _takes(decoder, chunk)]:
                del decoders[encoding]
            if not chunk:
                return digest.hexdigest(), head, list(decoders)


def _candidates(head: bytes) -> list[str]:
    """Return the encodings that the beginning of a file allows, the likeliest first."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return [encoding]
    # Text of our alphabets in UTF-16 without a mark has a zero in nearly every second octet, and no other text has any.
    if b"\0" in head[:1024]:
        return ["utf-16-le" if head[1:1024:2].count(0) >= head[:1024:2].count(0) else "utf-16-be"]
    return ["utf-8", LAST_RESORT]


def _takes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeError:
        return False
    return True


def _format(text: str) -> tuple[Format, str]:
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        return "json", ""
    if start.startswith("{"):
        return "json lines", ""
    return "csv", _separator(start)


def _separator(text: str) -> str:
    """Return the sign that makes the most columns of the heading."""
    first = text.partition("\n")[0].strip("\r")
    if first.lower().startswith("sep=") and first[4:5] in SEPARATORS:  # Excel's own word for it
        return first[4:5]
    try:
        counts = {sign: len(next(csv.reader(io.StringIO(text), delimiter=sign), [])) for sign in SEPARATORS}
    except csv.Error:
        return ","
    return max(SEPARATORS, key=lambda sign: counts[sign])
