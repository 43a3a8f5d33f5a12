"""A call's walk through a flow: (state, input) to (state', actions). Pure; `now` comes in.

Rule 1: what may happen in which phase is the table `MOVES`. An input that is not in it is late or stale (a prompt that
was replaced, a key after the end) and changes nothing.

Rule 2: nothing raises. An expression that fails is written into `FlowState.failures` and the call goes to the flow's
`failed` step; where that fails too, or there is none, the caller hears an apology and the call ends.

Rule 3: a step that waits for nothing is walked through at once, at most `MAX_STEPS_AT_ONCE` of them, and
`MAX_STEPS` in a call, so that no flow can spin.

Rule 4: keys wait in `FlowState.keys` until a question takes them, across steps. A wrong answer throws the rest away,
since they answered another question; a queue does too, since keys pressed out of boredom answer nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ivr_flows.facts import Facts, QueueFacts
from ivr_flows.flow import END, Flow, Gather, Menu, Play, Queue, Say
from ivr_flows.state import (
    ChangeLanguage,
    EndCall,
    EnterQueue,
    Failure,
    FlowAction,
    FlowInput,
    FlowState,
    KeyPressed,
    Phase,
    PlayPrompts,
    PromptsFinished,
    QueueLeft,
    SendMessage,
    StopPrompts,
)
from ivr_flows.walk import Following, Walk
from telephony.events import TimePassed

__all__ = [
    "ChangeLanguage",
    "EndCall",
    "EnterQueue",
    "Facts",
    "Failure",
    "FlowAction",
    "FlowInput",
    "FlowState",
    "KeyPressed",
    "PlayPrompts",
    "PromptsFinished",
    "QueueFacts",
    "QueueLeft",
    "SendMessage",
    "StopPrompts",
    "TimePassed",
    "start",
    "step",
]


def start(flow: Flow, facts: Facts, now: float) -> tuple[FlowState, tuple[FlowAction, ...]]:
    """Begin a flow: in the caller's language where it has that, else in its first."""
    variables = {name: variable.initial for name, variable in flow.variables.items() if variable.initial is not None}
    state = FlowState(step=flow.start, language=_language(flow, facts.caller.language), variables=variables)
    walk = Walk(flow, facts, state, now)
    walk.follow(lambda: flow.start)
    return walk.state, tuple(walk.actions)


def step(
    flow: Flow,
    state: FlowState,
    facts: Facts,
    happened: FlowInput,
    now: float,
) -> tuple[FlowState, tuple[FlowAction, ...]]:
    """Go on from a state. An input that is not due changes nothing."""
    move = MOVES.get((state.phase, type(happened)))
    if move is None:
        return state, ()
    walk = Walk(flow, facts, state, now)
    walk.follow(lambda: move(walk, happened))
    return walk.state, tuple(walk.actions)


def _language(flow: Flow, wanted: str) -> str:
    for language in (wanted, wanted.partition("-")[0]):
        if language in flow.languages:
            return language
    return flow.languages[0]


def _key_while_speaking(walk: Walk, pressed: FlowInput) -> Following:
    here = walk.here
    if isinstance(pressed, KeyPressed) and isinstance(here, Say | Play) and walk.press(pressed.digit):
        # The media worker has stopped an interruptible prompt already; its end is stale from here on.
        return here.next if here.interruptible else None
    return None


def _key_while_asking(walk: Walk, pressed: FlowInput) -> Following:
    here, playback = walk.here, walk.state.playing
    if not isinstance(pressed, KeyPressed) or not isinstance(here, Menu | Gather) or not walk.press(pressed.digit):
        return None
    if not here.interruptible:
        return None
    following = walk.take(here)
    if following is None and walk.state.phase == "listening" and playback is not None:
        # A key that the media worker did not hear itself (SIP INFO) left the question playing.
        walk.actions.append(StopPrompts(playback))
    return following


def _key_while_listening(walk: Walk, pressed: FlowInput) -> Following:
    here = walk.here
    if isinstance(pressed, KeyPressed) and isinstance(here, Menu | Gather) and walk.press(pressed.digit):
        return walk.take(here)
    return None


def _prompts_over(walk: Walk, finished: FlowInput) -> Following:
    if not isinstance(finished, PromptsFinished) or finished.playback != walk.state.playing:
        return None
    return _after_prompts(walk)


def _after_prompts(walk: Walk) -> Following:
    here = walk.here
    if walk.state.phase == "ending":
        return walk.hang_up()
    if isinstance(here, Menu | Gather):
        return walk.listen(here)
    return here.next if isinstance(here, Say | Play) else None


def _time_while_playing(walk: Walk, _: FlowInput) -> Following:
    return _after_prompts(walk) if _due(walk) else None


def _time_while_listening(walk: Walk, _: FlowInput) -> Following:
    here = walk.here
    if not _due(walk) or not isinstance(here, Menu | Gather):
        return None
    if isinstance(here, Gather) and walk.state.collected:
        return walk.accept(here) if len(walk.state.collected) >= here.length[0] else walk.no_match(here)
    return walk.no_input(here)


def _due(walk: Walk) -> bool:
    return walk.state.deadline is not None and walk.now >= walk.state.deadline


def _queue_left(walk: Walk, left: FlowInput) -> Following:
    here = walk.here
    if not isinstance(left, QueueLeft) or not isinstance(here, Queue):
        return None
    following = {"answered": here.answered, "full": here.full, "closed": here.closed, "timeout": here.timeout}[
        left.outcome
    ]
    return walk.end((), "talk_over") if following == END else following


MOVES: Final[Mapping[tuple[Phase, type[FlowInput]], Callable[[Walk, FlowInput], Following]]] = {
    ("speaking", KeyPressed): _key_while_speaking,
    ("speaking", PromptsFinished): _prompts_over,
    ("speaking", TimePassed): _time_while_playing,
    ("asking", KeyPressed): _key_while_asking,
    ("asking", PromptsFinished): _prompts_over,
    ("asking", TimePassed): _time_while_playing,
    ("listening", KeyPressed): _key_while_listening,
    ("listening", TimePassed): _time_while_listening,
    ("queued", QueueLeft): _queue_left,
    ("ending", PromptsFinished): _prompts_over,
    ("ending", TimePassed): _time_while_playing,
}
