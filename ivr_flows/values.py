"""How values are written in a flow: durations, ranges, flags, words in each language, prompts.

Rule: a reader always returns something of its type. What is wrong is among the faults, and a flow with faults is never
used, so that all of them can be told at once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from ivr_flows import expression
from ivr_flows.facts import VIEWS
from ivr_flows.flow import Music, PromptPart, PromptParts, Recorded, Variable, Words
from ivr_flows.source import Faults, ListNode, MapNode, Node, Scalar, did_you_mean, one_of

NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
CHANNEL: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
PROMPT_KEYS: Final = ("text", "file", "music", "prompt")
FLAGS: Final[Mapping[str, bool]] = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}

DAY_S: Final = 86_400
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")


@dataclass(frozen=True)
class Target:
    """An exit as it stands in the file: of which step, to which; `may_end` where `end` will do."""

    step: str
    name: str
    place: Node
    may_end: bool = False
    exit: str = ""


@dataclass(frozen=True)
class Gathered:
    """A variable into which a step gathers digits."""

    step: str
    variable: str
    place: Node
    secret: bool


@dataclass(frozen=True)
class Use:
    """A text with `{{ }}`, or a bare expression (`bare`), as it stands in the file: in which step (empty for the
    catalogue), and what becomes of its value: `how` completes "cannot be …"; empty where nobody comes to know it."""

    step: str
    source: str
    place: Node
    how: str
    bare: bool = False

    @property
    def names(self) -> frozenset[str]:
        """What it speaks of."""
        return expression.names_in_condition(self.source) if self.bare else expression.names_in_text(self.source)


@dataclass(frozen=True)
class Named:
    """Something outside the flow that a step names: a `queue`, opening `hours`, another `flow` (as a `subflow`, for
    `wait`ing, or for `transfer`)."""

    kind: Literal["queue", "hours", "subflow", "wait", "transfer"]
    name: str
    step: str
    place: Node


@dataclass
class Reading:
    """One file being read: what it has declared so far, where things stand in it, and what is wrong with it."""

    faults: Faults
    folder: Path
    languages: tuple[str, ...] = ()
    variables: dict[str, Variable] = field(default_factory=dict)
    catalogue: dict[str, PromptParts] = field(default_factory=dict)
    shared: dict[str, Node] = field(default_factory=dict)
    """The prompts that stand beside the flows, not yet read: a flow needs them in its own languages."""
    declared: dict[str, Node] = field(default_factory=dict)
    """The place of each variable."""
    targets: list[Target] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    step: str = ""
    """The step that is being read."""
    start: Node | None = None
    steps: dict[str, Scalar] = field(default_factory=dict)
    """The place of each step."""
    verbs: dict[str, Node] = field(default_factory=dict)
    """The place of each step's verb."""
    exits: dict[tuple[str, str], Node] = field(default_factory=dict)
    """The place of each exit, by step and the exit's name in `ivr_flows.flow.exits`."""
    stated: dict[tuple[str, str], Node] = field(default_factory=dict)
    """The place of what else a step says, by step and a name: arguments, wanted fields, variables that are filled."""


class Fields:
    """The keys of a mapping (or of a step and its verb together), each looked up by name; `short` is the value of a
    verb that is no mapping of its keys."""

    def __init__(
        self,
        place: Node,
        items: Mapping[str, tuple[Scalar, Node]],
        short: Node | None = None,
        beside: Iterable[str] = (),
    ) -> None:
        self.place = place
        self.items = items
        self.short = short
        self.beside = tuple(beside)
        """The names that stand beside a verb, on its step."""

    def __contains__(self, name: str) -> bool:
        return name in self.items

    def get(self, name: str) -> Node | None:
        found = self.items.get(name)
        return None if found is None else found[1]


def fields(reading: Reading, node: Node, known: Iterable[str], what: str) -> Fields:
    """Return a mapping's keys, all of them known ones."""
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", f"{what} is a mapping with {one_of(known)}")
        return Fields(node, {})
    unknown_keys(reading, node.items, known, what)
    return Fields(node, node.items)


