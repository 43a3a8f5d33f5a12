"""The verbs: for each, the keys it takes, the exits it must name, and how it becomes a step of the model.

Everything that knows how a step is spelt reads `VERBS`: the loader, its suggestions and the schema.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ivr_flows import expression, values
from ivr_flows.flow import (
    ANY_CHANNEL,
    BETWEEN_KEYS_S,
    FIRST_KEY_S,
    QUEUE_LIMIT_S,
    RETRIES,
    WAITING_MUSIC,
    Assign,
    Branch,
    Choice,
    ChooseLanguage,
    Gather,
    HangUp,
    Menu,
    Music,
    Notify,
    Play,
    PromptParts,
    Queue,
    Retry,
    Say,
    Step,
    When,
)
from ivr_flows.source import ListNode, MapNode, Node, Scalar, closest, did_you_mean, one_of
from ivr_flows.values import Fields, Gathered, Reading, Target, Told

KEYS: Final = "0123456789*#"


class StepReading:
    """One step being read."""

    def __init__(self, reading: Reading, name: str, place: Node, given: Fields) -> None:
        self.reading, self.name, self.place, self.given = reading, name, place, given

    def target(self, node: Node, may_end: bool = False) -> str:
        """Read the name of the next step."""
        word = values.text(self.reading, node, "an exit")
        if word:
            self.reading.targets.append(Target(self.name, word, node, may_end))
        return word

    def exit(self, name: str) -> str:
        node = self.given.get(name)
        if node is None:
            self.missing(name)
            return ""
        return self.target(node, may_end=name == "answered")

    def missing(self, name: str) -> None:
        self.reading.faults.add(self.place, "missing-exit", f"step '{self.name}' does not say where to go: '{name}:'")

    def inner_exit(self, inner: Fields, what: str) -> str:
        """Read the `next:` of a part of the step."""
        node = inner.get("next")
        if node is not None:
            return self.target(node)
        text = f"{what} of step '{self.name}' does not say where to go: 'next:'"
        self.reading.faults.add(inner.place, "missing-exit", text)
        return ""

    def needed(self, key: str, verb: str) -> Node | None:
        node = self.given.get(key)
        if node is None and self.given.short is None:
            self.reading.faults.add(self.given.place, "missing-key", f"{verb} needs '{key}:'")
        return node

    def retry(self, name: str) -> Retry:
        """Read `no_input: step`, or `no_input: {retries: 1, prompt: …, next: step}`."""
        node = self.given.get(name)
        if node is None:
            self.missing(name)
            return Retry("")
        if not isinstance(node, MapNode):
            return Retry(self.target(node))
        inner = values.fields(self.reading, node, ("retries", "prompt", "next"), f"'{name}'")
        prompt = inner.get("prompt")
        return Retry(
            next=self.inner_exit(inner, f"'{name}'"),
            retries=values.count(self.reading, inner.get("retries"), RETRIES, 20),
            prompt=() if prompt is None else values.prompt(self.reading, prompt, "name"),
        )

    def prompt(self, verb: str) -> PromptParts:
        """Read a question's words."""
        node = self.needed("prompt", verb)
        return () if node is None else values.prompt(self.reading, node, "name")

    def interruptible(self) -> bool:
        return values.flag(self.reading, self.given.get("interruptible"), default=True)

    def barge_in(self) -> tuple[bool, bool]:
        """Read whether a key ends the prompt, and whether the caller's voice does too (`interruptible: voice`)."""
        node = self.given.get("interruptible")
        if isinstance(node, Scalar) and node.text.lower() == "voice":
            return True, True
        return self.interruptible(), False

    def duration(self, key: str, default: float) -> float:
        return values.duration(self.reading, self.given.get(key), default)


def _say(step: StepReading) -> Say:
    return Say(_spoken(step, "text"), step.exit("next"), *step.barge_in())


def _play(step: StepReading) -> Play:
    return Play(_spoken(step, "file"), step.exit("next"), *step.barge_in())


