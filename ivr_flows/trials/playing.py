"""A scenario played on the virtual clock, from the first word to the last. Pure."""

import math
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from ivr_flows.facts import Facts
from ivr_flows.flow import Held
from ivr_flows.state import FlowState
from ivr_flows.step import start
from ivr_flows.trials.call import Call
from ivr_flows.trials.conduct import Act, Conduct
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import BY_CALLER, Disappointment, Played
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.world import Answers

MAX_CALL_S: Final = 6 * 3600.0
MAX_EVENTS: Final = 20_000

AnyCall_co = TypeVar("AnyCall_co", bound=Call, covariant=True)


class Kind(Protocol[AnyCall_co]):
    """Makes a call."""

    def __call__(
        self, marked: Marked, scenario: Scenario, facts: Facts, now: float, state: FlowState, *, answers: Answers
    ) -> AnyCall_co: ...


def begin(prepared: Marked, scenario: Scenario, kind: Kind[AnyCall_co]) -> AnyCall_co:
    """Answer the call: the flow begins. Where it is one with parameters, the scenario gives them."""
    world = scenario.world
    if world.parameters:
        prepared = with_parameters(prepared, world.parameters)
    state, actions = start(prepared.flow, world.facts, world.at)
    call = kind(prepared, scenario, world.facts, world.at, state, answers=Answers(world))
    call.take(actions)
    return call


def with_parameters(prepared: Marked, given: Mapping[str, Held]) -> Marked:
    """Return a flow whose parameters have these values."""
    variables = {
        name: replace(variable, initial=given.get(name, variable.initial))
        for name, variable in prepared.flow.variables.items()
    }
    return Marked(replace(prepared.flow, variables=variables), prepared.exits)


def play(prepared: Marked, scenario: Scenario) -> Played:
    """Play a scenario to its end. Nothing raises: a call that does not end is a disappointment of the scenario."""
    call, conduct = begin(prepared, scenario, Call), Conduct(scenario.deeds)
    for _ in range(MAX_EVENTS):
        if call.unanswered:
            return call.over(Disappointment(scenario.line, call.unanswered))
        act = conduct.act(call.scene, call.now)
        match act.kind:
            case "fails":
                return call.over(Disappointment(act.line, act.text, act.instead))
            case "keys":
                call.press(act.keys)
            case "says":
                call.say(act.text, act.confidence)
            case "hangs_up":
                call.note("hangs up", "")
                call.end(BY_CALLER)
            case "done" if call.scene.ended:
                return call.over(_unwelcome(conduct.banned(call.scene)))
            case _:
                until = math.inf if act.until is None else act.until
                if call.now - scenario.world.at > MAX_CALL_S or (not call.scene.ended and not call.pass_time(until)):
                    break
    text = f"the call does not end: it is in step '{call.scene.where}' after {call.now - scenario.world.at:.0f} s"
    return call.over(Disappointment(scenario.line, text, tuple(call.scene.heard[-3:])))


def _unwelcome(act: Act | None) -> Disappointment | None:
    return None if act is None else Disappointment(act.line, act.text, act.instead)
