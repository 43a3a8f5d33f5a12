"""A call that shows a fault: the way there that asks least of the caller, and is possible as far as is known."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ivr_flows.flow import Flow, Gather, Menu, Split, VerifyByCode, When, question_of, verb_of
from ivr_flows.prove.transfer import AT_ONCE, Transfer, Way
from ivr_flows.prove.world import World

MOST: Final = 4000
"""So many places of calls are looked at before a way is sought that may not be possible."""
QUIET: Final = frozenset(
    {"say", "play", "set", "language", "note", "record", "whisper", "hold", "answer", "ring", "queue_facts",
     "wait"}
)  # fmt: skip
"""Verbs that a call passes without anything that could be otherwise."""


@dataclass(frozen=True)
class Place:
    """A call at a step: what is known of it, and how it came there."""

    step: str
    world: World
    before: "Place | None" = None
    way: Way | None = None

    def deeds(self, flow: Flow) -> list[str]:
        """Return what happened on the way, in order."""
        found: list[str] = []
        place: Place | None = self
        while place is not None and place.before is not None and place.way is not None:
            found += [deed for deed in [deed_of(flow, place.before.step, place.way)] if deed]
            place = place.before
        return found[::-1]

    def steps(self) -> list[str]:
        """Return the steps that were passed, this one last."""
        found, place = [self.step], self.before
        while place is not None:
            found.append(place.step)
            place = place.before
        return found[::-1]


class Explorer:
    """Walks through a flow, the least asking calls first."""

    def __init__(self, flow: Flow, transfer: Transfer, start: str, world: World) -> None:
        self.flow, self.transfer = flow, transfer
        self.beginning = Place(start, world)
        self.is_whole = False
        """Whether every place was looked at: what was not found then, no call comes to."""

    def places(self) -> Iterator[Place]:
        """Yield places of calls, each combination of step and world once, at most `MOST`."""
        count, waiting = 0, [(0, 0, self.beginning)]
        seen = set()
        looked_at = 0
        while waiting:
            cost, _, place = heapq.heappop(waiting)
            key = (place.step, frozenset(place.world.variables.items()), frozenset(place.world.terms.items()))
            if key in seen:
                continue
            seen.add(key)
            looked_at += 1
            if looked_at > MOST:
                return
            yield place
            for way in self.transfer.ways(place.step, place.world):
                if way.world is not None and way.to in self.flow.steps:
                    count += 1
                    asks = bool(deed_of(self.flow, place.step, way))
                    heapq.heappush(waiting, (cost + (100 if asks else 1), count, Place(way.to, way.world, place, way)))
        self.is_whole = True

    def shortest(self, is_there: Callable[[Place], bool]) -> Place | None:
        """Return the first place at which something is so."""
        return next((place for place in self.places() if is_there(place)), None)


def such_a_call(deeds: list[str]) -> str:
    """Put what happens in a call into one line."""
    return ", ".join(deeds) if deeds else "any call"


def deed_of(flow: Flow, name: str, way: Way) -> str:
    """Return what happens at a step for a call to go this way; empty where nothing could be otherwise."""
    step = flow.steps[name]
    question = question_of(step)
    if way.exit.startswith("key "):
        return f"press {way.exit.removeprefix('key ')}"
    if question is not None and way.exit in ("no_input", "no_match"):
        retry = question.no_input if way.exit == "no_input" else question.no_match
        what = "says nothing" if way.exit == "no_input" else "presses wrong keys"
        return f"{what} {_times(retry.retries + 1)}".rstrip()
    if isinstance(step, VerifyByCode):
        return f"{name}: {way.exit}"
    match question or step:
        case Menu():
            return f"press {way.exit}"
        case Gather() as asked:
            return f"types {_typed(asked)}"
        case When():
            return f"{name}: {'if ' if way.exit != 'else' else ''}{way.exit}"
        case Split():
            return f"{name}: {way.exit}"
    if verb_of(step) in QUIET or (verb_of(step) in AT_ONCE and verb_of(step) != "hours"):
        return ""
    return f"{name}: {way.exit}"


def _times(count: int) -> str:
    return {1: "", 2: "twice"}.get(count, f"{count} times")


def _typed(question: Gather) -> str:
    shortest, longest = question.length
    keys = "123456789012345678901234567890123456789012345678901234567890123456"[:shortest]
    return keys + (question.finish if shortest < longest else "")
