"""The JSON Schema of a flow's file, for editors: they complete verbs and keys, and mark what is misspelt.

It says how a flow is spelt, not whether it is sound: that is for `hotline flow check`. JSON Schema draft 2020-12.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from ivr_flows.declarations import FIELD_KINDS, KINDS
from ivr_flows.facts import SPEAK
from ivr_flows.flow import RecordDeed, Rejection, SurveyKind
from ivr_flows.grammar import VERBS, Verb
from ivr_flows.step_reading import KEYS
from ivr_flows.values import PROMPT_KEYS
from ivr_flows.verbs.asking import IDENTITIES, METHODS
from ivr_flows.verbs.speaking import CHECKS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NAME: Final = "^[a-z][a-z0-9_]*$"
LANGUAGE: Final = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"


def _one(description: str) -> Schema:
    return {"type": ["string", "number", "integer", "boolean"], "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _words(*known: str) -> Schema:
    return {"enum": list(known)}


def _map(values: Schema, names: str = NAME) -> Schema:
    return {"type": "object", "patternProperties": {names: values}, "additionalProperties": False}


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False,
    }  # fmt: skip


STEP: Final = _ref("step_name")
PROMPT: Final = _ref("prompt")
TEXT: Final = _ref("text")
EXPRESSION: Final = _one("An expression, such as tries + 1")
DURATION: Final = _ref("duration")
FLAG: Final = _ref("flag")
COUNT: Final = {"type": ["integer", "string"]}
ANY: Final = {"type": ["string", "object", "array"]}

INTO: Final = {"anyOf": [{"$ref": "#/$defs/name"}, _map(_ref("name"))]}
FILLED: Final = _map(_ref("name"))
PRIORITY: Final = {"type": "integer", "minimum": 0, "maximum": 10}
SPOKEN: Final = {"anyOf": [TEXT, {"type": "array"}, _object({"text": TEXT, "language": _ref("language")}, ("text",))]}
LINE: Final = {"anyOf": [_object({"if": EXPRESSION, "next": STEP}, ("if", "next")), _object({"else": STEP}, ("else",))]}

CHANNELS: Final = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
CODE: Final = {"anyOf": [CHANNELS, _object({"by": CHANNELS, "valid": DURATION})]}

SHAPES: Final[Mapping[str, Schema]] = {
    "agent": TEXT, "between": DURATION, "body": _map(EXPRESSION, "."), "by": _words(*IDENTITIES),
    "channel": _one("A channel that sends, or auto"), "check": _words(*CHECKS),
    "choices": {"type": "object", "patternProperties": {f"^[{KEYS}]$": _ref("choice")}, "additionalProperties": False},
    "close": EXPRESSION, "code": CODE, "confidence": {"type": "number", "minimum": 0, "maximum": 1}, "confirm": PROMPT,
    "consent": FLAG, "continue": EXPRESSION, "do": _words(*get_args(RecordDeed)), "exit": STEP,
    "field": _ref("name"), "file": ANY, "filler": PROMPT, "finish": _words("#", "*", "none"), "first_key": DURATION,
    "flow": _ref("name"), "for": DURATION, "headers": _map(TEXT, "."), "insist": FLAG,
    "interruptible": {"enum": [True, False, "yes", "no", "voice"]}, "into": INTO,
    "keys": _object({"finish": _words("#", "*", "none"), "first": DURATION, "between": DURATION}),
    "kind": _words(*get_args(SurveyKind)), "length": {"type": ["integer", "string"], "pattern": r"^\d+(\.\.\d+)?$"},
    "limit": DURATION, "map": _map(_one("A path in the JSON answer, such as items.0.day")), "music": _ref("music"),
    "note": TEXT, "number": TEXT, "of": _ref("name"), "open": TEXT, "priority": PRIORITY,
    "prompt": PROMPT, "query": _map(TEXT, "."), "queue": _ref("name"), "reason": _ref("name"), "retries": COUNT,
    "room": TEXT, "secret": FLAG, "secrets": FILLED, "skills": _map(COUNT, "."), "speech": FLAG,
    "subject": ANY, "text": ANY,
    "timeout": DURATION, "to": _one("A queue, a number, or a language"), "topic": TEXT,
    "value": EXPRESSION, "values": _map(EXPRESSION), "wait": PROMPT, "with": _map(EXPRESSION),
    **dict.fromkeys(METHODS, TEXT),
}  # fmt: skip
"""What each key inside a verb holds."""

SHORT: Final[Mapping[str, Schema]] = {
    "answer": {"type": ["null", "boolean", "string"]},
    "callback": {"type": ["null", "boolean", "string"]},
    "conference": TEXT,
    "dial": TEXT,
    "hangup": {"anyOf": [{"type": "null"}, PROMPT]},
    "hold": PROMPT,
    "hours": _ref("name"),
    "language": _ref("language"),
    "lookup": _words(*IDENTITIES),
    "note": TEXT,
    "notify": {"anyOf": [TEXT, _ref("per_language")]},
    "play": PROMPT,
    "queue": _ref("name"),
    "record": _words(*get_args(RecordDeed)),
    "reject": _words(*get_args(Rejection)),
    "return": {"type": ["null", "string"]},
    "ring": DURATION,
    "say": PROMPT,
    "set": _map(EXPRESSION),
    "split": _map({"type": "string", "pattern": r"^\d+%$"}),
    "subflow": _ref("name"),
    "wait": DURATION,
    "when": {"type": "array", "items": LINE},
    "whisper": PROMPT,
}
"""What each verb may be short for."""

RETRIED: Final = ("no_input", "no_match", "wrong")


def schema() -> Schema:
    """Return the schema of a flow's file."""
    return {
        "$schema": DIALECT,
        "title": "A flow of hotline",
        **_object(_header(), ("flow", "languages", "start", "steps")),
        "$defs": {**_definitions(), **{f"verb_{word}": _verb(word, verb) for word, verb in VERBS.items()}},
    }


