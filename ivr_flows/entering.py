"""What each kind of step does when a call comes to it: the table `ENTER`. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from ivr_flows import questions, requesting
from ivr_flows.expression import ExpressionError, evaluate, holds
from ivr_flows.facts import QueueFacts
from ivr_flows.flow import (
    MAX_VALUE_CHARS,
    MOST_NUMBER,
    Answer,
    Assign,
    Callback,
    Case,
    ChooseLanguage,
    Conference,
    Dial,
    Gather,
    HangUp,
    Held,
    Hold,
    Hours,
    Http,
    Lookup,
    Menu,
    Notify,
    Play,
    Queue,
    ReadQueue,
    Record,
    Reject,
    Return,
    Ring,
    Say,
    Split,
    Step,
    Subflow,
    Survey,
    TakeNote,
    Transfer,
    Verify,
    VerifyByCode,
    Voicemail,
    Wait,
    When,
    Whisper,
)
from ivr_flows.state import (
    ChangeLanguage,
    ControlRecording,
    EnterQueue,
    FlowState,
    RejectCall,
    RingCaller,
    SetHold,
    SetWhisper,
    TakeCall,
    WriteNote,
)
from ivr_flows.walk import PROMPT_LIMIT_S, Following, Walk, initial

PERCENT: Final = 100
UNTAKEN: Final = (
    Answer, Ring, Reject, When, Assign, ChooseLanguage, Hours, ReadQueue, Split, TakeNote, Wait, Lookup, Http, Case,
    Notify, Subflow, Return,
)  # fmt: skip
"""What can be done before a call is taken. Whatever else a flow does takes it first."""


def enter(walk: Walk) -> Following:
    """Do what the step does that the call has come to, and say where that leads."""
    here = walk.here
    if not walk.state.taken and (not isinstance(here, UNTAKEN) or isinstance(here, Answer)):
        return take_call(walk)
    if isinstance(here, Transfer) and not here.flow and not walk.is_waiting:
        return requesting.request(walk, here)
    return ENTER[type(here)](walk, here)


def take_call(walk: Walk) -> Following:
    """Have the call answered, and do the step then."""
    walk.actions.append(TakeCall())
    return walk.wait("answering", None)


def start_waiting(walk: Walk, here: Queue) -> Walk:
    """Begin the flow that is heard in a queue, as a part of the call's state."""
    waiting = walk.root.part(here.wait_flow)
    state = FlowState(
        step=waiting.start, language=walk.state.language, flow=here.wait_flow, variables=initial(waiting),
        playbacks=walk.state.playbacks, requests=walk.state.requests, case=walk.state.case,
    )  # fmt: skip
    inner = Walk(walk.root, walk.facts, state, walk.now, is_waiting=True)
    inner.follow(lambda: waiting.start, lambda: enter(inner))
    return inner


# ------------------------------------------------------------------------------------------ speaking and asking


def _speak(walk: Walk, here: Say | Play) -> Following:
    prompts = walk.prompts(here.prompt)
    if not prompts or (here.interruptible and walk.state.keys):
        return here.next
    loops = isinstance(here, Play) and here.for_s > 0
    limit_s = here.for_s if isinstance(here, Play) and loops else PROMPT_LIMIT_S
    return walk.play(prompts, here.interruptible, "speaking", here.by_voice, loops, limit_s)


def _menu(walk: Walk, here: Menu) -> Following:
    return questions.ask(walk, here, ())


def _survey(walk: Walk, here: Survey) -> Following:
    return questions.ask(walk, here.question, ())


def _hang_up(walk: Walk, here: HangUp) -> Following:
    return walk.end(walk.prompts(here.prompt), here.reason)


# ------------------------------------------------------------------------------------------------ ways and values


def _when(walk: Walk, here: When) -> Following:
    scope = walk.scope()
    return next((branch.next for branch in here.branches if holds(branch.condition, scope)), here.otherwise)


def _assign(walk: Walk, here: Assign) -> Following:
    for name, source in here.values.items():
        walk.hold(name, _value(walk, f"set {name}", source))
    return here.next


def _value(walk: Walk, what: str, source: str) -> Held:
    value = evaluate(source, walk.scope())
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str | int | float | bool | None):
        raise ExpressionError(f"{what}: a variable holds text, a number or a flag, not {type(value).__name__}")
    if isinstance(value, str):
        return str(value)[:MAX_VALUE_CHARS]
    if isinstance(value, bool | None) or -MOST_NUMBER <= value <= MOST_NUMBER:
        return value
    # So that no flow reckons up to what takes long to reckon with.
    return MOST_NUMBER if value > 0 else -MOST_NUMBER