def unknown_keys(reading: Reading, items: Mapping[str, tuple[Scalar, Node]], known: Iterable[str], what: str) -> None:
    """Report each key that is not known here."""
    for name, (key, _) in items.items():
        if name not in known:
            reading.faults.add(key, "unknown-key", f"{what} has no '{name}'{did_you_mean(name, known)}")


def text(reading: Reading, node: Node, what: str) -> str:
    """Read one scalar that is not empty."""
    if isinstance(node, Scalar) and not node.empty and node.text.strip():
        return node.text
    reading.faults.add(
        node, "bad-value", f"{what} is missing its value" if isinstance(node, Scalar) else f"{what} is one value"
    )
    return ""


def name(reading: Reading, node: Node, what: str) -> str:
    """Read a name of our own: small letters, digits and underscores."""
    word = text(reading, node, what)
    if word and not NAME.fullmatch(word):
        reading.faults.add(node, "bad-name", f"'{word}': {what} is small letters, digits and _, such as main_menu")
    return word


def flag(reading: Reading, node: Node | None, default: bool) -> bool:
    """Read yes or no."""
    if node is None:
        return default
    word = text(reading, node, "a flag").lower()
    if word and word not in FLAGS:
        reading.faults.add(node, "bad-value", f"'{word}' is neither yes nor no")
    return FLAGS.get(word, default)


def count(reading: Reading, node: Node | None, default: int, most: int) -> int:
    """Read a whole number from 0 to `most`."""
    if node is None:
        return default
    word = text(reading, node, "a number")
    if word.isascii() and word.isdigit() and int(word) <= most:
        return int(word)
    if word:
        reading.faults.add(node, "bad-value", f"'{word}' is not a whole number from 0 to {most}")
    return default


def duration(reading: Reading, node: Node | None, default: float, longest_days: int = 1) -> float:
    """Read `5s`, `1m30s`, `500ms`, `2h` or `30d` as seconds."""
    if node is None:
        return default
    word = text(reading, node, "a duration")
    if not word:
        return default
    found = _DURATION.fullmatch(word)
    if found is None or not any(found.groups()):
        hint = f"; did you mean '{word}s'?" if word.replace(".", "", 1).isdigit() else ""
        reading.faults.add(node, "bad-duration", f"'{word}' is not a duration such as 5s, 1m30s or 500ms{hint}")
        return default
    days, hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    total = days * DAY_S + hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    if not 0 < total <= longest_days * DAY_S:
        longest = "a day" if longest_days == 1 else f"{longest_days} days"
        reading.faults.add(node, "bad-duration", f"'{word}' is not more than nothing and at most {longest}")
        return default
    return total


def span(reading: Reading, node: Node | None, default: tuple[int, int]) -> tuple[int, int]:
    """Read `6..10`, or `6` for exactly that, from 1 to 64."""
    if node is None:
        return default
    word = text(reading, node, "a length")
    found = _RANGE.fullmatch(word)
    if found is None:
        if word:
            reading.faults.add(node, "bad-range", f"'{word}' is not a range such as 6..10, or 6")
        return default
    shortest, longest = int(found[1]), int(found[2] or found[1])
    if not 1 <= shortest <= longest <= 64:
        reading.faults.add(node, "bad-range", f"'{word}': from 1 to 64, the smaller first")
        return default
    return shortest, longest


def bare(reading: Reading, node: Node, how: str = "") -> str:
    """Read a bare expression; `how` says what becomes of its value, empty where nobody comes to know it."""
    source = text(reading, node, "an expression").strip()
    if source:
        _explain(reading, node, expression.check_condition(source, reading.variables))
        reading.uses.append(Use(reading.step, source, node, how, bare=True))
    return source


def word_of(reading: Reading, node: Node, known: Iterable[str], what: str) -> str:
    """Read one of a few words; the first of them where it is none."""
    words = tuple(known)
    word = text(reading, node, what)
    if word in words:
        return word
    if word:
        hint = did_you_mean(word, words)
        reading.faults.add(node, "bad-value", f"'{word}' is not {what}: {one_of(words)}{hint}")
    return words[0]


