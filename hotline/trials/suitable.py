"""Which scenarios a depth can play, and why not the others. Pure.

What a scenario comes to is known from its logic: it is played on the virtual clock first. Nothing is pretended: what
the world of a real call cannot be given makes a scenario one for the logic alone. With sound and no signalling the
world is the scenario's; what is done with the call itself, and what a recogniser thinks of what it hears, are not.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from crm_bridge.identity import phone
from hotline.trials.plan import Plan, plan_of, steps_of
from ivr_flows.facts import Facts
from ivr_flows.flow import Dial, Transfer
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Played
from ivr_flows.trials.playing import play
from ivr_flows.trials.reading_world import AT, TIMEZONE
from ivr_flows.trials.scenario import Says, Scenario, Visit, World
from ivr_flows.trials.world import replies_of

Depth = Literal["audio", "sip"]

LONGEST_S: Final[Mapping[Depth, float]] = {"audio": 1800.0, "sip": 180.0}
"""How long a call of a scenario may last; with `--slow` as long as any call may."""
CERTAIN: Final = 1.0
TALK_S: Final = 1.0
"""How long an agent talks: nothing of the flow happens in that time."""
GOES_S: Final = 1.0
"""How long somebody takes to leave a queue."""
NOBODY: Final = "0" * 32
REAL: Final[Mapping[str, frozenset[str]]] = {
    "case": frozenset({"next"}),
    "notify": frozenset({"failed"}),
    "voicemail": frozenset({"next", "no_message", "failed"}),
    "dial": frozenset({"answered", "busy", "no_answer", "failed"}),
    "transfer": frozenset({"failed", "no_answer"}),
    "conference": frozenset({"next"}),
}
"""What may come of what a flow asks a real server, besides web services. A callback would be a call of its own, and
from a server of its own nothing goes out."""
MOST_WAITING: Final = 5
"""So many others may wait in a queue: each is a phone."""
WITH_THE_CALL: Final = frozenset({"dial", "transfer", "conference"})
"""What a flow asks that needs others than agents in queues."""


def shortened(scenario: Scenario) -> Scenario:
    """Return a scenario in which agents talk no longer than they must."""
    queues = {**dict.fromkeys(scenario.world.facts.queues, (Visit(),)), **scenario.world.visits}
    visits = {
        name: tuple(replace(visit, talk_s=min(visit.talk_s, TALK_S)) for visit in each) for name, each in queues.items()
    }
    return replace(scenario, world=replace(scenario.world, visits=visits))


def unsuitable(depth: Depth, prepared: Marked, scenario: Scenario, played: Played, *, slow: bool = False) -> str:
    """Return why a depth cannot play a scenario, which was played by its logic like this; empty where it can. `slow`
    calls may last."""
    by = _by_ear if depth == "audio" else _by_telephone
    reasons = chain(by(prepared, scenario, played), _of_what_is_heard(prepared, scenario, played))
    return next(chain(reasons, () if slow else _of_the_time(depth, played)), "")


def _by_telephone(prepared: Marked, scenario: Scenario, played: Played) -> Iterator[str]:
    yield from _of_the_caller(scenario)
    yield from _of_the_world(scenario.world)
    yield from _of_the_way(prepared, scenario, played)
    plan = plan_of(prepared.flow, scenario, played)
    yield from _of_the_queues(plan)
    yield from _of_pauses(played)
    yield from _of_messages(plan)
    yield from _as_shown(prepared, plan, played)


def _by_ear(_prepared: Marked, _scenario: Scenario, played: Played) -> Iterator[str]:
    for moment in played.way:
        kind = moment.text.partition(" ")[0]
        if moment.what == "asks" and kind in WITH_THE_CALL:
            yield f"it comes to '{kind}'"


def _of_what_is_heard(prepared: Marked, scenario: Scenario, played: Played) -> Iterator[str]:
    doubtful = [deed.confidence for deed in scenario.deeds if isinstance(deed, Says) and deed.confidence < CERTAIN]
    if doubtful and play(prepared, _heard_well(scenario)).steps != played.steps:
        yield f"the caller is to be heard with a confidence of {min(doubtful):g}, which is the recogniser's to say"


def _heard_well(scenario: Scenario) -> Scenario:
    deeds = (replace(deed, confidence=CERTAIN) if isinstance(deed, Says) else deed for deed in scenario.deeds)
    return replace(scenario, deeds=tuple(deeds))


def _of_the_time(depth: Depth, played: Played) -> Iterator[str]:
    if played.lasted_s > LONGEST_S[depth]:
        yield f"it lasts {played.lasted_s:.0f} s: more than {LONGEST_S[depth]:.0f} s need --slow"


def _of_the_caller(scenario: Scenario) -> Iterator[str]:
    facts = scenario.world.facts
    caller = facts.caller
    if facts.ani and not phone(facts.ani, facts.region):
        yield f"{facts.ani} is no telephone number"
    if caller.known and not facts.ani:
        yield "a caller who hides the number is known all the same"
    if caller.assurance != (1 if facts.ani else 0):
        yield f"the caller has assurance {caller.assurance} from the beginning"
    if caller.last_interactions or caller.fields or caller.customer not in ("", NOBODY):
        yield "the caller is known by more than name, language, tags and open cases"
    if any(len(case.id) > 32 for case in caller.open_cases):
        yield "a case has an id of more than 32 characters"


def _of_the_world(world: World) -> Iterator[str]:
    facts = world.facts
    if world.parameters:
        yield "it gives a flow that others call its parameters"
    if facts.timezone != TIMEZONE:
        yield f"it is in the time zone {facts.timezone}"
    if world.at != datetime.fromisoformat(AT).replace(tzinfo=ZoneInfo(TIMEZONE)).timestamp():
        yield "it has a time of its own"
    if "emergency" in facts.hours.values():
        yield "it has an emergency"


def _of_the_way(prepared: Marked, scenario: Scenario, played: Played) -> Iterator[str]:
    for moment in played.way:
        if moment.what == "asks":
            yield from _of_a_request(scenario.world, *moment.text.partition(" ")[::2])
    for place, step in steps_of(prepared.flow, played):
        match step:
            case Transfer(agent=agent) if "{{" in agent:
                yield f"'{place}' gives the call to an agent whose name only the call knows"
            case Dial(number=number) | Transfer(number=number) if number and not _is_dialled(number):
                yield f"'{place}' calls {number}, which is no number"


def _is_dialled(number: str) -> bool:
    """Whether it may be a number: a template shows that only when it is filled in."""
    return "{{" in number or any(digit.isdigit() for digit in number)


def _of_a_request(world: World, kind: str, url: str) -> Iterator[str]:
    if kind == "http":
        if setting_of(world.facts, url) is None:
            yield f"the address {url} does not begin with a value of the settings"
        elif any(len(each) > 1 and any(reply.outcome != "next" for reply in each) for each in world.http.values()):
            yield "a web service fails at first and not later, and who asks again is not told of that"
    elif kind not in REAL:
        yield f"it comes to '{kind}'"
    elif other := {reply.outcome for reply in replies_of(world, kind)} - REAL[kind]:
        yield f"'{kind}' is to come to '{min(other)}'" if kind != "case" else "'case' is to fail"


def _of_the_queues(plan: Plan) -> Iterator[str]:
    for name, count in plan.crowds.items():
        if count > MOST_WAITING:
            yield f"in queue '{name}' {count} wait, and only {MOST_WAITING} can"
    answered = [stay for stay in plan.stays if stay.visit.outcome == "answered"]
    for name in dict.fromkeys(stay.queue for stay in plan.stays):
        outcomes = plan.outcomes(name)
        if "closed" in outcomes and len(set(outcomes)) > 1:
            yield f"queue '{name}' is closed, and then it is not: a server has it or has it not"
        elif "full" in outcomes[outcomes.count("full") :]:
            yield f"queue '{name}' is to be full after it was not: nobody comes before a caller who waits"
        elif plan.crowds.get(name) and "answered" in outcomes and len(answered) > 1:
            yield f"others wait in queue '{name}', and an agent talks before or after: all of them would be served"


def _of_pauses(played: Played) -> Iterator[str]:
    """Whoever is to hang up before a queue has room again needs time for that."""
    entered = [moment for moment in played.way if moment.what == "queue"]
    over = [moment for moment in played.way if moment.what == "queue over"]
    for visit, left, again, later in zip(entered, over, entered[1:], over[1:], strict=False):
        is_other = left.text == "full" and later.text != "full" and again.text == visit.text
        if is_other and again.at_s - left.at_s < GOES_S:
            yield f"queue '{visit.text}' is full, and then at once is not: who waits there needs {GOES_S:g} s to go"


def _of_messages(plan: Plan) -> Iterator[str]:
    for name in sorted(plan.messages):
        outcomes = set(plan.outcomes(name))
        if "failed" in plan.of_messages and (outcomes - {"closed"} or len(plan.of_messages) > 1):
            yield f"a message for queue '{name}' is to fail, and a server that has the queue takes messages for it"
        elif "closed" in outcomes and "failed" not in plan.of_messages:
            yield f"queue '{name}' is closed and takes messages: a server that has no such queue takes none"


def _as_shown(prepared: Marked, plan: Plan, played: Played) -> Iterator[str]:
    real, known = plan.real, plan.scenario.world.facts.queues
    if real == plan.scenario or play(prepared, real).steps == played.steps:
        return
    shown = real.world.facts.queues
    for name in (name for name in known if shown.get(name) != known[name]):
        there = shown.get(name)
        if there is None:
            yield f"what is known of queue '{name}' is asked for, and a server has no queue that is closed"
        else:
            told = f"{'open' if there.open else 'not open'}, with {there.waiting} who wait"
            yield f"queue '{name}' is as no server shows it: it would be {told} and no wait that could be reckoned"


def setting_of(facts: Facts, url: str) -> str | None:
    """Return the name of the setting whose value an address begins with; None for none."""
    found = [name for name, value in facts.settings.items() if value and url.startswith(value)]
    return max(found, key=lambda name: len(facts.settings[name]), default=None)
