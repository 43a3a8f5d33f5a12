"""The answers that are worth trying: a caller's to a question, the world's to a request. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from ivr_flows.answers import understand
from ivr_flows.flow import Flow, Gather, Http, Lookup, Menu, Request, Survey, Transfer
from ivr_flows.state import Ask
from ivr_flows.step_reading import KEYS
from ivr_flows.trials.call import Call
from ivr_flows.trials.hints import Compared
from ivr_flows.trials.scenario import REPLY_AFTER_S, Reply, World
from ivr_flows.trials.world import Answers, Said, at_path
from telephony.clock import datetime_of
from telephony.requests import CallHttp, kind_of

Came = tuple[str, str, Any]
"""A key of a scenario's world, a name in it ("" for none), and what stands there."""

MAX_VARIANTS: Final = 12
NUMBERS: Final = (
    "0912345678", "02438251234", "02031990", "020390", "0203", "0930", "930", "150000", "5", "10", "4111111111111111",
)  # fmt: skip
SAMPLES: Final[Mapping[str, Any]] = {
    "text": "text",
    "digits": "1234",
    "phone": "+84912345678",
    "number": 1,
    "amount": 150_000,
    "flag": True,
    "date": "2026-03-02",
    "time": "09:30",
}


def answers_to(call: Call, known: Compared) -> Iterator[str]:
    """Yield the keys that the question tells apart; "" for silence."""
    state = call.state if call.state.waiting is None else call.state.waiting
    part = call.marked.flow.part(state.flow)
    here = part.steps[state.step]
    question = here.question if isinstance(here, Survey) else here
    match question:
        case Menu():
            yield from question.choices
            yield from _global_keys(part, question.choices)
            yield from [key for key in KEYS if key not in question.choices and key not in part.keys][:1]
        case Gather() if state.confirming:
            yield from "123"
        case Gather():
            zone = ZoneInfo(call.facts.timezone)
            today = datetime_of(call.now).astimezone(zone).date()
            kind = "number" if isinstance(here, Survey) else _kind_of(part, question.into)
            yield from _digits(question, kind, known.get(question.into, ()), today, call.facts.region)
            yield from _global_keys(part, f"0123456789{question.finish}")
            yield from [key for key in "*#" if key != question.finish and key not in part.keys][:1]
    yield ""


def _kind_of(part: Flow, name: str) -> str:
    variable = part.variables.get(name)
    return "text" if variable is None else variable.kind


def _global_keys(part: Flow, taken: Iterable[str]) -> Iterator[str]:
    yield from (key for key in part.keys if key not in taken)


def _digits(here: Gather, kind: str, constants: Iterable[object], today: date, region: str) -> Iterator[str]:
    """Yield answers that the flow's conditions name, two more that are right, one that is wrong."""
    shortest, longest = here.length

    def is_right(keys: str) -> bool:
        return understand(here.check, kind, keys, today, region) is not None

    def fits(keys: str) -> bool:
        return keys.isascii() and keys.isdigit() and shortest <= len(keys) <= longest

    named = [text for each in sorted(constants, key=str) for text in _near(each) if fits(text)]
    plain = [_counted(length) for length in dict.fromkeys((shortest, longest))]
    tried = [text for text in (*plain, *NUMBERS, *map(_with_check_digit, plain)) if fits(text)]
    chosen = [text for text in named if is_right(text)][:MAX_VARIANTS]
    chosen += [text for text in tried if is_right(text)][:2]
    chosen += [text for text in tried if not is_right(text)][:1]
    chosen += [_counted(shortest - 1)] if shortest > 1 and here.finish else []
    for text in dict.fromkeys(chosen):
        yield text if len(text) == longest else text + here.finish


def _near(value: object) -> tuple[str, ...]:
    if isinstance(value, int | float):
        return tuple(str(int(value) + step) for step in (-1, 0, 1))
    return (str(value),)


def _counted(length: int) -> str:
    return "".join(str((index + 1) % 10) for index in range(length))


def _with_check_digit(digits: str) -> str:
    """Return digits with a last one that makes them pass (ISO/IEC 7812-1 annex B)."""
    body = digits[:-1]
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(body))]
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return body + str(-total % 10)


# ------------------------------------------------------------------------------------------------------- the world


def replies_to(call: Call, asked: Ask, known: Compared) -> Iterator[tuple[Said | None, Came | None]]:
    """Yield what the world may say to a request, and how a scenario writes that; (None, None) for nothing."""
    state = call.state if call.state.waiting is None else call.state.waiting
    part = call.marked.flow.part(state.flow)
    here = part.steps[state.step]
    if not isinstance(here, Request):
        return
    kind = kind_of(asked.request)
    if isinstance(here, Transfer):
        yield None, None
    for outcome in here.exits:
        if isinstance(asked.request, CallHttp):
            yield from _http(here, part, asked.request, outcome, known)
        else:
            for told in _told(here, part, outcome, known):
                reply = Reply(outcome, told)
                said = Answers(World(replies={kind: (reply,)})).reply(asked.request, call.facts)
                yield said, (kind, "", {"outcome": outcome, "values": told} if told else outcome)


def _http(here: Request, part: Flow, request: CallHttp, outcome: str, known: Compared) -> Iterator[tuple[Said, Came]]:
    if outcome != "next":
        yield (
            Said(outcome, {}, REPLY_AFTER_S, None),
            ("http", request.url, 404 if outcome == "not_found" else outcome),
        )
        return
    for told in _told(here, part, outcome, known):
        body: Any = {}
        for name, path in request.fields.items():
            body = _put(body, path.split("."), (told or {}).get(name, "text"))
        found = {name: at_path(body, path) for name, path in request.fields.items()}
        yield Said("next", found, REPLY_AFTER_S, None), ("http", request.url, body or 200)


def _told(here: Request, part: Flow, outcome: str, known: Compared) -> Iterator[dict[str, Any] | None]:
    """Yield what a successful answer may hold: a record of samples, then one for each value that conditions name."""
    if outcome not in ("next", "found") or not isinstance(here, Http | Lookup) or not here.into:
        yield None
        return
    fields = part.variables[here.into].fields
    record = {name: SAMPLES.get(kind, "text") for name, kind in fields.items()}
    yield record
    variants = [
        {**record, name: value}
        for name, kind in fields.items()
        for each in sorted(known.get(f"{here.into}.{name}", ()), key=str)
        for value in _values(kind, each)
    ]
    variants += [{**record, name: False} for name, kind in fields.items() if kind == "flag"]
    yield from [each for each in variants if each != record][:MAX_VARIANTS]


def _values(kind: str, constant: str | float) -> list[Any]:
    if kind in ("number", "amount") and not isinstance(constant, str):
        return [int(constant) + step for step in (-1, 0, 1)]
    return [str(constant)]


def _put(body: Any, path: list[str], value: Any) -> Any:
    """Return a JSON answer with a value put in at a path; a number in it is a place in a list."""
    if not path:
        return value
    first, *rest = path
    if first.isdigit():
        items = list(body) if isinstance(body, list) else []
        items += [None] * (int(first) + 1 - len(items))
        items[int(first)] = _put(items[int(first)], rest, value)
        return items
    inner = body if isinstance(body, dict) else {}
    return {**inner, first: _put(inner.get(first), rest, value)}
