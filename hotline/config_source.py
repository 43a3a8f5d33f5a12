"""Where settings come from: YAML with the line of every value, and the environment laid over it.

Every value stays the text that was written, whatever YAML would make of it (`0912` is a number to dial, not 912), and
is read by the setting it is for. Null means "not given".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

PREFIX: Final = "HOTLINE__"

Key = tuple[str | int, ...]


class ConfigErrors(Exception):
    """Everything that is wrong with the settings, one line each: `file:line: key.path: what is wrong, what is due`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, or a variable of the environment (line 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(slots=True)
class Source:
    """A tree of mappings, lists, texts and None, and where each part of it stands."""

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place_of(self, key: Key) -> Place:
        """Return where `key` stands, or the nearest thing around it that stands somewhere."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return Place(self.name)

    def forget_inside(self, key: Key) -> None:
        """Drop the places of what stood inside `key`, which is about to be replaced."""
        inside = [known for known in self.places if len(known) > len(key) and known[: len(key)] == key]
        for known in inside:
            del self.places[known]


def dotted(key: Key) -> str:
    """Return a key as people write it: `sip.listen[0]`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "settings"


def read_yaml(text: str, name: str) -> Source:
    """Read a settings file. Raises `ConfigErrors` when it is not YAML, or not a mapping, or names a key twice."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigErrors([f"{Place(name, line)}: this is not YAML: {error.problem}"]) from None
    except YAMLError as error:
        raise ConfigErrors([f"{name}: this is not YAML: {error}"]) from None
    source = Source(name)
    if node is None:
        return source
    tree = _plain(node, (), source, ())
    if not isinstance(tree, dict):
        source.problems.append(f"{Place(name, 1)}: settings are due here, as `key: value` lines")
    if source.problems:
        raise ConfigErrors(source.problems)
    source.tree = tree
    return source


def _plain(node: Node, key: Key, source: Source, above: tuple[Node, ...]) -> Any:
    if node in above:
        source.problems.append(f"{_place(node, source)}: {dotted(key)}: an alias to what it stands in has no end")
        return None
    source.places.setdefault(key, _place(node, source))
    if isinstance(node, ScalarNode):
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    if isinstance(node, SequenceNode):
        return [_plain(item, (*key, index), source, (*above, node)) for index, item in enumerate(node.value)]
    assert isinstance(node, MappingNode)  # noqa: S101  (YAML has three kinds of node)
    return dict(_entries(node, key, source, (*above, node)))


def _entries(node: MappingNode, key: Key, source: Source, above: tuple[Node, ...]) -> Iterator[tuple[str, Any]]:
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            source.problems.append(f"{_place(key_node, source)}: {dotted(key)}: a key must be a word")
            continue
        inner = (*key, key_node.value)
        if inner in source.places:
            first = source.places[inner].line
            source.problems.append(
                f"{_place(key_node, source)}: {dotted(inner)}: is here twice (first on line {first})"
            )
            continue
        source.places[inner] = _place(key_node, source)
        yield key_node.value, _plain(value_node, inner, source, above)


def _place(node: Node, source: Source) -> Place:
    return Place(source.name, node.start_mark.line + 1)


def lay_environment_over(source: Source, environ: Mapping[str, str]) -> None:
    """Set each `HOTLINE__SECTION__KEY` of `environ` in the tree. Names become small letters.

    A value that begins with `[` or `{` is read as YAML; everything else is the value itself.
    """
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        key: Key = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        place = Place(f"environment {variable}")
        branch = _branch(source.tree, key[:-1])
        if branch is None or not all(key):
            source.problems.append(f"{place}: {dotted(key)}: is not a setting; write HOTLINE__SECTION__KEY")
            continue
        try:
            branch[str(key[-1])] = _value(environ[variable])
        except ConfigErrors:
            source.problems.append(f"{place}: {dotted(key)}: begins like a list or a mapping, but is not YAML")
            continue
        source.forget_inside(key)
        source.places[key] = place


def _branch(tree: dict[str, Any], key: Key) -> dict[str, Any] | None:
    branch: Any = tree
    for part in key:
        if not isinstance(branch, dict):
            return None
        if branch.get(str(part)) is None:
            branch[str(part)] = {}
        branch = branch[str(part)]
    return branch if isinstance(branch, dict) else None


def _value(text: str) -> Any:
    return read_yaml(f"value: {text}", "").tree["value"] if text[:1] in ("[", "{") else text
