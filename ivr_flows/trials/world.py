"""The world of a scenario: what queues and other systems come to, each time they are asked. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from ivr_flows.facts import Facts
from ivr_flows.trials.scenario import REPLY_AFTER_S, Reply, Visit, World
from telephony.events import ANSWERED, VERIFIED, CallerContext
from telephony.requests import AnyRequest, CallHttp, CheckCode, SendCode, Values, kind_of

NOT_THERE: Final = "the flow asks for {}, and nothing under the scenario's `http:` answers that"
"""Why a scenario fails that lacks an answer."""
UNLESS_SAID: Final[Mapping[str, Reply]] = {
    "lookup": Reply("not_found"),
    "verify": Reply("refused"),
    "code": Reply("wrong"),
    "case": Reply("next", {"id": "case-new"}),
    "callback": Reply("next"),
    "notify": Reply("next"),
    "dial": Reply("answered", after_s=60.0),
    "conference": Reply("next", after_s=60.0),
    "voicemail": Reply("next", after_s=10.0),
}
"""What the world says where the scenario has nothing of it. A web service always needs its answer."""
CODE: Final = "code"
"""What comes of a code: of its sending, else of what is keyed."""
UNSENT: Final = frozenset({"not_sent", "failed"})
KEYED: Final[Mapping[str, str]] = {"right": "verified", "wrong": "wrong", "expired": "refused"}


def replies_of(world: World, kind: str) -> tuple[Reply, ...]:
    """Return what a kind of request comes to, one time after another; nothing where the scenario has to say it."""
    return world.replies.get(kind) or ((UNLESS_SAID[kind],) if kind in UNLESS_SAID else ())


class Said(NamedTuple):
    """The world's answer to a request: the exit's name, what came of it, after how long."""

    outcome: str
    values: Values
    after_s: float
    caller: CallerContext | None

    def is_late(self, timeout_s: float) -> bool:
        """Whether it comes after the flow has given up waiting; 0 is for one that waits for ever."""
        return 0 < timeout_s < self.after_s


class Answers:
    """Counts how often each thing was asked, since a scenario may answer otherwise the second time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: Counter[tuple[str, str]] = Counter()

    def visit(self, queue: str) -> Visit:
        """Return what comes of a queue this time."""
        visits = self._world.visits.get(queue) or (Visit(),)
        return visits[self._turn("queue", queue, len(visits))]

    def reply(self, request: AnyRequest, facts: Facts) -> Said | None:
        """Return the world's answer this time; None where the scenario has none. What is given away (`transfer`) has
        none either, unless it fails."""
        if isinstance(request, CallHttp):
            return self._http(request)
        if isinstance(request, SendCode | CheckCode):
            return self._code(request, facts)
        kind = kind_of(request)
        replies = replies_of(self._world, kind)
        if not replies:
            return None
        reply = replies[self._turn(kind, "", len(replies))]
        caller = reply.caller
        if caller is None and kind == "verify" and reply.outcome == "verified":
            caller = replace(facts.caller, known=True, assurance=max(ANSWERED, facts.caller.assurance))
        return Said(reply.outcome, reply.values or {}, reply.after_s, caller)

    def _code(self, request: SendCode | CheckCode, facts: Facts) -> Said:
        """A code is sent, unless the next answer says that it is not; that answer is else for what is keyed."""
        replies = replies_of(self._world, CODE)
        reply = replies[min(self._asked[CODE, ""], len(replies) - 1)]
        if isinstance(request, SendCode) and reply.outcome not in UNSENT:
            return Said("sent", {}, REPLY_AFTER_S, None)
        self._turn(CODE, "", len(replies))
        outcome = reply.outcome if isinstance(request, SendCode) else KEYED.get(reply.outcome, "failed")
        caller = reply.caller
        if caller is None and outcome == "verified":
            caller = replace(facts.caller, known=True, assurance=VERIFIED)
        return Said(outcome, {}, reply.after_s, caller)

    def web(self, method: str, url: str) -> Reply | None:
        """Return what a web service answers this time; None where the scenario has none of that address."""
        for pattern, replies in self._world.http.items():
            if matches(pattern, url) or matches(pattern, f"{method} {url}"):
                return replies[self._turn("http", pattern, len(replies))]
        return None

    def _http(self, request: CallHttp) -> Said | None:
        reply = self.web(request.method.upper(), request.url)
        if reply is None:
            return None
        wanted = {name: at_path(reply.values, path) for name, path in request.fields.items()}
        return Said(reply.outcome, {n: v for n, v in wanted.items() if v is not None}, reply.after_s, None)

    def _turn(self, kind: str, name: str, given: int) -> int:
        turn = self._asked[kind, name]
        self._asked[kind, name] += 1
        return min(turn, given - 1)


def visit_of(world: World, queues: Sequence[str]) -> Visit:
    """Return what comes of the last of the queues that a call has come to, in their order."""
    visits = world.visits.get(queues[-1], ()) or (Visit(),)
    return visits[min(queues.count(queues[-1]), len(visits)) - 1]


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


def matches(pattern: str, text: str) -> bool:
    """Tell whether an address is meant; `*` stands for anything."""
    return _pattern(pattern).match(text) is not None


def at_path(values: Any, path: str) -> Any:
    """Return what stands in a JSON answer at `order.items.0.day`; None for nothing, or for what is no single value."""
    found = values
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list | tuple) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found if isinstance(found, str | int | float | bool) else None
