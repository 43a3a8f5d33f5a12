"""Which profiles are one person: put together, taken apart and undone, as events in their order. Pure.

Rule 1: an event is never changed or removed. Undoing one is another event, which can be undone like any other. An
event is live unless a live undo names it.
Rule 2: who is one person follows from the live events alone, whatever the order in which the others were undone. A
merge makes one person of the two its profiles belong to; a split takes one profile out of its person and leaves the
rest of that person together. So whatever is undone is as if it had never been.
Rule 3: a merge never parts anybody and a split never joins anybody, nor does what comes after turn that round. Hence
undoing a merge can only part, and undoing a split can only join.
Rule 4: that two are held `apart` changes nobody: it is a judgement, which stands in the way of merges (`judged`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

LinkKind = Literal["merge", "split", "undo", "apart"]
Effect = Literal["merged", "split", "none"]
Persons = Mapping[str, frozenset[str]]
"""The profiles of the person that each profile belongs to, itself included."""


@dataclass(frozen=True, slots=True)
class Link:
    """One event. `customer` is a profile; `other` the second one of a merge, or of two who are held apart. An undo
    names what it takes back in `undoes`, and the same profiles."""

    id: str
    kind: LinkKind
    customer: str
    other: str | None = None
    undoes: str | None = None

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset({self.customer, self.other or self.customer})


def live(links: Sequence[Link]) -> set[str]:
    """Return the ids of the events that hold. `links` are in their order: an undo comes after what it takes back."""
    holding: set[str] = set()
    undone: set[str | None] = set()
    for link in reversed(links):
        if link.id not in undone:
            holding.add(link.id)
            if link.kind == "undo":
                undone.add(link.undoes)
    return holding


def persons(links: Sequence[Link]) -> Persons:
    """Return the person of every profile that `links`, in their order, name."""
    together = {profile: frozenset({profile}) for link in links for profile in link.profiles}
    holding = live(links)
    for link in links:
        if link.id not in holding:
            continue
        if link.kind == "merge":
            whole = frozenset[str]().union(*(together[profile] for profile in link.profiles))
            together.update(dict.fromkeys(whole, whole))
        elif link.kind == "split":
            rest = together[link.customer] - {link.customer}
            together.update(dict.fromkeys(rest, rest))
            together[link.customer] = frozenset({link.customer})
    return together


def once(links: Sequence[Link], profile: str) -> frozenset[str]:
    """Return everybody who was the same person as `profile` at one time or another, itself included."""
    states = (persons(links[:length]) for length in range(len(links) + 1))
    return frozenset({profile}).union(*(state.get(profile, ()) for state in states))


def held_apart(links: Sequence[Link]) -> list[Link]:
    """Return the live events by which somebody holds two for different people. `links` are in their order."""
    holding = live(links)
    return [link for link in links if link.kind == "apart" and link.id in holding]


def judged(apart: Iterable[Link], ones: Collection[str], others: Collection[str]) -> str | None:
    """Return the event by which one of `ones` and one of `others` are held apart, if there is any."""
    pairs = ((link.id, link.profiles) for link in apart)
    return next((id_ for id_, pair in pairs if not (pair.isdisjoint(ones) or pair.isdisjoint(others))), None)


def judgements(links: Sequence[Link]) -> frozenset[str]:
    """Return the ids of the events that hold people apart, and of those that take such back. Nobody's person hangs on
    them. `links` are in their order."""
    found: set[str] = set()
    for link in links:
        if link.kind == "apart" or link.undoes in found:
            found.add(link.id)
    return frozenset(found)


def effect(before: Persons, after: Persons) -> Effect:
    """Return what an event did, by who was one person before and after it (rule 3: it cannot do both)."""
    fewer = len(_all(after)) - len(_all({profile: before.get(profile, frozenset({profile})) for profile in after}))
    if not fewer:
        return "none"
    return "merged" if fewer < 0 else "split"


def _all(together: Persons) -> set[frozenset[str]]:
    return set(together.values())


def repeated(links: Iterable[Link], holding: set[str], together: Persons, one: str, other: str) -> str | None:
    """Return the live merge of exactly these two profiles, if they are one person by now; None if a merge of them
    would say something new."""
    if together.get(one, frozenset()) != together.get(other):
        return None
    wanted = frozenset({one, other})
    return next(
        (each.id for each in links if each.id in holding and each.kind == "merge" and each.profiles == wanted), None
    )
