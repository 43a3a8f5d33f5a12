"""Questions: keys and speech to the answer of a menu or a `gather`, and what follows when there is none. Pure."""

from typing import Final

from ivr_flows import flow as model
from ivr_flows import hearing, requesting
from ivr_flows.answers import understand
from ivr_flows.flow import REPEAT, Flow, Gather, Menu, PromptParts, Retry, Survey, VerifyByCode
from ivr_flows.proving import proves
from ivr_flows.remembered import is_remembered, known_value
from ivr_flows.state import FlowState, KeepScore
from ivr_flows.walk import Following, Walk
from telephony.events import HIDDEN_DIGIT

UTTERANCE_S: Final = 15.0
"""The longest answer that is listened to, 12 s, and until it is understood."""
PATIENCE_S: Final = 30.0
"""So long beyond its time a question waits for somebody who talks, or coughs, again and again."""
CONFIRMED, CORRECTED = "1", "2"
"""The keys that answer an answer that is read back."""

Question = Menu | Gather


def question_of(walk: Walk) -> Question | None:
    """Return the question that the call is at; None at any other step."""
    return model.question_of(walk.here)


def gather(walk: Walk, here: Gather) -> Following:
    """Ask, or take what the customer told before. A step that is come to again asks: the answer was of no use."""
    name, value = here.into, known_value(walk.flow, walk.facts.caller, here, walk.now)
    if value is not None and not here.insist and name not in walk.state.reused:
        walk.hold(name, value)
        walk.change(reused=(*walk.state.reused, name))
        return here.next
    if value is not None and name not in walk.state.asked_again:
        walk.change(asked_again=(*walk.state.asked_again, name))
    return ask(walk, here, ())


def ask(walk: Walk, here: Question, before: PromptParts) -> Following:
    """Put a question, unless its answer was typed ahead."""
    walk.change(talking=False)
    if walk.state.keys and here.interruptible:
        return take(walk, here)
    words = here.confirm if isinstance(here, Gather) and walk.state.confirming else here.prompt
    prompts = walk.prompts((*before, *words))
    if not prompts:
        return listen(walk, here)
    return walk.play(prompts, here.interruptible, "asking", isinstance(here, Menu) and here.by_voice)


def listen(walk: Walk, here: Question) -> Following:
    """Wait for the first key, or for the end of what the caller says already."""
    if walk.state.keys:
        return take(walk, here)
    deadline = walk.now + here.first_key_s
    walk.change(playing=None, patience=deadline + PATIENCE_S)
    return walk.wait("listening", max(deadline, walk.now + UTTERANCE_S) if walk.state.talking else deadline)


def voice(walk: Walk, here: Question, *, began: bool) -> Following:
    """Let somebody finish who talks: the question's time is up when what is said is understood, or was nothing. With
    keys typed already, they are the answer."""
    state = walk.state
    walk.change(talking=began)
    if state.phase == "listening" and not state.collected and (began or state.talking):
        wanted = max(UTTERANCE_S, here.first_key_s) if began else here.first_key_s
        walk.change(deadline=min(walk.now + wanted, state.patience))
    return None


def take(walk: Walk, here: Question) -> Following:
    """Take the keys that are there for an answer."""
    if walk.state.confirming and isinstance(here, Gather):
        return _hear_agreement(walk, here)
    return _choose(walk, here) if isinstance(here, Menu) else _collect(walk, here)


def _choose(walk: Walk, here: Menu) -> Following:
    key, rest = walk.state.keys[0], walk.state.keys[1:]
    walk.change(keys=rest)
    if key in here.choices:
        return here.choices[key].next
    return _global_key(walk, here, key) if key in walk.flow.keys else no_match(walk, here)


def _global_key(walk: Walk, here: Question, key: str) -> Following:
    target = walk.flow.keys[key]
    if target != REPEAT:
        return target
    walk.change(collected="")
    return ask(walk, here, ())


def _collect(walk: Walk, here: Gather) -> Following:
    shortest, longest = here.length
    while walk.state.keys:
        key, rest = walk.state.keys[0], walk.state.keys[1:]
        walk.change(keys=rest)
        if key == here.finish:
            return _accept(walk, here) if len(walk.state.collected) >= shortest else no_match(walk, here)
        if not key.isdigit() and key != HIDDEN_DIGIT:
            return _global_key(walk, here, key) if key in walk.flow.keys else no_match(walk, here)
        walk.change(collected=walk.state.collected + key)
        if len(walk.state.collected) == longest or _is_whole(here, walk.state.collected):
            _expect_finish(walk, here)
            return _accept(walk, here)
    walk.change(playing=None)
    return walk.wait("listening", walk.now + here.between_keys_s)


