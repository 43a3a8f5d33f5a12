"""What a flow names that only the settings know: queues, opening hours, settings."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from jinja2 import nodes

from ivr_flows.expression import tree_of_condition, tree_of_text
from ivr_flows.flow import Flow
from ivr_flows.prove.findings import Finding
from ivr_flows.prove.uses import conditions_of, later_uses, uses_of
from ivr_flows.source import did_you_mean, one_of

NodeKind = TypeVar("NodeKind", bound=nodes.Node)


class Outside(NamedTuple):
    """What the settings know by name; None for what is not known, and so not looked at."""

    queues: frozenset[str] | None = None
    hours: frozenset[str] | None = None
    settings: frozenset[str] | None = None


def unknown_names(flow: Flow, outside: Outside) -> Iterator[Finding]:
    """Yield the names in expressions that the settings do not know."""
    asked = {"queue": outside.queues, "hours": outside.hours}
    for name, step in flow.steps.items():
        trees = [(condition, tree_of_condition(condition)) for condition in conditions_of(step)]
        for use in (*uses_of(step), *later_uses(step)):
            if use.bare:
                trees.append((use.source, tree_of_condition(use.source)))
            elif "{{" in use.source:
                trees.append((use.source, tree_of_text(use.source)))
        for source, tree in trees:
            for call in _all(tree, nodes.Call):
                kind = getattr(call.node, "name", "")
                known, given = asked.get(kind), call.args[0] if call.args else None
                if known is not None and isinstance(given, nodes.Const) and given.value not in known:
                    yield Finding(name, *unknown(kind, str(given.value), known), source=source, shown=False)
            for field in _all(tree, nodes.Getattr):
                is_setting = isinstance(field.node, nodes.Name) and field.node.name == "settings"
                if is_setting and outside.settings is not None and field.attr not in outside.settings:
                    words = unknown("settings", field.attr, outside.settings)
                    yield Finding(name, *words, source=source, shown=False)


def unknown(kind: str, name: str, known: frozenset[str]) -> tuple[str, str]:
    """Return the code and the words for a name that the settings do not know."""
    what = {"queue": "queue", "hours": "opening hours", "settings": "value for flows"}[kind]
    code = {"queue": "unknown-queue", "hours": "unknown-hours", "settings": "unknown-setting"}[kind]
    has = f"; they have {one_of(sorted(known))}" if known else ""
    return code, f"the settings have no {what} '{name}'{did_you_mean(name, known) or has}"


def _all(tree: nodes.Node, kind: type[NodeKind]) -> list[NodeKind]:
    found = list(tree.find_all(kind))
    return [tree, *found] if isinstance(tree, kind) else found
