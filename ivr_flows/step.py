"""A call's walk through a flow: (state, input) to (state', actions). Pure; `now` comes in.

Rule 1: what may happen in which phase is the table `MOVES`. An input that is not in it is late or stale (a prompt that
was replaced, a key after the end) and changes nothing.

Rule 2: nothing raises. An expression that fails is written into `FlowState.failures` and the call goes to the flow's
`failed` step, or to the `failed` exit of the step that called the flow; where that fails too, or there is none, the
caller hears an apology and the call ends.

Rule 3: a step that waits for nothing is walked through at once, at most `MAX_STEPS_AT_ONCE` of them, and
`MAX_STEPS` in a call, so that no flow can spin.

Rule 4: keys wait in `FlowState.keys` until a question takes them, across steps and flows. A wrong answer throws the
rest away, since they answered another question; a queue does too, since keys pressed out of boredom answer nothing, and
so do a talk and a message.

Rule 5: what a caller hears in a queue is a flow of its own, `FlowState.waiting`, which takes the inputs while the call
is queued. It ends with the queue, or ends the queue by an exit.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ivr_flows import codes, entering, questions, requesting
from ivr_flows.facts import Facts, QueueFacts, WaitingFacts
from ivr_flows.flow import (
    END,
    Answer,
    Flow,
    Http,
    Play,
    Queue,
    Reject,
    Request,
    Ring,
    Say,
    VerifyByCode,
    Voicemail,
    Wait,
    question_of,
)
from ivr_flows.state import (
    Answered,
    Ask,
    CallTaken,
    ChangeLanguage,
    ControlRecording,
    EndCall,
    EnterQueue,
    Failure,
    FinishMessage,
    FlowAction,
    FlowInput,
    FlowState,
    KeepScore,
    KeyPressed,
    LeaveQueue,
    Phase,
    PlayPrompts,
    PromptsFinished,
    QueueEntered,
    QueueLeft,
    RejectCall,
    RingCaller,
    SetHold,
    SetWhisper,
    SpeechHeard,
    StopPrompts,
    TakeCall,
    VoiceHeard,
    WriteNote,
)
from ivr_flows.walk import Following, Walk, initial
from telephony.events import TimePassed
from telephony.requests import Values

__all__ = [
    "Answered",
    "Ask",
    "CallTaken",
    "ChangeLanguage",
    "ControlRecording",
    "EndCall",
    "EnterQueue",
    "Facts",
    "Failure",
    "FinishMessage",
    "FlowAction",
    "FlowInput",
    "FlowState",
    "KeepScore",
    "KeyPressed",
    "LeaveQueue",
    "PlayPrompts",
    "PromptsFinished",
    "QueueEntered",
    "QueueFacts",
    "QueueLeft",
    "RejectCall",
    "RingCaller",
    "SetHold",
    "SetWhisper",
    "SpeechHeard",
    "StopPrompts",
    "TakeCall",
    "TimePassed",
    "VoiceHeard",
    "WaitingFacts",
    "WriteNote",
    "answers_itself",
    "expected_speech",
    "hearing_language",
    "start",
    "step",
]


def answers_itself(flow: Flow) -> bool:
    """Whether a flow decides when its call is answered, and if at all; else it is answered before the flow begins."""
    return any(isinstance(step, Answer | Ring | Reject) for step in flow.steps.values())


def hearing_language(flow: Flow, state: FlowState) -> str:
    """Return the language in which the call may answer by voice now; empty where nobody listens for that."""
    inner = state.heard
    return inner.language if expected_speech(flow, state) is not None else ""


def expected_speech(flow: Flow, state: FlowState) -> tuple[str, ...] | None:
    """Return what the caller may say now; empty for anything, None where nobody listens."""
    inner = state.heard
    if inner.phase not in ("asking", "listening"):
        return None
    part = flow.part(inner.flow)
    question = question_of(part.steps[inner.step])
    return None if question is None else questions.expected(part, question, inner)


def start(flow: Flow, facts: Facts, now: float) -> tuple[FlowState, tuple[FlowAction, ...]]:
    """Begin a flow: in the caller's language where it has that, else in its first."""
    state = FlowState(
        step=flow.start,
        language=_language(flow, facts.caller.language),
        variables=initial(flow),
        taken=not answers_itself(flow),
    )
    walk = Walk(flow, facts, state, now)
    walk.follow(lambda: flow.start, lambda: entering.enter(walk))
    return walk.state, tuple(walk.actions)


def step(
    flow: Flow,
    state: FlowState,
    facts: Facts,
    happened: FlowInput,
    now: float,
) -> tuple[FlowState, tuple[FlowAction, ...]]:
    """Go on from a state. An input that is not due changes nothing."""
    if state.waiting is not None and not isinstance(happened, QueueLeft):
        return _step_waiting(flow, state, facts, happened, now)
    move = MOVES.get((state.phase, type(happened)))
    if move is None:
        return state, ()
    walk = Walk(flow, facts, state, now)
    walk.follow(lambda: move(walk, happened), lambda: entering.enter(walk))
    return walk.state, tuple(walk.actions)