def _language(walk: Walk, here: ChooseLanguage) -> Following:
    if here.to != walk.state.language:
        walk.change(language=here.to)
        walk.actions.append(ChangeLanguage(here.to))
    return here.next


def _hours(walk: Walk, here: Hours) -> Following:
    state = walk.facts.hours.get(here.of)
    if state is None:
        raise ExpressionError(f'hours("{here.of}"): there are no such opening hours')
    return here.exits[state]


def _read_queue(walk: Walk, here: ReadQueue) -> Following:
    if here.of not in walk.facts.queues:
        raise ExpressionError(f'queue("{here.of}"): there is no such queue')
    facts: QueueFacts = walk.facts.queues[here.of]
    known = {"open": facts.open, "waiting": facts.waiting, "estimated_wait": round(facts.estimated_wait_s)}
    walk.hold(here.into, known)
    return here.next


def _split(walk: Walk, here: Split) -> Following:
    """Choose by who calls, so that they always go the same way; by the call, where nobody knows who."""
    who = walk.facts.ani or walk.facts.caller.customer or walk.facts.call
    digest = hashlib.sha256(f"{walk.flow.name}\0{walk.state.step}\0{who}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "big") * PERCENT // 2**64
    passed = 0
    for name, share in here.shares.items():
        passed += share
        if drawn < passed:
            return here.exits[name]
    return here.exits[list(here.shares)[-1]]


def _subflow(walk: Walk, here: Subflow) -> Following:
    return walk.call(here, {name: _value(walk, name, source) for name, source in here.given.items()})


def _return(walk: Walk, here: Return) -> Following:
    return walk.go_back(here, {name: _value(walk, name, source) for name, source in here.values.items()})


def _transfer(walk: Walk, here: Transfer) -> Following:
    walk.change(stack=())
    return walk.begin(here.flow, {})


def _wait(walk: Walk, here: Wait) -> Following:
    return walk.wait("pausing", walk.now + here.seconds)


# ------------------------------------------------------------------------------------------------------- the call


def _answer(_: Walk, here: Answer) -> Following:
    return here.next


def _ring(walk: Walk, here: Ring) -> Following:
    if walk.state.taken:
        return here.next
    walk.actions.append(RingCaller())
    return walk.wait("pausing", walk.now + here.seconds)


def _reject(walk: Walk, here: Reject) -> Following:
    if walk.state.taken:
        return walk.end((), here.reason)
    walk.change(phase="ended", deadline=None, reason=here.reason, ended=True)
    walk.actions.append(RejectCall(here.reason))
    return None


def _record(walk: Walk, here: Record) -> Following:
    walk.actions.append(ControlRecording(here.deed, here.consent))
    return here.next


def _whisper(walk: Walk, here: Whisper) -> Following:
    walk.actions.append(SetWhisper(walk.prompts(here.prompt)))
    return here.next


def _hold(walk: Walk, here: Hold) -> Following:
    walk.actions.append(SetHold(walk.prompts(here.prompt)))
    return here.next


def _queue(walk: Walk, here: Queue) -> Following:
    skills = {walk.render(name): level for name, level in here.skills.items()}
    walk.actions.append(EnterQueue(here.to, here.limit_s, walk.prompts(here.wait), skills, here.priority))
    walk.change(keys="", playing=None)
    return walk.wait("queued", None)


def _note(walk: Walk, here: TakeNote) -> Following:
    text = walk.render(here.text)
    if text:
        walk.actions.append(WriteNote(text))
    return here.next


ENTER: Final[Mapping[type[Step], Callable[[Walk, Any], Following]]] = {
    Say: _speak,
    Play: _speak,
    Menu: _menu,
    Gather: questions.gather,
    Survey: _survey,
    HangUp: _hang_up,
    When: _when,
    Assign: _assign,
    ChooseLanguage: _language,
    Hours: _hours,
    ReadQueue: _read_queue,
    Split: _split,
    Subflow: _subflow,
    Return: _return,
    Transfer: _transfer,
    Wait: _wait,
    Answer: _answer,
    Ring: _ring,
    Reject: _reject,
    Record: _record,
    Whisper: _whisper,
    Hold: _hold,
    Queue: _queue,
    TakeNote: _note,
    Notify: requesting.request,
    Lookup: requesting.request,
    Verify: requesting.request,
    VerifyByCode: requesting.request,
    Http: requesting.request,
    Case: requesting.request,
    Callback: requesting.request,
    Dial: requesting.request,
    Conference: requesting.request,
    Voicemail: requesting.request,
}
