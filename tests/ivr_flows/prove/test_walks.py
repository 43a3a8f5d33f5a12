"""What is accepted does not fail: random flows that the prover finds nothing wrong with, and random callers in them.

Law 1: no expression fails, whatever callers do and systems answer, and nobody hears the apology.
Law 2: a caller who does nothing, in a world in which nothing works, comes to an end of the call.
"""

from collections.abc import Mapping
from pathlib import Path
from random import Random

import hypothesis.strategies as st
from hypothesis import given, settings
from msgspec.structs import replace

from ivr_flows.check import without_end
from ivr_flows.flow import (
    END,
    Assign,
    Branch,
    Choice,
    ChooseLanguage,
    Flow,
    Gather,
    HangUp,
    Hours,
    Http,
    Menu,
    Notify,
    Play,
    Queue,
    ReadQueue,
    Retry,
    Return,
    Say,
    Split,
    Step,
    Subflow,
    Survey,
    TakeNote,
    Variable,
    Verify,
    VerifyByCode,
    Voicemail,
    Wait,
    When,
    Words,
    exits,
)
from ivr_flows.load import Checked
from ivr_flows.prove import prove
from ivr_flows.source import Faults, Scalar
from ivr_flows.state import (
    Answered,
    Ask,
    FlowInput,
    FlowState,
    KeyPressed,
    PlayPrompts,
    PromptsFinished,
    QueueEntered,
    QueueLeft,
)
from ivr_flows.step import Facts, QueueFacts, TimePassed, start, step
from ivr_flows.values import Reading
from telephony.events import CallerContext, OpenCase, PastInteraction
from tests.ivr_flows.flows import NOW

VARIABLES = {
    "n": Variable("number", initial=0),
    "m": Variable("number"),
    "order": Variable("digits", length=(2, 4)),
    "note": Variable("text"),
    "seen": Variable("flag", initial=False),
    "tier": Variable("choice", values=("gold", "plain"), initial="plain"),
    "parcel": Variable("record", fields={"place": "text", "weight": "number", "day": "date"}),
    "stand": Variable("record", fields={"open": "flag", "waiting": "number", "estimated_wait": "number"}),
}
SAID = (
    "Hello.", "{{ n }} times", "{{ order }}", "{{ order | default('none') }}", "{{ order if order is defined }}",
    "{{ note }}", "{{ note ~ n }}", "{{ parcel.place }}", "{{ parcel.weight + n }}", "{{ parcel.day }}",
    "{{ caller.open_cases[0].topic }}", "{{ caller.last_interaction.subject }}", "{{ caller.tags | first }}",
    "{{ caller.open_cases[0].topic if caller.open_cases }}", "{{ 10 / n }}", "{{ 10 // (n + 1) }}",
    "{{ tier | upper }}",
    "{{ caller.last_interaction.channel | channel if caller.last_interaction else 'nothing' }}", "{{ m }}",
    "{{ order[1] }}", "{{ order[3] }}", "{{ note | last }}", "{{ stand.waiting }}", "{{ caller.name[0] }}",
    "{{ (order | int) + 1 }}", "{{ [n, 3] | max }}", "{{ n % 2 }}", "{{ call.started.hour }}", "{{ now.minute + 1 }}",
    '{{ queue("care").waiting }}', '{{ hours("office") }}', "{{ caller.assurance + 1 }}", "{{ note + 1 }}",
    "{{ parcel.place | day }}", "{{ parcel.day | day }}", "{{ parcel.weight | money }}", "{{ call.ani | phone }}",
    "{{ parcel.weight | duration }}", "{{ n | day }}", "{{ 10 // (n - m) }}", "{{ n * n * n | number }}",
    "{{ order | number }}", "{{ note | upper }}",
)  # fmt: skip
CONDITIONS = (
    "n > 2", "n == 0", "n < 5 and n >= 1", "order is defined", "order == '12'", "order | length == 3", "seen",
    "not seen", "tier == 'gold'", "caller.known", "caller.open_cases", "caller.open_cases | length > 1",
    "caller.last_interaction", "caller.last_interaction and caller.last_interaction.channel == 'zalo'",
    "'vip' in caller.tags", "caller.tags | length >= 1", "n != 0", "m is defined and m > 3", "m > 3",
    "parcel.weight > 2", "parcel is defined", "caller.assurance >= 2", "note is undefined or note == ''",
    "note is defined and note | length > 0", "order is defined and order != '12'", "call.language == 'en'",
    'queue("care").open', 'hours("office") == "open"', "stand is defined and stand.open", "now.hour < 12",
    "10 / n > 2", "n > 0 and 10 / n > 2", "order > 3", "caller.name", "(order | default('0') | int) > 12",
    "m is defined and n > m", "m is defined and n < m and 10 / (m - n) > 1", "m is defined and 10 // (n - m) > 0",
    "m is defined and n != m", "call.ani", "note", "parcel.weight >= 0", "parcel.day > today",
)  # fmt: skip
SET = {
    "n": ("n + 1", "n - 1", "0", "m", "order | int", "order | length", "n * 2", "n * n", "(n + 3) // 2"),
    "m": ("n", "m + 1", "3", "caller.assurance", "parcel.weight"),
    "order": ("'123'", "order", "call.ani"),
    "note": ("order", "'x' ~ n", "note", "caller.name", "parcel.place", "tier", "'a' if seen else 'b'", "'a' if seen"),
    "seen": ("true", "not seen", "n > 1", "caller.known"),
    "tier": ("'gold'", "'plain' if seen else 'gold'", "note", "tier"),
}


