"""Which exits of a flow the calls of its scenarios took. Pure.

What counts are the exits of every step that can be reached, each once, whoever took it and however often. How often a
question was put again is not counted: it is the same exit's `retries`.
"""

from collections.abc import Iterable

import msgspec

from ivr_flows.trials.marks import Exit, Marked


class Coverage(msgspec.Struct, frozen=True):
    """`taken` of `all` exits; both in the order of the file."""

    all: tuple[Exit, ...] = ()
    taken: tuple[Exit, ...] = ()

    @property
    def missed(self) -> tuple[Exit, ...]:
        """The exits that no call took."""
        found = set(self.taken)
        return tuple(exit_ for exit_ in self.all if exit_ not in found)

    @property
    def percent(self) -> float:
        """The share of exits taken; 100 of none."""
        return 100.0 * len(self.taken) / len(self.all) if self.all else 100.0


def coverage(marked: Marked, taken: Iterable[Exit]) -> Coverage:
    """Return what of a flow itself, without those that it may come to, is covered by calls that took these exits."""
    found = set(taken)
    own = tuple(exit_ for exit_ in marked.exits if exit_.flow == marked.flow.name)
    return Coverage(own, tuple(exit_ for exit_ in own if exit_ in found))
