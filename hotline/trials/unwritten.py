"""What happens in a call and stands not in its journal: silence, what became of queues, of calls and of messages.

Where the journal shows a step or a prompt that the flow's walker beside it (`Shadow`) has not come to, the walker is
given what must have happened. Where several things may have, it is what the scenario makes likely. Pure.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hotline.trials.shadow import NOT_REACHED, Shadow
from ivr_flows.state import Answered, FlowInput, FlowState, QueueEntered, QueueLeft, QueueOutcome
from ivr_flows.step import step
from ivr_flows.trials.played import AWAY
from ivr_flows.trials.world import visit_of
from telephony.events import TimePassed

OUTCOMES: Final[tuple[QueueOutcome, ...]] = ("answered", "timeout", "full", "closed")
AT_ONCE_S: Final = 0.5
MOST: Final = 50
"""So much may happen between two lines that the journal does not have."""
LOST: Final = "from step '{}' the call went a way that the flow does not have"

Reached = Callable[[FlowState], bool]


def catch_up(shadow: Shadow, reached: Reached) -> str:
    """Let happen what must have happened, until the flow is where the journal has it; return why that cannot be, empty
    where it can."""
    for _ in range(MOST):
        if reached(shadow.state):
            return ""
        if not _happen(shadow, reached):
            return LOST.format(shadow.inner.place)
    return ""


def _happen(shadow: Shadow, reached: Reached) -> bool:
    """Let the first thing happen that leads on, and to nothing that the journal does not have."""
    later = None
    for happened in _possible(shadow):
        now = max(shadow.now, shadow.state.due or 0.0) if isinstance(happened, TimePassed) else shadow.now
        state, actions = step(shadow.marked.flow, shadow.state, shadow.facts, happened, now)
        if state is shadow.state or (state == shadow.state and not actions) or not _fits(shadow, state):
            continue
        if reached(state):
            _let(shadow, happened, now)
            return True
        later = later or (happened, now)
    if later is not None:
        _let(shadow, *later)
    return later is not None


def _possible(shadow: Shadow) -> Iterator[FlowInput]:
    state = shadow.state
    if shadow.came and shadow.came != AWAY:
        likely = (shadow.came, *sorted(NOT_REACHED.get(shadow.kind, ())))
        yield from (Answered(shadow.asked, outcome) for outcome in dict.fromkeys(likely))
    if state.phase == "queued":
        if state.waiting is None:
            yield QueueEntered()
        else:
            yield TimePassed()
        yield from map(QueueLeft, _outcomes(shadow))
    else:
        yield TimePassed()


def _outcomes(shadow: Shadow) -> Iterator[QueueOutcome]:
    """Yield what may have come of the queue, the likeliest first: several outcomes may lead to the same step. One that
    is full or closed is so at once, and time runs out only when it has passed."""
    waited_s = shadow.now - shadow.queued_at
    possible: tuple[QueueOutcome, ...] = ("full", "closed") if waited_s < AT_ONCE_S else ("timeout",)
    if shadow.talking:
        possible = ("answered",)
    expected = visit_of(shadow.scenario.world, shadow.told.queues).outcome
    yield from dict.fromkeys((*(each for each in possible if each == expected), *possible, *OUTCOMES))


def _let(shadow: Shadow, happened: FlowInput, now: float) -> None:
    shadow.now = now
    match happened:
        case TimePassed():
            shadow.time_out()
        case QueueLeft(outcome=outcome):
            shadow.talking = False
            shadow.leave_queue(outcome)
        case Answered(outcome=outcome):
            shadow.came = ""
            shadow.done.append(shadow.kind)
            shadow.note("answer", outcome)
            shadow.give(happened, outcome)
        case _:
            shadow.give(happened)


def _fits(shadow: Shadow, state: FlowState) -> bool:
    """Whether a way is the journal's as far as that goes; it tells the steps of one walk one by one."""
    common = min(len(state.path), len(shadow.known))
    return list(state.path[:common]) == shadow.known[:common]
