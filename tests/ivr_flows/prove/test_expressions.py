"""An expression with which nothing is wrong does not fail, whatever the variables hold that they may hold.

Every filter is put behind every kind of value, and every operator between two of them. What is said is rendered for
variables filled as calls fill them: by web services (`coerce`), keys, the settings, the queue.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from random import Random
from typing import Final

from ivr_flows.answers import coerce
from ivr_flows.expression import FILTERS, ExpressionError, check_text, render
from ivr_flows.facts import Facts, Named, QueueFacts, views
from ivr_flows.flow import Flow, HangUp, Plain, Say, Variable, Words
from ivr_flows.prove.findings import Findings
from ivr_flows.prove.transfer import Transfer
from ivr_flows.prove.world import Scope, World
from telephony.events import CallerContext, OpenCase, PastInteraction
from tests.ivr_flows.flows import NOW

TOLD: Final[Mapping[str, tuple[Plain, ...]]] = {
    "text": ("", "abc", "12", "2026-03-02", "08:30", "x" * 500, "٣", "1e5", " 7 ", "-3"),
    "digits": ("", "0", "12", "02032026", "99999999", "1" * 30, "1" * 64, "1" * 65),
    "number": (0, 1, -1, 2.5, 10**16, -1e300, "nan", "inf", "12", 1e15, float("nan"), 0.1, 59, 10**15 - 1),
    "amount": (0, -1, 2.5, 10**16, "99999999999999999999", 0.005, float("inf"), 990_000),
    "flag": (True, False),
    "phone": ("", "+84912345678", "0912345678", "hello", "x" * 40, "112", "0912-345-678"),
    "date": ("2026-03-02", "2026-03-02T10:00:00+07:00", "0001-01-01", "9999-12-31", "20260302", "soon"),
    "time": ("08:30", "23:59:59", "08:30:00+07:00", "24:00"),
}
"""What the world may tell of each kind, whether it fits or not."""
VARIABLES: Final = {
    **{kind: Variable(kind) for kind in ("text", "digits", "number", "amount", "flag", "phone", "date", "time")},
    "eight": Variable("digits", length=(8, 8)),
    "tier": Variable("choice", values=("gold", "plain")),
    "told": Variable("record", fields={kind: kind for kind in TOLD}),
}
VALUES: Final = (
    *VARIABLES, *(f"told.{kind}" for kind in TOLD), "call.ani", "call.started", "now", "now.hour", "today", "now.date",
    "caller.name", "caller.tags", "caller.birthday", "caller.last_interaction", "caller.open_cases", "settings.limit",
    'queue("care").waiting', 'queue("care").estimated_wait', 'hours("office")', "waiting.seconds", "now - call.started",
    "[number, amount]", "[text, number]", "[]", "[[], 1]", "1", "-2.5", "'x'", "'12'", "none", "true",
    "number * amount", "digits | int", "text ~ number", "digits ~ digits",
)  # fmt: skip
BRACKETS: Final = (
    "money('USD')", "duration('about')", "round(2)", "round(1, 'ceil')", "round(number)", "round('a')", "default(0)",
    "default('x', true) | upper", "int(5)", "int('a') + 1", "int(0, 16)", "join(', ')", "join(', ', 'topic')",
    "join(', ', 'x')", "trim('x')", "trim(5)", "first(1)", "upper(1)",
)  # fmt: skip
OPERATORS: Final = ("+", "-", "*", "/", "//", "%", "~", "==", "<", ">=", "in", "and", "or")
PAIRED: Final = ("[{}, {}] | max", "{}[{}]", "{} if {}", "({} if {} else 1) | int", "{} is divisibleby({})")


def expressions(random: Random) -> Iterator[str]:
    for value in VALUES:
        inner = value if " " not in value else f"({value})"
        yield inner
        yield from (f"{inner} | {name}" for name in (*FILTERS, *BRACKETS))
        yield from (f"{inner} is {test}" for test in ("even", "odd(1)", "none", "divisibleby"))
        yield from (f"{inner}.{field}" for field in ("year", "text", "topic"))
        for other in random.sample(VALUES, 4):
            right = other if " " not in other else f"({other})"
            yield f"{inner} {random.choice(OPERATORS)} {right}"
            yield random.choice(PAIRED).format(inner, right)


def fitting(kind: str, random: Random) -> Plain:
    return random.choice([fits for each in TOLD[kind] if (fits := coerce(kind, each)) is not None])


def scope(random: Random) -> Mapping[str, object]:
    """What an expression sees in some call."""
    known = {kind: fitting(kind, random) for kind in TOLD}
    caller = CallerContext(
        name=random.choice(("Lan", "")), assurance=random.randint(0, 3), tags=random.choice(((), ("vip", "b"))),
        open_cases=random.choice(((), (OpenCase("k", "Re: x", "x", "email", NOW),))),
        last_interactions=random.choice(((), (PastInteraction("i", "zalo", "inbound", NOW, "x", "..."),))),
        birthday=random.choice(("", "1990-02-03")),
    )  # fmt: skip
    facts = Facts(
        caller, random.choice(("+84912345678", "")), "19001234", NOW, hours={"office": "open"},
        queues={"care": QueueFacts(True, 3, random.choice((0.0, 61.5)))},
        settings={"limit": random.choice(("", "12", "abc"))},
    )  # fmt: skip
    told = Named({kind: fitting(kind, random) for kind in TOLD})
    here = {"eight": random.choice(("02032026", "99999999")), "tier": "gold", "told": told}
    return {**known, **here, **views(facts, {}, "en", NOW + 60)}


def is_accepted(text: str) -> bool:
    flow = Flow(
        "main", ("en",), "say", {"say": Say((Words({"en": text}),), "bye"), "bye": HangUp()}, variables=VARIABLES
    )
    if check_text(text, VARIABLES):
        return False
    known = Scope(flow)
    world = World({name: known.declared(name) for name in VARIABLES})
    return not list(Findings(flow, known, Transfer(known, lambda *_: None)).at("say", world))


def fails(text: str, scopes: list[Mapping[str, object]]) -> Iterator[str]:
    for each in scopes:
        try:
            render(text, each)
        except ExpressionError as error:
            yield f"{text}: {error}"
            return


def test_what_is_accepted_does_not_fail() -> None:
    random = Random(7)  # noqa: S311 - the same expressions in every run
    scopes = [scope(random) for _ in range(20)]
    texts = [f"{{{{ {each} }}}}" for each in dict.fromkeys(expressions(random))]
    accepted = [text for text in texts if is_accepted(text)]
    assert list(chain.from_iterable(fails(text, scopes) for text in accepted)) == []
    assert len(accepted) > 400, "most of what is good is accepted"
