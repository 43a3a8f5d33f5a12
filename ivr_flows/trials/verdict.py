"""What came of a call against what was expected of it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from ivr_flows.flow import Held
from ivr_flows.trials.conduct import normalised
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Disappointment, Played
from ivr_flows.trials.playing import play
from ivr_flows.trials.scenario import GAP, Expected, ExpectedKind, Scenario

Instead = tuple[str, ...] | None


class Verdict(msgspec.Struct, frozen=True):
    """A scenario, its call, and every line of it that did not come true."""

    scenario: Scenario
    played: Played
    disappointments: tuple[Disappointment, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything came true."""
        return not self.disappointments


def judge(marked: Marked, scenario: Scenario) -> Verdict:
    """Play a scenario and say what came of it. Where a deed fails, what is expected after it is not looked at."""
    return compared(marked, scenario, play(marked, scenario))


def compared(marked: Marked, scenario: Scenario, played: Played) -> Verdict:
    """Say what came of a call that was played, in whatever way."""
    if played.disappointment is not None:
        return Verdict(scenario, played, (played.disappointment,))
    return Verdict(scenario, played, tuple(compare(scenario.expected, played, marked.flow.name)))


def compare(expected: Sequence[Expected], played: Played, flow: str) -> list[Disappointment]:
    """Return what is expected of a call of a flow and is not so."""
    found = []
    for each in expected:
        instead = INSTEAD[each.kind](each, played, flow)
        if instead is not None:
            values = ", ".join(f"{name}: {_plain(value)}" for name, value in each.values.items())
            found.append(Disappointment(each.line, f"{each.kind}: {values or _list(each.texts)}", instead))
    return found


def _steps(expected: Expected, played: Played, _: str) -> Instead:
    return None if fits(expected.texts, played.steps) else (_list(played.steps),)


def _variables(expected: Expected, played: Played, _: str) -> Instead:
    wrong = [name for name, value in expected.values.items() if not _same(value, played.variables.get(name))]
    return tuple(f"{name}: {_plain(played.variables.get(name))}" for name in wrong) or None


def _exit(expected: Expected, played: Played, flow: str) -> Instead:
    written = [exit_.written(flow) for exit_ in played.exits]
    taken = {*written, *(exit_.name for exit_ in played.exits), played.left}
    return None if taken.issuperset(expected.texts) else (_list(written),)


def _equal(of: Callable[[Played], tuple[str, ...]]) -> Callable[[Expected, Played, str], Instead]:
    def equal(expected: Expected, played: Played, _: str) -> Instead:
        return None if expected.texts == of(played) else (_list(of(played)),)

    return equal


def _told(of: Callable[[Played], Sequence[str]]) -> Callable[[Expected, Played, str], Instead]:
    """One thing told for each that is expected, in order, and nothing else."""

    def as_told(expected: Expected, played: Played, _: str) -> Instead:
        told = of(played)
        fit = len(told) == len(expected.texts) and all(map(_contains, told, expected.texts))
        return None if fit else tuple(told) or ("nothing",)

    return as_told


def _sent(played: Played) -> Sequence[str]:
    return [f"{message.channel}: {message.subject} {message.text}" for message in played.messages]


def _hears(expected: Expected, played: Played, _: str) -> Instead:
    is_missing = any(not any(_contains(words, text) for words in played.heard) for text in expected.texts)
    return played.heard if is_missing else None


def _hears_not(expected: Expected, played: Played, _: str) -> Instead:
    return tuple(words for words in played.heard if any(_contains(words, text) for text in expected.texts)) or None


INSTEAD: Final[Mapping[ExpectedKind, Callable[[Expected, Played, str], Instead]]] = {
    "steps": _steps,
    "variables": _variables,
    "exit": _exit,
    "queue": _equal(lambda played: played.queues),
    "case": _equal(lambda played: (played.case,) if played.case else ()),
    "language": _equal(lambda played: (played.language,)),
    "ends": _equal(lambda played: (played.ended,)),
    "scored": _equal(lambda played: tuple(map(str, played.scores))),
    "notified": _told(_sent),
    "noted": _told(lambda played: played.notes),
    "hears": _hears,
    "hears_not": _hears_not,
}
"""For each thing that may be expected, what there was instead; None where it is so."""


def fits(pattern: Sequence[str], steps: Sequence[str]) -> bool:
    """Tell whether a way is as written; `...` stands for any steps or none."""
    at, gap, resumed = 0, -1, 0
    done = 0
    while done < len(steps):
        if at < len(pattern) and pattern[at] == GAP:
            gap, resumed = at, done
            at += 1
        elif at < len(pattern) and pattern[at] == steps[done]:
            at, done = at + 1, done + 1
        elif gap >= 0:  # the gap takes one step more
            at, resumed = gap + 1, resumed + 1
            done = resumed
        else:
            return False
    return all(part == GAP for part in pattern[at:])


def _contains(words: str, text: str) -> bool:
    return normalised(text) in normalised(words)


def _same(expected: Held, found: Held) -> bool:
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(_same(value, found.get(name)) for name, value in expected.items())
    if isinstance(expected, bool) or isinstance(found, bool) or expected is None or found is None:
        return expected is found
    return expected == found or str(expected) == _plain(found)


def _plain(value: Held) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_plain(inner)}' for name, inner in value.items())}}}"
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _list(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