def _spoken(step: StepReading, bare: Literal["text", "file"]) -> PromptParts:
    """Read the prompt that is the verb's own value; `bare` says what a word alone is."""
    short = step.given.short
    return values.long_prompt(step.reading, step.given) if short is None else values.prompt(step.reading, short, bare)


def _menu(step: StepReading) -> Menu:
    choices: dict[str, Choice] = {}
    interruptible, by_voice = step.barge_in()
    node = step.needed("choices", "menu")
    if isinstance(node, MapNode):
        for key, (key_node, value) in node.items.items():
            if len(key) != 1 or key not in KEYS:
                step.reading.faults.add(key_node, "bad-key", f"'{key}' is not a key of a telephone: 0 to 9, * or #")
            choices[key] = _choice(step, value)
    elif node is not None:
        step.reading.faults.add(node, "bad-value", "choices are a mapping of keys to steps: {1: sales, 0: agent}")
    return Menu(
        prompt=step.prompt("menu"),
        choices=choices,
        no_input=step.retry("no_input"),
        no_match=step.retry("no_match"),
        first_key_s=step.duration("first_key", FIRST_KEY_S),
        interruptible=interruptible,
        by_voice=by_voice,
    )


def _choice(step: StepReading, node: Node) -> Choice:
    if not isinstance(node, MapNode):
        return Choice(step.target(node))
    inner = values.fields(step.reading, node, ("phrases", "next"), "a choice")
    phrases = inner.get("phrases")
    return Choice(step.inner_exit(inner, "this choice"), {} if phrases is None else _phrases(step, phrases))


def _phrases(step: StepReading, node: Node) -> dict[str, tuple[str, ...]]:
    phrases = {}
    for language, value in values.per_language(step.reading, node, "this choice in words").items():
        elements = value.elements if isinstance(value, ListNode) else (value,)
        phrases[language] = tuple(values.text(step.reading, element, "a phrase") for element in elements)
    return phrases


def _gather(step: StepReading) -> Gather:
    reading = step.reading
    into_node = step.needed("into", "gather")
    into = "" if into_node is None else values.text(reading, into_node, "a variable")
    declared = reading.variables.get(into)
    if into_node is not None and into and declared is None:
        hint = did_you_mean(into, reading.variables)
        reading.faults.add(into_node, "undefined-variable", f"'{into}' is not among the flow's variables{hint}")
    if into_node is not None and declared is not None and declared.kind not in ("digits", "text"):
        reading.faults.add(
            into_node, "bad-value", f"'{into}' is a {declared.kind}; digits are gathered into digits or text"
        )
    keys = step.given.get("keys")
    inner = None if keys is None else values.fields(reading, keys, ("finish", "first", "between"), "'keys'")
    finish = "#" if inner is None else _finish(reading, inner)
    length = (declared.length if declared is not None else None) or (1, 20)
    return Gather(
        into=into,
        prompt=step.prompt("gather"),
        length=values.span(reading, step.given.get("length"), length),
        next=step.exit("next"),
        no_input=step.retry("no_input"),
        no_match=step.retry("no_match"),
        finish=finish,
        first_key_s=values.duration(reading, None if inner is None else inner.get("first"), FIRST_KEY_S),
        between_keys_s=values.duration(reading, None if inner is None else inner.get("between"), BETWEEN_KEYS_S),
        interruptible=step.interruptible(),
        secret=_secret(step, into, into_node),
        insist=values.flag(reading, step.given.get("insist"), default=False),
    )


def _secret(step: StepReading, into: str, place: Node | None) -> bool:
    secret = values.flag(step.reading, step.given.get("secret"), default=False)
    if place is not None and into:
        step.reading.gathered.append(Gathered(step.name, into, place, secret))
    return secret


def _finish(reading: Reading, keys: Fields) -> str:
    node = keys.get("finish")
    if node is None:
        return "#"
    word = values.text(reading, node, "the finishing key")
    if word == "none":
        return ""
    if word and word not in ("#", "*"):
        reading.faults.add(node, "bad-key", f'\'{word}\': digits are finished by "#", "*" or none')
    return word


