"""YAML that people write, as nodes that know their place. Pure.

Rule 1: a scalar stays as it was written, beside what YAML makes of it: `0912` is no number and `no` no flag until
somebody asks for one. Places count from 1.
Rule 2: what is read is bounded: an alias can refer to what holds it, or multiply.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

Plain = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A piece of YAML and its place."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar(Node):
    """A text as it stands; `empty` where there is nothing at all or `null`; `quoted` where it stands in quotes; `value`
    is what YAML makes of it."""

    text: str
    empty: bool = False
    quoted: bool = field(default=False, compare=False)
    value: Plain = field(default=None, compare=False)


@dataclass(frozen=True)
class ListNode(Node):
    """A list."""

    elements: tuple[Node, ...]


@dataclass(frozen=True)
class MapNode(Node):
    """A mapping: each key once, with its own place and its value, in the order of the file."""

    items: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)


class NotYaml(ValueError):
    """A text is no YAML: why, and where."""

    def __init__(self, place: Node, text: str) -> None:
        super().__init__(text)
        self.place = place


BadKey = Callable[[Node, int], object]
"""Told of a key that is no word; or one that stands there again, with the line on which it stood first, else 0."""


def nodes_of(text: str, most: int, bad_key: BadKey) -> Node | None:
    """Return the root of a text, None for an empty one, of at most so many nodes. Raises `NotYaml`."""
    try:
        # The round-trip loader would mark in folded texts where they were folded; places need only the nodes.
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # the later one holds, as YAML 1.2 says
        root = yaml.compose(text)
        return None if root is None else _Copy(most, bad_key).node(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Node(1, 1) if mark is None else Node(mark.line + 1, mark.column + 1)
        raise NotYaml(place, " ".join(filter(None, (error.context, error.problem)))) from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise NotYaml(Node(1, 1), str(error).partition("\n")[0] or type(error).__name__) from None


def place_in(octets: bytes, at: int) -> Node:
    """Return the place of an octet of a file; columns count octets."""
    return Node(octets.count(b"\n", 0, at) + 1, at - octets.rfind(b"\n", 0, at))


class _Copy:
    """Copies ruamel's nodes."""

    def __init__(self, most: int, bad_key: BadKey) -> None:
        self._most, self._bad_key, self._count = most, bad_key, 0

    def node(self, source: object) -> Node:
        self._count += 1
        if self._count > self._most:
            raise ValueError(f"more than {self._most} nodes, aliases counted as often as they stand")
        match source:
            case ScalarNode():
                return _scalar(source)
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
                self._bad_key(key, 0)
                continue
            if key.text in items:
                self._bad_key(key, items[key.text][0].line)
                continue
            value = self.node(value_source)
            if isinstance(value, Scalar) and value.empty and not value.text:
                value = replace(value, line=key.line, column=key.column)  # nothing stands anywhere: its key's place
            items[key.text] = (key, value)
        return MapNode(*_place(source), items)


def _scalar(source: ScalarNode) -> Scalar:
    kind = source.ctag.suffix if source.ctag.suffix == "null" else str(source.tag or "").rpartition(":")[2]
    text = str(source.value)
    return Scalar(*_place(source), text, empty=kind == "null", quoted=bool(source.style), value=_plain(kind, text))


def _plain(kind: str, text: str) -> Plain:
    match kind:
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
