"""Verbs that speak and ask: say, play, menu, gather, survey, voicemail, hangup."""

from typing import Final, NamedTuple, get_args

from ivr_flows import values
from ivr_flows.flow import (
    BETWEEN_KEYS_S,
    CONFIDENCE,
    FIRST_KEY_S,
    MESSAGE_LIMIT_S,
    Check,
    Choice,
    Gather,
    HangUp,
    Menu,
    Play,
    PromptParts,
    Say,
    Survey,
    SurveyKind,
    Variable,
    Voicemail,
)
from ivr_flows.source import ListNode, MapNode, Node, Scalar
from ivr_flows.step_reading import KEYS, StepReading
from ivr_flows.values import Fields, Gathered

CHECKS: Final = tuple(word for word in get_args(Check) if word not in ("", *get_args(SurveyKind)))
GATHERED: Final = ("digits", "text", "number", "phone", "date", "time", "amount")
"""Kinds of variables that an answer may be gathered into."""
LENGTHS: Final = {"phone": (8, 15), "date": (4, 8), "time": (3, 4), "amount": (1, 12), "number": (1, 9)}
"""How many digits an answer of a kind has, where nothing is said of it."""
ANY_LENGTH: Final = (1, 20)


def say(step: StepReading) -> Say:
    return Say(step.spoken("text"), step.exit("next"), *step.barge_in())


def play(step: StepReading) -> Play:
    return Play(step.spoken("file"), step.exit("next"), *step.barge_in(), for_s=step.duration("for", 0.0))


def menu(step: StepReading) -> Menu:
    choices: dict[str, Choice] = {}
    interruptible, by_voice = step.barge_in()
    node = step.needed("choices", "menu")
    if isinstance(node, MapNode):
        for key, (key_node, value) in node.items.items():
            if len(key) != 1 or key not in KEYS:
                step.reading.faults.add(key_node, "bad-key", f"'{key}' is not a key of a telephone: 0 to 9, * or #")
            choices[key] = _choice(step, key, value)
    elif node is not None:
        step.reading.faults.add(node, "bad-value", "choices are a mapping of keys to steps: {1: sales, 0: agent}")
    return Menu(
        prompt=step.question("menu"),
        choices=choices,
        no_input=step.retry("no_input"),
        no_match=step.retry("no_match"),
        first_key_s=step.duration("first_key", FIRST_KEY_S),
        interruptible=interruptible,
        by_voice=by_voice,
        confidence=values.confidence(step.reading, step.given.get("confidence"), CONFIDENCE),
    )


def _choice(step: StepReading, key: str, node: Node) -> Choice:
    if not isinstance(node, MapNode):
        return Choice(step.target(node, key))
    inner = values.fields(step.reading, node, ("phrases", "next"), "a choice")
    phrases = inner.get("phrases")
    return Choice(step.inner_exit(inner, "this choice", key), {} if phrases is None else _phrases(step, phrases))


def _phrases(step: StepReading, node: Node) -> dict[str, tuple[str, ...]]:
    phrases = {}
    for language, value in values.per_language(step.reading, node, "this choice in words").items():
        elements = value.elements if isinstance(value, ListNode) else (value,)
        phrases[language] = tuple(values.text(step.reading, element, "a phrase") for element in elements)
    return phrases


def gather(step: StepReading) -> Gather:
    into_node = step.needed("into", "gather")
    into = "" if into_node is None else step.filled(into_node, "into", GATHERED)
    declared = step.reading.variables.get(into)
    keys = keys_of(step)
    return Gather(
        into=into,
        prompt=step.question("gather"),
        length=values.span(step.reading, step.given.get("length"), _length(declared)),
        next=step.exit("next"),
        no_input=step.retry("no_input"),
        no_match=step.retry("no_match"),
        finish=keys.finish,
        first_key_s=keys.first_s,
        between_keys_s=keys.between_s,
        interruptible=step.interruptible(),
        secret=_secret(step, into, into_node),
        insist=step.flag("insist"),
        check=_check(step, declared),
        confirm=step.prompt("confirm"),
        speech=step.flag("speech"),
        confidence=values.confidence(step.reading, step.given.get("confidence"), CONFIDENCE),
    )


def _length(declared: Variable | None) -> tuple[int, int]:
    if declared is None:
        return ANY_LENGTH
    return declared.length or LENGTHS.get(declared.kind, ANY_LENGTH)


def _check(step: StepReading, declared: Variable | None) -> Check:
    node = step.given.get("check")
    if node is not None:
        word = values.word_of(step.reading, node, CHECKS, "a check")
        return next(check for check in get_args(Check) if check == word)
    kind = "" if declared is None else declared.kind
    return next((check for check in get_args(Check) if check == kind), "")


class Keys(NamedTuple):
    """How digits are typed: the key that finishes them, and how long the first, and each other, is waited for."""

    finish: str = "#"
    first_s: float = FIRST_KEY_S
    between_s: float = BETWEEN_KEYS_S


def keys_of(step: StepReading, first_s: float = FIRST_KEY_S) -> Keys:
    """Read `keys: {finish, first, between}`."""
    node = step.given.get("keys")
    if node is None:
        return Keys(first_s=first_s)
    inner = values.fields(step.reading, node, ("finish", "first", "between"), "'keys'")
    finish = inner.get("finish")
    return Keys(
        "#" if finish is None else _finish(step, finish),
        values.duration(step.reading, inner.get("first"), first_s),
        values.duration(step.reading, inner.get("between"), BETWEEN_KEYS_S),
    )


def _finish(step: StepReading, node: Node) -> str:
    word = values.text(step.reading, node, "the finishing key")
    if word == "none":
        return ""
    if word and word not in ("#", "*"):
        step.reading.faults.add(node, "bad-key", f'\'{word}\': digits are finished by "#", "*" or none')
    return word


def _secret(step: StepReading, into: str, place: Node | None) -> bool:
    secret = step.flag("secret")
    if place is not None and into:
        step.reading.gathered.append(Gathered(step.name, into, place, secret))
    return secret


def survey(step: StepReading) -> Survey:
    node = step.needed("kind", "survey")
    word = "csat" if node is None else values.word_of(step.reading, node, get_args(SurveyKind), "a survey")
    kind: SurveyKind = "nps" if word == "nps" else "csat"
    question = Gather(
        into=step.variable("into", ("number",)),
        prompt=step.question("survey"),
        length=(1, 2) if kind == "nps" else (1, 1),
        next=step.exit("next"),
        no_input=step.retry("no_input"),
        no_match=step.retry("no_match"),
        finish="#",
        interruptible=step.interruptible(),
        check=kind,
    )
    return Survey(kind, question)


def voicemail(step: StepReading) -> Voicemail:
    finish = step.given.get("finish")
    return Voicemail(
        queue=step.named("queue", step.needed("to", "voicemail"), "a queue's name"),
        exits=step.exits("next", "no_message", "failed"),
        prompt=step.prompt("prompt"),
        limit_s=step.duration("limit", MESSAGE_LIMIT_S),
        finish="#" if finish is None else _finish(step, finish),
    )


def hang_up(step: StepReading) -> HangUp:
    short = step.given.short
    reason = step.given.get("reason")
    return HangUp(
        _last_words(step, step.given, short),
        "completed" if reason is None else values.name(step.reading, reason, "a reason"),
    )


def _last_words(step: StepReading, given: Fields, short: Node | None) -> PromptParts:
    if short is not None and not (isinstance(short, Scalar) and short.empty):
        return values.prompt(step.reading, short)
    return values.long_prompt(step.reading, given) if any(key in given for key in values.PROMPT_KEYS) else ()
