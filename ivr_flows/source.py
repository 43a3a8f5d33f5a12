"""A YAML file as nodes that know their place, and a list of everything wrong with it.

Scalars stay as they were written: `0912` is not a number, `no` is not a flag and `1:` is a key called "1" until
somebody asks for a number or a flag. Places count from 1.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

MAX_FILE_OCTETS = 2_000_000
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


@dataclass(frozen=True)
class Node:
    """A piece of YAML and its place."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar(Node):
    """A text as it stands; `empty` where there is nothing at all or `null`; `quoted` where it stands in quotes."""

    text: str
    empty: bool = False
    quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class ListNode(Node):
    """A list."""

    elements: tuple[Node, ...]


@dataclass(frozen=True)
class MapNode(Node):
    """A mapping: each key once, with its value, in the order of the file."""

    items: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)


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
    start = Node(1, 1)
    try:
        octets = path.read_bytes()
    except OSError as error:
        faults.add(start, "unreadable", f"the file cannot be read: {error.strerror}")
        return None
    if len(octets) > MAX_FILE_OCTETS:
        faults.add(start, "too-long", f"{len(octets)} octets; a flow has at most {MAX_FILE_OCTETS}")
        return None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        column = error.start - (octets.rfind(b"\n", 0, error.start) + 1) + 1
        faults.add(Node(line, column), "not-utf-8", "this octet is not UTF-8; save the file as UTF-8")
        return None
    try:
        # The round-trip loader would mark in folded texts where they were folded; places need only the nodes.
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # the later one holds, as YAML 1.2 says
        root = yaml.compose(text)
        return _Copy(faults).node(root) if root is not None else Scalar(1, 1, "", empty=True)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else Node(mark.line + 1, mark.column + 1)
        faults.add(place, "not-yaml", " ".join(filter(None, (error.context, error.problem))))
    except (YAMLError, RecursionError, ValueError) as error:
        faults.add(start, "not-yaml", str(error).splitlines()[0] if str(error) else type(error).__name__)
    return None


class _Copy:
    """Copies ruamel's nodes, bounded: an alias can refer to what holds it, or multiply."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.count = 0

    def node(self, source: object) -> Node:
        self.count += 1
        if self.count > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} nodes, aliases counted as often as they stand")
        match source:
            case ScalarNode():
                empty = source.ctag.suffix == "null" or (source.tag or "").endswith(":null")
                return Scalar(*_place(source), str(source.value), empty=empty, quoted=bool(source.style))
            case SequenceNode():
                return ListNode(*_place(source), tuple(self.node(element) for element in source.value))
            case MappingNode():
                return self.mapping(source)
        raise ValueError(f"{type(source).__name__} is not known here")

    def mapping(self, source: MappingNode) -> MapNode:
        items: dict[str, tuple[Scalar, Node]] = {}
        for key_source, value_source in source.value:
            key = self.node(key_source)
            if not isinstance(key, Scalar):
                self.faults.add(key, "bad-value", "a key is one word")
                continue
            if key.text in items:
                first = items[key.text][0].line
                self.faults.add(key, "duplicate-key", f"'{key.text}' stands here again, first on line {first}")
                continue
            value = self.node(value_source)
            if isinstance(value, Scalar) and value.empty and not value.text:
                value = replace(value, line=key.line, column=key.column)  # nothing stands anywhere: its key's place
            items[key.text] = (key, value)
        return MapNode(*_place(source), items)


def _place(source: ScalarNode | SequenceNode | MappingNode) -> tuple[int, int]:
    return source.start_mark.line + 1, source.start_mark.column + 1
