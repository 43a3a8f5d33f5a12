"""A YAML file as nodes that know their place (`telephony.written`), and a list of everything wrong with it."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from telephony.written import ListNode, MapNode, Node, NotYaml, Scalar, nodes_of, place_in

__all__ = [
    "Faults", "FlowError", "FlowErrors", "ListNode", "MapNode", "Node", "Scalar", "closest", "did_you_mean", "one_of",
    "read",
]  # fmt: skip

MAX_FILE_OCTETS = 2_000_000
START = Node(1, 1)
"""The place of what is wrong with a whole file."""
MAX_NODES = 200_000


@dataclass(frozen=True)
class FlowError:
    """One thing wrong, and where: `str` gives `file:line:column: code: text`.

    `call` is a call that shows it: what is pressed and what happens; empty where none does. A `warning` stops nothing.
    """

    file: str
    line: int
    column: int
    code: str
    text: str
    call: str = ""
    warning: bool = False

    def __str__(self) -> str:
        mark = "warning: " if self.warning else ""
        shown = f"\n  such a call: {self.call}" if self.call else ""
        return f"{self.file}:{self.line}:{self.column}: {mark}{self.code}: {self.text}{shown}"


class FlowErrors(Exception):
    """A flow that cannot be used; `errors` are all the reasons, in the order of the file."""

    def __init__(self, errors: Sequence[FlowError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class Faults:
    """Collects what is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: set[FlowError] = set()

    def add(self, place: Node, code: str, text: str) -> None:
        self.found.add(FlowError(self.file, place.line, place.column, code, text))

    def sorted(self) -> list[FlowError]:
        return sorted(self.found, key=lambda error: (error.line, error.column, error.code, error.text))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing."""
    meant = closest(word, known)
    return f"; did you mean '{meant}'?" if meant else ""


def one_of(known: Iterable[str]) -> str:
    """Return `a, b or c`."""
    words = list(known)
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)


def read(path: Path, faults: Faults) -> Node | None:
    """Return a file's root node, or None with the reason among the faults."""
    return parsed(octets_of(path, faults), faults)


def octets_of(path: Path, faults: Faults) -> bytes | None:
    """Return what a file has, or None with the reason among the faults."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        faults.add(START, "unreadable", f"the file cannot be read: {error.strerror}")
        return None
    if len(octets) > MAX_FILE_OCTETS:
        faults.add(START, "too-long", f"{len(octets)} octets; a flow has at most {MAX_FILE_OCTETS}")
        return None
    return octets


def parsed(octets: bytes | None, faults: Faults) -> Node | None:
    """Return the root node of what a file has, or None with the reason among the faults."""
    if octets is None:
        return None

    def bad_key(key: Node, first: int) -> None:
        if first and isinstance(key, Scalar):
            faults.add(key, "duplicate-key", f"'{key.text}' stands here again, first on line {first}")
        else:
            faults.add(key, "bad-value", "a key is one word")

    try:
        return nodes_of(octets.decode("utf-8"), MAX_NODES, bad_key) or Scalar(1, 1, "", empty=True)
    except UnicodeDecodeError as error:
        faults.add(place_in(octets, error.start), "not-utf-8", "this octet is not UTF-8; save the file as UTF-8")
    except NotYaml as error:
        faults.add(error.place, "not-yaml", str(error))
    return None
