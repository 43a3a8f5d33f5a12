"""The structure of an e-mail: fields, parts, transfer encodings, character sets (RFC 5322, 2045, 2046, 2047, 2231).

Rule 1: any bytes at all are a message. Nothing here raises; what is broken is read as far as it goes.
Rule 2: every step is linear in what it reads, and what it reads is bounded: depth, parts, fields, lengths. The standard
library's parser is neither (nested parts cost it lines times depth, and its stack).
Rule 3: structure is found in what was sent, and decoded afterwards: an encoded word never makes an address.
"""

import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_MESSAGE: Final = 32 << 20
"""Bytes; the rest is not looked at."""
MAX_HEADER: Final = 128 << 10
MAX_FIELD: Final = 4096
MAX_FIELDS: Final = 500
MAX_MAILBOX: Final = 1000
MAX_DEPTH: Final = 8
MAX_PARTS: Final = 100
MAX_DECODED: Final = 512 << 10
"""Bytes of a text part before its transfer encoding is undone."""

_FIELD = re.compile(rb"([!-9;-~]{1,76})[ \t]*:(.*)", re.DOTALL)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^\s;]*)', re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|\\.?|[()]|[^"\\()]+', re.DOTALL)
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([BbQq])\?([^?]*)\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_WORD = re.compile(r"\S{1,200}")
# Python's names of the character sets that people write in. Its other codecs are no character sets (unicode_escape), or
# take quadratic time (punycode); and it remembers every name that it is asked for and does not know.
_CHARSETS = re.compile(
    r"utf_8(_sig)?|utf_16(_[bl]e)?|ascii|latin_1|iso8859_([2-9]|1[013-6])|cp(125[0-8]|437|850|874|932|949|950)|"
    r"koi8_[ru]|gb2312|gbk|gb18030|big5(hkscs)?|euc_(jp|kr)|iso2022_(jp|kr)|shift_jis|tis_620|mac_roman|hz"
)
# Left out: controls, and signs that hide text or turn its direction. A joiner stays, emoji are made with it.
_UNWANTED: Final = dict.fromkeys(
    [each for each in range(0xA0) if unicodedata.category(chr(each)) == "Cc" and chr(each) not in "\t\n"]
    + [0x00AD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
    + list(range(0xD800, 0xE000))
) | {0x2028: "\n", 0x2029: "\n", 0x00A0: " "}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message, or the whole. Field names are in lower case, values unfolded; `body` is as it was sent."""

    fields: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str:
        """Return the first field of a name, "" if there is none."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Return every field of a name, from the top."""
        return [value for key, value in self.fields if key == name]

    @property
    def type(self) -> str:
        """The media type; RFC 2045 section 5.2: text/plain where none can be read."""
        kind = self.get("content-type").partition(";")[0].strip().lower()
        return kind if re.fullmatch(r"[!-.0-~]{1,60}/[!-.0-~]{1,60}", kind) else "text/plain"

    @property
    def filename(self) -> str:
        """The name of a file, "" if none is given. Just a text: it was never a path here."""
        disposition = parameters(self.get("content-disposition"))
        return disposition.get("filename") or parameters(self.get("content-type")).get("name", "")

    @property
    def is_attachment(self) -> bool:
        """Whether the part is a file, and not something to read."""
        disposition = self.get("content-disposition").partition(";")[0].strip().lower()
        return disposition == "attachment" or self.type not in ("text/plain", "text/html") or bool(self.filename)

    @property
    def size(self) -> int:
        """Bytes once decoded; of base64 within a few."""
        return len(self.body) * 3 // 4 if self._encoding == "base64" else len(self.body)

    @property
    def _encoding(self) -> str:
        return self.get("content-transfer-encoding").strip().lower()

    def text(self) -> str:
        """Return the first `MAX_DECODED` bytes as text."""
        body = self.body[:MAX_DECODED]
        match self._encoding:
            case "base64":
                body = _base64(body)
            case "quoted-printable":
                body = binascii.a2b_qp(body)
        return clean(decoded(body, parameters(self.get("content-type")).get("charset", "")))


def split(raw: bytes) -> Part:
    """Return the fields and the body of a message or a part. A line that is no field begins the body, too."""
    raw = raw[:MAX_MESSAGE]
    fields: list[tuple[str, list[bytes]]] = []
    start = 0
    while start < len(raw):
        if start > MAX_HEADER or len(fields) >= MAX_FIELDS:
            blank = _BLANK_LINE.search(raw, max(0, start - 1))
            start = blank.end() if blank else len(raw)
            break
        newline = raw.find(b"\n", start)
        end = len(raw) if newline < 0 else newline
        line = raw[start:end].removesuffix(b"\r")
        if not line:
            start = end + 1
            break
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line)
        elif named := _FIELD.match(line):
            fields.append((named[1].decode("ascii").lower(), [named[2]]))
        elif not (start == 0 and line.startswith(b"From ")):  # the envelope of a mailbox file
            break
        start = end + 1
    return Part(tuple((name, _unfolded(lines)) for name, lines in fields), raw[start:])


