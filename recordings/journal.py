"""The journal of a call: every event and command of it, one JSON line each, stamped with the tick.

Rule 1: a line that was appended survives `kill -9`. Each is one `write` to a file opened with O_APPEND; nothing waits
in a buffer of ours.

Rule 2: only the last line can be torn (a full disk, a power cut). It never counted: readers leave it out, and it is
cut off before anything follows it. Damage anywhere else is an error that names the line.

A line is `{"tick": …, "kind": "event"|"command", "message": {"what": …, …}}`; the message is nested because some
messages count a tick of their own. Files lie at `FOLDER/YYYY-MM-DD/CALL.jsonl`, by the UTC day of the first line.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, Union

import msgspec

from telephony.clock import TICKS_PER_S, datetime_of, time_of
from telephony.events import Command, Event

Kind = Literal["event", "command"]

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
TICKS_PER_DAY: Final = 24 * 3600 * TICKS_PER_S
OPEN_FILES: Final = 256


class Entry(msgspec.Struct, frozen=True):
    """One line of a journal."""

    tick: int
    kind: Kind
    message: Event | Command


class JournalDamaged(ValueError):
    """A line that is not the last one cannot be read."""


class _Line(msgspec.Struct):
    tick: int
    kind: Kind
    message: msgspec.Raw


def _leaves(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _leaves(kind)


class Journal:
    """The journals below one folder. Used by one process, from one thread."""

    def __init__(self, folder: Path, open_files: int = OPEN_FILES) -> None:
        self._folder = folder
        self._bound = max(1, open_files)
        self._open: OrderedDict[str, int] = OrderedDict()
        self._encoder = msgspec.json.Encoder()
        self._lines = msgspec.json.Decoder(_Line)
        self._messages: dict[Kind, msgspec.json.Decoder[Event | Command]] = {
            # The union of every event there is; type checkers know no union that is made at run time.
            "event": msgspec.json.Decoder(Union[tuple(_leaves(Event))]),  # noqa: UP007
            "command": msgspec.json.Decoder(Union[tuple(_leaves(Command))]),  # noqa: UP007
        }

    def append(self, call: str, tick: int, message: Event | Command) -> None:
        """Write one line. Raises `OSError` when it is not wholly on file, and then it is not there at all."""
        kind: Kind = "event" if isinstance(message, Event) else "command"
        line = self._encoder.encode(_Line(tick, kind, msgspec.Raw(self._encoder.encode(message)))) + b"\n"
        file = self._file(call, tick)
        written = os.write(file, line)
        if written < len(line):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(f"The journal of call {call} took {written} of {len(line)} octets: free disk space.")

    def close(self, call: str) -> None:
        """Close a call's file. A later `append` opens it again."""
        file = self._open.pop(call, None)
        if file is not None:
            os.close(file)

    def close_all(self) -> None:
        """Close every file."""
        while self._open:
            os.close(self._open.popitem()[1])

    def read(self, call: str) -> list[Entry]:
        """Return a call's entries, none when there is no journal. Raises `JournalDamaged`."""
        path = self.path(call)
        return [] if path is None else list(self._entries(path))

    def last_tick(self, call: str) -> int | None:
        """Return the tick of the last whole line: the last sign of life of a call that a crash ended."""
        path = self.path(call)
        lines = [] if path is None else _whole_lines(path)
        return self._lines.decode(lines[-1]).tick if lines else None

    def path(self, call: str) -> Path | None:
        """Return where a call's journal is, looking at the newest day first."""
        name = _file_name(call)
        if not self._folder.is_dir():
            return None
        days = sorted((day for day in os.listdir(self._folder) if DAY.fullmatch(day)), reverse=True)
        return next((path for day in days if (path := self._folder / day / name).is_file()), None)

    def _entries(self, path: Path) -> Iterator[Entry]:
        for number, raw in enumerate(_whole_lines(path), start=1):
            try:
                line = self._lines.decode(raw)
                yield Entry(line.tick, line.kind, self._messages[line.kind].decode(line.message))
            except msgspec.DecodeError as error:  # also a message that this version does not know
                raise JournalDamaged(f"{path}:{number}: {error}") from error

    def _file(self, call: str, tick: int) -> int:
        file = self._open.get(call)
        if file is None:
            while len(self._open) >= self._bound:
                os.close(self._open.popitem(last=False)[1])
            file = self._open[call] = _open_for_append(self._path_for_append(call, tick))
        self._open.move_to_end(call)
        return file

    def _path_for_append(self, call: str, tick: int) -> Path:
        """A call that began before midnight goes on in its first file."""
        name = _file_name(call)
        today, yesterday = (self._folder / _day(t) / name for t in (tick, max(0, tick - TICKS_PER_DAY)))
        return yesterday if yesterday.is_file() else today


def _file_name(call: str) -> str:
    """Return the file name of a call. Raises `ValueError` for an id that is none: it becomes part of a path."""
    if not ID.fullmatch(call):
        raise ValueError(f"{call!r} is no call id: letters, digits, _ and -, at most 64.")
    return f"{call}.jsonl"


def _day(tick: int) -> str:
    return datetime_of(time_of(tick)).strftime("%Y-%m-%d")


def _open_for_append(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.ftruncate(file, path.read_bytes().rfind(b"\n") + 1)
    return file


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that end in a line feed; what follows the last one is torn."""
    return path.read_bytes().split(b"\n")[:-1]
