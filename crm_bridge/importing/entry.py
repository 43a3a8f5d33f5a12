"""A row of another system's file as what it says of a person; pure.

Rule 1: another system's word proves nothing. Its own id of a person is its own (assurance 1); the numbers, addresses
and accounts that it has written down are claims, of which the business itself keeps the book (`KEPT_CONFIDENCE`): more
than what a stranger types, and less than what a channel carries.
Rule 2: an unusable value costs the value, not the row; a row costs itself if nothing in it identifies anybody.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from crm_bridge.identity import MAX_VALUE_LENGTH, Kind, fold, normalise
from crm_bridge.importing.headings import Field, field_of
from crm_bridge.importing.records import Record, Trouble
from crm_bridge.importing.told import Told, told
from crm_bridge.lines import LANGUAGE, storable
from crm_bridge.match import Claim

T = TypeVar("T")

KEPT_CONFIDENCE: Final = 0.8
MAX_IDENTITIES: Final = 20
MAX_NAME_LENGTH: Final = 200
MAX_TAGS: Final = 50
MAX_TAG_LENGTH: Final = 64

_LANGUAGE: Final = re.compile(LANGUAGE)
_LANGUAGES: Final[Mapping[str, str]] = {
    "tieng viet": "vi",
    "viet nam": "vi",
    "vietnam": "vi",
    "vietnamese": "vi",
    "tieng anh": "en",
    "anh": "en",
    "english": "en",
    "tieng trung": "zh",
    "chinese": "zh",
    "tieng nhat": "ja",
    "japanese": "ja",
    "tieng han": "ko",
    "korean": "ko",
}
_KINDS: Final[Mapping[Field, Kind]] = {
    "phone": "phone",
    "email": "email",
    "zalo": "zalo",
    "facebook": "facebook",
    "external": "external",
}
# Signs that stand between two values and in none, and those that may also stand in one.
_BETWEEN: Final[Mapping[Kind, re.Pattern[str]]] = {
    "phone": re.compile(r"[;,|\n]|\bhoặc\b|\bor\b"),
    "email": re.compile(r"[;,|\s]+"),
}
_BETWEEN_NUMBERS: Final = re.compile(r"/|\s[-–]\s")
_URI: Final = re.compile(r"[A-Za-z]+:")
_BETWEEN_TAGS: Final = re.compile(r"[;,|\n]")
_FORMULA: Final = re.compile(r'="(.*)"')
_APOSTROPHES: Final = "'`’‘"
_WHOLE_FLOAT: Final = re.compile(r"(\+?\d+)[.,]0+")
_ROUNDED: Final = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")

_IS_FLOAT: Final = re.compile(rf"{_WHOLE_FLOAT.pattern}|{_ROUNDED.pattern}")

_MEND: Final[Mapping[Kind, tuple[str, str]]] = {
    "phone": ("is no number that could identify a person in region {region}", "write it as +84912345678"),
    "email": ("is no e-mail address", "write it as name@example.com"),
    "zalo": ("is no id: too long, or not printable", "export the user id as Zalo gives it"),
    "facebook": ("is no id: too long, or not printable", "export the page-scoped id as Facebook gives it"),
    "external": ("is no id: too long, or not printable", "export the other system's own id"),
}
ROUNDED: Final = (
    "is a number that a spreadsheet has rounded, its digits are lost",
    "format the column as text and export it again",
)

TAGS_FULL: Final = (f"has tags beyond the {MAX_TAGS} that a profile has", "give each person fewer tags")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row says of a person: at least one claim."""

    row: int
    claims: tuple[Claim, ...]
    name: str
    language: str
    tags: tuple[str, ...]
    told: tuple[Told, ...] = ()


