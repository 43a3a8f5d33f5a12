"""The answers that are worth trying: a caller's to a question, the world's to a request. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from ivr_flows.answers import understand
from ivr_flows.flow import Flow, Gather, Http, Lookup, Menu, Request, Survey, Transfer, question_of
from ivr_flows.state import Ask
from ivr_flows.step_reading import KEYS
from ivr_flows.trials.call import Call
from ivr_flows.trials.hints import Compared
from ivr_flows.trials.scenario import REPLY_AFTER_S, Reply, World
from ivr_flows.trials.world import CODE, KEYED, UNSENT, Answers, Said, at_path
from telephony.clock import datetime_of
from telephony.requests import CallHttp, CheckCode, SendCode, kind_of

Came = tuple[str, str, Any]
"""A key of a scenario's world, a name in it ("" for none), and what stands there."""

MAX_VARIANTS: Final = 12
NUMBERS: Final = (
    "0912345678", "02438251234", "02031990", "020390", "0203", "0930", "930", "150000", "5", "10", "4111111111111111",
)  # fmt: skip
SOON: Final = timedelta(days=30)
DATES: Final = 6
"""So many dates are tried: past and to come, with and without a year."""
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


class Answering:
    """The question that a call is at, and its answers."""

    def __init__(self, call: Call) -> None:
        self._state, self._facts = call.inner, call.facts
        self._part = call.marked.flow.part(self._state.flow)
        self._here = self._part.steps[self._state.step]
        self._now = call.now

    @property
    def question(self) -> Menu | Gather | None:
        """What is asked; None where nothing is."""
        return question_of(self._here)

    def all(self, known: Compared) -> Iterator[str]:
        """Yield the keys that the question tells apart; "" for silence."""
        match self.question:
            case Menu(choices=choices):
                yield from choices
                yield from self._global_keys(choices)
                yield self.wrong()
            case Gather() if self._state.confirming:
                yield from "123"
            case Gather() as here:
                right = [keys for keys in self._named(here, known) if self._is_right(here, keys)][:MAX_VARIANTS]
                right += self._tried(here, right=True)[: DATES if self._kind(here) == "date" else 2]
                yield from map(self.finished, dict.fromkeys(right))
                yield from map(self.finished, self._tried(here, right=False)[:1])
                yield from [_counted(here.length[0] - 1) + here.finish] if here.length[0] > 1 and here.finish else []
                yield from self._global_keys(f"0123456789{here.finish}")
                yield self.wrong()
        yield ""

    def right(self) -> str:
        """Return keys that answer the question."""
        match self.question:
            case Gather() as here if not self._state.confirming:
                return self.finished(next(iter(self._tried(here, right=True)), _counted(here.length[0])))
            case Menu(choices=choices):
                return next(iter(choices))
        return "1"

    def wrong(self) -> str:
        """Return keys that do not."""
        match self.question:
            case Menu(choices=choices):
                return next((key for key in KEYS if key not in choices and key not in self._part.keys), "*")
            case Gather(finish=finish) if not self._state.confirming:
                return next((key for key in "*#" if key != finish and key not in self._part.keys), finish or "*")
        return "3"

    def finished(self, keys: str) -> str:
        """Return digits with the key that finishes them, where one is needed."""
        here = self.question
        if not isinstance(here, Gather) or self._state.confirming or not keys.isdigit() or len(keys) == here.length[1]:
            return keys
        return keys + here.finish

    def _global_keys(self, taken: Iterable[str]) -> Iterator[str]:
        yield from (key for key in self._part.keys if key not in taken)

    def _is_right(self, here: Gather, keys: str) -> bool:
        return understand(here.check, self._kind(here), keys, self._today, self._facts.region) is not None

    @property
    def _today(self) -> date:
        return datetime_of(self._now).astimezone(ZoneInfo(self._facts.timezone)).date()

    def _kind(self, here: Gather) -> str:
        variable = self._part.variables.get(here.into)
        return "number" if isinstance(self._here, Survey) else "text" if variable is None else variable.kind

    def _named(self, here: Gather, known: Compared) -> list[str]:
        """Return answers that the flow's conditions name."""
        constants = sorted(known.get(here.into, ()), key=str)
        return [text for each in constants for text in _near(each) if _fits(here, text)]

    def _tried(self, here: Gather, *, right: bool) -> list[str]:
        plain = [_counted(length) for length in dict.fromkeys(here.length)]
        dates = [f"{day:{form}}" for form in ("%d%m%Y", "%d%m") for day in (self._today, self._today + SOON)]
        tried = [text for text in (*plain, *NUMBERS, *dates, *map(_with_check_digit, plain)) if _fits(here, text)]
        return [text for text in dict.fromkeys(tried) if self._is_right(here, text) is right]


def _fits(here: Gather, keys: str) -> bool:
    return keys.isascii() and keys.isdigit() and here.length[0] <= len(keys) <= here.length[1]


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
    part = call.marked.flow.part(call.inner.flow)
    here = part.steps[call.inner.step]
    if not isinstance(here, Request):
        return
    if isinstance(asked.request, SendCode | CheckCode):
        yield from _code(asked.request, call)
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
        if outcome == "verified" and "caller.assurance" in known:
            doubted = Said(outcome, {}, REPLY_AFTER_S, replace(call.facts.caller, known=True, assurance=1))
            yield doubted, (kind, "", {"outcome": outcome, "known_as": {"assurance": 1}})


def _code(request: SendCode | CheckCode, call: Call) -> Iterator[tuple[Said, Came | None]]:
    """A code is sent, which nothing has to be written for, or not; what is keyed is right, or not."""
    if isinstance(request, SendCode):
        yield Said("sent", {}, REPLY_AFTER_S, None), None
        yield from ((Said(outcome, {}, REPLY_AFTER_S, None), (CODE, "", outcome)) for outcome in sorted(UNSENT))
        return
    for outcome in KEYED:
        said = Answers(World(replies={CODE: (Reply(outcome),)})).reply(request, call.facts)
        if said is not None:
            yield said, (CODE, "", outcome)


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