def share(reading: Reading, node: Node) -> int:
    """Read `30%` as 30."""
    word = text(reading, node, "a share")
    number = word.removesuffix("%").strip()
    if number.isascii() and number.isdigit() and word.endswith("%") and 0 < int(number) <= 100:
        return int(number)
    if word:
        reading.faults.add(node, "bad-value", f"'{word}' is not a share from 1% to 100%")
    return 0


def confidence(reading: Reading, node: Node | None, default: float) -> float:
    """Read a number from 0 to 1."""
    if node is None:
        return default
    word = text(reading, node, "a confidence")
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        if word:
            reading.faults.add(node, "bad-value", f"'{word}' is not a confidence from 0 to 1")
        return default
    return number


def channel(reading: Reading, node: Node) -> str:
    """Read the name of a channel, as the settings write it."""
    word = text(reading, node, "a channel's name")
    if word and not CHANNEL.fullmatch(word):
        reading.faults.add(node, "bad-value", f"'{word}' is not the name of a channel such as zalo, email or auto")
    return word


def template(reading: Reading, node: Node, how: str) -> str:
    """Read a text that may hold `{{ }}`; `how` says what becomes of it."""
    source = text(reading, node, "a text")
    _explain(reading, node, expression.check_text(source, reading.variables))
    reading.uses.append(Use(reading.step, source, node, how))
    return source


def _explain(reading: Reading, node: Node, found: Iterable[expression.Fault]) -> None:
    for fault in found:
        words = fault.text
        if fault.code == "undefined-variable":
            hint = did_you_mean(words, (*reading.variables, *VIEWS))
            words = f"'{words}' is neither a variable of this flow nor one of {', '.join(VIEWS)}{hint}"
        elif fault.code == "unknown-fact":
            group, _, fact = words.partition(".")
            view = VIEWS[group]
            known = () if view is None else view.__struct_fields__
            words = f"'{group}' has no '{fact}'{did_you_mean(fact, known) or f'; it has {one_of(known)}'}"
        elif fault.code == "unknown-filter":
            words = f"there is no filter '{words}'{did_you_mean(words, expression.FILTERS)}"
        reading.faults.add(node, fault.code, words)


# ------------------------------------------------------------------------------------------------- languages


def language(reading: Reading, node: Node) -> str:
    """Read one of the flow's languages."""
    word = text(reading, node, "a language")
    if word and reading.languages and word not in reading.languages:
        hint = did_you_mean(word, reading.languages)
        reading.faults.add(node, "unknown-language", f"the flow does not speak '{word}'{hint}")
    return word


def per_language(reading: Reading, node: Node, what: str) -> dict[str, Node]:
    """Read a value for each language of the flow; one value alone will do where there is one language."""
    if isinstance(node, MapNode):
        for key, _ in node.items.values():
            language(reading, key)
        given = {word: value for word, (_, value) in node.items.items()}
    else:
        given = dict.fromkeys(reading.languages[:1], node)
    missing = [word for word in reading.languages if word not in given]
    if missing:
        hint = (
            "" if isinstance(node, MapNode) else f"; write {{{', '.join(f'{word}: …' for word in reading.languages)}}}"
        )
        reading.faults.add(node, "missing-language", f"{what} is missing in {one_of(missing)}{hint}")
    return given


def words(reading: Reading, node: Node, how: str = "spoken") -> Words:
    """Read text for each language. A text may be written in another: `vi: {text: "Press 2.", language: en}`. `how` says
    what becomes of it."""
    texts: dict[str, str] = {}
    voices: dict[str, str] = {}
    for key, value in per_language(reading, node, "the text").items():
        if isinstance(value, MapNode):
            inner = fields(reading, value, ("text", "language"), "a text")
            texts[key] = template(reading, inner.get("text") or value, how)
            other = inner.get("language")
            if other is not None:
                voices[key] = text(reading, other, "a language")
                if voices[key] and not LANGUAGE.fullmatch(voices[key]):
                    reading.faults.add(other, "unknown-language", f"'{voices[key]}' is not a language such as en")
        else:
            texts[key] = template(reading, value, how)
    return Words(texts, voices)