def _when(step: StepReading) -> When:
    branches: list[Branch] = []
    otherwise = ""
    node = step.given.short
    if not isinstance(node, ListNode):
        text = "when is a list of {if: …, next: …}, ending with {else: …}"
        step.reading.faults.add(node or step.place, "bad-value", text)
        return When((), "")
    for element in node.elements:
        inner = values.fields(step.reading, element, ("if", "next", "else"), "a line of when")
        if otherwise:
            step.reading.faults.add(element, "unreachable-branch", "nothing after else can be reached")
        last = inner.get("else")
        if last is not None:
            otherwise = step.target(last)
        elif inner.items:
            branches.append(_branch(step, inner))
    if not otherwise:
        step.missing("else")
    return When(tuple(branches), otherwise)


def _branch(step: StepReading, inner: Fields) -> Branch:
    condition = inner.get("if")
    if condition is None:
        step.reading.faults.add(inner.place, "missing-key", "a line of when needs 'if:' (or is 'else:')")
    return Branch(
        condition="" if condition is None else values.condition(step.reading, condition),
        next=step.inner_exit(inner, "this condition"),
    )


def _assign(step: StepReading) -> Assign:
    assigned: dict[str, str] = {}
    node = step.given.short
    if not isinstance(node, MapNode) or not node.items:
        step.reading.faults.add(node or step.place, "bad-value", "set is a mapping of variables to expressions")
        return Assign({}, step.exit("next"))
    for name, (key, value) in node.items.items():
        if name not in step.reading.variables:
            hint = did_you_mean(name, step.reading.variables)
            step.reading.faults.add(key, "undefined-variable", f"'{name}' is not among the flow's variables{hint}")
        assigned[name] = values.condition(step.reading, value)
        step.reading.told.append(Told(value, expression.names_in_condition(assigned[name]), f"copied to '{name}'"))
    return Assign(assigned, step.exit("next"))


def _language(step: StepReading) -> ChooseLanguage:
    node = step.given.short or step.needed("to", "language")
    return ChooseLanguage("" if node is None else values.language(step.reading, node), step.exit("next"))


def _queue(step: StepReading) -> Queue:
    node = step.given.short or step.needed("to", "queue")
    wait = step.given.get("wait")
    return Queue(
        to="" if node is None else values.name(step.reading, node, "a queue's name"),
        answered=step.exit("answered"),
        timeout=step.exit("timeout"),
        full=step.exit("full"),
        closed=step.exit("closed"),
        wait=(Music(WAITING_MUSIC),) if wait is None else values.prompt(step.reading, wait, "name"),
        limit_s=step.duration("limit", QUEUE_LIMIT_S),
    )


def _notify(step: StepReading) -> Notify:
    reading = step.reading
    node = step.given.short or step.needed("text", "notify")
    channel, subject = step.given.get("channel"), step.given.get("subject")
    return Notify(
        text={} if node is None else values.words(reading, node, "sent").text,
        next=step.exit("next"),
        channel=ANY_CHANNEL if channel is None else values.channel(reading, channel),
        subject={} if subject is None else values.words(reading, subject, "sent").text,
    )


def _hang_up(step: StepReading) -> HangUp:
    short = step.given.short
    prompt: PromptParts = ()
    if short is not None and not (isinstance(short, Scalar) and short.empty):
        prompt = values.prompt(step.reading, short)
    elif any(key in step.given for key in values.PROMPT_KEYS):
        prompt = values.long_prompt(step.reading, step.given)
    reason = step.given.get("reason")
    return HangUp(prompt, "completed" if reason is None else values.name(step.reading, reason, "a reason"))


@dataclass(frozen=True)
class Verb:
    """How a verb is written.

    `keys` may stand inside it, `exits` inside it or beside it. `short` says what its value may be other than a mapping
    of `keys`: "one" value or list, "open" (also a mapping with keys of the flow's own: languages, variables), or "no".
    """

    keys: tuple[str, ...]
    exits: tuple[str, ...]
    short: str
    build: Callable[[StepReading], Step]