def _language(flow: Flow, wanted: str) -> str:
    for language in (wanted, wanted.partition("-")[0]):
        if language in flow.languages:
            return language
    return flow.languages[0]


# ---------------------------------------------------------------------------------------------- while in a queue


def _queue_entered(walk: Walk, _: FlowInput) -> Following:
    """Begin the flow that is heard in the queue, where there is one."""
    here = walk.here
    if not isinstance(here, Queue) or not here.wait_flow or walk.state.waiting is not None:
        return None
    return _after_waiting(walk, entering.start_waiting(walk, here))


def _step_waiting(
    flow: Flow, state: FlowState, facts: Facts, happened: FlowInput, now: float
) -> tuple[FlowState, tuple[FlowAction, ...]]:
    inner_state = state.waiting
    move = None if inner_state is None else MOVES.get((inner_state.phase, type(happened)))
    if move is None or inner_state is None:
        return state, ()
    inner = Walk(flow, facts, inner_state, now, is_waiting=True)
    inner.follow(lambda: move(inner, happened), lambda: entering.enter(inner))
    walk = Walk(flow, facts, state, now)
    walk.follow(lambda: _after_waiting(walk, inner), lambda: entering.enter(walk))
    return walk.state, tuple(walk.actions)


def _after_waiting(walk: Walk, inner: Walk) -> Following:
    """Take over what the flow in the queue has come to: it goes on, has ended the call, or leads out of the queue."""
    walk.actions += inner.actions
    _join(walk, inner.state)
    if inner.state.left:
        here = walk.here
        walk.actions.append(LeaveQueue())
        walk.change(waiting=None, keys=inner.state.keys)
        return here.exits.get(inner.state.left) if isinstance(here, Queue) else None
    if inner.state.ended and inner.actions and isinstance(inner.actions[-1], EndCall):
        walk.change(waiting=None, phase="ended", deadline=None, reason=inner.state.reason, ended=True)
    return None


def _join(walk: Walk, inner: FlowState) -> None:
    """Keep with the call what its flow in the queue has counted, said and failed in."""
    state, before = walk.state, walk.state.waiting
    paths, failures = (len(before.path), len(before.failures)) if before is not None else (0, 0)
    walk.change(
        waiting=inner,
        language=inner.language,
        playbacks=inner.playbacks,
        requests=inner.requests,
        case=inner.case,
        path=(*state.path, *inner.path[paths:]),
        failures=(*state.failures, *inner.failures[failures:]),
        told={**state.told, **inner.told},
        reused=tuple(dict.fromkeys((*state.reused, *inner.reused))),
        asked_again=tuple(dict.fromkeys((*state.asked_again, *inner.asked_again))),
    )


def _queue_left(walk: Walk, left: FlowInput) -> Following:
    here, waiting = walk.here, walk.state.waiting
    if not isinstance(left, QueueLeft) or not isinstance(here, Queue):
        return None
    if waiting is not None:
        walk.change(waiting=None)
        if waiting.playing is not None and left.outcome != "answered":
            walk.actions.append(StopPrompts(waiting.playing))
    following = {"answered": here.answered, "full": here.full, "closed": here.closed, "timeout": here.timeout}[
        left.outcome
    ]
    return walk.end((), "talk_over") if following == END else following


# ------------------------------------------------------------------------------------------------------- the moves


def _call_taken(walk: Walk, _: FlowInput) -> Following:
    walk.change(taken=True, phase="walking")
    return entering.enter(walk)


def _key_while_speaking(walk: Walk, pressed: FlowInput) -> Following:
    here = walk.here
    if not isinstance(pressed, KeyPressed) or not walk.press(pressed.digit):
        return None
    if isinstance(here, Voicemail):
        return requesting.ask_world(walk, here)
    if not isinstance(here, Say | Play) or not here.interruptible:
        return None
    if isinstance(here, Play) and here.for_s:
        walk.stop_playing()
    # The media worker has stopped an interruptible prompt already; its end is stale from here on.
    return here.next


def _key_while_asking(walk: Walk, pressed: FlowInput) -> Following:
    here, playback = questions.question_of(walk), walk.state.playing
    if not isinstance(pressed, KeyPressed) or here is None or not walk.press(pressed.digit):
        return None
    if not here.interruptible:
        return None
    following = questions.take(walk, here)
    if following is None and walk.state.phase == "listening" and playback is not None:
        # A key that the media worker did not hear itself (SIP INFO) left the question playing.
        walk.actions.append(StopPrompts(playback))
    return following


