"""The rows of a file, one after another: as many in memory as somebody asks for, however long the file.

A row is known by the number that a spreadsheet shows beside it: the heading of a CSV file is row 1. In JSON it is the
number of the object or of the line.

Rule: a row that cannot be read is told as a `Trouble`, and the next one is read, wherever there is a next one.
"""

import csv
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final, TextIO

from crm_bridge.importing.source_file import MAX_LINE_LENGTH, SourceFile, Unreadable

CHUNK_LENGTH: Final = 1 << 16
MAX_COLUMNS: Final = 500
LONG_LINE: Final = f"is longer than {MAX_LINE_LENGTH} characters"


@dataclass(frozen=True, slots=True)
class Record:
    """A row: (heading, cell) pairs, without those that are empty. A heading may come more than once."""

    row: int
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of a row that cannot be taken: `cause` and what mends it. `refused`: nothing of the row is.

    Never with the value itself, which may be personal. `column` is empty where it is the whole row.
    """

    row: int
    column: str
    cause: str
    mend: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.row}: {self.column + ': ' if self.column else ''}{self.cause}; {self.mend}"


def records(source: SourceFile) -> Generator[Record | Trouble, None, None]:
    """Return the rows of a file, and what cannot be read of them. Raises `Unreadable` if there is no heading."""
    with source.opened() as text:
        match source.format:
            case "csv":
                yield from _csv(source, text)
            case "json":
                yield from _json(text)
            case "json lines":
                yield from _json_lines(text)


# --------------------------------------------------------------------------------------------------------- CSV


class _Lines:
    """The lines of a file, none of them longer than may be; `cut` says that one was since somebody last looked."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(MAX_LINE_LENGTH):
            if len(line) == MAX_LINE_LENGTH and not line.endswith(("\n", "\r")):
                self.cut = True
                self._skip()
            yield line

    def _skip(self) -> None:
        while (rest := self._text.readline(MAX_LINE_LENGTH)) and not rest.endswith(("\n", "\r")):
            pass


def _csv(source: SourceFile, text: TextIO) -> Iterator[Record | Trouble]:
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=source.separator)
    headings: list[str] | None = None
    row = 0
    while True:
        row += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            lines.cut = False
            yield Trouble(row, "", f"is no CSV ({error})", "look for a quotation mark that is never closed", True)
            continue
        if cells is None:
            break
        if lines.cut:
            lines.cut = False
            yield Trouble(row, "", LONG_LINE, "look for a quotation mark that is never closed", True)
        elif headings is None:
            headings = _headings(source, cells, row)
        else:
            yield _record(row, headings, cells)
    if headings is None:
        raise Unreadable(f"{source.name}: has no row with headings; its first row must name the columns")


def _headings(source: SourceFile, cells: list[str], row: int) -> list[str] | None:
    if not any(cell.strip() for cell in cells) or (row == 1 and "".join(cells).lower().startswith("sep=")):
        return None
    # Excel writes `sep=;` as a row of two cells when the separator is in it.
    if row == 1 and cells[0].lower() == "sep=":
        return None
    if len(cells) > MAX_COLUMNS:
        raise Unreadable(f"{source.name}: has {len(cells)} columns, more than {MAX_COLUMNS}; export fewer")
    return [cell.strip().lstrip("\ufeff") for cell in cells]


def _record(row: int, headings: list[str], cells: list[str]) -> Record | Trouble:
    if any(cell.strip() for cell in cells[len(headings) :]):
        cause = f"has {len(cells)} cells, and the heading {len(headings)}"
        return Trouble(row, "", cause, "put a value that holds the separator into quotation marks", True)
    return Record(row, tuple((head, cell) for head, cell in zip(headings, cells, strict=False) if cell.strip()))


# -------------------------------------------------------------------------------------------------------- JSON


def _json_lines(text: TextIO) -> Iterator[Record | Trouble]:
    lines = _Lines(text)
    for row, line in enumerate(lines, 1):
        if lines.cut:
            lines.cut = False
            yield Trouble(row, "", LONG_LINE, "write one object a line", True)
        elif line.strip():
            try:
                yield _object(row, json.loads(line.lstrip("\ufeff")))
            except (ValueError, RecursionError):
                yield Trouble(row, "", "is no JSON object on one line", "write one object a line", True)


def _json(text: TextIO) -> Iterator[Record | Trouble]:
    """Read the objects of an array one by one: what is in memory is one object and a chunk."""
    decoder = json.JSONDecoder()
    buffer, row, ended = text.read(CHUNK_LENGTH), 0, False
    at = buffer.index("[") + 1
    while True:
        row += 1
        while True:
            at = _after_space(buffer, at, "," if row > 1 else "")
            found, end = _decoded(decoder, buffer, at)
            # What ends where the buffer ends may go on in the next chunk.
            complete = end and (end < len(buffer) or ended)
            if complete or ended or buffer[at : at + 1] == "]" or len(buffer) - at > MAX_LINE_LENGTH:
                break
            chunk = text.read(CHUNK_LENGTH)
            ended = not chunk
            buffer, at = buffer[at:] + chunk, 0
        if not complete:
            if buffer[at : at + 1] != "]":
                yield Trouble(row, "", "is where the file stops being JSON", "nothing after it was read", True)
            return
        yield _object(row, found)
        at = end


def _after_space(buffer: str, at: int, also: str) -> int:
    while at < len(buffer) and buffer[at] in " \t\r\n" + also:
        at += 1
    return at


def _decoded(decoder: json.JSONDecoder, buffer: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at `at` and where it ends; 0 if there is none, or not all of it."""
    try:
        return decoder.raw_decode(buffer, at)
    except (ValueError, RecursionError):
        return None, 0


def _object(row: int, value: Any) -> Record | Trouble:
    if not isinstance(value, dict):
        return Trouble(row, "", "is no object", 'write each person as {"name": …, "phone": …}', True)
    if len(value) > MAX_COLUMNS:
        return Trouble(row, "", f"has more than {MAX_COLUMNS} members", "export fewer", True)
    return Record(row, tuple((key, cell) for key, each in value.items() for key, cell in _cells(key, each)))


def _cells(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Return a member as cells: a list as several, and identities as our own API writes them by their kind."""
    for each in value if isinstance(value, list) else [value]:
        match each:
            case {"kind": str(kind), "value": str(written)} if key == "identities":
                yield kind, written
            case str():
                if each.strip():
                    yield key, each
            case bool() | None:
                pass
            case int() | float():
                yield key, repr(each)
            case _:
                yield key, json.dumps(each)