_SPEAKING: Final = (*values.PROMPT_KEYS, "interruptible")
_GATHERING: Final = ("into", "prompt", "length", "keys", "interruptible", "secret", "insist")
_RETRIES: Final = ("no_input", "no_match")

VERBS: Final[Mapping[str, Verb]] = {
    "say": Verb(_SPEAKING, ("next",), "open", _say),
    "play": Verb(_SPEAKING, ("next",), "open", _play),
    "menu": Verb(("prompt", "choices", "first_key", "interruptible"), _RETRIES, "no", _menu),
    "gather": Verb(_GATHERING, ("next", *_RETRIES), "no", _gather),
    "when": Verb((), (), "one", _when),
    "set": Verb((), ("next",), "open", _assign),
    "language": Verb(("to",), ("next",), "one", _language),
    "queue": Verb(("to", "limit", "wait"), ("answered", "timeout", "full", "closed"), "one", _queue),
    "notify": Verb(("text", "subject", "channel"), ("next",), "open", _notify),
    "hangup": Verb((*values.PROMPT_KEYS, "reason"), (), "open", _hang_up),
}


def read_step(reading: Reading, key: Scalar, node: Node) -> Step | None:
    """Read one step of a flow; None, with the reason among the faults, where it has no verb to read."""
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", f"step '{key.text}' is a mapping with a verb: {one_of(VERBS)}")
        return None
    named = [word for word in node.items if word in VERBS]
    if len(named) != 1:
        _not_one_verb(reading, key, node, named)
        return None
    verb = VERBS[named[0]]
    given = _fields(reading, named[0], node)
    return verb.build(StepReading(reading, key.text, key, given))


def _not_one_verb(reading: Reading, key: Scalar, node: MapNode, named: list[str]) -> None:
    if named:
        place = node.items[named[1]][0]
        reading.faults.add(place, "several-verbs", f"step '{key.text}' has {one_of(named)}; a step has one verb")
        return
    exits = {name for verb in VERBS.values() for name in verb.exits}
    for word, (word_key, _) in node.items.items():
        if word not in exits and (closest(word, VERBS) or len(node.items) == 1 or not closest(word, exits)):
            reading.faults.add(word_key, "unknown-verb", f"there is no verb '{word}'{did_you_mean(word, VERBS)}")
            return
    reading.faults.add(key, "missing-verb", f"step '{key.text}' does nothing; it needs one of {one_of(VERBS)}")


def _fields(reading: Reading, word: str, node: MapNode) -> Fields:
    """Join what stands on the step with what stands inside its verb, whose exits may stand in either."""
    verb = VERBS[word]
    place, value = node.items[word]
    beside = {name: item for name, item in node.items.items() if name != word}
    for name, (key, _) in beside.items():
        if name in verb.keys:
            reading.faults.add(key, "unknown-key", f"'{name}' belongs inside {word}: {{…}}")
        elif name not in verb.exits:
            reading.faults.add(key, "unknown-key", f"{word} has no '{name}'{did_you_mean(name, verb.exits)}")
    if not isinstance(value, MapNode) or not verb.keys or (verb.short == "open" and not _is_long(reading, verb, value)):
        if verb.short == "no":
            reading.faults.add(value, "bad-value", f"{word} is a mapping with {one_of(verb.keys)}")
        return Fields(place, beside, value)
    values.unknown_keys(reading, value.items, (*verb.keys, *verb.exits), word)
    for name, (key, _) in value.items.items():
        if name in beside:
            reading.faults.add(key, "duplicate-key", f"'{name}' stands on the step as well")
    return Fields(place, {**beside, **value.items})


def _is_long(reading: Reading, verb: Verb, value: MapNode) -> bool:
    """Tell `say: {text: …}` from `say: {vi: …}`; a misspelt key is taken for what it resembles."""
    known = (*verb.keys, *verb.exits)
    if any(key in known for key in value.items):
        return True
    return not any(key in reading.languages for key in value.items) and any(closest(key, known) for key in value.items)