def leaves(message: Part) -> Iterator[tuple[Part, str]]:
    """Return the parts of a message that have no parts, and the type of what each stands in ("" at the top).

    At most `MAX_PARTS`; what is nested deeper than `MAX_DEPTH` is one part.
    """
    waiting = [(message, "", 0)]
    left = MAX_PARTS
    while waiting and left:
        part, around, depth = waiting.pop()
        boundary = parameters(part.get("content-type")).get("boundary", "")
        if not part.type.startswith("multipart/") or not boundary or depth == MAX_DEPTH:
            left -= 1
            yield part, around
            continue
        inner = [(each, part.type, depth + 1) for each in _parts(part.body, boundary, left)]
        waiting += reversed(inner or [(Part((), part.body), part.type, depth + 1)])


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of a Content-Type or Content-Disposition, continued and encoded ones too (RFC 2231)."""
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for found in _PARAMETER.finditer(value[:MAX_FIELD]):
        name, _, rest = found[1].lower().partition("*")
        digits = rest.removesuffix("*")
        order = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 4 else 0
        pieces.setdefault(name, []).append((order, found[1].endswith("*"), unquoted(found[2])))
    return {name: _joined(sorted(parts, key=lambda each: each[0])) for name, parts in pieces.items()}


def without_comments(value: str) -> str:
    """Return a structured field without its comments (RFC 5322 section 3.2.2); quoted strings stay as they are."""
    depth = 0
    kept: list[str] = []
    for piece in _PIECE.findall(value):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(piece)
    return "".join(kept).strip()


def mailbox(value: str) -> tuple[str, str]:
    """Return the display name and the address of the first mailbox in a field (RFC 5322 section 3.4), "" for none."""
    bare = without_comments(value[:MAX_MAILBOX])
    masked = _QUOTED.sub(lambda found: "_" * len(found[0]), bare)
    first = masked.partition(",")[0]
    if "@" in first:  # else the comma stands in a name that ought to have been quoted
        masked = first
    bracketed = re.search(r"<([^<>]*)>", masked)
    if bracketed is None:
        return "", bare[: len(masked)].strip()
    return line(decoded_words(unquoted(bare[: bracketed.start()].strip()))), bare[slice(*bracketed.span(1))].strip()


def unquoted(value: str) -> str:
    """Return what a quoted string says; anything else as it is."""
    if not value.startswith('"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:].removesuffix('"'), flags=re.DOTALL)


def decoded_words(value: str) -> str:
    """Return a field with its encoded words read (RFC 2047). Neighbours of one character set are read together: some
    writers cut a letter in two."""
    texts: list[str] = []
    charset, held, end = "", b"", 0
    for found in _ENCODED_WORD.finditer(value):
        between = value[end : found.start()]
        name = found[1].partition("*")[0].lower()
        word = _base64(found[3].encode("ascii", "ignore")) if found[2] in "Bb" else _q(found[3])
        if held and not between.strip() and name == charset:
            held += word
        else:
            texts += [decoded(held, charset), between if between.strip() or not held else ""]
            charset, held = name, word
        end = found.end()
    return "".join([*texts, decoded(held, charset), value[end:]])


def decoded(data: bytes, charset: str) -> str:
    """Return bytes as text. An unknown or silent character set is UTF-8 where that fits, else Windows-1252."""
    codec = _codec(charset)
    if codec in ("", "ascii"):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            codec = "cp1252"
    return data.decode(codec, "replace")


def clean(text: str) -> str:
    """Return text with plain line ends, in Unicode's composed form, without signs that nobody is meant to see."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNWANTED)
    if plain.isascii():
        return plain
    # Word by word: ordering a run of combining marks takes quadratic time.
    return _WORD.sub(lambda word: unicodedata.normalize("NFC", word[0]), plain)


def line(text: str) -> str:
    """Return text as one printable line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in clean(text)).split())


def _unfolded(lines: list[bytes]) -> str:
    data = b"".join(lines)[:MAX_FIELD].strip()  # RFC 5322 section 2.2.3: folding is a line end before a space
    return decoded(data, "").replace("\r", " ").replace("\x00", "")


def _parts(body: bytes, boundary: str, most: int) -> list[Part]:
    """Split a multipart body (RFC 2046 section 5.1.1). What stands before the first delimiter is for nobody."""
    delimiter = re.compile(rb"(?:\A|\n)--" + re.escape(boundary.encode()[:256]) + rb"(--)?[ \t\r]*(?=\n|\Z)")
    parts: list[Part] = []
    start = -1
    for found in delimiter.finditer(body):
        if start >= 0:
            parts.append(split(body[start : found.start()].removesuffix(b"\r")))
        start = -1 if found[1] else found.end() + 1
        if start < 0 or len(parts) >= most:
            return parts
    if start >= 0:
        parts.append(split(body[start:]))
    return parts


def _joined(pieces: list[tuple[int, bool, str]]) -> str:
    if not any(extended for _, extended, _ in pieces):
        return line(decoded_words("".join(text for _, _, text in pieces)))
    charset, _, rest = pieces[0][2].partition("'")
    first = rest.partition("'")[2] if "'" in rest else pieces[0][2]
    texts = [first, *(text for _, _, text in pieces[1:])]
    return line(decoded(b"".join(map(unquote_to_bytes, texts)), charset if "'" in rest else ""))


def _base64(data: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", data)
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _q(word: str) -> bytes:
    return binascii.a2b_qp(word.encode("utf-8", "replace"), header=True)


def _codec(charset: str) -> str:
    """Return Python's name of a character set, "" for one that is unknown."""
    if not charset.isascii():
        return ""
    name = normalize_encoding(charset.lower())
    name = aliases.get(name, name)
    if name == "latin_1":
        return "cp1252"  # as every reader of mail does: the signs between are Windows'
    return name if _CHARSETS.fullmatch(name) else ""
