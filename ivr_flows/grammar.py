"""The verbs: for each, the keys it takes, the exits it must name, and what reads it.

Everything that knows how a step is spelt reads `VERBS`: the loader, its suggestions and the schema.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ivr_flows import values
from ivr_flows.flow import Step
from ivr_flows.source import MapNode, Node, Scalar, closest, did_you_mean, one_of
from ivr_flows.step_reading import StepReading
from ivr_flows.values import Fields, Reading
from ivr_flows.verbs import asking, calling, going, speaking


@dataclass(frozen=True)
class Verb:
    """How a verb is written.

    `keys` may stand inside it, `exits` (which it must have) and `optional` ones inside it or beside it. `short` says
    what its value may be other than a mapping of `keys`: "one" value or list, "open" (also a mapping with keys of the
    flow's own: languages, variables), "none" (nothing at all will do), or "no". With `own_exits` whatever else stands
    beside it is an exit.
    """

    keys: tuple[str, ...]
    exits: tuple[str, ...]
    short: str
    build: Callable[[StepReading], Step]
    optional: tuple[str, ...] = ()
    own_exits: bool = False

    @property
    def known_exits(self) -> tuple[str, ...]:
        """The exits that it has by itself."""
        return (*self.exits, *self.optional)


_PROMPT: Final = values.PROMPT_KEYS
_SPEAKING: Final = (*_PROMPT, "interruptible")
_MENU: Final = ("prompt", "choices", "first_key", "interruptible", "confidence")
_GATHERING: Final = (
    "into", "prompt", "length", "keys", "interruptible", "secret", "insist", "check", "confirm", "speech", "confidence",
)  # fmt: skip
_RETRIES: Final = ("no_input", "no_match")
_HTTP: Final = (*asking.METHODS, "headers", "query", "body", "secrets", "timeout", "retries", "filler", "into", "map")
_CASE: Final = (*asking.DEEDS, "topic", "into", "timeout")

VERBS: Final[Mapping[str, Verb]] = {
    "answer": Verb((), ("next",), "none", calling.answer),
    "ring": Verb((), ("next",), "one", calling.ring),
    "reject": Verb((), (), "one", calling.reject),
    "say": Verb(_SPEAKING, ("next",), "open", speaking.say),
    "play": Verb((*_SPEAKING, "for"), ("next",), "open", speaking.play),
    "menu": Verb(_MENU, _RETRIES, "no", speaking.menu),
    "gather": Verb(_GATHERING, ("next", *_RETRIES), "no", speaking.gather),
    "set": Verb((), ("next",), "open", going.assign),
    "when": Verb((), (), "one", going.when),
    "hours": Verb(("of",), going.HOURS, "one", going.hours),
    "lookup": Verb(
        ("by", "value", "into", "timeout"), ("found", "not_found", "several", "failed"), "one", asking.lookup
    ),
    "verify": Verb(
        ("field", "value", "code", "prompt", "keys", "filler", "timeout"),
        ("verified", "failed"),
        "no",
        asking.verify,
        ("refused", "wrong", "no_input", "not_sent"),
    ),
    "http": Verb(_HTTP, ("next", "failed"), "no", asking.http, ("not_found", "timed_out")),
    "case": Verb(_CASE, ("next", "failed"), "no", asking.case),
    "queue": Verb(
        ("to", "limit", "wait", "skills", "priority"), calling.QUEUE_EXITS, "one", calling.queue, own_exits=True
    ),
    "queue_facts": Verb(("of", "into"), ("next",), "no", going.queue_facts),
    "callback": Verb(("to", "queue", "note"), ("next", "failed"), "none", calling.callback),
    "dial": Verb(("number", "timeout", "music"), ("answered", "busy", "no_answer", "failed"), "one", calling.dial),
    "transfer": Verb(calling.TRANSFERS, (), "no", calling.transfer, ("failed", "no_answer")),
    "conference": Verb(("room", "limit"), ("next", "full", "failed"), "one", calling.conference),
    "whisper": Verb(_PROMPT, ("next",), "open", calling.whisper),
    "hold": Verb(_PROMPT, ("next",), "open", calling.hold),
    "record": Verb(("do", "consent"), ("next",), "one", calling.record),
    "voicemail": Verb(("prompt", "limit", "finish", "to"), ("next", "no_message", "failed"), "no", speaking.voicemail),
    "survey": Verb(("kind", "prompt", "into", "interruptible"), ("next", *_RETRIES), "no", speaking.survey),
    "notify": Verb(("text", "subject", "channel"), ("next", "failed"), "open", asking.notify),
    "subflow": Verb(("flow", "with", "into"), ("failed",), "one", going.subflow, own_exits=True),
    "return": Verb(("exit", "values"), (), "one", going.return_),
    "split": Verb((), (), "open", going.split, own_exits=True),
    "language": Verb(("to",), ("next",), "one", going.language),
    "note": Verb((), ("next",), "one", asking.note),
    "wait": Verb((), ("next",), "one", going.wait),
    "hangup": Verb((*_PROMPT, "reason"), (), "open", speaking.hang_up),
}


def read_step(reading: Reading, key: Scalar, node: Node) -> Step | None:
    """Read one step of a flow; None, with the reason among the faults, where it has no verb to read."""
    if not isinstance(node, MapNode):
        reading.faults.add(node, "bad-value", f"step '{key.text}' is a mapping with a verb: {one_of(VERBS)}")
        return None
    named = [word for word in node.items if word in VERBS]
    if named and VERBS[named[0]].own_exits:
        # An exit of a flow's own may be called as a verb is: `callback: booked`.
        named = named[:1] + [word for word in named[1:] if not isinstance(node.items[word][1], Scalar)]
    if len(named) != 1:
        _not_one_verb(reading, key, node, named)
        return None
    verb = VERBS[named[0]]
    reading.step = key.text
    reading.verbs[key.text] = node.items[named[0]][0]
    given = _fields(reading, named[0], node)
    return verb.build(StepReading(reading, key.text, key, given))


def _not_one_verb(reading: Reading, key: Scalar, node: MapNode, named: list[str]) -> None:
    if named:
        place = node.items[named[1]][0]
        reading.faults.add(place, "several-verbs", f"step '{key.text}' has {one_of(named)}; a step has one verb")
        return
    exits = {name for verb in VERBS.values() for name in verb.known_exits}
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
        elif name not in verb.known_exits and not verb.own_exits:
            reading.faults.add(key, "unknown-key", f"{word} has no '{name}'{did_you_mean(name, verb.known_exits)}")
    if not isinstance(value, MapNode) or not verb.keys or (verb.short == "open" and not _is_long(reading, verb, value)):
        _check_short(reading, word, value)
        return Fields(place, beside, value, beside)
    values.unknown_keys(reading, value.items, (*verb.keys, *verb.known_exits), word)
    for name, (key, _) in value.items.items():
        if name in beside:
            reading.faults.add(key, "duplicate-key", f"'{name}' stands on the step as well")
    return Fields(place, {**beside, **value.items}, beside=beside)


def _check_short(reading: Reading, word: str, value: Node) -> None:
    verb = VERBS[word]
    is_nothing = isinstance(value, Scalar) and (value.empty or values.FLAGS.get(value.text.lower(), False))
    if verb.short == "no":
        reading.faults.add(value, "bad-value", f"{word} is a mapping with {one_of(verb.keys)}")
    elif verb.short == "none" and not is_nothing:
        keys = f"; or a mapping with {one_of(verb.keys)}" if verb.keys else ""
        reading.faults.add(value, "bad-value", f"{word} needs nothing: '{word}:'{keys}")


def _is_long(reading: Reading, verb: Verb, value: MapNode) -> bool:
    """Tell `say: {text: …}` from `say: {vi: …}`; a misspelt key is taken for what it resembles."""
    known = (*verb.keys, *verb.known_exits)
    if any(key in known for key in value.items):
        return True
    return not any(key in reading.languages for key in value.items) and any(closest(key, known) for key in value.items)
