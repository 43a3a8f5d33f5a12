"""Orders and knots of a graph whose nodes are names."""

from collections.abc import Iterable, Iterator, Mapping


def finished(following: Mapping[str, Iterable[str]], roots: Iterable[str]) -> list[str]:
    """Return the nodes that can be reached, each after everything that it leads to, loops apart (postorder)."""
    seen: set[str] = set()
    done: list[str] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack: list[tuple[str, Iterator[str]]] = [(root, iter(following.get(root, ())))]
        while stack:
            name, rest = stack[-1]
            further = next((to for to in rest if to not in seen), None)
            if further is None:
                done.append(name)
                stack.pop()
            else:
                seen.add(further)
                stack.append((further, iter(following.get(further, ()))))
    return done


def components(following: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return for each node the one that stands for all that lead to each other (Kosaraju's way)."""
    backwards: dict[str, list[str]] = {}
    for name, targets in following.items():
        for to in targets:
            backwards.setdefault(to, []).append(name)
    found: dict[str, str] = {}
    for name in reversed(finished(following, list(following))):
        waiting = [] if name in found else [name]
        while waiting:
            member = waiting.pop()
            if member not in found:
                found[member] = name
                waiting += backwards.get(member, ())
    return found