class World:
    """Makes flows and callers."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a flow is to be made again

    def flow(self, name: str = "main", others: Mapping[str, Flow] | None = None) -> Flow:
        """A flow of a few steps, most of which make sense."""
        names = [f"s{place}" for place in range(self.random.randint(2, 9))]
        steps: dict[str, Step] = {each: self.step(each, [*names, "agent", "bye"], others or {}) for each in names}
        steps["agent"] = Queue("care", END, "bye", "bye", "bye", exits={})
        given = self.random.choice(({"said": "'x'"}, {}))
        steps["bye"] = Return("next", given) if name != "main" else HangUp(self.words())
        return Flow(
            name, ("vi", "en"), "s0", steps, variables=VARIABLES, flows=others or {}, returns={"said": "text"},
            failed=self.random.choice(("", "agent")),
        )  # fmt: skip

    def words(self) -> tuple[Words, ...]:
        text = self.random.choice(SAID)
        return (Words({"vi": text, "en": self.random.choice((text, "Hello."))}),)

    def step(self, name: str, names: list[str], others: Mapping[str, Flow]) -> Step:
        later = names[names.index(name) + 1 :]
        to = [self.random.choice(later if self.random.random() < 0.8 else names) for _ in range(6)]
        retries = self.random.randint(0, 2)
        no_input, no_match = Retry(to[2], retries, self.words()), Retry(to[3], 1)
        match self.random.randrange(18 if others else 17):
            case 0 | 1:
                return Say(self.words(), to[0], interruptible=self.random.random() < 0.5)
            case 2 | 3:
                return Menu(self.words(), {"1": Choice(to[0]), "2": Choice(to[1])}, no_input, no_match)
            case 4:
                confirm = self.words() if self.random.random() < 0.3 else ()
                return Gather("order", self.words(), (2, 4), to[0], no_input, no_match, confirm=confirm)
            case 5 | 6 | 7:
                conditions = self.random.sample(CONDITIONS, self.random.randint(1, 3))
                branches = tuple(Branch(each, to[place + 1]) for place, each in enumerate(conditions))
                return When(branches, to[0])
            case 8 | 9 | 10:
                chosen = self.random.sample(sorted(SET), self.random.randint(1, 2))
                return Assign({each: self.random.choice(SET[each]) for each in chosen}, to[0])
            case 11:
                return Http("get", "https://x.example/", {"next": to[0], "failed": to[1]}, into="parcel")
            case 12:
                code = Gather("", self.words(), (6, 6), "", no_input, no_match, secret=True)
                ways = {"verified": to[0], "not_sent": to[1], "failed": to[4]}
                asked = {"verified": to[0], "refused": to[1], "failed": to[2]}
                return self.random.choice((Verify("birthday", "n", asked), VerifyByCode(code, ways)))
            case 13:
                return Hours("office", dict(zip(("open", "closed", "holiday", "emergency"), to, strict=False)))
            case 14:
                question = Gather("m", self.words(), (1, 1), to[0], no_input, no_match, check="csat")
                return self.random.choice((ReadQueue("care", "stand", to[0]), Survey("csat", question)))
            case 15:
                said = self.random.choice(SAID)
                return self.random.choice(
                    (
                        TakeNote(said, to[0]),
                        Notify({"vi": said, "en": said}, {"next": to[0], "failed": to[1]}),
                        ChooseLanguage("en", to[0]),
                    )
                )
            case 16:
                ways = {"next": to[0], "no_message": to[1], "failed": to[2]}
                return self.random.choice(
                    (
                        Wait(2.0, to[0]), Split({"a": 50, "b": 50}, {"a": to[0], "b": to[1]}),
                        Voicemail("care", ways, self.words()), Play(self.words(), to[0], for_s=2.0),
                    )
                )  # fmt: skip
            case _:
                return Subflow("other", {"next": to[0], "failed": to[1]}, {}, {"note": "said"})

    def facts(self) -> Facts:
        """Somebody who calls."""
        assurance = self.random.randint(0, 3)
        known = assurance > 0 and self.random.random() < 0.7
        cases = tuple(
            OpenCase("k" * 32, "Re: x", self.random.choice(("x", "")), "email", NOW)
            for _ in range(self.random.randint(0, 2))
        )
        lasts = (PastInteraction("i" * 32, self.random.choice(("zalo", "email")), "inbound", NOW, "x", "..."),)
        caller = CallerContext(
            known=known, name=self.random.choice(("Lan", "")), language=self.random.choice(("vi", "en", "")),
            assurance=assurance, tags=self.random.choice(((), ("vip",), ("a", "b"))), open_cases=cases,
            last_interactions=self.random.choice(((), lasts)),
        )  # fmt: skip
        queues = {"care": QueueFacts(self.random.random() < 0.5, self.random.randint(0, 9), 60.0)}
        hours = {"office": self.random.choice(("open", "closed", "holiday", "emergency"))}
        ani = self.random.choice(("+84912345678", ""))
        return Facts(caller, ani, "19001234", NOW, queues=queues, hours=hours)

    def answer(self, asked: Ask) -> FlowInput:
        """What the world says to a request."""
        outcomes = {
            "lookup": ("found",), "http": ("next", "failed"), "verify": ("verified", "refused", "failed"),
            "send_code": ("sent", "not_sent"), "check_code": ("verified", "wrong", "refused", "failed"),
            "notify": ("next", "failed"),
        }  # fmt: skip
        kind = str(asked.request.__struct_config__.tag)
        outcome = self.random.choice(outcomes.get(kind, ("next", "failed", "no_message")))
        weight = self.random.choice((3, 3, -2.5, 0, 10**14, "7", 1e300, float("nan")))
        place, day = self.random.choice(("here", "2026-03-02", "")), self.random.choice(("2026-03-02", "soon"))
        return Answered(asked.number, outcome, {"place": place, "weight": weight, "day": day})


def wrong_steps(flow: Flow) -> set[str]:
    """The steps of a flow with which something is wrong: they stand on lines of their own."""
    reading = Reading(Faults("flow.yaml"), Path())
    reading.steps = {name: Scalar(line, 1, name) for line, name in enumerate(flow.steps, 1)}
    found = prove(Checked(Path("flow.yaml"), flow, reading, ()))
    lines = list(flow.steps)
    wrong = {lines[error.line - 1] for error in found if not error.warning}
    edges = {name: [to for _, to in exits(each) if to != END] for name, each in flow.steps.items()}
    ends = {name for name, each in flow.steps.items() if isinstance(each, HangUp | Return | Queue)}
    return wrong | without_end(edges, ends)


def accepted(world: World, name: str = "main", others: Mapping[str, Flow] | None = None) -> Flow:
    """A flow with which nothing is wrong: what is, is made anew until it is not."""
    flow = world.flow(name, others)
    while wrong := wrong_steps(flow):
        steps = dict(flow.steps)
        for each in sorted(wrong) if wrong != {"agent"} else list(steps)[:2]:
            if each == "bye":
                steps[each] = replace(steps[each], prompt=()) if isinstance(steps[each], HangUp) else steps[each]
            elif each != "agent":
                steps[each] = world.step(each, list(steps), others or {})
        flow = replace(flow, steps=steps)
    return flow


class Call:
    """A call that walks through a flow."""

    def __init__(self, flow: Flow, facts: Facts) -> None:
        self.flow, self.facts, self.now = flow, facts, NOW
        self.asked: Ask | None = None
        self.heard: list[str] = []
        self.state: FlowState
        self.state, actions = start(flow, facts, NOW)
        self._see(actions)

    def _see(self, actions: tuple[object, ...]) -> None:
        self.heard += [each.value for act in actions if isinstance(act, PlayPrompts) for each in act.prompts]
        self.asked = next((action for action in actions if isinstance(action, Ask)), self.asked)

    def does(self, happened: FlowInput) -> None:
        self.state, actions = step(self.flow, self.state, self.facts, happened, self.now)
        self._see(actions)

    def time_passes(self) -> None:
        if self.state.due is not None:
            self.now = max(self.now, self.state.due)
        self.does(TimePassed())

    def is_well(self) -> bool:
        """Whether nothing failed but a web service, whose answer may be anything, and nobody heard of nothing."""
        failures = [each for each in self.state.failures if not each.cause.startswith("the answer has no")]
        return not failures and self.state.reason != "failed" and not any("None" in words for words in self.heard)


def goes_on(call: Call, world: World) -> None:
    """Let something happen that may happen now."""
    match call.state.phase:
        case "requesting" if call.asked is not None:
            call.does(world.answer(call.asked))
        case "queued":
            call.does(QueueEntered())
            call.does(QueueLeft(world.random.choice(("answered", "full", "closed", "timeout"))))
        case "speaking" | "asking" | "ending" if world.random.random() < 0.6 and call.state.playing is not None:
            call.does(PromptsFinished(call.state.playing, "finished"))
        case _ if world.random.random() < 0.7:
            call.does(KeyPressed(world.random.choice("0112223#*")))
        case _:
            call.time_passes()


def nothing_works(call: Call) -> None:
    """Let time pass, and everything else fail."""
    match call.state.phase:
        case "requesting" if call.asked is not None:
            outcome = "refused" if "verify" in str(call.asked.request.__struct_config__.tag) else "failed"
            call.does(Answered(call.asked.number, outcome))
        case "queued":
            call.does(QueueLeft("closed"))
        case _ if call.state.playing is not None and call.state.phase != "listening":
            call.does(PromptsFinished(call.state.playing, "finished"))
        case _:
            call.time_passes()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_call_fails_in_a_flow_that_was_accepted(seed: int) -> None:
    world = World(seed)
    flow = accepted(world, others={"other": accepted(world, "other")})
    for _ in range(4):
        call = Call(flow, world.facts())
        for _ in range(80):
            if call.state.ended:
                break
            goes_on(call, world)
        assert call.is_well(), (call.state.failures, call.state.path, flow)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_who_does_nothing_comes_to_an_end(seed: int) -> None:
    world = World(seed)
    flow = accepted(world, others={"other": accepted(world, "other")})
    call = Call(flow, world.facts())
    for _ in range(2000):
        if call.state.ended:
            break
        nothing_works(call)
    assert call.state.ended, (call.state.path[-20:], flow)
    assert call.is_well(), (call.state.failures, call.state.path, flow)
