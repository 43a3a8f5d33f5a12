"""All calls of a simulation with the real queues (`telephony.acd`), on one virtual clock.

Every instant at which something happens is in a heap with a number that tells it from others at the same instant, so
the same seed goes the same way to the last bit.
"""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from hotline.simulate.behaviour import Behaviour, Kind
from hotline.simulate.caller import Simulated
from hotline.simulate.draws import Draws
from ivr_flows.facts import QueueFacts
from ivr_flows.flow import Flow
from ivr_flows.state import QueueOutcome
from ivr_flows.trials.marks import Marked, marked, texts_of
from ivr_flows.trials.playing import begin
from ivr_flows.trials.scenario import Scenario, World
from telephony.acd import (
    Acd,
    AcdInput,
    AcdOutput,
    AgentReachable,
    AgentReady,
    AgentSettings,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    OfferAnswered,
    OfferCall,
    QueueSettings,
    TalkEnded,
    TimePassed,
)

MAX_CALL_S: Final = 6 * 3600.0
PHONE_DIGITS: Final = 8


class Visit(NamedTuple):
    """One wait in a queue: what came of it (`abandoned` by the caller, `left` by what they heard), the seconds waited,
    and how long the agent was busy with it, wrap-up included."""

    queue: str
    outcome: str
    waited_s: float
    handled_s: float = 0.0


class Ended(NamedTuple):
    """A call that is over: the kind of its caller, where it was, why it ended, how long it lasted; each step that it
    came to with the seconds it stayed there."""

    kind: str
    place: str
    reason: str
    lasted_s: float
    stays: tuple[tuple[str, float], ...]


class Happening(NamedTuple):
    """What is due when: a call arrives or goes on, an offered phone is answered, a talk ends, a lease of the queues."""

    at: float
    number: int
    what: Literal["arrives", "goes_on", "picks_up", "talk_over", "lease"]
    call: int = -1
    agent: str = ""


