"""One step being read: what every verb needs to read its keys and its exits."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from ivr_flows import values
from ivr_flows.flow import RETRIES, PromptParts, Retry
from ivr_flows.source import ListNode, MapNode, Node, Scalar, did_you_mean
from ivr_flows.values import Fields, Named, Reading, Target

KEYS: Final = "0123456789*#"
MAX_RETRIES: Final = 20


class StepReading:
    """One step being read: `place` is its name's, `given` its keys and exits."""

    def __init__(self, reading: Reading, name: str, place: Node, given: Fields) -> None:
        self.reading, self.name, self.place, self.given = reading, name, place, given

    # ---------------------------------------------------------------------------------------------- exits

    def target(self, node: Node, exit_name: str, may_end: bool = False) -> str:
        """Read the name of the next step."""
        word = values.text(self.reading, node, "an exit")
        if word:
            self.reading.targets.append(Target(self.name, word, node, may_end, exit_name))
            self.reading.exits[self.name, exit_name] = node
        return word

    def exit(self, name: str, may_end: bool = False) -> str:
        """Read an exit that must be there."""
        node = self.given.get(name)
        if node is None:
            self.missing(name)
            return ""
        return self.target(node, name, may_end)

    def exits(self, *names: str, optional: Iterable[str] = (), may_end: bool = False) -> dict[str, str]:
        """Read several exits; of those that are `optional`, the ones that are there. `answered` may be the end."""
        found = {name: self.exit(name, may_end and name == "answered") for name in names}
        return found | {name: self.exit(name) for name in optional if name in self.given}

    def other_exits(self, known: Iterable[str]) -> dict[str, str]:
        """Read the exits whose names are the flow's own: whatever stands on the step besides what is known."""
        return {name: self.exit(name) for name in self.given.beside if name not in known}

    def missing(self, name: str) -> None:
        text = f"step '{self.name}' does not say where to go: '{name}:'"
        self.reading.faults.add(self.place, "missing-exit", text)

    def inner_exit(self, inner: Fields, what: str, exit_name: str) -> str:
        """Read the `next:` of a part of the step."""
        node = inner.get("next")
        if node is not None:
            return self.target(node, exit_name)
        text = f"{what} of step '{self.name}' does not say where to go: 'next:'"
        self.reading.faults.add(inner.place, "missing-exit", text)
        return ""

    def retry(self, name: str) -> Retry:
        """Read `no_input: step`, or `no_input: {retries: 1, prompt: …, next: step}`."""
        node = self.given.get(name)
        if node is None:
            self.missing(name)
            return Retry("")
        if not isinstance(node, MapNode):
            return Retry(self.target(node, name))
        inner = values.fields(self.reading, node, ("retries", "prompt", "next"), f"'{name}'")
        prompt = inner.get("prompt")
        return Retry(
            next=self.inner_exit(inner, f"'{name}'", name),
            retries=values.count(self.reading, inner.get("retries"), RETRIES, MAX_RETRIES),
            prompt=() if prompt is None else values.prompt(self.reading, prompt, "name"),
        )

    # ----------------------------------------------------------------------------------------------- keys

    def needed(self, key: str, verb: str) -> Node | None:
        """Return what a verb cannot do without, which may be its short form."""
        node = self.given.get(key)
        if node is None and self.given.short is None:
            self.reading.faults.add(self.given.place, "missing-key", f"{verb} needs '{key}:'")
        return node

    def main(self, key: str, verb: str) -> Node | None:
        """Return the value that the short form of a verb is."""
        return self.given.short if self.given.short is not None else self.needed(key, verb)

    def question(self, verb: str) -> PromptParts:
        """Read a question's words."""
        node = self.needed("prompt", verb)
        return () if node is None else values.prompt(self.reading, node, "name")

    def prompt(self, key: str) -> PromptParts:
        """Read a prompt that need not be there."""
        node = self.given.get(key)
        return () if node is None else values.prompt(self.reading, node, "name")

    def spoken(self, bare: Literal["text", "file"]) -> PromptParts:
        """Read the prompt that is the verb's own value; `bare` says what a word alone is."""
        short = self.given.short
        return (
            values.long_prompt(self.reading, self.given) if short is None else values.prompt(self.reading, short, bare)
        )

    def interruptible(self) -> bool:
        return values.flag(self.reading, self.given.get("interruptible"), default=True)

    def barge_in(self) -> tuple[bool, bool]:
        """Read whether a key ends the prompt, and whether the caller's voice does too (`interruptible: voice`)."""
        node = self.given.get("interruptible")
        if isinstance(node, Scalar) and node.text.lower() == "voice":
            return True, True
        return self.interruptible(), False

    def flag(self, key: str, default: bool = False) -> bool:
        return values.flag(self.reading, self.given.get(key), default)

    def duration(self, key: str, default: float) -> float:
        return values.duration(self.reading, self.given.get(key), default)

    def template(self, node: Node | None, how: str) -> str:
        return "" if node is None else values.template(self.reading, node, how)

    def bare(self, node: Node | None, how: str = "") -> str:
        return "" if node is None else values.bare(self.reading, node, how)

    def templates(self, key: str, how: str) -> dict[str, str]:
        """Read a mapping of names to texts."""
        return {name: self.template(value, how) for name, value in self.mapping(key).items()}

    def mapping(self, key: str) -> Mapping[str, Node]:
        """Read a mapping with names of its own."""
        node = self.given.get(key)
        if node is None:
            return {}
        if not isinstance(node, MapNode):
            self.reading.faults.add(node, "bad-value", f"'{key}' is a mapping")
            return {}
        for name, (place, _) in node.items.items():
            self.reading.stated[self.name, f"{key}.{name}"] = place
        return {name: value for name, (_, value) in node.items.items()}

    def variable(self, key: str, kinds: Iterable[str] = ()) -> str:
        """Read the name of a variable that is filled; of one of these kinds, where there are any. Empty for none."""
        node = self.given.get(key)
        return "" if node is None else self.filled(node, key, kinds)

    def filled(self, node: Node, key: str, kinds: Iterable[str] = ()) -> str:
        word = values.text(self.reading, node, "a variable")
        declared = self.reading.variables.get(word)
        wanted = tuple(kinds)
        if word and declared is None:
            hint = did_you_mean(word, self.reading.variables)
            text = f"'{word}' is not among the flow's variables{hint}"
            self.reading.faults.add(node, "undefined-variable", text)
        elif declared is not None and wanted and declared.kind not in wanted:
            example = "{type: record, fields: {…}}" if "record" in wanted else wanted[0]
            text = f"'{word}' is a {declared.kind}; '{key}' fills {' or '.join(wanted)}: declare {word}: {example}"
            self.reading.faults.add(node, "bad-value", text)
        self.reading.stated[self.name, key] = node
        return word

    def named(
        self, kind: Literal["queue", "hours", "subflow", "wait", "transfer"], node: Node | None, what: str
    ) -> str:
        """Read the name of something that stands outside the flow."""
        if node is None:
            return ""
        word = values.name(self.reading, node, what)
        if word:
            self.reading.named.append(Named(kind, word, self.name, node))
        return word

    def elements(self, node: Node | None, text: str) -> tuple[Node, ...]:
        """Read a list; `text` says what it is, where it is none."""
        if isinstance(node, ListNode):
            return tuple(node.elements)
        self.reading.faults.add(node or self.place, "bad-value", text)
        return ()