def _header() -> dict[str, Schema]:
    return {
        "flow": _ref("name"),
        "title": {"anyOf": [TEXT, _ref("per_language")]},
        "for": _words("waiting"),
        "languages": {"anyOf": [_ref("language"), {"type": "array", "items": _ref("language"), "minItems": 1}]},
        "max_time_to_human": DURATION,
        "speak": {
            **_map({"type": "integer", "minimum": 0, "maximum": 3}),
            "properties": {name: {"type": "integer"} for name in SPEAK},
        },
        "parameters": _map(_ref("variable")),
        "variables": _map(_ref("variable")),
        "returns": _map(_words(*FIELD_KINDS)),
        "exits": {"anyOf": [_ref("name"), {"type": "array", "items": _ref("name"), "minItems": 1}]},
        "keys": {"type": "object", "patternProperties": {f"^[{KEYS}]$": STEP}, "additionalProperties": False},
        "prompts": _map(PROMPT),
        "start": STEP,
        "failed": STEP,
        "steps": {"type": "object", "patternProperties": {NAME: _ref("step")}, "additionalProperties": False},
    }


def _definitions() -> dict[str, Schema]:
    parts = {key: SHAPES[key] for key in PROMPT_KEYS if key != "prompt"} | {"prompt": _ref("name")}
    variable = {
        "type": _words(*KINDS), "length": SHAPES["length"], "fields": _map(_words(*FIELD_KINDS)),
        "values": {"type": "array", "items": _one("A value")}, "initial": _one("The first value"), "remember": DURATION,
        "private": FLAG,
    }  # fmt: skip
    return {
        "name": {"type": "string", "pattern": NAME},
        "step_name": {"type": ["string", "boolean", "number"], "description": "The name of a step, or of an exit"},
        "language": {"type": "string", "pattern": LANGUAGE},
        "music": _ref("name"),
        "duration": {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$"},
        "flag": {"enum": [True, False, "yes", "no", "on", "off"]},
        "text": _one("Words; {{ … }} is filled in"),
        "per_language": _map(SPOKEN, LANGUAGE),
        "prompt": {
            "anyOf": [
                TEXT, _ref("per_language"), _object(parts), {"type": "array", "items": _ref("prompt"), "minItems": 1},
            ]
        },
        "choice": {"anyOf": [STEP, _object({"phrases": ANY, "next": STEP}, ("next",))]},
        "retry": {"anyOf": [STEP, _object({"retries": COUNT, "prompt": PROMPT, "next": STEP}, ("next",))]},
        "variable": {"anyOf": [_words(*KINDS), _object(variable, ("type",))]},
        "step": {"oneOf": [_ref(f"verb_{word}") for word in VERBS]},
    }  # fmt: skip


def _verb(word: str, verb: Verb) -> Schema:
    """Return a step with this verb: its exits stand beside it or inside it."""
    exits = {name: _ref("retry") if name in RETRIED else STEP for name in verb.known_exits}
    long = _object({**{key: SHAPES[key] for key in verb.keys}, **exits})
    forms = [long] if verb.keys else []
    if word in SHORT:
        forms.append(SHORT[word])
    step = _object({word: {"anyOf": forms}, **exits}, (word,))
    if verb.own_exits:
        step["additionalProperties"] = STEP
    return step