class Reader:
    """Makes entries of records; it remembers which columns it did not take. `source` may be empty."""

    def __init__(self, source: str, region: str, mapping: Mapping[str, Field]) -> None:
        self._source, self._region = source, region
        self._known: dict[str, Field | None] = dict(mapping)
        self.unknown: dict[str, None] = {}
        """Headings, in the order in which they came."""
        self.nameless: dict[str, None] = {}
        """Headings of ids whose system has no name: two systems may count from 1, each of its own."""

    def read(self, record: Record) -> tuple[Entry | None, list[Trouble]]:
        """Return what a row says, None for one that is empty or refused, and what of it cannot be taken."""
        troubles: list[Trouble] = []
        found: dict[Field, list[tuple[str, str]]] = {}
        for heading, cell in record.cells:
            field = self._field(heading)
            if field is None:
                continue
            text = unicodedata.normalize("NFC", cell).strip()
            try:
                found.setdefault(field, []).append((heading, storable(text)))
            except ValueError:
                cause = "holds a NUL or half of a surrogate pair, which is no text"
                troubles.append(Trouble(record.row, heading, cause, "export it again as UTF-8", False))
        if not record.cells:
            return None, []
        claims = self._claims(record.row, found, troubles)
        if not claims or len(claims) > MAX_IDENTITIES:
            troubles.append(_refusal(record.row, len(claims)))
            return None, troubles
        take = _Taking(record.row, troubles)
        name = take.one(found.get("name", ()), _name) or self._put_together(take, found)
        language = take.one(found.get("language", ()), _language)
        tags = take.tags(found.get("tags", ()))
        said = told(lambda field, read: take.value(found.get(field, ()), read), self._region)
        return Entry(record.row, claims, name, language, tags, said), troubles

    def see(self, record: Record | Trouble) -> None:
        """Look at the headings of a row alone."""
        if isinstance(record, Record):
            for heading, _ in record.cells:
                self._field(heading)

    def _field(self, heading: str) -> Field | None:
        if heading not in self._known:
            self._known[heading] = field_of(heading)
        field = self._known[heading]
        if field is None:
            self.unknown[heading] = None
        elif field == "external" and not self._source:
            self.nameless[heading] = None
            return None
        return field

    def _claims(
        self, row: int, found: Mapping[Field, list[tuple[str, str]]], troubles: list[Trouble]
    ) -> tuple[Claim, ...]:
        claims: dict[tuple[str, str], Claim] = {}
        for field, kind in _KINDS.items():
            for heading, text in found.get(field, ()):
                for value, trouble in self._values(kind, text):
                    if trouble is None:
                        each = claim_of(kind, value)
                        claims.setdefault(each.key, each)
                    else:
                        troubles.append(Trouble(row, heading, *trouble, False))
        return tuple(claims.values())

    def _values(self, kind: Kind, text: str) -> list[tuple[str, tuple[str, str] | None]]:
        """Return the identities of a cell, each normalised or with what is wrong with it."""
        if _URI.match(text) or kind not in _BETWEEN or _IS_FLOAT.fullmatch(_formula(text)):
            return [self._value(kind, text)]
        parts = [part for part in map(str.strip, _BETWEEN[kind].split(_formula(text))) if part]
        return [self._value(kind, one) for part in parts or [text] for one in self._apart(kind, part)]

    def _apart(self, kind: Kind, part: str) -> list[str]:
        """Return two numbers that are written as one."""
        if kind != "phone" or self._normalised(kind, _mended(part)):
            return [part]
        return [each for each in map(str.strip, _BETWEEN_NUMBERS.split(part)) if each] or [part]

    def _value(self, kind: Kind, part: str) -> tuple[str, tuple[str, str] | None]:
        """Return an identity, normalised, or what is wrong with it."""
        bare = _mended(part) if kind == "phone" else _formula(part)
        value = self._normalised(kind, bare)
        if value:
            return value, None
        if kind == "phone" and _ROUNDED.fullmatch(bare):
            return "", ROUNDED
        cause, mend = _MEND[kind]
        return "", (cause.format(region=self._region), mend)

    def _normalised(self, kind: Kind, text: str) -> str:
        if kind == "external":
            text = text if text.startswith(f"{self._source}:") else f"{self._source}:{text}"
        value = normalise(kind, text, self._region)
        return value if len(value) <= MAX_VALUE_LENGTH else ""

    def _put_together(self, take: "_Taking", found: Mapping[Field, list[tuple[str, str]]]) -> str:
        cells = [*found.get("family_name", ()), *found.get("given_name", ())]
        family, given = (take.one(found.get(each, ()), _name) for each in ("family_name", "given_name"))
        parts = (family, given) if self._region == "VN" else (given, family)
        return take.one([(heading, " ".join(parts)) for heading, _ in cells[:1]], _name)