# --------------------------------------------------------------------------------------------------- prompts


def prompt(reading: Reading, node: Node, short: Literal["text", "file", "name"] = "text") -> PromptParts:
    """Read a prompt: words, `{vi: …, en: …}`, `{text: …}`, `{file: …}`, `{music: …}`, `{prompt: …}`, or a list.

    `short` says what a bare word is: a text, a file, or a name in the catalogue (then a sentence is still a text).
    """
    if isinstance(node, ListNode):
        if not node.elements:
            reading.faults.add(node, "bad-value", "there is nothing in this prompt")
        return tuple(part for element in node.elements for part in prompt(reading, element, short))
    if isinstance(node, MapNode) and _is_long(reading, node, PROMPT_KEYS):
        unknown_keys(reading, node.items, PROMPT_KEYS, "a prompt")
        return long_prompt(reading, Fields(node, node.items))
    if isinstance(node, Scalar) and short == "name" and NAME.fullmatch(node.text):
        return _from_catalogue(reading, node)
    return (_files(reading, node),) if short == "file" else (words(reading, node),)


def _is_long(reading: Reading, node: MapNode, known: Iterable[str]) -> bool:
    if any(key in known for key in node.items):
        return True
    return not any(key in reading.languages or LANGUAGE.fullmatch(key) for key in node.items)


def long_prompt(reading: Reading, given: Fields) -> PromptParts:
    """Read a prompt's long form, in the order in which its parts stand."""
    parts: list[PromptPart] = []
    for key, (_, value) in given.items.items():
        if key == "text":
            parts += prompt(reading, value) if isinstance(value, ListNode) else [words(reading, value)]
        elif key == "file":
            parts += prompt(reading, value, "file") if isinstance(value, ListNode) else [_files(reading, value)]
        elif key == "music":
            parts.append(Music(name(reading, value, "a music's name")))
        elif key == "prompt":
            parts += _from_catalogue(reading, value)
    if not parts:
        reading.faults.add(given.place, "missing-key", f"a prompt needs {one_of(PROMPT_KEYS)}")
    return tuple(parts)


def _from_catalogue(reading: Reading, node: Node) -> PromptParts:
    word = text(reading, node, "a prompt's name")
    if word in reading.shared and word not in reading.catalogue:
        reading.catalogue[word] = _shared(reading, word, node)
    if word and word not in reading.catalogue:
        hint = did_you_mean(word, (*reading.catalogue, *reading.shared))
        reading.faults.add(node, "unknown-prompt", f"there is no '{word}' among this flow's prompts{hint}")
    return reading.catalogue.get(word, ())


def _shared(reading: Reading, word: str, place: Node) -> PromptParts:
    """Read a prompt of the shared catalogue in the flow's languages; what is wrong with it is told where it is used."""
    node, faults = reading.shared[word], Faults("prompts.yaml")
    if isinstance(node, MapNode) and not any(key in PROMPT_KEYS for key in node.items):
        spoken = {key: item for key, item in node.items.items() if key in reading.languages}
        node = MapNode(node.line, node.column, spoken)
    inner = Reading(faults, reading.folder, reading.languages, reading.variables)
    parts = prompt(inner, node)
    for fault in faults.sorted():
        reading.faults.add(place, fault.code, f"prompt '{word}' (prompts.yaml:{fault.line}): {fault.text}")
    reading.uses += [replace(use, place=place) for use in inner.uses]
    return parts


def _files(reading: Reading, node: Node) -> Recorded:
    if isinstance(node, MapNode):
        given = per_language(reading, node, "the file")
    else:
        given = dict.fromkeys(reading.languages, node)
    found: dict[str, str] = {}
    for key, value in given.items():
        word = text(reading, value, "a file")
        path = reading.folder / word
        if word and (path.suffix.lower() != ".wav" or not path.is_file()):
            reading.faults.add(value, "missing-file", f"there is no .wav file '{word}' beside the flow")
        found[key] = str(path)
    return Recorded(found)