def _is_whole(here: Gather, collected: str) -> bool:
    """Whether nothing can follow: of 0 to 10, only 1 may be the first of two keys."""
    return here.check == "nps" and collected != "1"


def _expect_finish(walk: Walk, here: Gather) -> None:
    """Somebody told to finish with # does so after the last possible digit too: that # answers nothing else."""
    if here.finish and walk.state.keys[:1] == here.finish:
        walk.change(keys=walk.state.keys[1:])
    elif here.finish and not walk.state.keys:
        walk.change(swallow=here.finish, swallow_until=walk.now + here.between_keys_s)


def _accept(walk: Walk, here: Gather) -> Following:
    variable = walk.flow.variables.get(here.into)
    kind = "number" if isinstance(walk.here, Survey) else "text" if variable is None else variable.kind
    asked = bool(here.into) and proves(walk.flow, here.into)
    value = understand(here.check, kind, walk.state.collected, walk.today, walk.facts.region, proves=asked)
    if value is None:
        return no_match(walk, here)
    if here.into:
        walk.hold(here.into, value)
    if here.confirm:
        walk.change(confirming=True, collected="")
        return ask(walk, here, ())
    return _accepted(walk, here, value)


def _accepted(walk: Walk, here: Gather, value: object) -> Following:
    step = walk.here
    if isinstance(step, VerifyByCode):
        return requesting.ask_world(walk, step)
    if isinstance(step, Survey) and isinstance(value, int):
        walk.actions.append(KeepScore(len(walk.state.path), step.kind, value))
    if is_remembered(walk.flow, here.into) and not here.secret:
        walk.change(told={**walk.state.told, here.into: str(value)})
    return here.next


def _hear_agreement(walk: Walk, here: Gather) -> Following:
    """Take the key after an answer that was read back: yes, no (the question again), or neither (read back again)."""
    key, rest = walk.state.keys[0], walk.state.keys[1:]
    walk.change(keys=rest)
    if key in walk.flow.keys and key not in (CONFIRMED, CORRECTED):
        return _global_key(walk, here, key)
    return _agreed(walk, here, {CONFIRMED: True, CORRECTED: False}.get(key))


def _agreed(walk: Walk, here: Gather, agreed: bool | None) -> Following:
    if agreed:
        return _accepted(walk, here, walk.state.variables.get(here.into))
    if agreed is not None:
        walk.change(confirming=False)
    walk.change(no_matches=walk.state.no_matches + 1, keys="")
    return here.no_match.next if walk.state.no_matches > here.no_match.retries else ask(walk, here, ())


def hear(walk: Walk, here: Question, text: str, confidence: float) -> Following:
    """Take what was said for an answer, where that is asked for and was understood well enough."""
    language = walk.state.language
    walk.change(talking=False)
    if walk.state.collected:
        return None  # who types the answer may say something meanwhile
    if confidence < here.confidence:
        return no_match(walk, here)
    if isinstance(here, Menu):
        key = hearing.choice_of(here, language, text)
        return here.choices[key].next if key else no_match(walk, here)
    if walk.state.confirming:
        return _agreed(walk, here, hearing.agreement(text, language))
    variable = walk.flow.variables.get(here.into)
    said = text.strip() if variable is not None and variable.kind == "text" else hearing.digits_of(text, language)
    shortest, longest = here.length
    if not shortest <= len(said) <= longest:
        return no_match(walk, here)
    walk.change(collected=said)
    return _accept(walk, here)


def no_match(walk: Walk, here: Question) -> Following:
    """Take an answer for none: the question is put again, as often as it says."""
    walk.change(no_matches=walk.state.no_matches + 1, keys="", collected="")
    return _retry(walk, here, here.no_match, walk.state.no_matches)


def _no_input(walk: Walk, here: Question) -> Following:
    walk.change(no_inputs=walk.state.no_inputs + 1)
    return _retry(walk, here, here.no_input, walk.state.no_inputs)


def _retry(walk: Walk, here: Question, retry: Retry, tried: int) -> Following:
    return retry.next if tried > retry.retries else ask(walk, here, retry.prompt)


def time_is_up(walk: Walk, here: Question) -> Following:
    """Nothing was pressed in time: what there is of an answer is taken, or there is none."""
    if isinstance(here, Gather) and walk.state.collected:
        return _accept(walk, here) if len(walk.state.collected) >= here.length[0] else no_match(walk, here)
    return _no_input(walk, here)


def expected(flow: Flow, here: Question, state: FlowState) -> tuple[str, ...] | None:
    """Return what may be said to a question as it stands, as `hearing.expected` does."""
    variable = flow.variables.get(here.into) if isinstance(here, Gather) else None
    free = variable is not None and variable.kind == "text"
    return hearing.expected(here, state.language, confirming=state.confirming, free=free)
