"""A file that people write, such as a connector's, as nodes that know their place, and all that is wrong with it.

Scalars keep both the text as it stands and what YAML makes of it: a phone number is a text, a number of a body is a
number. Places count from 1.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

MAX_FILE_OCTETS: Final = 256_000
MAX_NODES: Final = 20_000

Plain = str | int | float | bool | None


class ConnectorErrors(Exception):
    """A connector that cannot be used; `errors` are all the reasons, `file:line:column: text`, in the file's order."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


@dataclass(frozen=True)
class Node:
    """A piece of YAML and its place."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar(Node):
    """A text as it stands, and as YAML reads it; `value` is None where there is nothing or `null`."""

    text: str
    value: Plain


@dataclass(frozen=True)
class ListNode(Node):
    """A list."""

    elements: tuple[Node, ...]


@dataclass(frozen=True)
class MapNode(Node):
    """A mapping: each key once, with its own place and its value, in the order of the file."""

    items: Mapping[str, tuple[Scalar, Node]] = field(default_factory=dict)


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
        line = octets.count(b"\n", 0, error.start) + 1
        column = error.start - octets.rfind(b"\n", 0, error.start)
        raise ConnectorErrors([f"{path}:{line}:{column}: is not UTF-8 text; save it as UTF-8"]) from None


def parse(text: str, file: str, first: str = "title") -> MapNode:
    """Return the mapping that a text is. Raises `ConnectorErrors`."""
    faults = Faults(file)
    start = Node(1, 1)
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # the later one holds, as YAML 1.2 says
        composed = yaml.compose(text)
        root = None if composed is None else _Copy(faults).node(composed)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else Node(mark.line + 1, mark.column + 1)
        faults.add(place, "this is not YAML: " + " ".join(filter(None, (error.context, error.problem))))
    except (YAMLError, RecursionError, ValueError) as error:
        faults.add(start, f"this is not YAML: {str(error).partition(chr(10))[0] or type(error).__name__}")
    else:
        if not isinstance(root, MapNode):
            faults.add(root or start, f"`key: value` lines are due here, the first of them `{first}:`")
        else:
            faults.raise_any()
            return root
    faults.raise_any()
    raise AssertionError("a file without a mapping has faults")


class _Copy:
    """Copies ruamel's nodes, bounded: an alias can refer to what holds it, or multiply."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._count = 0

    def node(self, source: object) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} nodes, aliases counted as often as they stand")
        match source:
            case ScalarNode():
                return Scalar(*_place(source), str(source.value), _plain(source))
            case SequenceNode():
                return ListNode(*_place(source), tuple(self.node(element) for element in source.value))
            case MappingNode():
                return self._mapping(source)
        raise ValueError(f"{type(source).__name__} is not known here")

    def _mapping(self, source: MappingNode) -> MapNode:
        items: dict[str, tuple[Scalar, Node]] = {}
        for key_source, value_source in source.value:
            key = self.node(key_source)
            if not isinstance(key, Scalar):
                self._faults.add(key, "a key is one word")
            elif key.text in items:
                self._faults.add(key, f"`{key.text}` stands here twice, first on line {items[key.text][0].line}")
            else:
                items[key.text] = (key, self.node(value_source))
        return MapNode(*_place(source), items)


def _plain(source: ScalarNode) -> Plain:
    text = str(source.value)
    match str(source.tag).rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "int" if text.lstrip("+-").isdecimal():
            return int(text)
        case "float":
            try:
                return float(text)
            except ValueError:
                return text
    return text


def _place(source: ScalarNode | SequenceNode | MappingNode) -> tuple[int, int]:
    return source.start_mark.line + 1, source.start_mark.column + 1