@dataclass
class Center:
    """The calls, queues and agents of one simulation."""

    behaviour: Behaviour
    marked: Marked
    seed: int
    calls: dict[int, Simulated] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    begun_at: float = 0.0
    over_at: float = 0.0
    now: float = 0.0
    _kinds: dict[int, str] = field(default_factory=dict)
    _talks: dict[int, tuple[str, str, float, float]] = field(default_factory=dict)
    _heap: list[Happening] = field(default_factory=list)
    _numbers: int = 0
    _lease: float = math.inf
    _reads_queues: bool = False

    def __post_init__(self) -> None:
        queues = {queue.name: queue for queue in self.behaviour.queues}
        own = {name: tuple(f"{name}.{n}" for n in range(1, queue.agents + 1)) for name, queue in queues.items()}
        shared = tuple(f"all.{n}" for n in range(1, self.behaviour.agents + 1))
        self.staff = {name: own[name] or shared for name in queues}
        agents = sorted({agent for names in self.staff.values() for agent in names})
        self.acd = Acd(
            {
                name: QueueSettings(
                    name, math.inf, queue.wrap_up_s, queue.max_waiting, self.staff[name] if queues else None
                )
                for name, queue in queues.items()
            },
            {agent: AgentSettings(agent) for agent in agents},
        )
        self.agents = agents
        self.now = self.begun_at = self.behaviour.kinds[0].world.at
        self._reads_queues = reads_queues(self.marked.flow)
        for agent in agents:
            self.tell(AgentReachable(agent, reachable=True))
            self.tell(AgentReady(agent))

    # --------------------------------------------------------------------------------------------------- the clock

    def run(self, calls: int) -> None:
        """Let so many calls arrive, and all of them end."""
        arrivals, at = Draws(self.seed, "arrivals"), self.begun_at
        gap = self.behaviour.arrivals_per_h / 3600
        for index in range(calls):
            at += arrivals.exponential_s(1 / gap)
            self.due(at, "arrives", index)
        while self._heap:
            happening = heapq.heappop(self._heap)
            self.now = happening.at
            self.happen(happening)

    def due(
        self,
        at: float,
        what: Literal["arrives", "goes_on", "picks_up", "talk_over", "lease"],
        call: int = -1,
        agent: str = "",
    ) -> None:
        self._numbers += 1
        heapq.heappush(self._heap, Happening(at, self._numbers, what, call, agent))

    def happen(self, happening: Happening) -> None:
        call = happening.call
        match happening.what:
            case "arrives":
                self.arrive(call)
            case "goes_on":
                self.go_on(call, happening.at)
            case "picks_up":
                self.pick_up(call, happening.agent)
            case "talk_over":
                self.talk_over(call)
            case "lease":
                self._lease = math.inf
                self.tell(TimePassed())

    # --------------------------------------------------------------------------------------------------- the calls

    def arrive(self, index: int) -> None:
        draws = Draws(self.seed, f"caller/{index}")
        kind = self.kind(draws)
        world = kind.world
        if world.facts.ani:
            world = replace(world, facts=replace(world.facts, ani=f"+849{draws.digits(PHONE_DIGITS)}"))
        world = replace(world, at=self.now, facts=replace(world.facts, started_at=self.now, call=str(index)))
        scenario = Scenario(f"call {index}", 0, world, ())

        kind_of_call = partial(Simulated, draws=draws, behaviour=self.behaviour, key_s=0.0)
        self._kinds[index] = kind.name
        self.calls[index] = begin(self.marked, self.known(scenario), kind_of_call)
        self.calls[index].think()
        self.settle(index)

    def kind(self, draws: Draws) -> Kind:
        name = draws.one_of({kind.name: kind.share for kind in self.behaviour.kinds})
        return next(kind for kind in self.behaviour.kinds if kind.name == name)

    def known(self, scenario: Scenario) -> Scenario:
        facts = replace(scenario.world.facts, queues=self.queues())
        world: World = replace(scenario.world, facts=facts)
        return replace(scenario, world=world)

    def go_on(self, index: int, at: float) -> None:
        """Let a call go on, if this is still what it waits for."""
        call = self.calls.get(index)
        if call is None or call.next_at() > at:
            return
        if self._reads_queues:
            waiting = self.acd.waiting()
            position = waiting.index(str(index)) + 1 if str(index) in waiting else 0
            call.see_queues(self.queues(), position)
        queued, since = call.queued, call.waited_since
        call.go_on(at)
        if queued is not None and call.queued is not queued:
            self.out_of_queue(index, queued.queue, "left", since)
        self.settle(index)

    def settle(self, index: int) -> None:
        """Put a call into its queue, note its end, or wait for what is next."""
        call = self.calls[index]
        if call.scene.ended:
            self.end(index)
            return
        if call.queued is not None and not call.in_queue:
            call.in_queue = True
            queued = call.queued
            self.tell(CallQueued(str(index), queued.queue, queued.limit_s, queued.priority))
            if self.calls.get(index) is not call or call.scene.ended:
                return
            if call.queued is queued:
                call.due.entered_at = self.now
        next_at = call.next_at()
        if next_at < math.inf:
            self.due(max(next_at, self.now), "goes_on", index)

    def end(self, index: int) -> None:
        call = self.calls.pop(index)
        if call.in_queue and call.queued is not None:
            self.out_of_queue(index, call.queued.queue, "abandoned", call.waited_since)
        started, self.over_at = call.scenario.world.at, self.now
        steps = [moment for moment in call.way if moment.what == "step"]
        lasted_s = self.now - started
        ends = [moment.at_s for moment in steps[1:]] + [lasted_s]
        stays = tuple((str(moment.text), end - moment.at_s) for moment, end in zip(steps, ends, strict=True))
        self.ended.append(Ended(self._kinds.pop(index), str(call.state.place), call.scene.ended, lasted_s, stays))

    def out_of_queue(self, index: int, queue: str, outcome: str, since: float) -> None:
        """The caller gives the place up."""
        self.visits.append(Visit(queue, outcome, self.now - since))
        self.tell(CallLeft(str(index)))
        if index in self.calls:
            self.calls[index].in_queue = False

    # --------------------------------------------------------------------------------------------- queues and agents

    def tell(self, happened: AcdInput) -> None:
        """Tell the queues, and do what they say."""
        for output in self.acd.handle(happened, self.now):
            self.take(output)
        deadline = self.acd.deadline()
        if deadline is not None and deadline < self._lease:
            self._lease = deadline
            self.due(max(deadline, self.now), "lease")

    def take(self, output: AcdOutput) -> None:
        match output:
            case OfferCall(call, agent):
                draws = Draws(self.seed, f"ringing/{call}/{agent}")
                self.due(self.now + draws.time_s(self.behaviour.ringing), "picks_up", int(call), agent)
            case CallTimedOut(call):
                self.over(int(call), "timeout")
            case CallRefused(call, cause):
                self.over(int(call), "full" if cause == "full" else "closed")
            case _:
                pass

    def over(self, index: int, outcome: QueueOutcome) -> None:
        """The queue is over for a call, without a talk."""
        call = self.calls[index]
        queue = "" if call.queued is None else call.queued.queue
        self.visits.append(Visit(queue, outcome, self.now - call.waited_since))
        self.give_back(index, outcome)

    def give_back(self, index: int, outcome: QueueOutcome) -> None:
        call = self.calls[index]
        call.now = max(call.now, self.now)
        call.queued, call.leaves_at, call.in_queue = None, math.inf, False
        call.leave_queue(outcome)
        call.think()
        self.settle(index)

    def pick_up(self, index: int, agent: str) -> None:
        """The agent's phone is answered, if the call is still offered to it."""
        call, snapshot = self.calls.get(index), self.acd.agent(agent)
        offered = snapshot is not None and snapshot.state == "ringing" and snapshot.call == str(index)
        if call is None or call.queued is None or not offered:
            return
        handled_s = Draws(self.seed, f"handling/{index}/{len(self.visits)}").time_s(self.behaviour.handling)
        call.talk_from(self.now)
        self._talks[index] = (agent, call.queued.queue, self.now, self.now - call.waited_since)
        self.due(self.now + handled_s, "talk_over", index)
        self.tell(OfferAnswered(str(index), agent))

    def talk_over(self, index: int) -> None:
        talk = self._talks.pop(index, None)
        if talk is None:
            return
        agent, queue, since, waited_s = talk
        wrap_up_s = next(each.wrap_up_s for each in self.behaviour.queues if each.name == queue)
        self.visits.append(Visit(queue, "answered", waited_s, self.now - since + wrap_up_s))
        self.tell(TalkEnded(str(index), agent))
        if index in self.calls:
            self.give_back(index, "answered")

    def queues(self) -> Mapping[str, QueueFacts]:
        """Return how the queues stand, as flows see it."""
        found = {}
        for name in self.acd.queue_names():
            facts = self.acd.queue_facts(name, self.now)
            found[name] = QueueFacts(facts.open, facts.waiting, facts.estimated_wait_s or 0.0)
        return found


def reads_queues(flow: Flow) -> bool:
    """Tell whether how queues stand matters to a flow."""
    parts = (flow, *flow.flows.values())
    return any(
        "queue" in text or "waiting" in text
        for part in parts
        for step in part.steps.values()
        for place, text in texts_of(step)
        if place and place[-1] != "wait"
    ) or any(part.for_waiting for part in parts)


def simulate(flow: Flow, behaviour: Behaviour, calls: int, seed: int) -> Center:
    """Run a simulation and return the center as it was at the end."""
    center = Center(behaviour, marked(flow), seed)
    center.run(calls)
    return center
