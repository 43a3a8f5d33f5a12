"""Structural checks: steps that nothing reaches, and steps from which no call can end."""

from collections.abc import Iterable, Mapping


def reached(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """Return everything that can be reached, the start included."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, ())
    return found


def without_end(edges: Mapping[str, Iterable[str]], ends: Iterable[str]) -> set[str]:
    """Return the steps from which none of the ends can be reached."""
    backwards: dict[str, list[str]] = {name: [] for name in edges}
    for name, following in edges.items():
        for target in following:
            backwards.setdefault(target, []).append(name)
    return set(edges) - reached(ends, backwards)
