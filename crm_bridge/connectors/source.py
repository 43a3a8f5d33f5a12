"""A file that people write, such as a connector's, as nodes that know their place (`telephony.written`), and all that
is wrong with it."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from telephony.written import ListNode, MapNode, Node, NotYaml, Scalar, nodes_of, place_in

__all__ = ["ConnectorErrors", "Faults", "ListNode", "MapNode", "Node", "Scalar", "parse", "read"]

MAX_FILE_OCTETS: Final = 256_000
MAX_NODES: Final = 20_000


class ConnectorErrors(Exception):
    """A connector that cannot be used; `errors` are all the reasons, `file:line:column: text`, in the file's order."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


class Faults:
    """Collects what is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[int, int, str]] = []

    def add(self, place: Node, text: str) -> None:
        """Note one thing wrong."""
        self._found.append((place.line, place.column, text))

    def unknown(self, key: Scalar, known: Iterable[str]) -> None:
        """Note a key that means nothing here."""
        words = sorted(known)
        near = difflib.get_close_matches(key.text, words, n=1)
        self.add(key, f"`{key.text}` means nothing here; " + (f"`{near[0]}`?" if near else f"write {', '.join(words)}"))

    def raise_any(self) -> None:
        """Raise `ConnectorErrors` if anything is wrong."""
        if self._found:
            raise ConnectorErrors(
                f"{self.file}:{line}:{column}: {text}" for line, column, text in sorted(set(self._found))
            )


def read(path: Path, what: str = "a connector", first: str = "title") -> MapNode:
    """Return a file's mapping; `what` it is and its `first` key are for errors. Raises `ConnectorErrors`."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ConnectorErrors([f"{path}:1:1: cannot be read: {error.strerror}"]) from None
    if len(octets) > MAX_FILE_OCTETS:
        raise ConnectorErrors([f"{path}:1:1: has {len(octets)} octets; {what} has at most {MAX_FILE_OCTETS}"])
    try:
        return parse(octets.decode("utf-8"), str(path), first)
    except UnicodeDecodeError as error:
        place = place_in(octets, error.start)
        raise ConnectorErrors([f"{path}:{place.line}:{place.column}: is not UTF-8 text; save it as UTF-8"]) from None


def parse(text: str, file: str, first: str = "title") -> MapNode:
    """Return the mapping that a text is. Raises `ConnectorErrors`."""
    faults = Faults(file)

    def bad_key(key: Node, before: int) -> None:
        if before and isinstance(key, Scalar):
            faults.add(key, f"`{key.text}` stands here twice, first on line {before}")
        else:
            faults.add(key, "a key is one word")

    try:
        root = nodes_of(text, MAX_NODES, bad_key)
    except NotYaml as error:
        faults.add(error.place, f"this is not YAML: {error}")
    else:
        if isinstance(root, MapNode):
            faults.raise_any()
            return root
        faults.add(root or Node(1, 1), f"`key: value` lines are due here, the first of them `{first}:`")
    faults.raise_any()
    raise AssertionError("a file without a mapping has faults")