def claim_of(kind: Kind, value: str) -> Claim:
    """Return what a normalised identity in another system's file is worth."""
    if kind == "external":
        return Claim(kind, value, assurance=1, confidence=1.0)
    return Claim(kind, value, assurance=0, confidence=KEPT_CONFIDENCE)


@dataclass(frozen=True, slots=True)
class _Taking:
    """Takes values that are no identities, and notes what is wrong with the others."""

    row: int
    troubles: list[Trouble]

    def one(self, cells: "list[tuple[str, str]] | tuple[()]", read: Callable[[str], str]) -> str:
        """Return the first usable value."""
        return self.value(cells, read) or ""

    def value(self, cells: "list[tuple[str, str]] | tuple[()]", read: Callable[[str], T]) -> T | None:
        """Return the first usable value of any kind, None for none."""
        for heading, text in cells:
            if not text:
                continue
            try:
                return read(text)
            except ValueError as error:
                cause, _, mend = str(error).partition("; ")
                self.troubles.append(Trouble(self.row, heading, cause, mend, False))
        return None

    def tags(self, cells: "list[tuple[str, str]] | tuple[()]") -> tuple[str, ...]:
        """Return as many as a profile has."""
        tags: dict[str, None] = {}
        for heading, text in cells:
            for tag in self._tags(heading, text):
                if len(tags) < MAX_TAGS or tag in tags:
                    tags[tag] = None
                    continue
                self.troubles.append(Trouble(self.row, heading, *TAGS_FULL, False))
                return tuple(tags)
        return tuple(tags)

    def _tags(self, heading: str, text: str) -> list[str]:
        tags = [" ".join(tag.split()) for tag in _BETWEEN_TAGS.split(text) if tag.strip()]
        good = [tag for tag in tags if len(tag) <= MAX_TAG_LENGTH and tag.isprintable()]
        if len(good) < len(tags):
            cause = f"holds a tag that is longer than {MAX_TAG_LENGTH} characters, or not printable"
            self.troubles.append(Trouble(self.row, heading, cause, "put commas between tags", False))
        return good


def _name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"is longer than {MAX_NAME_LENGTH} characters, or not printable; write the name alone")
    return name


def _language(text: str) -> str:
    if language := _LANGUAGES.get(fold(text)):
        return language
    code = text.replace("_", "-")
    if len(code) > 35 or not _LANGUAGE.fullmatch(code):
        raise ValueError("is no language; write it as vi or en-GB")
    return code


def _mended(text: str) -> str:
    """Return a value without what spreadsheets do to numbers: formulas and apostrophes around them, `.0` behind."""
    bare = _formula(text)
    if whole := _WHOLE_FLOAT.fullmatch(bare):
        return whole[1]
    rounded = _ROUNDED.fullmatch(bare)
    # Only one that shows every digit is still the number.
    if rounded and len(rounded[2] or "") == int(rounded[3]):
        return rounded[1] + (rounded[2] or "")
    return bare


def _formula(text: str) -> str:
    return (found[1] if (found := _FORMULA.fullmatch(text)) else text).lstrip(_APOSTROPHES).strip()


def _refusal(row: int, identities: int) -> Trouble:
    if identities:
        cause = f"has {identities} identities, more than {MAX_IDENTITIES}"
        return Trouble(row, "", cause, "give each person a row of their own", True)
    cause = "nothing in this row identifies a person"
    return Trouble(row, "", cause, "give a phone, an e-mail address or an id", True)
