"""What of a flow is secret: the digits that a `gather` with `secret: yes` takes, and one-time codes.

Rule 1: keys may be pressed before the question is over, or even begun: whoever knows it types while the words before it
are spoken. So a step that may lead to a secret question without asking another takes secret keys too, and so does a
question that is not interruptible: what is typed over it may be meant for the next.

Rule 2: in doubt a key is secret. What that costs is a `•` in a journal.

Rule 3: a call goes from flow to flow, and so do its keys: steps are named by their places (`FlowState.place`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from ivr_flows.flow import (
    Conference,
    Dial,
    Flow,
    Gather,
    HangUp,
    Menu,
    Queue,
    Reject,
    Step,
    Voicemail,
    question_of,
)
from ivr_flows.graph import places, ways_of_failures, ways_on


class Secrecy(msgspec.Struct, frozen=True):
    """By names: the variables that nobody is to see; the places in which a key may be secret; and the places in which
    nobody is to hear a key: those, and the questions that lead to them, since the next key comes soon."""

    variables: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    guarded: frozenset[str] = frozenset()


NOTHING_SECRET: Final = Secrecy()


def secrecy_of(flow: Flow) -> Secrecy:
    """Return what is secret in a flow, and in those that it may come to."""
    every = places(flow)
    variables = frozenset(name for part in (flow, *flow.flows.values()) for name in secret_variables(part.steps))
    steps = {place for place, step in every.items() if _is_secret(step)}
    if not steps:
        return NOTHING_SECRET
    failing = ways_of_failures(flow)
    ways = {place: following | failing[place] for place, following in ways_on(flow).items()}
    while True:
        leading = {place for place, step in every.items() if _keeps_keys(step) and not steps.isdisjoint(ways[place])}
        if leading <= steps:
            break
        steps |= leading
    questions = {
        place for place, step in every.items() if isinstance(step, Menu | Gather) and not steps.isdisjoint(ways[place])
    }
    return Secrecy(variables, frozenset(steps), frozenset(steps | questions))


def secret_variables(steps: Mapping[str, Step]) -> Iterator[str]:
    """Yield the variables that secret digits are gathered into."""
    yield from (step.into for step in steps.values() if isinstance(step, Gather) and step.secret)


def _is_secret(step: Step) -> bool:
    question = question_of(step)
    return isinstance(question, Gather) and question.secret


def _keeps_keys(step: Step) -> bool:
    """Whether what is typed here, or before, may be taken by a later step. After a wait or a talk nothing is."""
    if isinstance(step, Menu | Gather):
        return not step.interruptible
    return not isinstance(step, Queue | Dial | Conference | Voicemail | HangUp | Reject)
