"""The world of a scenario, as a test file writes it: who calls, when, and what queues and other systems come to."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from ivr_flows import values
from ivr_flows.answers import coerce
from ivr_flows.facts import Facts, QueueFacts
from ivr_flows.flow import Callback, Flow, Held, Hours, Queue, ReadQueue, Voicemail
from ivr_flows.source import ListNode, MapNode, Node, Scalar, did_you_mean
from ivr_flows.state import QueueOutcome
from ivr_flows.trials.marks import texts_of
from ivr_flows.trials.scenario import ANSWERED_AFTER_S, PHONE, REPLY_AFTER_S, TALK_S, Reply, Visit, World
from ivr_flows.values import Fields, Reading
from telephony.events import CallerContext, KnownField, OpenCase, PastInteraction

OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "lookup": ("found", "not_found", "several", "failed"),
    "verify": ("verified", "refused", "failed"),
    "code": ("right", "wrong", "expired", "not_sent", "failed"),
    "case": ("next", "failed"),
    "callback": ("next", "failed"),
    "notify": ("next", "failed"),
    "dial": ("answered", "busy", "no_answer", "failed"),
    "transfer": ("failed", "no_answer"),
    "conference": ("next", "full", "failed"),
    "voicemail": ("next", "no_message", "failed"),
}
"""What may come of each kind of request but `http`; the first is what values without an outcome mean."""
WORLD: Final = (
    "caller", "dials", "at", "timezone", "queues", "hours", "settings", "parameters", "http", *OUTCOMES,
)  # fmt: skip
CALLER: Final = ("phone", "withheld", "known_as")
KNOWN_AS: Final = (
    "name", "language", "assurance", "tags", "open_cases", "last_interaction", "fields", "customer",
)  # fmt: skip
CASE: Final = ("id", "subject", "topic", "channel", "opened")
INTERACTION: Final = ("channel", "direction", "occurred", "subject")
QUEUE: Final = ("open", "waiting", "estimated_wait", "outcome", "after", "talk")
VISIT: Final = ("outcome", "after", "talk")
QUEUE_OUTCOMES: Final[tuple[QueueOutcome, ...]] = get_args(QueueOutcome)
REPLY: Final = ("outcome", "values", "after", "known_as")
HTTP_REPLY: Final = ("code", "body", "after")
HTTP_WORDS: Final = ("timed_out", "failed", "not_found", "next")
HOURS: Final = ("open", "closed", "holiday", "emergency")

TIMEZONE: Final = "Asia/Ho_Chi_Minh"
AT: Final = "2026-03-02 10:00"
"""A Monday, in working hours."""
DIALS: Final = "19001234"
DAY_S: Final = 86_400.0
_NAMED: Final = re.compile(r"\b(queue|hours)\(\s*[\"']([a-z0-9_]+)[\"']|\b(settings)\.([a-z0-9_]+)")


@dataclass
class WorldReading:
    """The world of one scenario being read, for one flow."""

    reading: Reading
    flow: Flow

    def world(self, given: Fields) -> World:
        zone_node = given.get("timezone")
        timezone = TIMEZONE if zone_node is None else self.timezone(zone_node)
        at = self.instant(given.get("at"), timezone, AT)
        queues, visits = self.queues(given.get("queues"))
        caller, ani = self.caller(given.get("caller"), timezone, at)
        dials = given.get("dials")
        facts = Facts(
            caller=caller,
            ani=ani,
            dnis=DIALS if dials is None else _number(values.text(self.reading, dials, "a number")),
            started_at=at,
            timezone=timezone,
            queues=queues,
            hours=self.hours(given.get("hours")),
            settings=self.settings(given.get("settings")),
            call="call",
        )
        replies = {
            kind: self.replies(kind, node, timezone, at) for kind in OUTCOMES if (node := given.get(kind)) is not None
        }
        return World(facts, at, visits, replies, self.http(given.get("http")), self.parameters(given.get("parameters")))

    def timezone(self, node: Node) -> str:
        word = values.text(self.reading, node, "a time zone")
        try:
            ZoneInfo(word)
        except (LookupError, ValueError, OSError):
            self.fault(node, "bad-value", f"'{word}' is not a time zone such as {TIMEZONE}")
            return TIMEZONE
        return word

    def instant(self, node: Node | None, timezone: str, default: str) -> float:
        """Read `2026-03-02 10:00` as seconds since the epoch, local to the scenario's time zone."""
        word = default if node is None else values.text(self.reading, node, "a time")
        try:
            found = datetime.fromisoformat(word)
        except ValueError:
            if node is not None and word:
                self.fault(node, "bad-value", f"'{word}' is not a time such as {AT}")
            found = datetime.fromisoformat(default)
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))).timestamp()

    def caller(self, node: Node | None, timezone: str, at: float) -> tuple[CallerContext, str]:
        if node is None:
            return CallerContext(assurance=1), PHONE
        if isinstance(node, Scalar):
            word = values.text(self.reading, node, "a caller's number")
            return (CallerContext(), "") if word == "withheld" else (CallerContext(assurance=1), _number(word))
        given = values.fields(self.reading, node, CALLER, "a caller")
        phone, known_as = given.get("phone"), given.get("known_as")
        withheld = values.flag(self.reading, given.get("withheld"), default=False)
        ani = "" if withheld else PHONE if phone is None else _number(values.text(self.reading, phone, "a number"))
        if known_as is None:
            return CallerContext(assurance=0 if withheld else 1), ani
        return self.known_as(known_as, timezone, at, 0 if withheld else 1), ani

    def known_as(self, node: Node, timezone: str, at: float, assurance: int) -> CallerContext:
        given = values.fields(self.reading, node, KNOWN_AS, "a known caller")
        last, told = given.get("last_interaction"), given.get("fields")
        told_items = {} if told is None else self.mapping(told, "what a customer told is a mapping of names to values")
        return CallerContext(
            customer=self.word(given, "customer", "0" * 32),
            known=True,
            name=self.word(given, "name", ""),
            language=self.word(given, "language", ""),
            assurance=values.count(self.reading, given.get("assurance"), assurance, 3),
            tags=self.texts(given.get("tags"), "a tag"),
            open_cases=tuple(
                self.case(each, index, timezone, at) for index, each in enumerate(elements_of(given.get("open_cases")))
            ),
            last_interactions=() if last is None else (self.interaction(last, timezone, at),),
            fields=tuple(
                KnownField(name, values.text(self.reading, value, "a value"), "call", at - DAY_S)
                for name, (_, value) in told_items.items()
            ),
        )

    def case(self, node: Node, index: int, timezone: str, at: float) -> OpenCase:
        """Read an open case; a text alone is its topic."""
        if isinstance(node, Scalar):
            topic = values.text(self.reading, node, "a case's topic")
            return OpenCase(f"case-{index + 1}", topic, topic, "email", at - DAY_S)
        given = values.fields(self.reading, node, CASE, "a case")
        topic = self.word(given, "topic", "")
        return OpenCase(
            id=self.word(given, "id", f"case-{index + 1}"),
            subject=self.word(given, "subject", topic),
            topic=topic,
            channel=self.word(given, "channel", "email"),
            opened_at=at - DAY_S if "opened" not in given else self.instant(given.get("opened"), timezone, AT),
        )

    def interaction(self, node: Node, timezone: str, at: float) -> PastInteraction:
        given = values.fields(self.reading, node, INTERACTION, "an interaction")
        occurred = at - DAY_S if "occurred" not in given else self.instant(given.get("occurred"), timezone, AT)
        direction, subject = self.word(given, "direction", "inbound"), self.word(given, "subject", "")
        return PastInteraction("last", self.word(given, "channel", "email"), direction, occurred, subject, subject)

    def queues(self, node: Node | None) -> tuple[dict[str, QueueFacts], dict[str, tuple[Visit, ...]]]:
        """Read the queues; those that the flow names and the scenario does not are open and empty."""
        facts = {name: QueueFacts() for name in self.named("queue")}
        visits: dict[str, tuple[Visit, ...]] = {}
        items = {} if node is None else self.mapping(node, "queues are a mapping of names to {outcome: answered, …}")
        for name, (key, value) in items.items():
            values.name(self.reading, key, "a queue's name")
            if isinstance(value, MapNode):
                given = values.fields(self.reading, value, QUEUE, "a queue")
                facts[name] = QueueFacts(
                    values.flag(self.reading, given.get("open"), default=True),
                    values.count(self.reading, given.get("waiting"), 0, 10_000),
                    values.duration(self.reading, given.get("estimated_wait"), 0.0),
                )
                visits[name] = self.visits(given)
            else:
                facts[name], visits[name] = QueueFacts(), tuple(self.visit(each) for each in elements_of(value))
        return facts, visits

    def visits(self, given: Fields) -> tuple[Visit, ...]:
        outcome = given.get("outcome")
        if isinstance(outcome, ListNode):
            return tuple(self.visit(each) for each in outcome.elements)
        return (self._visit(given),)

    def visit(self, node: Node) -> Visit:
        if isinstance(node, MapNode):
            return self._visit(values.fields(self.reading, node, VISIT, "a visit"))
        return Visit(self.outcome(node))

    def _visit(self, given: Fields) -> Visit:
        outcome = given.get("outcome")
        return Visit(
            "answered" if outcome is None else self.outcome(outcome),
            values.duration(self.reading, given.get("after"), ANSWERED_AFTER_S),
            values.duration(self.reading, given.get("talk"), TALK_S),
        )

    def outcome(self, node: Node) -> QueueOutcome:
        word = values.word_of(self.reading, node, QUEUE_OUTCOMES, "what comes of a queue")
        return next((each for each in QUEUE_OUTCOMES if each == word), "answered")

    # ------------------------------------------------------------------------------------ hours, settings, replies

    def named(self, group: str) -> list[str]:
        """Return the queues, hours or settings that the flow, and those it may come to, speak of."""
        steps = [step for part in (self.flow, *self.flow.flows.values()) for step in part.steps.values()]
        found: set[str] = set()
        for step in steps:
            match step:
                case Queue(to=name) | ReadQueue(of=name) | Callback(queue=name) | Voicemail(queue=name):
                    found |= {name} if group == "queue" and name else set()
                case Hours(of=name):
                    found |= {name} if group == "hours" else set()
            for _, text in texts_of(step):
                found |= set(_names_in(text, group)) if group in text else set()
        return sorted(found)

    def hours(self, node: Node | None) -> dict[str, str]:
        """Read the states of opening hours; what the flow names and the scenario does not is open."""
        found = dict.fromkeys(self.named("hours"), "open")
        items = {} if node is None else self.mapping(node, "hours are a mapping of names to open, closed, …")
        for name, (key, value) in items.items():
            if name not in found:
                hint = did_you_mean(name, found)
                self.fault(key, "unknown-hours", f"the flow has no opening hours '{name}'{hint}")
            found[name] = values.word_of(self.reading, value, HOURS, "a state of opening hours") or "open"
        return found

    def settings(self, node: Node | None) -> dict[str, str]:
        """Read values of the settings; one that the flow names and the scenario does not is its own name."""
        found = {name: name for name in self.named("settings")}
        items = {} if node is None else self.mapping(node, "settings are a mapping of names to values")
        return found | {name: values.text(self.reading, value, "a value") for name, (_, value) in items.items()}

    def parameters(self, node: Node | None) -> dict[str, Held]:
        found: dict[str, Held] = {}
        items = {} if node is None else self.mapping(node, "parameters are a mapping of names to values")
        for name, (key, value) in items.items():
            if name not in self.flow.parameters:
                hint = did_you_mean(name, self.flow.parameters)
                self.fault(key, "undefined-variable", f"'{name}' is not among the flow's parameters{hint}")
            else:
                found[name] = coerce(self.flow.variables[name].kind, plain_of(value))
        return found

    def replies(self, kind: str, node: Node, timezone: str, at: float) -> tuple[Reply, ...]:
        return tuple(self.reply(kind, each, timezone, at) for each in elements_of(node))

    def reply(self, kind: str, node: Node, timezone: str, at: float) -> Reply:
        """Read what comes of a request: an outcome, values, or `{outcome: …, values: …, after: 2s}`."""
        what = f"what comes of '{kind}'"
        if not isinstance(node, MapNode):
            return Reply(values.word_of(self.reading, node, OUTCOMES[kind], what) or OUTCOMES[kind][0])
        if not any(name in REPLY for name in node.items):
            return Reply(OUTCOMES[kind][0], plain_of(node))
        given = values.fields(self.reading, node, REPLY, what)
        outcome, told, known_as = given.get("outcome"), given.get("values"), given.get("known_as")
        word = "" if outcome is None else values.word_of(self.reading, outcome, OUTCOMES[kind], what)
        return Reply(
            word or OUTCOMES[kind][0],
            None if told is None else plain_of(told),
            values.duration(self.reading, given.get("after"), REPLY_AFTER_S),
            None if known_as is None else self.known_as(known_as, timezone, at, 3 if kind == "code" else 2),
        )

    def http(self, node: Node | None) -> dict[str, tuple[Reply, ...]]:
        """Read what web services answer: patterns of addresses to answers, the first that fits is meant."""
        items = {} if node is None else self.mapping(node, 'http is a mapping of addresses to answers: {"*/1234": {…}}')
        return {
            pattern: tuple(self.http_reply(each) for each in elements_of(value))
            for pattern, (_, value) in items.items()
        }

    def http_reply(self, node: Node) -> Reply:
        """Read an answer: a status, `timed_out`, the JSON that comes with 200, or `{code: …, body: …, after: 2s}`."""
        if isinstance(node, Scalar):
            return self.status(node)
        if not isinstance(node, MapNode) or not node.items or not all(name in HTTP_REPLY for name in node.items):
            return Reply("next", plain_of(node))
        given = values.fields(self.reading, node, HTTP_REPLY, "an answer")
        code, body = given.get("code"), given.get("body")
        status = Reply("next") if code is None else self.status(code)
        after_s = values.duration(self.reading, given.get("after"), REPLY_AFTER_S)
        return Reply(status.outcome, None if body is None else plain_of(body), after_s)

    def status(self, node: Node) -> Reply:
        word = values.text(self.reading, node, "a status")
        if word.isdigit() and 100 <= int(word) <= 599:
            code = int(word)
            return Reply("next" if 200 <= code < 300 else "not_found" if code in (404, 410) else "failed")
        if word and word not in HTTP_WORDS:
            text = f"'{word}' is neither a status from 100 to 599 nor timed_out"
            self.fault(node, "bad-value", f"{text}{did_you_mean(word, HTTP_WORDS)}")
        return Reply(word if word in HTTP_WORDS else "failed")

    # ---------------------------------------------------------------------------------------------- small readers

    def fault(self, place: Node, code: str, text: str) -> None:
        self.reading.faults.add(place, code, text)

    def mapping(self, node: Node, what: str) -> dict[str, tuple[Scalar, Node]]:
        if isinstance(node, MapNode):
            return node.items
        self.fault(node, "bad-value", what)
        return {}

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        return tuple(values.text(self.reading, each, what) for each in elements_of(node))

    def word(self, given: Fields, name: str, default: str) -> str:
        node = given.get(name)
        return default if node is None else values.text(self.reading, node, f"'{name}'")


def elements_of(node: Node | None) -> Sequence[Node]:
    """Return a list's elements; one value alone is its only one."""
    if node is None:
        return ()
    return node.elements if isinstance(node, ListNode) else (node,)


def plain_of(node: Node) -> Any:
    """Return a piece of YAML as JSON has it: what is not in quotes may be a number or a flag."""
    match node:
        case MapNode():
            return {name: plain_of(value) for name, (_, value) in node.items.items()}
        case ListNode():
            return [plain_of(each) for each in node.elements]
        case Scalar(quoted=True, text=text):
            return text
        case Scalar(empty=True):
            return None
        case Scalar(text=text):
            return _scalar(text)
    raise ValueError(f"{type(node).__name__} is not known here")


def _scalar(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]+", text) else text


def _names_in(text: str, group: str) -> Iterator[str]:
    for found in _NAMED.finditer(text):
        name, inner = (found[1], found[2]) if found[1] else (found[3], found[4])
        if name == group:
            yield inner


def _number(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum() or sign == "+")