def _key_while_listening(walk: Walk, pressed: FlowInput) -> Following:
    here = questions.question_of(walk)
    if isinstance(pressed, KeyPressed) and here is not None and walk.press(pressed.digit):
        return questions.take(walk, here)
    return None


def _key_kept(walk: Walk, pressed: FlowInput) -> Following:
    """Keep a key for the next question; one that finishes a message does so."""
    here = walk.here
    if isinstance(pressed, KeyPressed) and isinstance(here, Voicemail):
        if pressed.digit == here.finish:
            walk.actions.append(FinishMessage(walk.state.requests))
    elif isinstance(pressed, KeyPressed):
        walk.press(pressed.digit)
    return None


def _speech(walk: Walk, heard: FlowInput) -> Following:
    here = questions.question_of(walk)
    if not isinstance(heard, SpeechHeard) or here is None:
        return None
    if questions.expected(walk.flow, here, walk.state) is None:
        return None
    if walk.state.phase == "asking":
        if not here.interruptible:
            walk.change(talking=False)
            return None
        walk.stop_playing()
    return questions.hear(walk, here, heard.text, heard.confidence)


def _voice(walk: Walk, heard: FlowInput) -> Following:
    here = questions.question_of(walk)
    if not isinstance(heard, VoiceHeard) or here is None:
        return None
    return questions.voice(walk, here, began=heard.began)


def _prompts_over(walk: Walk, finished: FlowInput) -> Following:
    if not isinstance(finished, PromptsFinished) or finished.playback != walk.state.playing:
        return None
    return _after_prompts(walk)


def _after_prompts(walk: Walk) -> Following:
    if walk.state.phase == "ending":
        return walk.hang_up()
    question = questions.question_of(walk)
    if question is not None:
        return questions.listen(walk, question)
    here = walk.here
    if isinstance(here, Voicemail):
        return requesting.ask_world(walk, here)
    return here.next if isinstance(here, Say | Play) else None


def _time_while_playing(walk: Walk, _: FlowInput) -> Following:
    if not _due(walk):
        return None
    if walk.state.phase == "speaking":
        walk.stop_playing()
    return _after_prompts(walk)


def _time_while_listening(walk: Walk, _: FlowInput) -> Following:
    here = questions.question_of(walk)
    return questions.time_is_up(walk, here) if _due(walk) and here is not None else None


def _time_while_pausing(walk: Walk, _: FlowInput) -> Following:
    here = walk.here
    return here.next if _due(walk) and isinstance(here, Wait | Ring) else None


def _time_while_requesting(walk: Walk, _: FlowInput) -> Following:
    here = walk.here
    if not _due(walk) or not isinstance(here, Request):
        return None
    walk.note("no answer came")
    return _answered(walk, here, "timed_out" if isinstance(here, Http) else "failed", {})


def _answer(walk: Walk, answer: FlowInput) -> Following:
    here = walk.here
    if not isinstance(answer, Answered) or answer.number != walk.state.requests or not isinstance(here, Request):
        return None
    following = _answered(walk, here, answer.outcome, answer.values)
    return walk.end((), "talk_over") if following == END else following


def _answered(walk: Walk, here: Request, outcome: str, values: Values) -> Following:
    if isinstance(here, VerifyByCode):
        return codes.answered(walk, here, outcome)
    return requesting.answered(walk, here, outcome, values)


def _due(walk: Walk) -> bool:
    return walk.state.deadline is not None and walk.now >= walk.state.deadline


MOVES: Final[Mapping[tuple[Phase, type[FlowInput]], Callable[[Walk, FlowInput], Following]]] = {
    ("answering", CallTaken): _call_taken,
    ("answering", KeyPressed): _key_kept,
    ("speaking", KeyPressed): _key_while_speaking,
    ("speaking", PromptsFinished): _prompts_over,
    ("speaking", TimePassed): _time_while_playing,
    ("asking", KeyPressed): _key_while_asking,
    ("asking", PromptsFinished): _prompts_over,
    ("asking", SpeechHeard): _speech,
    ("asking", VoiceHeard): _voice,
    ("asking", TimePassed): _time_while_playing,
    ("listening", KeyPressed): _key_while_listening,
    ("listening", SpeechHeard): _speech,
    ("listening", VoiceHeard): _voice,
    ("listening", TimePassed): _time_while_listening,
    ("pausing", KeyPressed): _key_kept,
    ("pausing", TimePassed): _time_while_pausing,
    ("requesting", Answered): _answer,
    ("requesting", KeyPressed): _key_kept,
    ("requesting", TimePassed): _time_while_requesting,
    ("queued", QueueEntered): _queue_entered,
    ("queued", QueueLeft): _queue_left,
    ("ending", PromptsFinished): _prompts_over,
    ("ending", TimePassed): _time_while_playing,
}
