"""Which row each box stands in: after everything that leads to it, ways back excepted."""

from collections.abc import Iterator, Mapping, Sequence

Following = Mapping[str, Sequence[str]]


def ways_back(roots: Sequence[str], following: Following) -> set[tuple[str, str]]:
    """Return the (source, target) pairs that lead back to a box on the way to the source, as a walk in depth finds
    them that begins at the roots and takes exits in their order."""
    back: set[tuple[str, str]] = set()
    _walk(roots, following, back)
    return back


def rows(roots: Sequence[str], following: Following, back: set[tuple[str, str]]) -> dict[str, int]:
    """Return the row of each box: the length of the longest way to it, from 0."""
    found = dict.fromkeys(following, 0)
    for name in reversed(_walk(roots, following, set())):
        for target in following[name]:
            if (name, target) not in back:
                found[target] = max(found[target], found[name] + 1)
    return found


def _walk(roots: Sequence[str], following: Following, back: set[tuple[str, str]]) -> list[str]:
    """Return all boxes, each after those that it leads to; collect the ways back."""
    done: list[str] = []
    left: set[str] = set()
    on_the_way: dict[str, Iterator[str]] = {}
    for root in (*roots, *following):
        if root in left:
            continue
        on_the_way[root] = iter(following[root])
        while on_the_way:
            name = next(reversed(on_the_way))
            for target in on_the_way[name]:
                if target in on_the_way:
                    back.add((name, target))
                elif target not in left:
                    on_the_way[target] = iter(following[target])
                    break
            else:
                on_the_way.popitem()
                left.add(name)
                done.append(name)
    return done
