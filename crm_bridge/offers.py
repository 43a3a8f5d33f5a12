"""Reads the file of offers (docs/customers.md): what is to be offered to whom, in its order, strictly.

Rule 1: what means nothing is an error with its line and column, and an error names what mends it. A file with an error
gives no offers at all.
Rule 2: conditions are words and numbers, nothing that is computed: a file can be read by whoever writes it.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from crm_bridge.advice import Rule
from crm_bridge.connectors.source import ConnectorErrors, Faults, ListNode, MapNode, Node, Scalar, read
from crm_bridge.identity import fold

MAX_OFFERS: Final = 200
MAX_TEXT_LENGTH: Final = 1000
MAX_DAYS: Final = 183
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class OfferErrors(Exception):
    """A file of offers that cannot be used; `errors` are all the reasons, `file:line:column: text`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        self.errors = errors
        super().__init__("\n".join(errors))


def load(path: Path) -> tuple[Rule, ...]:
    """Return the offers of a file, in its order. Raises `OfferErrors`."""
    try:
        root = read(path, "a file of offers", "offers")
        return _Reader(Faults(str(path))).file(root)
    except ConnectorErrors as error:
        raise OfferErrors(error.errors) from None


class _Reader:
    """Reads nodes, and notes what is wrong with them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._conditions: dict[str, tuple[str, Callable[[Node], Any]]] = {
            "birthday_within_days": ("birthday_within", self._days),
            "bought": ("bought", self._words),
            "not_bought": ("not_bought", self._words),
            "tags": ("tags", self._words),
            "without_tags": ("without_tags", self._words),
            "language": ("languages", self._languages),
            "needs": ("needs", self._words),
            "preferred_channel": ("channels", self._channels),
            "spent": ("spent", self._sum),
            "open_cases": ("open_cases", self._yes_or_no),
        }

    def file(self, root: MapNode) -> tuple[Rule, ...]:
        """Return the offers. Raises `ConnectorErrors`."""
        rules: dict[str, Rule] = {}
        listed = self._fields(root, ("offers",)).get("offers")
        if listed is None or not isinstance(listed, ListNode):
            self._faults.add(listed or root, "`offers:` with a list under it is due here")
        elif len(listed.elements) > MAX_OFFERS:
            self._faults.add(listed, f"holds {len(listed.elements)} offers; {MAX_OFFERS} are the most")
        else:
            for each in listed.elements:
                rule = self._offer(each)
                if rule is not None and rule.name in rules:
                    self._faults.add(each, f"`{rule.name}` stands here twice: give each offer a name of its own")
                elif rule is not None:
                    rules[rule.name] = rule
        self._faults.raise_any()
        return tuple(rules.values())

    def _offer(self, node: Node) -> Rule | None:
        if not isinstance(node, MapNode):
            self._faults.add(node, "an offer is a mapping: `name:`, `text:`, and `when:` for its conditions")
            return None
        given = self._fields(node, ("name", "text", "when", "from", "until"))
        for key in ("name", "text"):
            if key not in given:
                self._faults.add(node, f"this offer has no `{key}:`")
        first, last = (self._day(given[key]) if key in given else None for key in ("from", "until"))
        if first is not None and last is not None and last < first:
            self._faults.add(given["until"], "`until` lies before `from`: nobody would ever be offered it")
        name = self._name(given["name"]) if "name" in given else ""
        text = self._text(given["text"]) if "text" in given else {}
        return Rule(name=name, text=text, first=first, last=last, **self._when(given.get("when")))

    def _when(self, node: Node | None) -> dict[str, Any]:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return {}
        if not isinstance(node, MapNode):
            self._faults.add(node, "conditions are a mapping, such as `birthday_within_days: 7`")
            return {}
        found: dict[str, Any] = {}
        for name, value in self._fields(node, tuple(self._conditions)).items():
            field, taken = self._conditions[name]
            said = taken(value)
            found |= {"spent": said[0], "currency": said[1]} if field == "spent" else {field: said}
        return found

    # ------------------------------------------------------------------------------------------------------- values

    def _fields(self, node: MapNode, known: tuple[str, ...]) -> dict[str, Node]:
        found = {}
        for name, (key, value) in node.items.items():
            if name in known:
                found[name] = value
            else:
                self._faults.unknown(key, known)
        return found

    def _name(self, node: Node) -> str:
        if isinstance(node, Scalar) and _NAME.fullmatch(node.text):
            return node.text
        self._faults.add(node, "a name is up to 64 of a-z, 0-9, - and _, with a letter first, such as tea_for_vips")
        return ""

    def _text(self, node: Node) -> dict[str, str]:
        """Return the words by language."""
        if not isinstance(node, MapNode) or not node.items:
            self._faults.add(node, "the words stand under their language: `text: {vi: …, en: …}`")
            return {}
        text = {}
        for language, (key, value) in node.items.items():
            if not _LANGUAGE.fullmatch(language):
                self._faults.add(key, f"`{language}` is no language; write vi or en")
            text[language] = self._line(value)
        return text

    def _line(self, node: Node) -> str:
        text = " ".join(node.text.split()) if isinstance(node, Scalar) else ""
        if not text or len(text) > MAX_TEXT_LENGTH or not text.isprintable():
            self._faults.add(node, f"words are due here, at most {MAX_TEXT_LENGTH} characters")
        return text

    def _each(self, node: Node) -> tuple[Node, ...]:
        """Return the elements of a list, or the one that stands alone."""
        return node.elements if isinstance(node, ListNode) else (node,)

    def _words(self, node: Node) -> frozenset[str]:
        words = frozenset(fold(self._line(each)) for each in self._each(node))
        if not words:
            self._faults.add(node, "a list without words holds for nobody: leave it out, or name one")
        return words

    def _channels(self, node: Node) -> frozenset[str]:
        return frozenset(self._line(each).lower() for each in self._each(node))

    def _languages(self, node: Node) -> frozenset[str]:
        found = frozenset(each.text if isinstance(each, Scalar) else "" for each in self._each(node))
        if not found or not all(map(_LANGUAGE.fullmatch, found)):
            self._faults.add(node, "languages are due here, such as `[vi, en]`")
        return found

    def _days(self, node: Node) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_DAYS:
            return value
        self._faults.add(node, f"a number of days is due here, 0 to {MAX_DAYS}")
        return 0

    def _sum(self, node: Node) -> tuple[Decimal, str]:
        """Return amount and currency: `1000000 VND`."""
        amount, _, currency = (node.text if isinstance(node, Scalar) else "").partition(" ")
        try:
            number = Decimal(amount)
        except InvalidOperation:
            number = Decimal(-1)
        if not number.is_finite() or number < 0 or not _CURRENCY.fullmatch(currency.strip()):
            self._faults.add(node, "an amount and its currency are due here, such as `1000000 VND`")
            return Decimal(0), ""
        return number, currency.strip()

    def _yes_or_no(self, node: Node) -> bool:
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            self._faults.add(node, "`true` or `false` is due here")
        return value is True

    def _day(self, node: Node) -> date | None:
        try:
            return date.fromisoformat(node.text if isinstance(node, Scalar) else "")
        except ValueError:
            self._faults.add(node, "a day is due here, such as 2026-12-24")
            return None
